"""GracefulShutdown closes sockets with 1012 when their application is cancelled."""

import asyncio
from typing import Any

import pytest

from chat.websocket import shutdown
from chat.websocket.shutdown import SERVICE_RESTART, GracefulShutdown

WEBSOCKET = {"type": "websocket"}
HTTP = {"type": "http"}


@pytest.fixture(autouse=True)
def short_grace_period(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutdown, "GRACE_S", 0.02)


class Sent(list[dict[str, Any]]):
    async def __call__(self, message: dict[str, Any]) -> None:
        self.append(message)


async def never_ends(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.Event().wait()


async def serve_until_cancelled(application: GracefulShutdown, scope: Any, sent: Sent) -> None:
    serving = asyncio.create_task(application(scope, None, sent))
    await asyncio.sleep(0)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


async def test_a_cancelled_socket_is_closed_with_1012() -> None:
    sent = Sent()
    await serve_until_cancelled(GracefulShutdown(never_ends), WEBSOCKET, sent)
    assert sent == [{"type": "websocket.close", "code": SERVICE_RESTART}]


async def test_a_request_gets_time_to_finish() -> None:
    sent = Sent()

    async def respond(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.05)
        await send({"type": "http.response.start"})

    await serve_until_cancelled(GracefulShutdown(respond), HTTP, sent)
    assert sent == [{"type": "http.response.start"}]


async def test_new_sockets_are_rejected_and_requests_served_during_the_shutdown() -> None:
    async def respond_or_wait(scope: Any, receive: Any, send: Any) -> None:
        if scope is WEBSOCKET:
            await never_ends(scope, receive, send)
        await send({"type": "http.response.start"})

    application = GracefulShutdown(respond_or_wait)
    await serve_until_cancelled(application, WEBSOCKET, Sent())
    socket, request = Sent(), Sent()
    await application(WEBSOCKET, None, socket)
    await application(HTTP, None, request)
    assert socket == [{"type": "websocket.close"}]
    assert request == [{"type": "http.response.start"}]


async def test_a_disconnected_client_does_not_start_the_shutdown() -> None:
    class Daphne:
        _disconnected = True

        async def send(self, message: object) -> None:
            raise AssertionError("sent to a disconnected client")

    application = GracefulShutdown(never_ends)
    serving = asyncio.create_task(application(WEBSOCKET, None, Daphne().send))
    await asyncio.sleep(0)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert application._refuses_until == 0.0
