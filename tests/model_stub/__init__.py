"""An HTTP server that stands in for a model, with scripted behaviour and faults.

In a test: `with ModelStub() as stub: stub.script(loading(2), Behaviour(text="hello"))`.
As a process: `python -m tests.model_stub --port N`, scripted over HTTP: `PUT /script` with a JSON
list of behaviours (fields as in `Behaviour`), `PUT /default` with one, `GET`, `DELETE /requests`.
Each request consumes one behaviour; afterwards the default replies `You said: <last human text>`.
"""

import asyncio
import ssl
import threading
from collections.abc import Callable
from typing import Any, Self

from tests.model_stub.behaviour import Behaviour, failing, loading, overloaded
from tests.model_stub.record import Record, RecordedRequest
from tests.model_stub.server import Connection

__all__ = ["Behaviour", "ModelStub", "RecordedRequest", "failing", "loading", "overloaded", "serve"]

PATHS = {
    "huggingface": "/generate",
    "completions": "/v1/completions",
    "chat": "/v1/chat/completions",
}


async def serve(
    record: Record,
    host: str,
    port: int,
    connected: set[asyncio.Transport] | None = None,
    tls: ssl.SSLContext | None = None,
) -> asyncio.Server:
    """Start to listen, on a free port if `port` is 0; `connected` holds the open connections."""
    transports = set() if connected is None else connected
    loop = asyncio.get_running_loop()
    return await loop.create_server(
        lambda: Connection(record, transports), host, port, backlog=1024, ssl=tls
    )


class ModelStub:
    """The stub in a thread of this process, for the duration of a `with` block."""

    def __init__(
        self,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        *,
        host: str = "127.0.0.1",
        leaves_out_probes: bool = False,
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._record = Record()
        self._record.leaves_out_probes = leaves_out_probes
        self._connected: set[asyncio.Transport] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="model-stub")

    def __enter__(self) -> Self:
        self._thread.start()
        start = asyncio.run_coroutine_threadsafe(
            serve(self._record, self._host, self._port, self._connected, self._tls), self._loop
        )
        self._server = start.result(timeout=5)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(timeout=5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        self._loop.close()

    @property
    def url(self) -> str:
        """The base URL, without a path."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self._port}"

    @property
    def requests(self) -> list[RecordedRequest]:
        """The recorded requests, oldest first."""
        return self._record.requests()

    def endpoint(self, api: str) -> str:
        """Return the URL of a dialect: huggingface, completions or chat."""
        return self.url + PATHS[api]

    def script(self, *behaviours: Behaviour) -> None:
        """Set the behaviours for the next requests."""
        self._record.set_script(behaviours)

    def release(self) -> None:
        """Let responses go on that `hold_after` holds."""
        self._record.released.set()

    def always(self, behaviour: Behaviour) -> None:
        """Set the default behaviour, which follows the script."""
        self._record.default = behaviour

    def describe(self, path: str, document: Any) -> None:
        """Respond to `GET path` with a JSON document, as servers describe themselves."""
        self._record.documents[path] = document

    def tokenize(self, tokenizer: Callable[[str], Any]) -> None:
        """Respond to `POST /tokenize` with what this returns for a text."""
        self._record.tokenizer = tokenizer

    @property
    def tokenized(self) -> list[dict[str, Any]]:
        """The requests to `/tokenize`, oldest first."""
        return list(self._record.tokenized)

    def require_token(self, token: str) -> None:
        """Respond to `describe`d paths only with this token."""
        self._record.token = token

    def clear_requests(self) -> None:
        """Clear the recorded requests."""
        self._record.clear()

    def wait_for(
        self, condition: Callable[[list[RecordedRequest]], bool], timeout_s: float = 5.0
    ) -> list[RecordedRequest]:
        """Wait until the requests fulfil `condition` and return them; AssertionError on timeout."""
        return self._record.wait_for(condition, timeout_s)

    def drop_connections(self) -> None:
        """Close all connections, idle ones too, like a server that restarts."""
        asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result(timeout=5)

    async def _drop(self) -> None:
        for transport in list(self._connected):
            transport.close()

    async def _stop(self) -> None:
        self._server.close()
        for transport in list(self._connected):
            transport.abort()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
