"""A real Redis Cluster for tests: servers of the wheels on loopback, with JSON and search.

with RedisCluster(folder, primaries=3) as cluster:  # replicas=3 adds one replica for each primary
    cluster.url                                     # redis+cluster://…
    cluster.nodes[0].kill()
"""

import subprocess
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from chat.cli.processes import die_with_parent
from chat.management.commands.runredis import bundled_files, quoted
from tests.ports import free_port
from tests.processes import wait_for

SLOTS = 16_384
NODE_TIMEOUT_MS = 2_000
CONFIG = """\
bind 127.0.0.1
port {port}
cluster-enabled yes
cluster-port {bus_port}
cluster-config-file nodes.conf
cluster-node-timeout {timeout_ms}
cluster-require-full-coverage no
dir {folder}
appendonly yes
save ""
maxmemory 1gb
maxmemory-policy noeviction
loadmodule {search}
loadmodule {json}
loglevel warning
"""


class Node:
    """One server of a cluster."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, bus_port = free_port(), free_port()
        folder.mkdir()
        self._server, search, json = bundled_files()
        self._config = CONFIG.format(
            port=self.port,
            bus_port=bus_port,
            timeout_ms=NODE_TIMEOUT_MS,
            folder=quoted(folder),
            search=quoted(search),
            json=quoted(json),
        )
        self.client = redis.Redis(
            port=self.port, protocol=2, decode_responses=True, socket_timeout=10
        )

    def start(self) -> None:
        """Start the server, also after it was killed, and wait until it responds."""
        with (self.folder / "log").open("ab") as output:
            self.process = subprocess.Popen(
                [self._server, "-"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent,
            )
        assert self.process.stdin
        self.process.stdin.write(self._config.encode())
        self.process.stdin.close()
        wait_for(self.responds, f"node {self.port}")

    def responds(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def is_up(self) -> bool:
        """Return whether this node serves commands."""
        return "cluster_state:ok" in self.cluster("INFO")

    def knows(self, count: int) -> bool:
        """Return whether this node knows so many nodes, with itself."""
        lines = str(self.cluster("NODES")).splitlines()
        return len(lines) == count and not any("handshake" in line for line in lines)

    def cluster(self, *words: Any) -> Any:
        """Run a CLUSTER command."""
        return self.client.execute_command("CLUSTER", *words)

    @property
    def id(self) -> str:
        return str(self.cluster("MYID"))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


class RedisCluster:
    """A cluster whose slots are shared equally by its primaries."""

    def __init__(self, folder: Path, primaries: int = 3, replicas: int = 0) -> None:
        self._folder = folder
        self._primaries, self._replicas = primaries, replicas
        self.nodes: list[Node] = []

    def __enter__(self) -> Self:
        for _ in range(self._primaries + self._replicas):
            self.add_node()
        for number, node in enumerate(self.nodes[: self._primaries]):
            first = number * SLOTS // self._primaries
            last = (number + 1) * SLOTS // self._primaries - 1
            node.cluster("ADDSLOTSRANGE", first, last)
        for number, node in enumerate(self.nodes[self._primaries :]):
            self.meet(node)
            node.cluster("REPLICATE", self.nodes[number].id)
        wait_for(self.is_ready, "the cluster")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for node in self.nodes:
            node.client.close()
            node.kill()

    def add_node(self) -> Node:
        """Start another server and let it join the cluster; it has no slots."""
        node = Node(self._folder / str(len(self.nodes)))
        node.start()
        self.nodes.append(node)
        if node is not self.nodes[0]:
            bus_port = self.nodes[0].client.config_get("cluster-port")["cluster-port"]
            node.cluster("MEET", "127.0.0.1", self.nodes[0].port, bus_port)
            self.meet(node)
        return node

    def meet(self, node: Node) -> None:
        """Wait until a node and the others know each other."""
        count = len(self.nodes)
        for each in self.nodes:
            wait_for(partial(each.knows, count), "the nodes to meet")

    def is_ready(self) -> bool:
        """Return whether all slots are served and all replicas are connected, for every node."""
        for node in self.nodes:
            if not node.is_up():
                return False
            info: Any = node.client.info("replication")
            if info["role"] == "slave" and info["master_link_status"] != "up":
                return False
        return all(len(node.cluster("SLOTS")) == self._primaries for node in self.nodes)

    def primary_of(self, slot: int) -> Node:
        """Return the node that serves a slot."""
        for first, last, (_, port, *_), *_ in self.nodes[0].cluster("SLOTS"):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == port)
        raise AssertionError(f"no node serves slot {slot}")

    def move_slot(self, slot: int, target: Node) -> None:
        """Move a slot with its keys while clients use it, as `redis-cli --cluster reshard` does."""
        source = self.primary_of(slot)
        target.cluster("SETSLOT", slot, "IMPORTING", source.id)
        source.cluster("SETSLOT", slot, "MIGRATING", target.id)
        while keys := source.cluster("GETKEYSINSLOT", slot, 10):
            source.client.execute_command(
                *("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
            )
        for node in (target, source, *self.nodes):
            if node.client.info("replication")["role"] == "master":
                node.cluster("SETSLOT", slot, "NODE", target.id)

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(node.address for node in self.nodes[:3])}"
