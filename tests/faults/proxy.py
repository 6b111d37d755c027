"""A TCP proxy with scripted faults: refuse, pause, disconnect, count bytes."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

READ_BYTES = 65_536
Address = tuple[str, int]


class Dropper(Protocol):
    """Decides how many bytes of a connection are forwarded before it is dropped."""

    def forwarded(self, data: bytes, *, to_server: bool) -> tuple[bytes, bool]:
        """Return the part of `data` to forward, and whether to drop the connection after it."""


class Proxy:
    """Forwards bytes between clients and the server that `servers` returns."""

    def __init__(self, servers: Callable[[], Address]) -> None:
        self.servers = servers
        self.new_dropper: Callable[[], Dropper | None] = lambda: None
        self.drops = 0
        self.idle_limit_s: float | None = None
        self._open = {True: asyncio.Event(), False: asyncio.Event()}
        self.resume()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> "Proxy":
        await self.listen()
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.resume()
        await self.refuse()

    async def listen(self) -> None:
        """Accept connections (again)."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Refuse new connections and drop the open ones."""
        if self._server is not None:
            self._server.close()
        self.drop_all()

    def pause(self, *, to_server: bool = True, to_client: bool = True) -> None:
        """Forward nothing in these directions, but keep every connection open."""
        for direction, paused in {True: to_server, False: to_client}.items():
            if paused:
                self._open[direction].clear()

    def resume(self) -> None:
        """Forward everything (again)."""
        for direction in self._open.values():
            direction.set()

    def drop_all(self) -> None:
        """Drop every connection without a WebSocket close frame."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection(*self.servers())
        except OSError:
            writer.transport.abort()
            return
        dropper = self.new_dropper()
        ends = {writer, server_writer}
        self._writers |= ends
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._forward(reader, server_writer, dropper, to_server=True))
                both.create_task(self._forward(server_reader, writer, dropper, to_server=False))
        except* OSError:
            pass
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        dropper: Dropper | None,
        *,
        to_server: bool,
    ) -> None:
        while data := await self._read(reader, to_server):
            drop = False
            if dropper:
                data, drop = dropper.forwarded(data, to_server=to_server)
            writer.write(data)
            await writer.drain()
            if drop:
                self.drops += 1
                await asyncio.sleep(0)
                raise ConnectionAbortedError
        with suppress(OSError, RuntimeError):
            writer.write_eof()

    async def _read(self, reader: asyncio.StreamReader, to_server: bool) -> bytes:
        """Read some bytes; a connection that is idle for too long is dropped, as proxies do."""
        await self._open[to_server].wait()
        try:
            async with asyncio.timeout(self.idle_limit_s):
                data = await reader.read(READ_BYTES)
        except TimeoutError:
            self.drops += 1
            raise ConnectionAbortedError from None
        await self._open[to_server].wait()
        return data
