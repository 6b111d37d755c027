"""Every example in the WebSocket documentation is what a real client sends or receives.

`UPDATE_EXAMPLES=1 make test ARGS=tests/acceptance/test_documented_frames.py` writes them anew
from what was sent and received.
"""

import json
import os
import re
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from websockets.sync.client import connect

from chat.apidocs.asyncapi import CLIENT_FRAMES, EXAMPLES, SERVER_FRAMES, type_of
from tests.acceptance.sockets import Socket, connect_chat_v1, connect_plain
from tests.client import create_session
from tests.client_view import Frame
from tests.conftest import NewStack
from tests.model_stub import Behaviour, ModelStub, failing, loading
from tests.operator_client import operator_url
from tests.operator_user import operator_cookie
from tests.processes import Stack

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
MEASURED = {
    *("queued_ms", "first_token_ms", "total_ms", "eta_s", "retry_in_s"),
    *("revision", "ratings_revision"),
}
NAMES = [
    *(type_of(frame) for frame in (*CLIENT_FRAMES, *SERVER_FRAMES)),
    "plain.text",
    "plain.reply",
    "plain.error",
]
FIRST = "3f0c5e7a-8f5d-4d3b-9a51-0c9be1a5d001"
SECOND = "3f0c5e7a-8f5d-4d3b-9a51-0c9be1a5d002"
THIRD = "3f0c5e7a-8f5d-4d3b-9a51-0c9be1a5d003"
FOURTH = "3f0c5e7a-8f5d-4d3b-9a51-0c9be1a5d004"
FIFTH = "3f0c5e7a-8f5d-4d3b-9a51-0c9be1a5d005"
REQUEST = "3f0c5e7a-8f5d-4d3b-9a51-0c9be1a5d006"
GREETING = Behaviour(pieces=("Good", " morning", ", Ada!"), piece_delay_s=0.2)
ENDLESS = Behaviour(pieces=("Once", " upon", " a", " time"), piece_delay_s=0.1, hang_after=4)


def send(recorded: dict[str, Any], socket: Socket, **frame: Any) -> None:
    recorded.setdefault(frame["type"], frame)
    socket.send(json.dumps(frame))


def exchange_messages(recorded: dict[str, Any], socket: Socket, model: ModelStub) -> None:
    model.script(GREETING)
    send(recorded, socket, type="message.send", id=FIRST, msg="Good morning!")
    recorded["message.accepted"] = socket.wait_for_frame("message.accepted")
    recorded["reply.started"] = socket.wait_for_frame("reply.started")
    recorded["reply.delta"] = socket.wait_for_frame("reply.delta")
    completed = socket.wait_for_frame("reply.completed")
    recorded["reply.completed"] = completed
    rated = {"id": completed["message"]["id"], "rating": "up", "comment": "Polite."}
    send(recorded, socket, type="reply.rate", **rated)
    recorded["reply.rated"] = socket.wait_for_frame("reply.rated")


def reconnect_and_stop(
    recorded: dict[str, Any], socket: Socket, model: ModelStub, site: Stack, token: str
) -> None:
    model.script(ENDLESS, GREETING)
    send(recorded, socket, type="message.send", id=SECOND, msg="Tell me a story.")
    text = ""
    while text != "Once upon a time":
        text += socket.wait_for_frame("reply.delta")["text"]
    with connect_chat_v1(site, token, after=2) as second:
        recorded["session.ready"] = second.receive()
    send(recorded, socket, type="message.send", id=THIRD, msg="And a greeting.")
    recorded["reply.queued"] = socket.wait_for_frame("reply.queued")
    send(recorded, socket, type="reply.stop", reply_to=SECOND)
    assert socket.wait_for_reply(SECOND)["finish_reason"] == "stop_requested"
    assert socket.wait_for_reply(THIRD)["finish_reason"] == "stop"


def regenerate_reply(recorded: dict[str, Any], socket: Socket, model: ModelStub) -> None:
    reasoning = ("<think>", "She greets me.", "</think>")
    model.script(loading(0.5), replace(GREETING, pieces=(*reasoning, *(GREETING.pieces or ()))))
    send(recorded, socket, type="reply.regenerate", reply_to=THIRD)
    recorded["model.loading"] = socket.wait_for_frame("model.loading")
    recorded["reply.thinking"] = socket.wait_for_frame("reply.thinking")
    assert socket.wait_for_reply(THIRD)["replaces"]


def choose_version_and_continue(recorded: dict[str, Any], socket: Socket, model: ModelStub) -> None:
    replaced = recorded["reply.completed"]["message"]["id"]
    send(recorded, socket, type="message.send", id=FOURTH, msg="Good evening!", replaces=FIRST)
    send(recorded, socket, type="version.load", id=replaced)
    recorded["session.version"] = socket.wait_for_frame("session.version")
    socket.wait_for_reply(FOURTH)
    model.script(replace(GREETING, finish_reason="length"))
    socket.send_message("And a greeting.", FIFTH)
    assert socket.wait_for_reply(FIFTH)["finish_reason"] == "length"
    send(recorded, socket, type="reply.continue", reply_to=FIFTH)
    assert socket.wait_for_reply(FIFTH)["continues"]
    send(recorded, socket, type="version.choose", id=REQUEST, version=FIRST)
    assert socket.wait_for_frame("message.accepted")["message"]["version_of"] == FIRST


def fail_reply(recorded: dict[str, Any], socket: Socket, model: ModelStub) -> None:
    model.script(failing(400))
    socket.send_message("What does this cost?")
    recorded["reply.failed"] = socket.wait_for_frame("reply.failed")
    send(recorded, socket, type="message.send", id=FIRST, msg=" ")
    recorded["error"] = socket.wait_for_frame("error")


def sync_and_extend_session(recorded: dict[str, Any], socket: Socket) -> None:
    send(recorded, socket, type="session.sync", after=2)
    assert socket.wait_for_frame("session.ready")["messages"][0]["seq"] == 3
    send(recorded, socket, type="session.history", before=3)
    recorded["session.messages"] = socket.wait_for_frame("session.messages")
    send(recorded, socket, type="session.ping")
    recorded["session.pong"] = socket.wait_for_frame("session.pong")
    send(recorded, socket, type="session.extend")
    assert socket.wait_for_frame("session.ready")["recovered"]
    recorded["session.expiring"] = socket.wait_for_frame("session.expiring")


def step_in(recorded: dict[str, Any], socket: Socket, site: Stack, token: str) -> None:
    headers = {"Cookie": operator_cookie(site)}
    send(recorded, socket, type="operator.request", wanted=True)
    recorded["operator.requested"] = socket.wait_for_frame("operator.requested")
    address = operator_url(site.ws_url, token)
    with connect(address, additional_headers=headers, proxy=None) as connection:
        operator = Socket(connection)
        operator.send_frame("operator.join", claim=str(uuid4()), name="Grace")
        recorded["operator.joined"] = socket.wait_for_frame("operator.joined")
        operator.send_frame("operator.types")
        recorded["operator.typing"] = socket.wait_for_frame("operator.typing")
        send(recorded, socket, type="message.typing")
        assert operator.wait_for_frame("message.typing")
        operator.send_frame("operator.leave")
        recorded["operator.left"] = socket.wait_for_frame("operator.left")


def expire_session(recorded: dict[str, Any], site: Stack) -> None:
    address = f"127.0.0.1:{site.start_web(SESSION_TTL_S='1').port}"
    created = requests.post(f"http://{address}/token", params={"name": "Ada"}, timeout=5).json()
    protocols: Any = ["chat.v1", f"token.{created['token']}"]
    with connect(f"ws://{address}/chat", subprotocols=protocols, proxy=None) as connection:
        recorded["session.expired"] = Socket(connection).wait_for_frame("session.expired")


def exchange_plain_messages(
    recorded: dict[str, Any], model: ModelStub, site: Stack, token: str
) -> None:
    model.script(GREETING, failing(400))
    recorded["plain.text"] = "Good morning!"
    with connect_plain(site, token) as socket:
        socket.send(recorded["plain.text"])
        recorded["plain.reply"] = socket.receive()
        socket.send(recorded["plain.text"])
        recorded["plain.error"] = socket.receive()


@pytest.fixture
def recorded(new_stack: NewStack, model_stub: ModelStub) -> dict[str, Any]:
    """One frame of each type, as it was sent or received."""
    site = new_stack(SESSION_TTL_S="302", MESSAGES_PER_MINUTE="20", HUMAN_SUPPORT="True")
    site.start()
    frames: dict[str, Any] = {}
    token = create_session(site.url)
    with connect_chat_v1(site, token) as socket:
        exchange_messages(frames, socket, model_stub)
        reconnect_and_stop(frames, socket, model_stub, site, token)
        regenerate_reply(frames, socket, model_stub)
        fail_reply(frames, socket, model_stub)
        sync_and_extend_session(frames, socket)
        choose_version_and_continue(frames, socket, model_stub)
        step_in(frames, socket, site, token)
    exchange_plain_messages(frames, model_stub, site, create_session(site.url))
    expire_session(frames, site)
    return frames


class FrameComparison:
    """Compares frames; ids may differ if the difference is consistent."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}

    def is_same(self, name: str, shown: Any, real: Any) -> bool:
        match shown, real:
            case dict(), dict():
                return shown.keys() == real.keys() and all(
                    self.is_same(key, shown[key], real[key]) for key in shown
                )
            case list(), list():
                return len(shown) == len(real) and all(
                    self.is_same(name, one, other) for one, other in zip(shown, real, strict=True)
                )
            case str(), str() if is_uuid(shown) and is_uuid(real):
                return self.ids.setdefault(real, shown) == shown
            case str(), str() if TIME.fullmatch(shown):
                return bool(TIME.fullmatch(real))
            case _ if name in MEASURED:
                return type(shown) is type(real)
        return bool(shown == real)


def is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def test_every_documented_frame_equals_a_real_one(recorded: dict[str, Any]) -> None:
    if os.environ.get("UPDATE_EXAMPLES"):
        written = json.dumps({name: recorded[name] for name in NAMES}, indent=2, ensure_ascii=False)
        EXAMPLES.write_text(written + "\n")
    frames: dict[str, Frame] = json.loads(EXAMPLES.read_text())
    assert list(frames) == NAMES

    comparison = FrameComparison()
    for name, shown in frames.items():
        assert comparison.is_same(name, shown, recorded[name]), (shown, recorded[name])
