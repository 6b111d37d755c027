"""Redis, the broker or the worker is away; a session expires during a reply."""

import signal
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from tests.acceptance.sockets import chat_v1, plain
from tests.client import create_session
from tests.conftest import NewStack
from tests.model_stub import Behaviour, ModelStub
from tests.ports import free_port
from tests.processes import Stack


def test_without_redis_nothing_is_half_stored(new_stack: NewStack) -> None:
    stack = new_stack()
    stack.start()
    token = create_session(stack.url)
    with chat_v1(stack, token) as socket:
        socket.until("session.ready")
        stack.running("redis")[0].kill()
        message = socket.send_message("hello")
        refused = socket.until("error")
        assert (refused["code"], refused["ref"]) == ("store.unavailable", message)

        stack.start_redis()
        assert socket.send_message("hello", id_=message) == message
        assert socket.reply_to(message)["msg"] == "You said: hello"
        socket.send_frame("session.sync", after=0)
        ready = socket.until("session.ready")
    assert [one["msg"] for one in ready["messages"]] == ["hello", "You said: hello"]


def test_a_message_stored_without_a_broker_is_answered_later(
    new_stack: NewStack, tmp_path: Path
) -> None:
    broker_port = str(free_port())
    broker_data = str(tmp_path / "broker")
    stack = new_stack(CELERY_BROKER_URL="redis://127.0.0.1:1/0")
    stack.start_redis()
    stack.start_web()
    broker = Stack(tmp_path, {"DATA_DIR": broker_data, "EMBEDDED_REDIS_PORT": broker_port})
    with broker, chat_v1(stack, create_session(stack.url)) as socket:
        message = socket.send_message("hello")
        assert socket.until("message.accepted")["message"]["id"] == message
        received = socket.until("error")
        assert (received["code"], received["ref"]) == ("queue.unavailable", message)
        assert "saved" in received["detail"]

        broker.start_redis()
        stack.start_worker(CELERY_BROKER_URL=broker.redis_url)
        stack.start_beat(CELERY_BROKER_URL=broker.redis_url)
        assert socket.reply_to(message)["msg"] == "You said: hello"


def test_a_killed_workers_reply_is_written_by_another(
    new_stack: NewStack, model_stub: ModelStub
) -> None:
    stack = new_stack()
    stack.start()
    model_stub.script(Behaviour(pieces=(" half",), hang_after=1))
    with chat_v1(stack, create_session(stack.url)) as socket:
        message = socket.send_message("hello")
        socket.until("reply.delta")
        first = socket.seen[-1]["id"]
        stack.running("worker")[0].kill()
        stack.start_worker()
        reply = socket.reply_to(message)

    assert reply["msg"] == "You said: hello"
    assert reply["id"] != first
    assert [frame["type"] for frame in socket.seen].count("reply.completed") == 1


def test_a_session_that_expires_during_a_reply_notifies_the_client(
    new_stack: NewStack, model_stub: ModelStub
) -> None:
    stack = new_stack(SESSION_TTL_S="2")
    stack.start()
    model_stub.script(Behaviour(pieces=(" word",), endless=True, piece_delay_s=0.1))
    token = create_session(stack.url)
    with chat_v1(stack, token) as modern, plain(stack, token) as naive:
        modern.send_message("talk for ever")
        modern.until("reply.delta")
        assert modern.until("session.expired")
        assert modern.close_code()[0] == 1008
        assert naive.close_code() == (1008, "Session not authenticated or expired token")
    model_stub.wait_for(lambda seen: seen[0].disconnected_at_s is not None)


def test_a_new_client_is_closed_on_shutdown(new_stack: NewStack) -> None:
    stack = new_stack()
    stack.start()
    with chat_v1(stack, create_session(stack.url)) as socket:
        socket.until("session.ready")
        stack.running("web")[0].send(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            socket.connection.recv(timeout=10)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == CloseCode.SERVICE_RESTART
