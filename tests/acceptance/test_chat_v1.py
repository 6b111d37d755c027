"""chat.v1 against real processes: frames, resends, reloads, and invalid input."""

import json
from typing import Any

import pytest
import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.acceptance.sockets import connect_chat_v1, connect_plain
from tests.client import create_session, history
from tests.model_stub import Behaviour, ModelStub, failing, loading
from tests.processes import Stack

ID = "5f0c1a52-7d5e-4c7e-9a39-2f6a4b1c0d11"


def slow(*pieces: str, delay_s: float = 0.15) -> Behaviour:
    return Behaviour(pieces=pieces, piece_delay_s=delay_s)


def test_a_message_is_accepted_and_its_reply_streamed_and_completed(
    stack: Stack, model_stub: ModelStub
) -> None:
    model_stub.script(slow(" Good", " morning", "!"))
    with connect_chat_v1(stack, create_session(stack.url)) as socket:
        ready = socket.receive()
        message = socket.send_message("hello")
        reply = socket.wait_for_reply(message)

    assert socket.connection.subprotocol == "chat.v1"
    assert (ready["type"], ready["messages"], ready["reply"]) == ("session.ready", [], None)
    kinds = [frame["type"] for frame in socket.frames[1:]]
    assert kinds == [
        "message.accepted",
        "reply.started",
        *["reply.delta"] * (len(kinds) - 3),
        "reply.completed",
    ]
    deltas = [frame for frame in socket.frames if frame["type"] == "reply.delta"]
    assert len(deltas) >= 2
    assert "".join(delta["text"] for delta in deltas).strip() == "Good morning!"
    assert [delta["offset"] for delta in deltas] == [
        len("".join(delta["text"] for delta in deltas[:count])) for count in range(len(deltas))
    ]
    assert reply["msg"].strip() == "Good morning!"
    assert reply["finish_reason"] == "stop"
    assert reply["timings"]["total_ms"] >= 400


def test_text_that_arrives_together_is_sent_together(stack: Stack, model_stub: ModelStub) -> None:
    with connect_chat_v1(stack, create_session(stack.url)) as socket:
        reply = socket.wait_for_reply(socket.send_message("hello"))

    deltas = [frame for frame in socket.frames if frame["type"] == "reply.delta"]
    assert [(delta["offset"], delta["text"]) for delta in deltas] == [(0, reply["msg"])]


def test_the_deltas_add_up_to_the_reply(stack: Stack, model_stub: ModelStub) -> None:
    model_stub.script(slow("one", " two", " three", delay_s=0.02))
    with connect_chat_v1(stack, create_session(stack.url)) as socket:
        reply = socket.wait_for_reply(socket.send_message("hello"))

    deltas = [frame["text"] for frame in socket.frames if frame["type"] == "reply.delta"]
    assert "".join(deltas) == reply["msg"] == "one two three"


def test_a_resent_message_is_accepted_once(stack: Stack, model_stub: ModelStub) -> None:
    token = create_session(stack.url)
    with connect_chat_v1(stack, token) as socket:
        message = socket.send_message("hello")
        socket.wait_for_reply(message)
        socket.send_message("hello again", id_=message)
        again = socket.wait_for_frame("message.accepted")["message"]

    assert (again["id"], again["msg"], again["seq"]) == (message, "hello", 1)
    assert len(history(stack.url, token)) == 2
    assert len(model_stub.requests) == 1


def test_another_tab_receives_every_frame_once(stack: Stack, model_stub: ModelStub) -> None:
    model_stub.script(slow(" one", " two"))
    token = create_session(stack.url)
    with connect_chat_v1(stack, token) as first, connect_chat_v1(stack, token) as second:
        second.wait_for_frame("session.ready")
        message = first.send_message("hello")
        assert first.wait_for_reply(message) == second.wait_for_reply(message)

    assert [frame["type"] for frame in first.frames] == ["session.ready"] + [
        frame["type"] for frame in second.frames[1:]
    ]


def test_a_reload_during_a_reply_continues_its_stream(stack: Stack, model_stub: ModelStub) -> None:
    model_stub.script(slow(*(f" {number}" for number in range(12)), delay_s=0.1))
    token = create_session(stack.url)
    with connect_chat_v1(stack, token) as before:
        message = before.send_message("count")
        before.wait_for_frame("reply.delta")
        before.wait_for_frame("reply.delta")

    with connect_chat_v1(stack, token) as after:
        ready = after.wait_for_frame("session.ready")
        reply = after.wait_for_reply(message)

    assert [message["id"] for message in ready["messages"]] == [message]
    assert ready["reply"]["reply_to"] == message
    text = ready["reply"]["text"]
    assert text
    for frame in after.frames:
        if frame["type"] == "reply.delta":
            assert frame["offset"] == len(text)
            text += frame["text"]
    assert reply["msg"].startswith(text)
    assert reply["msg"].split() == [str(number) for number in range(12)]


def test_a_missed_reply_is_sent_on_reconnect(stack: Stack) -> None:
    token = create_session(stack.url)
    with connect_chat_v1(stack, token) as socket:
        message = socket.send_message("hello")
        socket.wait_for_reply(message)

    with connect_chat_v1(stack, token, after=1) as socket:
        ready = socket.wait_for_frame("session.ready")
    assert [reply["reply_to"] for reply in ready["messages"]] == [message]
    assert ready["recovered"] is True

    with connect_chat_v1(stack, token, after=7) as socket:
        ready = socket.wait_for_frame("session.ready")
    assert len(ready["messages"]) == 2
    assert ready["recovered"] is False


def test_sync_sends_later_messages(stack: Stack) -> None:
    with connect_chat_v1(stack, create_session(stack.url)) as socket:
        socket.wait_for_frame("session.ready")
        socket.wait_for_reply(socket.send_message("hello"))
        socket.send_frame("session.sync", after=1)
        assert [
            message["seq"] for message in socket.wait_for_frame("session.ready")["messages"]
        ] == [2]


def test_a_failed_reply_is_stored_with_its_error(stack: Stack, model_stub: ModelStub) -> None:
    model_stub.always(
        Behaviour(pieces=(" half", " a"), error="CUDA failed", error_after=2, times=None)
    )
    token = create_session(stack.url)
    with connect_chat_v1(stack, token) as socket:
        failed = socket.wait_for_reply(socket.send_message("hello"))

    assert failed["error"]["code"] in {"model.unavailable", "model.bad_reply"}
    assert failed["error"]["retryable"] is True
    assert "CUDA" not in json.dumps(failed)
    assert len(model_stub.requests) == 3
    assert history(stack.url, token)[1]["error"] == failed["error"]


def test_temporary_failures_of_the_model_are_retried(stack: Stack, model_stub: ModelStub) -> None:
    model_stub.script(failing(500), Behaviour(reset_after=2, piece_delay_s=0.05))
    with connect_chat_v1(stack, create_session(stack.url)) as socket:
        reply = socket.wait_for_reply(socket.send_message("hello"))

    assert reply["msg"] == "You said: hello"
    started = [frame["id"] for frame in socket.frames if frame["type"] == "reply.started"]
    assert started[-1] == reply["id"]
    assert len(set(started)) == len(started)


def test_a_loading_model_is_reported_and_retried(stack: Stack, model_stub: ModelStub) -> None:
    model_stub.script(loading(1), loading(1))
    with connect_chat_v1(stack, create_session(stack.url)) as socket:
        message = socket.send_message("hello")
        loading_frame = socket.wait_for_frame("model.loading")
        reply = socket.wait_for_reply(message)

    assert (loading_frame["reply_to"], loading_frame["retry_in_s"]) == (message, 1)
    assert reply["msg"] == "You said: hello"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("{", "message.invalid"),
        ("hello", "message.invalid"),
        ("[]", "message.invalid"),
        ("[" * 20_000, "message.invalid"),
        ('{"a":' * 5_000, "message.invalid"),
        ('{"type":"message.shout"}', "message.invalid"),
        ('{"type":"message.send","msg":"no id"}', "message.invalid"),
        (f'{{"type":"message.send","id":"{ID}","msg":"\\ud800"}}', "message.invalid"),
        (f'{{"type":"message.send","id":"{ID}","msg":" "}}', "message.empty"),
        (f'{{"type":"message.send","id":"{ID}","msg":"{"x" * 2_001}"}}', "message.too_long"),
        (f'{{"type":"reply.stop","reply_to":"{ID}"}}', "message.invalid"),
        (f'{{"type":"reply.regenerate","reply_to":"{ID}"}}', "message.invalid"),
        ("x" * (64 * 1024 + 1), "message.too_long"),
        (b"{}", "message.invalid"),
    ],
)
def test_invalid_frames_get_an_error_and_the_socket_stays_open(
    stack: Stack, sent: str | bytes, code: str
) -> None:
    with connect_chat_v1(stack, create_session(stack.url)) as socket:
        socket.wait_for_frame("session.ready")
        socket.send(sent)
        error = socket.receive()
        assert (error["type"], error["code"]) == ("error", code)
        assert error["detail"]
        assert (
            socket.wait_for_reply(socket.send_message("still there?"))["msg"]
            == "You said: still there?"
        )


def test_an_error_refers_to_its_frame(stack: Stack) -> None:
    with connect_chat_v1(stack, create_session(stack.url)) as socket:
        message = socket.send_message(" ")
        assert socket.wait_for_frame("error")["ref"] == message


@pytest.mark.parametrize("token", ["", "x", ID])
def test_an_unknown_session_gets_an_error_and_a_close(stack: Stack, token: str) -> None:
    with connect_chat_v1(stack, token) as socket:
        assert socket.receive()["code"] == "session.unknown"
        assert socket.wait_for_close()[0] == 1008


def test_a_message_to_a_full_mailbox_is_rejected(stack: Stack, model_stub: ModelStub) -> None:
    model_stub.always(Behaviour(delay_s=0.5, times=None))
    with connect_chat_v1(stack, create_session(stack.url)) as socket:
        sent = [socket.send_message(f"message {number}") for number in range(11)]
        error = socket.wait_for_frame("error")
        model_stub.always(Behaviour())
        replies = [socket.wait_for_reply(message)["msg"] for message in sent[:10]]

    assert (error["code"], error["ref"]) == ("session.busy", sent[10])
    assert replies == [f"You said: message {number}" for number in range(10)]


def test_an_erased_session_ends_for_every_tab(stack: Stack) -> None:
    token = create_session(stack.url)
    with connect_chat_v1(stack, token) as v1, connect_plain(stack, token) as plain_socket:
        v1.wait_for_frame("session.ready")
        assert (
            requests.delete(
                f"{stack.url}/token", headers={"Authorization": f"Bearer {token}"}, timeout=10
            ).status_code
            == 204
        )

        assert v1.wait_for_frame("session.expired")
        end = (1008, "Session not authenticated or expired token")
        assert v1.wait_for_close() == end
        assert plain_socket.wait_for_close() == end
        assert plain_socket.frames == []
    response = requests.get(f"{stack.url}/refresh_token", params={"token": token}, timeout=10)
    assert (response.status_code, response.json()) == (
        400,
        {"detail": "Session expired or does not exist"},
    )


@pytest.mark.parametrize("origin", [None, "http://localhost:3000", "its own"])
def test_allowed_origins_and_clients_without_an_origin_are_accepted(
    stack: Stack, origin: str | None
) -> None:
    allowed: Any = stack.url if origin == "its own" else origin
    with connect(
        f"{stack.ws_url}?token={create_session(stack.url)}", origin=allowed, proxy=None
    ) as connection:
        connection.send("hello")
        assert "You said: hello" in connection.recv(timeout=10)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost.evil.example:3000"]
)
def test_other_origins_are_rejected(stack: Stack, origin: Any) -> None:
    with (
        pytest.raises(InvalidStatus) as rejected,
        connect(f"{stack.ws_url}?token={create_session(stack.url)}", origin=origin, proxy=None),
    ):
        pass
    assert rejected.value.response.status_code == 403
