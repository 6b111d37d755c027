"""Checks of the WebSocket as a browser uses it: opening, a streamed reply, an idle connection."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from django.conf import settings
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from chat.cli.doctor.findings import Finding, failure, ok, progress, warning
from chat.protocol import SUBPROTOCOL

OPEN_TIMEOUT_S = 10
DEADLINE_MARGIN_S = 5
QUESTION = "Tell me a short story about a lighthouse."
# A reply generated faster than this shows nothing about buffering.
LEAST_GENERATION_S = 0.3
UPGRADE = (
    "Let the proxy use HTTP/1.1 and forward Upgrade and Connection: see deploy/nginx.conf.template."
)
# The doctor sends the site's address as its origin, and the server accepts its own.
HOST = "Let the proxy pass on the Host header: see deploy/nginx.conf.template."
ADVICE = {
    "model.unauthorized": "Correct HUGGINGFACE_INFERENCE_TOKEN.",
    "model.rejected": "See the lines about the model server and the reason in the worker's log."
    " Check that MODEL_API matches the server at MODEL_URL.",
    "model.unavailable": "Start the model server, or correct MODEL_URL.",
    "model.timeout": "See the model server's log, or raise MODEL_TIMEOUT_S.",
    "model.overloaded": "Give the model server more capacity, or lower WORKER_CONCURRENCY.",
    "model.loading": "Wait until the model is loaded.",
    "model.bad_reply": "Check that MODEL_API matches the server at MODEL_URL.",
    "model.no_answer": "Raise MAX_NEW_TOKENS: a model that reasons needs some for it.",
    "reply.internal": "See the worker's log.",
    "reply.deadline": "Add workers, raise WORKER_CONCURRENCY or REPLY_DEADLINE_S, or use a faster"
    " model.",
}


@dataclass(frozen=True)
class Outcome:
    """The last frame of a reply, and the seconds from sending until its text and its end."""

    frame: dict[str, Any]
    first_text_s: float | None
    end_s: float


def check_socket(url: str, token: str, idle_s: float) -> Iterator[Finding]:
    """Open a socket, wait for a reply to a message, and leave the socket idle."""
    try:
        with _open(url, token) as socket:
            ready = json.loads(socket.recv(OPEN_TIMEOUT_S))
            if ready["type"] != "session.ready":
                yield failure(
                    f"The server rejects the WebSocket: {ready.get('code')}",
                    str(ready.get("detail")),
                )
                return
            yield ok("The WebSocket opens")
            yield from _check_reply(socket)
            yield from _check_idle(socket, idle_s)
    except InvalidStatus as error:
        status = error.response.status_code
        yield failure(
            f"The WebSocket does not open (status {status})",
            HOST if status == 403 else UPGRADE,
        )
    except (InvalidHandshake, OSError) as error:
        yield failure(f"The WebSocket does not open ({type(error).__name__})", UPGRADE)
    except ConnectionClosed as error:
        code = error.rcvd.code if error.rcvd else "no close frame"
        yield failure(
            f"The WebSocket was closed ({code})", "See the logs of the proxy and the web process."
        )


def _open(url: str, token: str) -> ClientConnection:
    """Connect as the page does: without pings of the client, the server's must be enough."""
    parts = urlsplit(url)
    address = parts._replace(scheme={"https": "wss"}.get(parts.scheme, "ws"), path="/chat")
    return connect(
        address.geturl(),
        origin=Origin(url),
        subprotocols=[SUBPROTOCOL, f"token.{token}"],  # type: ignore[list-item]
        open_timeout=OPEN_TIMEOUT_S,
        ping_interval=None,
        compression=None,
        proxy=None,
    )


def _check_reply(socket: ClientConnection) -> Iterator[Finding]:
    longest_s = settings.REPLY_DEADLINE_S + DEADLINE_MARGIN_S
    yield progress(f"Waiting up to {longest_s:.0f} s for the reply to a message")
    sent_at = time.monotonic()
    socket.send(json.dumps({"type": "message.send", "id": str(uuid4()), "msg": QUESTION}))
    try:
        yield from check_outcome(_receive_reply(socket, sent_at))
    except TimeoutError:
        yield failure("Neither a reply nor an error arrived", "Start a worker and beat.")


def _receive_reply(socket: ClientConnection, sent_at: float) -> Outcome:
    give_up_at = sent_at + settings.REPLY_DEADLINE_S + DEADLINE_MARGIN_S
    first_text_s = None
    while True:
        frame = json.loads(socket.recv(max(0.1, give_up_at - time.monotonic())))
        elapsed_s = time.monotonic() - sent_at
        if frame["type"] == "reply.delta":
            first_text_s = first_text_s or elapsed_s
        elif frame["type"] in {"reply.completed", "reply.failed", "error"}:
            return Outcome(frame, first_text_s, elapsed_s)


def check_outcome(outcome: Outcome) -> Iterator[Finding]:
    """Check how a message ended, and whether the reply's text was held back on the way."""
    frame = outcome.frame
    if frame["type"] == "error":
        yield failure(f"The message was rejected: {frame['code']}", frame["detail"])
        return
    if frame["type"] == "reply.failed":
        code = frame["message"]["error"]["code"]
        advice = ADVICE.get(code, "See the worker's log.")
        yield failure(f"The reply failed: {code}", advice)
        return
    yield ok(f"The model replies; the reply took {outcome.end_s:.1f} s")
    if outcome.first_text_s is None:
        yield warning(
            "The reply arrived in one piece", "Check whether the model server supports streaming."
        )
        return
    timings = frame["message"]["timings"]
    generated_s = (timings["total_ms"] - timings["first_token_ms"]) / 1000
    received_s = outcome.end_s - outcome.first_text_s
    if generated_s < LEAST_GENERATION_S:
        yield ok("The reply was too short to show whether a proxy buffers it")
    elif received_s < generated_s / 3:
        yield failure(
            f"The reply was generated over {generated_s:.1f} s but arrived within"
            f" {received_s:.1f} s",
            "Turn off buffering in the proxy: see deploy/nginx.conf.template.",
        )
    else:
        yield ok(f"The reply streams in over {received_s:.1f} s")


def _check_idle(socket: ClientConnection, idle_s: float) -> Iterator[Finding]:
    yield progress(f"Leaving the WebSocket idle for {idle_s:.0f} s")
    began_at = time.monotonic()
    try:
        while (left_s := began_at + idle_s - time.monotonic()) > 0:
            socket.recv(left_s)
    except TimeoutError:
        pass
    except ConnectionClosed:
        yield failure(
            f"An idle WebSocket was closed after {time.monotonic() - began_at:.0f} s",
            "Raise the proxy's read timeout well above the server's ping interval of 20 s:"
            " see deploy/nginx.conf.template.",
        )
        return
    socket.send(json.dumps({"type": "session.sync"}))
    while json.loads(socket.recv(OPEN_TIMEOUT_S))["type"] != "session.ready":
        pass
    yield ok(f"A WebSocket stays open while idle for {idle_s:.0f} s")
