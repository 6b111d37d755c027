"""A RabbitMQ of the tests' own: one node on loopback, with its data in a folder.

It runs Debian's package without its service. The node and epmd, its name server, are child
processes on ports of their own, so that several can run at the same time.
"""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import kombu
from kombu.exceptions import OperationalError

from chat.events import rabbitmq
from tests.ports import free_port
from tests.processes import Process, wait_for

PROGRAMS = Path("/usr/lib/rabbitmq/bin")
CONFIGURATION = """
listeners.tcp.1 = 127.0.0.1:{port}
vm_memory_high_watermark.absolute = 1GB
disk_free_limit.absolute = 50MB
log.console = true
log.console.level = warning
log.file = false
"""
# One scheduler that does not wait actively, because the tests share the cores.
ERLANG_OPTIONS = (
    "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
)
START_TIMEOUT_S = 120
CALL_TIMEOUT_S = 60


class RabbitMQ:
    """One node. Its programs see only this environment, and nothing of the package's service."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}"
        self.log = folder / "rabbitmq.log"
        configuration = folder / "rabbitmq.conf"
        configuration.write_text(CONFIGURATION.format(port=self.port))
        (folder / "plugins").write_text("[].")
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),  # of the cookie that its tools use
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(free_port()),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_NODENAME": "chat@localhost",
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG_OPTIONS,
        }
        self._epmd = Process("epmd", "epmd", self._environment, self.log)
        self._node: Process | None = None

    def start(self) -> None:
        """Start the node, also after it was killed, and wait until it accepts connections."""
        program = str(PROGRAMS / "rabbitmq-server")
        self._node = Process("rabbitmq", program, self._environment, self.log)
        wait_for(self._responds, f"RabbitMQ to respond: {self.log}", START_TIMEOUT_S)

    @property
    def process(self) -> Process:
        """The process of the node."""
        assert self._node, "started"
        return self._node

    def kill(self) -> None:
        """Kill the node, as the kernel does when memory runs out.

        RabbitMQ 3.10 writes the names of new quorum queues to its disk half a second late. A queue
        whose name is missing never works again, so they are written now.
        """
        self.control("eval", "[dets:sync(Table) || Table <- dets:all()].")
        self.process.kill()

    def close(self) -> None:
        """End all processes. The data are not used again."""
        for process in (self._node, self._epmd):
            if process:
                process.kill()

    def control(self, *arguments: str) -> str:
        """Run rabbitmqctl and return what it prints."""
        return subprocess.run(
            [PROGRAMS / "rabbitmqctl", "--quiet", *arguments],
            env=self._environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=CALL_TIMEOUT_S,
        ).stdout

    def fill_memory(self) -> None:
        """Raise the memory alarm: from now on, messages are not accepted."""
        self.control("set_vm_memory_high_watermark", "absolute", "1MB")

    def free_memory(self) -> None:
        """End the memory alarm."""
        self.control("set_vm_memory_high_watermark", "absolute", "1GB")

    def queues(self) -> dict[str, str]:
        """Return the types of all queues by their names."""
        lines = self.control("list_queues", "--no-table-headers", "name", "type").splitlines()
        return dict(line.split("\t") for line in lines)

    def connection(self) -> kombu.Connection:
        """Return a connection with the project's options."""
        return kombu.Connection(self.url, transport_options=rabbitmq.connection_options())

    def _responds(self) -> bool:
        assert self.process.is_alive(), f"RabbitMQ exited early:\n{self.process.output()}"
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                pass
            with self.connection() as connection:
                connection.ensure_connection(max_retries=0, timeout=5)
        except (OSError, OperationalError):
            return False
        return True


@contextmanager
def running_rabbitmq(folder: Path) -> Iterator[RabbitMQ]:
    """Run a node while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    node = RabbitMQ(folder)
    try:
        node.start()
        yield node
    finally:
        node.close()
