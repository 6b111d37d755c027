"""The model stub, other local servers, and model clients for them."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from inference.model_client import HttpModelClient, ModelSettings, build_client
from tests.model_stub import PATHS, ModelStub

BuildClient = Callable[..., HttpModelClient]


@pytest.fixture
def stub() -> Iterator[ModelStub]:
    with ModelStub() as running:
        yield running


@pytest.fixture(params=list(PATHS))
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def build(stub: ModelStub) -> Iterator[BuildClient]:
    """Return a function that builds a client for a dialect; clients are closed after the test."""
    built = []

    def build_one(api: str = "huggingface", **changes: object) -> HttpModelClient:
        settings = {
            "api": api,
            "url": stub.endpoint(api),
            "name": "EleutherAI/gpt-j-6b",
            "token": "hf_secret",
            "context_tokens": 2048,
            "max_new_tokens": 25,
            "timeout_s": 30.0,
        }
        built.append(build_client(ModelSettings(**{**settings, **changes})))  # type: ignore[arg-type]
        return built[-1]

    yield build_one
    for client in built:
        client.close()


@pytest.fixture
def client(build: BuildClient, api: str) -> HttpModelClient:
    """A client of each dialect in turn."""
    return build(api)


@pytest.fixture
def full_server() -> Iterator[str]:
    """The URL of a server with a full backlog: a connection attempt to it hangs."""
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as server,
        contextlib.ExitStack() as stack,
    ):
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}/generate"


@pytest.fixture
def raw_server() -> Iterator[Callable[[bytes], str]]:
    """Return a function that serves the given bytes to one client, whatever it requests."""
    with contextlib.ExitStack() as stack:

        def serve(response: bytes) -> str:
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            thread = threading.Thread(target=_serve_once, args=(server, response))
            thread.start()
            stack.callback(thread.join, 5)
            return f"http://127.0.0.1:{server.getsockname()[1]}/"

        yield serve


def _serve_once(server: socket.socket, response: bytes) -> None:
    client, _ = server.accept()
    with client:
        client.recv(65_536)
        client.sendall(response)


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The URL of a server that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
