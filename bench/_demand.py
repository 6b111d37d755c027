"""What visitors demand and what that needs, computed from measured costs. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

# Assumptions: replace them by those of your visitors and of your model's server.
MESSAGES_PER_VISIT = 6
VISIT_S = 600
PEAK_HOUR = 0.12  # the part of a day's visits in its busiest hour
TOKENS_PER_REPLY = 120
TOKENS_PER_S = 20  # of one reply
STREAMS_PER_GPU = 32
SLOTS_PER_WORKER = 64
SESSION_TTL_S = 3600
PAGE_BYTES = 100_000  # of a first visit, at most: a test holds that
# Design: how much of a process is used in the busiest hour, and zones of which one may be lost.
USED = 0.6
ZONES = 3

ASSUMPTIONS = {
    "messages per visit": MESSAGES_PER_VISIT,
    "minutes per visit": VISIT_S / 60,
    "visits in the busiest hour (% of the day's)": PEAK_HOUR * 100,
    "tokens per reply": TOKENS_PER_REPLY,
    "tokens/s of one reply": TOKENS_PER_S,
    "replies that one GPU writes at a time": STREAMS_PER_GPU,
    "use of a process in the busiest hour (% of a core)": USED * 100,
}


@dataclass(frozen=True)
class Costs:
    """CPU time in seconds by kind of process, and bytes."""

    per_message_s: Mapping[str, float]
    per_token_s: Mapping[str, float]
    idle_socket: Mapping[str, float]  # cores per socket
    socket_bytes: float
    session_bytes: float
    token_bytes: float

    def sizes(self) -> dict[str, float]:
        """Return the bytes for a table."""
        return {
            "memory of web for a socket (KB)": self.socket_bytes / 1024,
            "memory of Redis for a session (KB)": self.session_bytes / 1024,
            "traffic for a token (bytes)": self.token_bytes,
        }


@dataclass(frozen=True)
class Demand:
    """The busiest hour of a day with this many visitors."""

    visitors: int

    @property
    def visits_per_s(self) -> float:
        return self.visitors * PEAK_HOUR / 3600

    @property
    def messages_per_s(self) -> float:
        return self.visits_per_s * MESSAGES_PER_VISIT

    @property
    def tokens_per_s(self) -> float:
        return self.messages_per_s * TOKENS_PER_REPLY

    @property
    def sockets(self) -> float:
        return self.visits_per_s * VISIT_S

    @property
    def replies_at_once(self) -> float:
        return self.tokens_per_s / TOKENS_PER_S

    def cores(self, costs: Costs, kind: str) -> float:
        """Return the CPU time per second that processes of a kind use."""
        return (
            self.messages_per_s * costs.per_message_s[kind]
            + self.tokens_per_s * costs.per_token_s[kind]
            + self.sockets * costs.idle_socket.get(kind, 0.0)
        )

    @property
    def gpus(self) -> int:
        return with_spare(self.replies_at_once / STREAMS_PER_GPU / USED)

    def needs(self, costs: Costs) -> dict[str, float]:
        """Return what the busiest hour needs."""
        workers = max(
            self.cores(costs, "worker") / USED, self.replies_at_once / SLOTS_PER_WORKER / USED
        )
        sessions = self.visits_per_s * (VISIT_S + SESSION_TTL_S)
        traffic = self.tokens_per_s * costs.token_bytes + self.visits_per_s * PAGE_BYTES
        month = self.visitors * 30
        visit_bytes = MESSAGES_PER_VISIT * TOKENS_PER_REPLY * costs.token_bytes + PAGE_BYTES
        return {
            "messages/s": self.messages_per_s,
            "tokens/s": self.tokens_per_s,
            "replies at once": self.replies_at_once,
            "open sockets": self.sockets,
            "web (cores used)": self.cores(costs, "web"),
            "worker (cores used)": self.cores(costs, "worker"),
            "Redis (cores used)": self.cores(costs, "redis"),
            "web processes": with_spare(self.cores(costs, "web") / USED),
            "workers": with_spare(workers),
            "Redis primaries": math.ceil(self.cores(costs, "redis") / USED),
            "GPUs": self.gpus,
            "memory of web for sockets (MB)": self.sockets * costs.socket_bytes / 1e6,
            "memory of Redis for sessions (MB)": sessions * costs.session_bytes / 1e6,
            "traffic to visitors (Mbit/s)": traffic * 8 / 1e6,
            "traffic to visitors in a month (GB)": month * visit_bytes / 1e9,
        }


def with_spare(processes: float) -> int:
    """Return how many processes there must be, so that those of the other zones suffice."""
    return 1 if processes <= 1 else math.ceil(processes * ZONES / (ZONES - 1))


def ends(
    costs: Costs, message_roles: Mapping[str, float], token_roles: Mapping[str, float]
) -> dict[str, float]:
    """Return how many daily visitors one Redis carries, for everything and for each role alone.

    The roles are each one's part of what a message and a token cost Redis.
    """
    one = Demand(1)
    of_messages = one.messages_per_s * costs.per_message_s["redis"]
    of_tokens = one.tokens_per_s * costs.per_token_s["redis"]
    of_sockets = one.sockets * costs.idle_socket["redis"]
    carried = {"one Redis for everything": USED / (of_messages + of_tokens + of_sockets)}
    for role, share in message_roles.items():
        used = of_messages * share + of_tokens * token_roles[role]
        carried[f"one Redis as {role}"] = USED / (used + of_sockets * (role == "store"))
    return carried
