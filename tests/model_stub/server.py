"""The HTTP/1.1 server: one asyncio protocol with keep-alive, without a framework."""

import asyncio
import json
import socket
import struct
import time
from typing import Any, cast

from tests.model_stub.behaviour import Behaviour
from tests.model_stub.dialects import ROUTES
from tests.model_stub.record import Record, RecordedRequest
from tests.model_stub.responses import Step, json_response, response_steps

FLUSH_BYTES = 65_536
HOLD_TIMEOUT_S = 60


class Connection(asyncio.Protocol):
    """Reads the requests of one connection and responds to each as scripted."""

    def __init__(self, record: Record, connected: set[asyncio.Transport]) -> None:
        self._record = record
        self._connected = connected
        self._buffer = b""
        self._request: RecordedRequest | None = None
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connected.add(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._task is None:
            self._read_request()

    def eof_received(self) -> bool:
        self._on_disconnect()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._connected.discard(self._transport)
        self._on_disconnect()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _on_disconnect(self) -> None:
        """Stop the response at once, also between two pieces."""
        self._writable.set()
        if self._request is not None:
            self._record.disconnect(self._request)
        if self._task is not None:
            self._task.cancel()

    def _read_request(self) -> None:
        head, blank, rest = self._buffer.partition(b"\r\n\r\n")
        if not blank:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in fields}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        method, target, _ = first.split(" ", 2)
        self._route(method, target, headers, rest[:length])

    def _route(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        try:
            document = json.loads(body) if body else None
            if method == "POST" and path in ROUTES:
                self._start_response(path, headers, document)
            else:
                self._transport.write(self._control(method, path, headers, document))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            self._transport.write(json_response(400, {"error": f"{type(error).__name__}: {error}"}))

    def _control(self, method: str, path: str, headers: dict[str, str], document: Any) -> bytes:
        match method, path:
            case "PUT", "/script":
                self._record.set_script([Behaviour.from_json(each) for each in document])
            case "PUT", "/default":
                self._record.default = Behaviour.from_json(document)
            case "DELETE", "/requests":
                self._record.clear()
            case "POST", "/tokenize" if self._record.tokenizer:
                self._record.tokenized.append({"headers": headers, **document})
                return json_response(200, self._record.tokenizer(document["content"]))
            case "GET", path if path in self._record.documents:
                if self._record.token not in (None, headers.get("authorization", "")[7:]):
                    return json_response(401, {"error": "Unauthorized"})
                return json_response(200, self._record.documents[path])
            case "GET", "/requests":
                return json_response(200, self._record.as_json())
            case _:
                return json_response(404, {"error": "Not Found"})
        return json_response(200, {})

    def _start_response(self, path: str, headers: dict[str, str], payload: Any) -> None:
        request = RecordedRequest(path, headers, payload, received_at_s=time.time())
        self._request = request
        # Only calls for a message have an id.
        if self._record.leaves_out_probes and "x-request-id" not in headers:
            behaviour = Behaviour()
        else:
            self._record.add(request)
            behaviour = self._record.next_behaviour()
        response = self._respond(path, payload, behaviour, request)
        self._task = asyncio.get_running_loop().create_task(response)

    async def _respond(
        self, path: str, payload: Any, behaviour: Behaviour, request: RecordedRequest
    ) -> None:
        pending = b""
        try:
            for step in response_steps(ROUTES[path], payload, behaviour):
                if isinstance(step, bytes):
                    pending += step
                    if len(pending) < FLUSH_BYTES:
                        continue
                await self._write(pending, behaviour.byte_delay_s)
                pending = b""
                await self._do(step)
        except (KeyError, TypeError, IndexError) as error:
            pending = json_response(422, {"error": f"Not a request of this dialect: {error!r}"})
        await self._write(pending, behaviour.byte_delay_s, last_of=request)
        self._task = self._request = None
        self._read_request()

    async def _do(self, step: Step) -> None:
        if isinstance(step, float | int):
            await asyncio.sleep(step)
        elif step == "hold":
            await asyncio.to_thread(self._record.released.wait, HOLD_TIMEOUT_S)
        elif isinstance(step, str):
            await self._break_connection(step)

    async def _break_connection(self, fault: str) -> None:
        if fault == "hang":
            await asyncio.get_running_loop().create_future()
        if self._request is not None:
            self._record.finish(self._request)
        if fault == "reset":
            # A linger time of zero makes the kernel send RST instead of FIN.
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()
        else:
            self._transport.close()
        await asyncio.get_running_loop().create_future()

    async def _write(
        self, data: bytes, byte_delay_s: float, last_of: RecordedRequest | None = None
    ) -> None:
        if byte_delay_s:
            for byte in data:
                self._transport.write(bytes([byte]))
                await asyncio.sleep(byte_delay_s)
            data = b""
        # Recorded before the write: the client may close as soon as it has the last byte.
        if last_of is not None:
            self._record.finish(last_of)
        if data:
            self._transport.write(data)
            await self._writable.wait()
            # An endless response must let the loop notice that the client disconnected.
            await asyncio.sleep(0)
