"""A group of real servers behind three Sentinels: a primary and its replicas, on free ports.

with SentinelGroup(folder) as group:
    Store(group.url, connections=4)
    group.primary.kill()
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from chat.management.commands.runredis import bundled_files
from tests.ports import free_port
from tests.processes import Process, wait_for

SERVICE = "mymaster"
PASSWORD = "servers"
SENTINEL_PASSWORD = "sentinels"
QUORUM = 2
NO_RETRY = Retry(NoBackoff(), 0)
SERVER = f"""\
bind {{host}}
port {{port}}
protected-mode no
requirepass {PASSWORD}
masterauth {PASSWORD}
dir {{folder}}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
repl-diskless-sync-delay 0
repl-ping-replica-period 1
repl-timeout 5
loadmodule {{search}}
loadmodule {{json}}
{{more}}
"""
SENTINEL = f"""\
bind {{host}}
port {{port}}
protected-mode no
requirepass {SENTINEL_PASSWORD}
sentinel sentinel-pass {SENTINEL_PASSWORD}
dir {{folder}}
sentinel monitor {SERVICE} {{primary_host}} {{primary_port}} {QUORUM}
sentinel auth-pass {SERVICE} {PASSWORD}
sentinel down-after-milliseconds {SERVICE} {{down_after_ms}}
sentinel failover-timeout {SERVICE} 5000
sentinel parallel-syncs {SERVICE} 2
"""


@dataclass(frozen=True)
class Host:
    """Where a member runs: its address, and the command that enters its network namespace."""

    address: str = "127.0.0.1"
    prefix: str = ""


LOOPBACK = Host()


@dataclass(eq=False)
class Member:
    """A server or a Sentinel: its address, its folder and, while it runs, its process."""

    name: str
    host: str
    port: int
    folder: Path
    command: str
    process: Process | None = field(default=None)

    def start(self) -> None:
        """Start it, also after it was killed."""
        log = self.folder / "log"
        self.process = Process(self.name, self.command, dict(os.environ), log)

    @property
    def running(self) -> Process:
        assert self.process, f"{self.name} was not started"
        return self.process

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port


class SentinelGroup:
    """The servers and the Sentinels, one of each on every host."""

    def __init__(
        self,
        folder: Path,
        *,
        hosts: Sequence[Host] = (LOOPBACK, LOOPBACK, LOOPBACK),
        down_after_ms: int = 1000,
        more: str = "",
    ) -> None:
        self._folder = folder
        self._more = more
        self._down_after_ms = down_after_ms
        self.servers: list[Member] = []
        for number, host in enumerate(hosts):
            self.servers.append(self._server(number, host))
        self.sentinels = [self._sentinel(number, host) for number, host in enumerate(hosts)]

    def __enter__(self) -> Self:
        for member in [*self.servers, *self.sentinels]:
            member.start()
        for server in self.servers:
            server.running.wait_until(partial(self._responds, server), "to respond")
        replicas = len(self.servers) - 1
        wait_for(lambda: self._count_replicas() == replicas, "the replicas")
        wait_for(lambda: all(map(self._knows_all, self.sentinels)), "the Sentinels")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for member in [*self.sentinels, *self.servers]:
            if member.process and member.process.is_alive():
                member.process.kill()

    @property
    def url(self) -> str:
        """The URL for REDIS_URL, CELERY_BROKER_URL and CHANNEL_REDIS_URL."""
        hosts = ",".join(f"{each.host}:{each.port}" for each in self.sentinels)
        options = f"sentinel_password={SENTINEL_PASSWORD}"
        return f"redis+sentinel://:{PASSWORD}@{hosts}/{SERVICE}/0?{options}"

    @property
    def primary(self) -> Member:
        """The server that the Sentinels name as the primary."""
        found = self._found_primary()
        assert found, "no Sentinel names a primary"
        return found

    def client(self, member: Member) -> redis.Redis:
        """Return a client of one server."""
        return redis.Redis(
            host=member.host,
            port=member.port,
            password=PASSWORD,
            decode_responses=True,
            retry=NO_RETRY,
            socket_timeout=2,
        )

    def until_primary_is_not(self, previous: Member) -> Member:
        """Wait until a majority of the Sentinels has made another server the primary."""
        wait_for(lambda: self._found_primary() not in (None, previous), "a failover")
        return self.primary

    def until_complete(self) -> None:
        """Wait until the primary has all other servers as its replicas."""
        replicas = len(self.servers) - 1
        wait_for(lambda: self._count_replicas() == replicas, "the replicas")

    def _found_primary(self) -> Member | None:
        sentinels = Sentinel(
            [each.address for each in self.sentinels],
            sentinel_kwargs={
                "password": SENTINEL_PASSWORD,
                "socket_timeout": 1,
                "retry": NO_RETRY,
            },
        )
        try:
            address = sentinels.discover_master(SERVICE)
        except redis.ConnectionError:
            return None
        finally:
            sentinels.close()
        return next((each for each in self.servers if each.address == address), None)

    def _count_replicas(self) -> int:
        counts = []
        for server in self.servers:
            try:
                with self.client(server) as client:
                    found: Any = client.info("replication")
            except redis.RedisError:
                continue
            if found["role"] == "master":
                states = [found[f"slave{n}"]["state"] for n in range(found["connected_slaves"])]
                counts.append(states.count("online"))
        return max(counts, default=0)

    def _knows_all(self, sentinel: Member) -> bool:
        client = redis.Redis(
            host=sentinel.host, port=sentinel.port, password=SENTINEL_PASSWORD, retry=NO_RETRY
        )
        try:
            with client:
                masters: Any = client.sentinel_masters()
                state = masters[SERVICE]
        except redis.RedisError:
            return False
        return (state["num-other-sentinels"], state["num-slaves"]) == (
            len(self.sentinels) - 1,
            len(self.servers) - 1,
        )

    def _responds(self, server: Member) -> bool:
        try:
            with self.client(server) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _server(self, number: int, host: Host) -> Member:
        program, search, json = bundled_files()
        first = self.servers[0] if number else None
        return self._member(
            f"server-{number}",
            host,
            str(program),
            SERVER,
            search=search,
            json=json,
            more=f"{self._more}\n" + (f"replicaof {first.host} {first.port}" if first else ""),
        )

    def _sentinel(self, number: int, host: Host) -> Member:
        program, _, _ = bundled_files()
        primary = self.servers[0]
        return self._member(
            f"sentinel-{number}",
            host,
            f"{program} --sentinel",
            SENTINEL,
            primary_host=primary.host,
            primary_port=primary.port,
            down_after_ms=self._down_after_ms,
        )

    def _member(
        self, name: str, host: Host, program: str, configuration: str, **values: object
    ) -> Member:
        folder = self._folder / name
        folder.mkdir()
        # The servers write changes of their role into this file.
        file = folder / "conf"
        port = free_port()
        text = configuration.format(host=host.address, port=port, folder=folder, **values)
        file.write_text(text)
        command, _, option = program.partition(" ")
        return Member(
            name, host.address, port, folder, f"{host.prefix} {command} {file} {option}".strip()
        )
