"""Several models and headers, with real processes."""

from pathlib import Path
from uuid import uuid4

import pytest
import requests

from tests.acceptance.sockets import Socket, connect_chat_v1
from tests.client import create_session
from tests.conftest import NewStack
from tests.model_stub import ModelStub
from tests.processes import wait_for

MODELS = """
[models.fast]
label = "Fast"
api = "chat"
url = "{fast}"
name = "served-fast"
headers_env = "FAST_HEADERS"
system_prompt = "Be brief."
fallback = "gpt-j"

[models.gpt-j]
url = "{gpt_j}"
name = "served-gpt-j"
"""
SECRET = "k7-not-in-any-log"


def ask(socket: Socket, **fields: str) -> tuple[str | None, str]:
    """Send a message; return the model that replied, and the reply."""
    id_ = str(uuid4())
    socket.send_frame("message.send", id=id_, msg="hello", **fields)
    reply = socket.wait_for_reply(id_)
    return reply.get("model"), reply["msg"]


@pytest.mark.slow
def test_visitors_choose_models_and_a_fallback_takes_over(
    new_stack: NewStack, model_stub: ModelStub, tmp_path: Path
) -> None:
    with ModelStub() as fast:
        file = tmp_path / "models.toml"
        port = int(fast.url.rpartition(":")[2])
        file.write_text(
            MODELS.format(fast=fast.endpoint("chat"), gpt_j=model_stub.endpoint("huggingface"))
        )
        stack = new_stack(MODELS_FILE=str(file), FAST_HEADERS=f'{{"X-Key": "{SECRET}"}}')
        stack.start()
        token = create_session(stack.url)
        with connect_chat_v1(stack, token) as socket:
            assert socket.receive()["models"] == [
                {"name": "fast", "label": "Fast"},
                {"name": "gpt-j", "label": "gpt-j"},
            ]
            assert ask(socket) == ("fast", "You said: hello")
            assert ask(socket, model="gpt-j") == ("gpt-j", "You said: hello")
            socket.send_frame("message.send", id=str(uuid4()), msg="hello", model="other")
            assert socket.wait_for_frame("error")["code"] == "message.unknown_model"
    [request] = fast.requests
    assert request.headers["x-key"] == SECRET
    assert request.payload["messages"][0]["content"] == "Be brief."

    with connect_chat_v1(stack, token) as socket:
        for _ in range(3):
            assert ask(socket, model="fast") == ("gpt-j", "You said: hello")
    found = requests.get(f"{stack.url}/refresh_token", {"token": token}, timeout=5).json()
    models = [message.get("model") for message in found["messages"]]
    assert models == [None, "fast", "gpt-j", "gpt-j", *["fast", "gpt-j"] * 3]

    down = "fast: 1 of 1 endpoints down"
    wait_for(lambda: state_of_models(stack.url) == (200, down), "it to be down")
    metrics = requests.get(f"{stack.url}/metrics", timeout=5).text
    labels = f'{{endpoint="127.0.0.1:{port}",model="fast"}}'
    assert f"chat_model_endpoint_up{labels} 0.0" in metrics
    assert 'chat_model_failovers_total{model="fast"} 3.0' in metrics
    assert not [process for process in stack.processes if SECRET in process.output()]

    with ModelStub(port):
        wait_for(lambda: state_of_models(stack.url) == (200, "ok"), "recovery", timeout_s=20)
        with connect_chat_v1(stack, token) as socket:
            assert ask(socket, model="fast") == ("fast", "You said: hello")


def state_of_models(url: str) -> tuple[int, str]:
    response = requests.get(f"{url}/readyz", timeout=5)
    return response.status_code, response.json()["checks"]["models"]
