"""ClientConnection reads the servers' buffers and drops a client that does not keep up."""

import asyncio
from functools import partial
from typing import Any

import pytest

from chat.websocket import backpressure
from chat.websocket.backpressure import (
    MAX_UNHANDLED_FRAMES,
    MAX_UNSENT_BYTES,
    NO_PROGRESS_S,
    ClientConnection,
    ClientNotReading,
)


class UvicornTransport:
    unsent = 0
    aborted = False

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.aborted = True


class TwistedTransport:
    dataBuffer = b""  # noqa: N815 Twisted's names
    offset = 0
    _tempDataLen = 0  # noqa: N815
    aborted = False

    def abortConnection(self) -> None:  # noqa: N802
        self.aborted = True


class Server:
    """The object that the `send` of both servers belongs to."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport

    async def send(self, message: object) -> None:
        """Send nothing."""


def connection(transport: Any, receive: Any = None) -> ClientConnection:
    return ClientConnection(receive, Server(transport).send)


async def test_a_client_that_reads_is_not_congested() -> None:
    transport = UvicornTransport()
    transport.unsent = MAX_UNSENT_BYTES - 1
    assert not connection(transport).is_congested()


async def test_unsent_bytes_are_counted_on_daphne_as_well() -> None:
    transport = TwistedTransport()
    transport.dataBuffer = b"x" * MAX_UNSENT_BYTES
    daphne = ClientConnection(None, partial(Server.send, Server(transport)))
    assert daphne.is_congested()
    transport.offset = 1
    assert not daphne.is_congested()


async def test_waiting_ends_when_the_client_has_read_enough() -> None:
    transport = UvicornTransport()
    transport.unsent = MAX_UNSENT_BYTES
    waiting = asyncio.create_task(connection(transport).wait_until_writable())
    await asyncio.sleep(0)
    assert not waiting.done()
    transport.unsent = 0
    async with asyncio.timeout(1):
        await waiting


async def test_a_client_that_stops_reading_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = UvicornTransport()
    client = connection(transport)
    now = 1.0
    monkeypatch.setattr(client, "_now", lambda: now)
    transport.unsent = 2 * MAX_UNSENT_BYTES
    assert client.is_congested()
    now += NO_PROGRESS_S
    transport.unsent -= 1
    assert client.is_congested(), "it reads slowly"
    now += NO_PROGRESS_S + 1
    with pytest.raises(ClientNotReading):
        client.is_congested()


async def test_too_many_unhandled_frames_are_reported() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    client = connection(UvicornTransport(), queue.get)
    for number in range(MAX_UNHANDLED_FRAMES):
        queue.put_nowait(number)
    client.check_unhandled()
    queue.put_nowait(0)
    with pytest.raises(ClientNotReading):
        client.check_unhandled()


@pytest.mark.parametrize("transport", [UvicornTransport(), TwistedTransport()])
async def test_a_connection_is_aborted(transport: Any) -> None:
    connection(transport).abort()
    assert transport.aborted


async def test_a_client_of_an_unknown_server_is_never_congested() -> None:
    async def send(message: object) -> None: ...

    client = ClientConnection(send, send)
    assert not client.is_congested()
    client.check_unhandled()
    client.abort()
    assert backpressure.MAX_UNSENT_BYTES < 64 * 1024, "otherwise uvicorn's send waits first"
