"""How much of Redis' CPU time its roles take: store, broker and channel layer."""

from typing import Any

from redis import Redis

# Redis also counts the commands within scripts; of those, only the script is a request.
ROLES = {
    "store": ("evalsha",),
    "broker": ("lpush", "brpop"),
    "channel layer": ("publish",),
}


class RedisUse:
    """The use of a Redis from now on."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._before = self._now()

    def shares(self) -> dict[str, float]:
        """Return each role's part of the CPU time.

        It is the commands' own time, and for each the same part of the time that is not theirs.
        """
        now = self._now()
        used_s = now["cpu"][0] - self._before["cpu"][0]
        calls, own_s = (
            {role: now[role][at] - self._before[role][at] for role in ROLES} for at in (0, 1)
        )
        overhead_s = max(used_s - sum(own_s.values()), 0) / max(sum(calls.values()), 1)
        total_s = {role: own_s[role] + calls[role] * overhead_s for role in ROLES}
        return {role: each / max(sum(total_s.values()), 1e-9) for role, each in total_s.items()}

    def _now(self) -> dict[str, tuple[float, float]]:
        with Redis.from_url(self._url) as redis:
            cpu, stats = redis.info("cpu"), redis.info("commandstats")
        found: dict[str, tuple[float, float]] = {
            "cpu": (cpu["used_cpu_user"] + cpu["used_cpu_sys"], 0)
        }
        for role, commands in ROLES.items():
            counted: list[Any] = [stats.get(f"cmdstat_{each}", {}) for each in commands]
            calls = sum(each.get("calls", 0) for each in counted)
            found[role] = calls, sum(each.get("usec", 0) for each in counted) / 1e6
        return found
