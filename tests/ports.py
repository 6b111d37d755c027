"""Free ports."""

import os
import random
import socket

# Below the kernel's ephemeral ports, and separate from those of other test processes.
RUNNER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
CANDIDATES = range(20_000 + RUNNER * 3_000, 23_000 + RUNNER * 3_000)


def free_port() -> int:
    """Return a port of the loopback interface that is not in use."""
    while True:
        port = random.choice(CANDIDATES)
        if can_listen_on(port):
            return port


def can_listen_on(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
