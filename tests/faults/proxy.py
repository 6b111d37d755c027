"""A TCP proxy with scripted faults: refuse, pause, disconnect, count bytes."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

READ_BYTES = 65_536
Address = tuple[str, int]


class Cutter(Protocol):
    """Decides how much of a connection's bytes pass before it is cut."""

    def passes(self, data: bytes, *, to_server: bool) -> tuple[bytes, bool]:
        """Return what passes of `data`, and whether the connection is cut after it."""


class Proxy:
    """Forwards bytes between clients and one of several servers."""

    def __init__(self, servers: Callable[[], Address]) -> None:
        self.servers = servers
        self.new_cutter: Callable[[], Cutter | None] = lambda: None
        self.cuts = 0
        self.idle_limit_s: float | None = None
        self._flows = {True: asyncio.Event(), False: asyncio.Event()}
        self.flow()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> "Proxy":
        await self.listen()
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.flow()
        await self.refuse()

    async def listen(self) -> None:
        """Accept connections (again)."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Refuse new connections and cut the open ones."""
        if self._server is not None:
            self._server.close()
        self.cut_all()

    def pause(self, *, to_server: bool = True, to_client: bool = True) -> None:
        """Forward nothing in these directions, but keep every connection open."""
        for direction, paused in {True: to_server, False: to_client}.items():
            if paused:
                self._flows[direction].clear()

    def flow(self) -> None:
        """Forward everything (again)."""
        for flow in self._flows.values():
            flow.set()

    def cut_all(self) -> None:
        """Abort every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.servers())
        except OSError:
            writer.transport.abort()
            return
        cutter = self.new_cutter()
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, far_writer, cutter, to_server=True))
                both.create_task(self._pass(far_reader, writer, cutter, to_server=False))
        except* OSError:
            pass
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        cutter: Cutter | None,
        *,
        to_server: bool,
    ) -> None:
        while data := await self._read(reader, to_server):
            cut = False
            if cutter:
                data, cut = cutter.passes(data, to_server=to_server)
            writer.write(data)
            await writer.drain()
            if cut:
                self.cuts += 1
                await asyncio.sleep(0)
                raise ConnectionAbortedError
        with suppress(OSError, RuntimeError):
            writer.write_eof()

    async def _read(self, reader: asyncio.StreamReader, to_server: bool) -> bytes:
        """Read; cut a connection that is idle for too long, as proxies do."""
        await self._flows[to_server].wait()
        try:
            async with asyncio.timeout(self.idle_limit_s):
                data = await reader.read(READ_BYTES)
        except TimeoutError:
            self.cuts += 1
            raise ConnectionAbortedError from None
        await self._flows[to_server].wait()
        return data
