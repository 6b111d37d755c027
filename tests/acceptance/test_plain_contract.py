"""A client without a library: text in, one JSON object per reply."""

import re
from uuid import UUID

import pytest
import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.acceptance.sockets import connect_plain
from tests.client import create_session, history
from tests.model_stub import Behaviour, ModelStub, failing
from tests.processes import Stack


def test_two_messages_sent_together_get_two_replies_in_order(stack: Stack) -> None:
    token = create_session(stack.url)

    with connect_plain(stack, token) as socket:
        socket.send("one")
        socket.send("two")
        replies = [socket.receive(), socket.receive()]

    assert [reply["msg"] for reply in replies] == ["You said: one", "You said: two"]
    assert all(set(reply) == {"id", "msg", "timestamp"} for reply in replies)
    stored = history(stack.url, token)
    assert [
        (message["source"], message["msg"]) for message in stored if message["source"] == "human"
    ] == [
        ("human", "Human: one"),
        ("human", "Human: two"),
    ]
    bots = [message for message in stored if message["source"] == "bot"]
    assert [message["msg"] for message in bots] == ["Bot: You said: one", "Bot: You said: two"]
    assert [message["id"] for message in bots] == [reply["id"] for reply in replies]
    assert [message["seq"] for message in stored] == [1, 2, 3, 4]
    humans = [message["id"] for message in stored if message["source"] == "human"]
    assert [message["reply_to"] for message in bots] == humans


def test_the_history_has_the_documented_fields(stack: Stack) -> None:
    token = create_session(stack.url, "Grace")
    with connect_plain(stack, token) as socket:
        socket.send("hello")
        socket.receive()

    response = requests.get(f"{stack.url}/refresh_token", params={"token": token}, timeout=10)

    body = response.json()
    assert set(body) == {"token", "name", "session_start", "messages"}
    assert (body["token"], body["name"]) == (token, "Grace")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["session_start"])
    assert {"id", "seq", "source", "msg", "timestamp", "reply_to"} <= set(body["messages"][0])
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "query", ["", "?token=", "?token=x", "?token=00000000-0000-4000-8000-000000000000"]
)
def test_without_a_session_the_handshake_is_rejected(stack: Stack, query: str) -> None:
    with pytest.raises(InvalidStatus) as rejected, connect(stack.ws_url + query, proxy=None):
        pass
    assert rejected.value.response.status_code == 403


def test_a_failure_has_the_fields_of_a_reply_and_an_error(
    stack: Stack, model_stub: ModelStub
) -> None:
    model_stub.script(failing(401))
    token = create_session(stack.url)

    with connect_plain(stack, token) as socket:
        socket.send("hello")
        response = socket.receive()

    assert response["error"] == "model.unauthorized"
    assert set(response) == {"id", "msg", "timestamp", "error"}
    assert UUID(response["id"])
    assert history(stack.url, token)[1]["error"]["code"] == "model.unauthorized"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("", "message.empty"),
        (" \n\t", "message.empty"),
        ("x" * 2_001, "message.too_long"),
        ("x" * (64 * 1024 + 1), "message.too_long"),
        (b"\x00\xff", "message.invalid"),
    ],
)
def test_invalid_input_gets_an_error_and_the_socket_stays_open(
    stack: Stack, sent: str | bytes, code: str
) -> None:
    with connect_plain(stack, create_session(stack.url)) as socket:
        socket.send(sent)
        assert socket.receive()["error"] == code
        socket.send("still there?")
        assert socket.receive()["msg"] == "You said: still there?"


def test_the_longest_message_is_accepted(stack: Stack) -> None:
    with connect_plain(stack, create_session(stack.url)) as socket:
        socket.send("é" * 2_000)
        assert "error" not in socket.receive()


def test_json_is_a_plain_message(stack: Stack) -> None:
    with connect_plain(stack, create_session(stack.url)) as socket:
        socket.send('{"type":"reply.stop"}')
        assert socket.receive()["msg"] == 'You said: {"type":"reply.stop"}'


def test_replies_are_sent_to_their_own_session(stack: Stack, model_stub: ModelStub) -> None:
    model_stub.always(Behaviour(delay_s=0.05, times=None))
    tokens = [create_session(stack.url) for _ in range(5)]

    with connect_plain(stack, tokens[0]) as first, connect_plain(stack, tokens[1]) as second:
        for number in range(3):
            first.send(f"first {number}")
            second.send(f"second {number}")
        replies = {
            socket: [socket.receive()["msg"] for _ in range(3)] for socket in (first, second)
        }

    assert replies[first] == [f"You said: first {number}" for number in range(3)]
    assert replies[second] == [f"You said: second {number}" for number in range(3)]


def test_the_model_gets_the_last_four_messages(stack: Stack, model_stub: ModelStub) -> None:
    with connect_plain(stack, create_session(stack.url)) as socket:
        for text in ("first", "second", "third"):
            socket.send(text)
            socket.receive()

    payload = model_stub.requests[-1].payload
    assert payload["inputs"] == (
        "Bot: You said: first\nHuman: second\nBot: You said: second\nHuman: third\nBot:"
    )
    assert payload["stream"] is True
    assert payload["options"] == {"use_cache": False, "wait_for_model": False}
    assert payload["parameters"]["max_new_tokens"] == 25
    assert payload["parameters"]["return_full_text"] is False
    assert payload["parameters"]["stop"] == ["Human:"]
