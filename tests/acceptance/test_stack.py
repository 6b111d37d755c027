"""The processes of a site work together: the model replies to a message."""

import json

import pytest
from websockets.sync.client import connect

from tests.client import create_session
from tests.conftest import NewStack
from tests.model_stub import ModelStub
from tests.processes import Stack


def converse(stack: Stack, text: str) -> str:
    """Send a plain message in a new session; return the text of the reply."""
    with connect(f"{stack.ws_url}?token={create_session(stack.url)}") as socket:
        socket.send(text)
        return str(json.loads(socket.recv(timeout=20))["msg"])


def test_the_model_replies_to_a_message(stack: Stack, model_stub: ModelStub) -> None:
    assert converse(stack, "hello there") == "You said: hello there"
    assert [request.path for request in model_stub.requests] == ["/generate"]


@pytest.mark.slow
def test_a_second_web_process_and_worker_serve_the_same_site(new_stack: NewStack) -> None:
    site = new_stack()
    site.start()
    second_web = site.start_web()
    token = create_session(site.url)
    site.running("worker")[0].kill()
    site.start_worker()
    with connect(f"ws://127.0.0.1:{second_web.port}/chat?token={token}") as socket:
        socket.send("hello")
        assert json.loads(socket.recv(timeout=20))["msg"] == "You said: hello"
