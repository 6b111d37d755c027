"""The real processes work together: what a person says is answered by the model."""

import json

import requests
from websockets.sync.client import connect

from tests.conftest import NewStack
from tests.model_stub import ModelStub
from tests.processes import Stack


def create_session(stack: Stack) -> str:
    """Begin a session and return its token."""
    response = requests.post(f"{stack.url}/token", params={"name": "Ada"}, timeout=10)
    response.raise_for_status()
    return str(response.json()["token"])


def converse(stack: Stack, text: str) -> str:
    """Send one plain message in a new session; return the reply's text."""
    with connect(f"{stack.ws_url}?token={create_session(stack)}") as socket:
        socket.send(text)
        return str(json.loads(socket.recv(timeout=20))["msg"])


def test_a_message_is_answered_by_the_model(stack: Stack, model_stub: ModelStub) -> None:
    assert converse(stack, "hello there") == "You said: hello there"
    assert [request.path for request in model_stub.requests] == ["/generate"]


def test_a_second_web_process_and_worker_serve_the_same_site(new_stack: NewStack) -> None:
    site = new_stack()
    site.start()
    second_web = site.start_web()
    token = create_session(site)
    site.running("worker")[0].kill()
    site.start_worker()
    with connect(f"ws://127.0.0.1:{second_web.port}/chat?token={token}") as socket:
        socket.send("hello")
        assert json.loads(socket.recv(timeout=20))["msg"] == "You said: hello"
