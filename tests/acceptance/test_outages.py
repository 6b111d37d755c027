"""Redis, the broker or a worker is down, or a session expires during a reply."""

import signal
from pathlib import Path
from typing import Any

import pytest
import redis
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.acceptance.sockets import Socket, connect_chat_v1, connect_plain
from tests.client import create_session
from tests.conftest import NewStack
from tests.model_stub import Behaviour, ModelStub
from tests.ports import free_port
from tests.processes import Stack, wait_for


@pytest.mark.slow
def test_a_message_sent_without_redis_is_rejected_and_can_be_resent(new_stack: NewStack) -> None:
    stack = new_stack()
    stack.start()
    token = create_session(stack.url)
    with connect_chat_v1(stack, token) as socket:
        socket.wait_for_frame("session.ready")
        stack.running("redis")[0].kill()
        message = socket.send_message("hello")
        error = socket.wait_for_frame("error")
        assert (error["code"], error["ref"]) == ("store.unavailable", message)

        stack.start_redis()
        assert socket.send_message("hello", id_=message) == message
        assert socket.wait_for_reply(message)["msg"] == "You said: hello"
        socket.send_frame("session.sync", after=0)
        ready = socket.wait_for_frame("session.ready")
    assert [message["msg"] for message in ready["messages"]] == ["hello", "You said: hello"]


@pytest.mark.slow
def test_a_message_stored_without_a_broker_is_answered_later(
    new_stack: NewStack, tmp_path: Path
) -> None:
    broker_port = str(free_port())
    broker_data = str(tmp_path / "broker")
    stack = new_stack(CELERY_BROKER_URL="redis://127.0.0.1:1/0")
    stack.start_redis()
    stack.start_web()
    broker = Stack(tmp_path, {"DATA_DIR": broker_data, "EMBEDDED_REDIS_PORT": broker_port})
    with broker, connect_chat_v1(stack, create_session(stack.url)) as socket:
        message = socket.send_message("hello")
        assert socket.wait_for_frame("message.accepted")["message"]["id"] == message
        error = socket.wait_for_frame("error")
        assert (error["code"], error["ref"]) == ("queue.unavailable", message)
        assert "saved" in error["detail"]

        broker.start_redis()
        stack.start_worker(CELERY_BROKER_URL=broker.redis_url)
        stack.start_beat(CELERY_BROKER_URL=broker.redis_url)
        assert socket.wait_for_reply(message)["msg"] == "You said: hello"


@pytest.mark.slow
def test_sockets_are_served_without_the_channel_layer(new_stack: NewStack, tmp_path: Path) -> None:
    data, port = str(tmp_path / "layer"), str(free_port())
    with Stack(tmp_path, {"DATA_DIR": data, "EMBEDDED_REDIS_PORT": port}) as layer:
        stack = new_stack(CHANNEL_REDIS_URL=layer.redis_url)
        stack.start_redis()
        stack.start_worker()
        stack.start_beat()
        webs = stack.start_both_servers()
        for name, web in webs.items():
            site = f"127.0.0.1:{web.port}"
            url = f"ws://{site}/chat?token={create_session(f'http://{site}')}"
            with connect(url, subprotocols=[Subprotocol("chat.v1")], proxy=None) as connection:
                socket = Socket(connection)
                assert socket.wait_for_frame("session.ready"), name
                message = socket.send_message("hello")
                assert socket.wait_for_reply(message)["msg"] == "You said: hello", name
        layer.start_redis()
        for web in webs.values():
            web.wait_until(lambda web=web: "responds again" in web.output(), "to reconnect")  # type: ignore[misc]
            assert web.output().count("The channel layer does not respond") == 1
            assert "Traceback" not in web.output()
            assert not [line for line in web.output().splitlines() if " ERROR " in line]


@pytest.mark.slow
def test_a_worker_and_beat_that_redis_refuses_log_it_once_and_recover(new_stack: NewStack) -> None:
    stack = new_stack()
    stack.start_redis()
    with redis.Redis.from_url(stack.redis_url, protocol=2, decode_responses=True) as admin:
        port = stack.environment["EMBEDDED_REDIS_PORT"]
        denied = {"worker": "brpop", "beat": "llen"}
        for user, command in denied.items():
            rules = ("on", ">pw", "~*", "&*", "+@all", f"-{command}")
            admin.execute_command("ACL", "SETUSER", user, *rules)
        url = f"redis://{{}}:pw@127.0.0.1:{port}/0"
        worker = stack.start_worker(CELERY_BROKER_URL=url.format("worker"))
        beat = stack.start_beat(CELERY_BROKER_URL=url.format("beat"))

        def refusals(command: str) -> int:
            entries: Any = admin.acl_log()
            return sum(int(entry["count"]) for entry in entries if entry["object"] == command)

        for user, command in denied.items():
            wait_for(lambda command=command: refusals(command) >= 3, "attempts")  # type: ignore[misc]
            admin.execute_command("ACL", "SETUSER", user, "+@all")
    for process in (worker, beat):
        wait_for(lambda process=process: "works again" in process.output(), "the recovery")  # type: ignore[misc]
        chat_lines = [line for line in process.output().splitlines() if " chat." in line]
        assert len(chat_lines) == 2
        assert "NoPermissionError" in chat_lines[0]
        assert "Traceback" not in process.output()
        assert len(process.output().splitlines()) < 20


@pytest.mark.slow
def test_the_reply_of_a_killed_worker_is_generated_by_another(
    new_stack: NewStack, model_stub: ModelStub
) -> None:
    stack = new_stack()
    stack.start()
    model_stub.script(Behaviour(pieces=(" half",), hang_after=1))
    with connect_chat_v1(stack, create_session(stack.url)) as socket:
        message = socket.send_message("hello")
        socket.wait_for_frame("reply.delta")
        first = socket.frames[-1]["id"]
        stack.running("worker")[0].kill()
        stack.start_worker()
        reply = socket.wait_for_reply(message)

    assert reply["msg"] == "You said: hello"
    assert reply["id"] != first
    assert [frame["type"] for frame in socket.frames].count("reply.completed") == 1


def test_a_session_that_expires_during_a_reply_notifies_the_client(
    new_stack: NewStack, model_stub: ModelStub
) -> None:
    stack = new_stack(SESSION_TTL_S="2")
    stack.start()
    model_stub.script(Behaviour(pieces=(" word",), endless=True, piece_delay_s=0.1))
    token = create_session(stack.url)
    with connect_chat_v1(stack, token) as v1, connect_plain(stack, token) as plain_socket:
        v1.send_message("never stop")
        v1.wait_for_frame("reply.delta")
        assert v1.wait_for_frame("session.expired")
        assert v1.wait_for_close()[0] == 1008
        assert plain_socket.wait_for_close() == (1008, "Session not authenticated or expired token")
    model_stub.wait_for(lambda seen: any(each.disconnected_at_s for each in seen))


def test_a_new_socket_is_closed_on_shutdown(new_stack: NewStack) -> None:
    stack = new_stack()
    stack.start()
    with connect_chat_v1(stack, create_session(stack.url)) as socket:
        socket.wait_for_frame("session.ready")
        stack.running("web")[0].send(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            socket.connection.recv(timeout=10)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == CloseCode.SERVICE_RESTART
