"""One site with both web servers, for the tests that send random input to a real process."""

import socket
from collections.abc import Iterator

import pytest

from tests.model_stub import ModelStub
from tests.processes import HIGH_LIMITS, WEB_SERVERS, Process, Stack, is_serving

TIMEOUT_S = 10
SERIOUS = ("Traceback (most recent call last)", " ERROR ", " CRITICAL ", "Internal Server Error")


class Server:
    """A web process; `check` fails if the input made it fail."""

    def __init__(self, web: Process) -> None:
        self.web = web
        self._lines_checked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.web.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.web.port}/chat"

    def check(self) -> None:
        """Fail if the process has exited, does not respond, or has logged an error."""
        assert is_serving(f"{self.url}/healthz"), "it does not respond"
        output = self.web.output().splitlines()
        lines, self._lines_checked = output[self._lines_checked :], len(output)
        check_log(lines)


def check_log(lines: list[str]) -> None:
    """Fail with the first serious line and those after it."""
    serious = [number for number, line in enumerate(lines) if any(each in line for each in SERIOUS)]
    assert not serious, "\n".join(lines[serious[0] :][:60])


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    with ModelStub() as model:
        environment = HIGH_LIMITS | {"MODEL_URL": model.endpoint("huggingface")}
        with Stack(tmp_path_factory.mktemp("fuzz"), environment) as stack:
            stack.start()
            yield {name: Server(web) for name, web in stack.start_both_servers().items()}
            for process in stack.processes:
                check_log(process.output().splitlines())


@pytest.fixture(params=list(WEB_SERVERS))
def server(servers: dict[str, Server], request: pytest.FixtureRequest) -> Server:
    return servers[request.param]


def exchange(port: int, request: bytes) -> bytes:
    """Send bytes; return what arrives until the server closes the connection or sends nothing."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        received = b""
        try:
            connection.sendall(request)
            # A request without an end gets no response.
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65_536):
                received += chunk
        except ConnectionError:
            pass
        return received


def handshake_response(port: int, request: bytes) -> bytes:
    """Send the request of a WebSocket's handshake; return the start of the response."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        connection.sendall(request)
        return connection.recv(65_536)
