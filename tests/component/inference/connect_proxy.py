"""A forward proxy: tunnels to https:// servers (CONNECT), and requests to http:// servers."""

import asyncio
import contextlib
import re
import ssl
import threading
from base64 import b64encode
from typing import Self
from urllib.parse import urlsplit

READ_BYTES = 65_536


class ForwardProxy:
    """The proxy in a thread, for the duration of a `with` block.

    `requests` contains the first line of every request. Without the `credentials`, it responds
    with 407. If `hangs`, it never responds. With `tls`, it is an https:// proxy.
    """

    def __init__(
        self,
        *,
        credentials: str | None = None,
        hangs: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: list[str] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._expected = credentials and f"Basic {b64encode(credentials.encode()).decode()}"
        self._hangs = hangs
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="forward-proxy")

    def __enter__(self) -> Self:
        self._thread.start()
        start = asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result(timeout=5)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(timeout=5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        if tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks, timeout=3)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ExceptionGroup):
            await self._forward(reader, writer)
        writer.transport.abort()
        self._writers.discard(writer)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        method, target, head = await self._read_head(reader)
        if self._hangs:
            await reader.read()  # until the client disconnects
            return
        if self._expected and f"Proxy-Authorization: {self._expected}" not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            await reader.read()
            return
        parts = urlsplit(target if "://" in target else f"//{target}")
        far_reader, far_writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(far_reader, writer))
                if method == "CONNECT":
                    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    await _copy(reader, far_writer)
                while True:
                    await self._forward_request(head, reader, far_writer)
                    _, _, head = await self._read_head(reader)
        finally:
            far_writer.transport.abort()

    async def _read_head(self, reader: asyncio.StreamReader) -> tuple[str, str, str]:
        """Return the next request's method, target, and first lines."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests.append(head.partition("\r\n")[0])
        method, target, _ = self.requests[-1].split(" ")
        return method, target, head

    async def _forward_request(
        self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Forward a request with the path in place of the absolute URL."""
        length = re.search(r"(?i)\r\ncontent-length: (\d+)", head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        method, target, rest = head.split(" ", 2)
        writer.write(f"{method} {urlsplit(target).path} {rest}".encode() + body)
        await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the end; then raise, so that the other direction ends as well."""
    while data := await reader.read(READ_BYTES):
        writer.write(data)
        await writer.drain()
    raise ConnectionResetError
