"""A TCP proxy in front of a server that aborts connections at once or after a number of bytes.

with DroppingProxy(stack_port) as proxy:
    connect(f"ws://127.0.0.1:{proxy.port}/chat")
    proxy.drop()
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Self

READ_BYTES = 4096


class DroppingProxy:
    """`drop_after`: for each connection, after how many bytes of responses it is closed."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="dropping-proxy")
        self.drop_after: Iterator[int] = iter(())
        self.connections = 0

    def __enter__(self) -> Self:
        self._thread.start()
        start = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result(timeout=5)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(timeout=5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()

    def drop(self) -> None:
        """Abort every connection now, without a closing frame."""
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(timeout=5)

    async def _drop(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _close(self) -> None:
        self._server.close()
        await self._drop()
        if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks, timeout=3)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        limit = next(self.drop_after, None)
        try:
            upstream_reader, upstream = await asyncio.open_connection(
                "127.0.0.1", self._target_port
            )
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, upstream}
        with contextlib.suppress(OSError):
            await asyncio.gather(
                self._copy(reader, upstream), self._copy(upstream_reader, writer, limit)
            )
        for each in (writer, upstream):
            each.transport.abort()
            self._writers.discard(each)

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: int | None = None
    ) -> None:
        while data := await reader.read(READ_BYTES):
            if limit is not None:
                data, limit = data[:limit], limit - len(data)
            writer.write(data)
            await writer.drain()
            if limit is not None and limit <= 0:
                raise ConnectionAbortedError
        raise ConnectionAbortedError
