"""Checks of the socket as a browser uses it: upgrade, a reply as it is written, silence."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from django.conf import settings
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from chat.cli.doctor.findings import Finding, failure, ok, warning
from chat.protocol import SUBPROTOCOL

OPEN_TIMEOUT_S = 10
SPARE_S = 5
QUESTION = "Tell me a short story about a lighthouse."
TELLING_S = 0.3
PROXY = "see deploy/nginx.conf.template"
ADVICE = {
    "model.unauthorized": "Correct HUGGINGFACE_INFERENCE_TOKEN.",
    "model.rejected": "Compare MODEL_API and MODEL_NAME with what the server at MODEL_URL speaks.",
    "model.unavailable": "Start the model, or correct MODEL_URL.",
    "model.timeout": "See the model's log; MODEL_TIMEOUT_S is how long its silence is borne.",
    "model.overloaded": "Give the model more room, or run fewer worker threads.",
    "model.loading": "Wait until the model is loaded.",
    "model.bad_reply": "Compare MODEL_API with what the server at MODEL_URL speaks.",
    "reply.deadline": "Add workers or raise WORKER_CONCURRENCY; or the model is too slow.",
}


@dataclass(frozen=True)
class Reply:
    """The last frame of a reply, and when its text came."""

    frame: dict[str, Any]
    first_text_at: float | None
    ended_at: float


def check_socket(url: str, token: str, idle_s: float) -> Iterator[Finding]:
    """Open a socket, have a message answered, and be silent for a while."""
    try:
        with _opened(url, token) as socket:
            ready = json.loads(socket.recv(OPEN_TIMEOUT_S))
            if ready["type"] != "session.ready":
                yield failure(f"The socket is refused: {ready.get('detail')}", "See its sentence.")
                return
            yield ok("The WebSocket opens")
            yield from _check_reply(socket)
            yield from _check_silence(socket, idle_s)
    except InvalidStatus as error:
        yield _refused(error.response.status_code)
    except (InvalidHandshake, OSError) as error:
        yield failure(
            f"The WebSocket does not open ({type(error).__name__})",
            f"Let the proxy pass on Upgrade and Connection with HTTP/1.1: {PROXY}.",
        )
    except ConnectionClosed as error:
        yield failure(
            f"The socket was closed ({error.rcvd.code if error.rcvd else 'without a word'})",
            "See the logs of the proxy and the web process at this moment.",
        )


@contextmanager
def _opened(url: str, token: str) -> Iterator[ClientConnection]:
    """Connect as the page does. The client sends no pings: the server's must be enough."""
    parts = urlsplit(url)
    address = parts._replace(scheme={"https": "wss"}.get(parts.scheme, "ws"), path="/chat")
    with connect(
        address.geturl(),
        origin=Origin(url),
        subprotocols=[SUBPROTOCOL, f"token.{token}"],  # type: ignore[list-item]
        open_timeout=OPEN_TIMEOUT_S,
        ping_interval=None,
        compression=None,
        proxy=None,
    ) as socket:
        yield socket


def _refused(status: int) -> Finding:
    what = f"The WebSocket does not open: the answer is {status}"
    if status == 403:
        return failure(what, "Add the site's address to CORS_ALLOWED_ORIGINS.")
    return failure(what, f"Let the proxy pass on Upgrade and Connection with HTTP/1.1: {PROXY}.")


def _check_reply(socket: ClientConnection) -> Iterator[Finding]:
    send = {"type": "message.send", "id": str(uuid4()), "msg": QUESTION}
    sent_at = time.monotonic()
    socket.send(json.dumps(send))
    try:
        reply = _read_reply(socket, sent_at + settings.REPLY_DEADLINE_S + SPARE_S)
    except TimeoutError:
        yield failure("No reply came, and no failure either", "Is a worker running? And beat?")
        return
    frame = reply.frame
    if frame["type"] == "error":
        yield failure(f"The message was refused: {frame['code']}", frame["detail"])
    elif frame["type"] == "reply.failed":
        code = frame["message"]["error"]["code"]
        yield failure(f"The model gave no reply: {code}", ADVICE.get(code, "See the worker's log."))
    else:
        yield from _check_times(reply, sent_at)


def _read_reply(socket: ClientConnection, give_up_at: float) -> Reply:
    first_text_at = None
    while True:
        frame = json.loads(socket.recv(max(0.1, give_up_at - time.monotonic())))
        now = time.monotonic()
        if frame["type"] == "reply.delta":
            first_text_at = first_text_at or now
        elif frame["type"] in {"reply.completed", "reply.failed", "error"}:
            return Reply(frame, first_text_at, now)


def _check_times(reply: Reply, sent_at: float) -> Iterator[Finding]:
    timings = reply.frame["message"]["timings"]
    yield ok(f"The model answers; the reply took {reply.ended_at - sent_at:.1f} s")
    if reply.first_text_at is None:
        yield warning("The reply's text came in one piece at its end", "Does the model stream?")
        return
    written_s = (timings["total_ms"] - timings["first_token_ms"]) / 1000
    shown_s = reply.ended_at - reply.first_text_at
    if written_s < TELLING_S:
        yield ok("The reply was too short to tell whether pieces are held back on the way")
    elif shown_s < written_s / 3:
        yield failure(
            f"The reply was written over {written_s:.1f} s and arrived within {shown_s:.1f} s",
            f"Turn buffering off in the proxy: {PROXY}.",
        )
    else:
        yield ok(f"The reply arrives as it is written, over {shown_s:.1f} s")


def _check_silence(socket: ClientConnection, idle_s: float) -> Iterator[Finding]:
    began_at = time.monotonic()
    try:
        while (left_s := began_at + idle_s - time.monotonic()) > 0:
            socket.recv(left_s)
    except TimeoutError:
        pass
    except ConnectionClosed:
        yield failure(
            f"A silent socket was closed after {time.monotonic() - began_at:.0f} s",
            f"Raise the proxy's read time-out well above the server's pings (20 s): {PROXY}.",
        )
        return
    socket.send(json.dumps({"type": "session.sync"}))
    while json.loads(socket.recv(OPEN_TIMEOUT_S))["type"] != "session.ready":
        pass
    yield ok(f"A socket that was silent for {idle_s:.0f} s still works")
