"""Patches of daphne, applied if it is the server of this process.

Close codes: autobahn lets applications close with 1000 and 3000 to 4999 only, and daphne drops the
reason (https://github.com/django/daphne/issues/374). The API closes with 1008 and a reason, as on
other ASGI servers. After a disconnect, ASGI lets sends do nothing; autobahn raises RuntimeError.

Shutdown: daphne (4.2.3) cancels the application of every connection, exits when the first one has
ended, and listens until then. At a connection that has no application, such as the HTTP request of
a WebSocket's handshake, which stays listed for about a second, it raises KeyError and cancels none.

Requests: daphne collects a whole body, of any size and for any time, before its application runs.
The limits of `request_limits` apply while it arrives.

Connections: `accept_errors` refuses them while too many files are open.

Forms: Twisted parses multipart bodies, although daphne never uses the result, and answers an
invalid one with an empty 400 that the application never sees.
"""

import asyncio
import sys
from typing import Any

from chat.websocket.shutdown import GRACE_S
from chatproject import accept_errors
from chatproject.request_limits import MAX_BODY_BYTES, REQUEST_TIMEOUT_S

TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
MAX_REASON_BYTES = 123


def apply() -> None:
    """Patch daphne if it is the server of this process."""
    if "daphne.server" in sys.modules:
        _close_as_other_servers()
        _shut_down_gracefully()
        _close_when_asked()
        _limit_bodies()
        _limit_time_of_requests()
        _leave_forms_to_django()
        accept_errors.pause_twisted()


def _close_as_other_servers() -> None:
    from daphne.ws_protocol import WebSocketProtocol  # type: ignore[import-untyped]

    handle_reply = WebSocketProtocol.handle_reply

    def handle_reply_or_close(self: Any, message: dict[str, Any]) -> None:
        if message.get("type") == "websocket.close" and self.state != self.STATE_CONNECTING:
            reason = (message.get("reason") or "").encode()[:MAX_REASON_BYTES]
            self.sendCloseFrame(code=message.get("code") or 1000, reasonUtf8=reason)
        elif message.get("type") != "websocket.send" or self.state == self.STATE_OPEN:
            handle_reply(self, message)

    WebSocketProtocol.handle_reply = handle_reply_or_close


def _shut_down_gracefully() -> None:
    """Stop listening, cancel every application and wait for all of them.

    A proxy sends requests to another process as soon as this one does not listen, and those that
    are here already get an answer.
    """
    from daphne.server import Server  # type: ignore[import-untyped]
    from twisted.internet import defer, tcp
    from twisted.internet import reactor as default_reactor

    reactor: Any = default_reactor

    def shut_down(self: Any) -> Any:
        listeners: list[Any] = [one for one in reactor.getReaders() if isinstance(one, tcp.Port)]
        for listener in listeners:
            listener.doRead()  # closing would reset the connections that are not accepted yet
            listener.stopListening()
        found = (each.get("application_instance") for each in self.connections.values())
        running = [each for each in found if each is not None and not each.done()]
        for each in running:
            each.cancel()
        return defer.Deferred.fromFuture(asyncio.ensure_future(_ended(running)))

    Server.kill_all_applications = shut_down


async def _ended(applications: list["asyncio.Future[None]"]) -> None:
    await asyncio.gather(asyncio.sleep(GRACE_S), *applications, return_exceptions=True)


def _close_when_asked() -> None:
    """Close the connection after a response with `Connection: close`, which Twisted leaves out."""
    from daphne.http_protocol import WebRequest  # type: ignore[import-untyped]

    handle_reply = WebRequest.handle_reply

    def handle_reply_and_close(self: Any, message: dict[str, Any]) -> None:
        if (b"connection", b"close") in message.get("headers", ()) and self.channel:
            self.channel.persistent = False
        handle_reply(self, message)

    WebRequest.handle_reply = handle_reply_and_close


def _limit_bodies() -> None:
    from daphne.http_protocol import WebRequest

    got_length, handle_content_chunk, process = (
        WebRequest.gotLength,
        WebRequest.handleContentChunk,
        WebRequest.process,
    )

    def got_acceptable_length(self: Any, length: int | None) -> None:
        self.body_bytes, self.is_refused = 0, False
        if length is not None and length > MAX_BODY_BYTES:
            refuse(self)
        got_length(self, min(length or 0, MAX_BODY_BYTES))

    def handle_acceptable_chunk(self: Any, data: bytes) -> None:
        self.body_bytes += len(data)
        if self.body_bytes > MAX_BODY_BYTES:
            refuse(self)
        elif not self.is_refused:
            handle_content_chunk(self, data)

    def process_accepted(self: Any) -> Any:
        return None if self.is_refused else process(self)

    def refuse(self: Any) -> None:
        if not self.is_refused:
            self.is_refused = True
            self.channel.transport.write(TOO_LARGE)
            self.channel.loseConnection()

    WebRequest.gotLength = got_acceptable_length
    WebRequest.handleContentChunk = handle_acceptable_chunk
    WebRequest.process = process_accepted


def _limit_time_of_requests() -> None:
    """Abort a connection whose request is not complete after REQUEST_TIMEOUT_S.

    Twisted's own timeout starts again with each byte.
    """
    from twisted.web.http import HTTPChannel

    channel: Any = HTTPChannel
    connection_made, data_received, connection_lost, all_content_received = (
        channel.connectionMade,
        channel.dataReceived,
        channel.connectionLost,
        channel.allContentReceived,
    )

    def start(self: Any) -> None:
        if getattr(self, "deadline", None) is None:
            self.deadline = self.callLater(REQUEST_TIMEOUT_S, self.transport.abortConnection)

    def stop(self: Any) -> None:
        if getattr(self, "deadline", None) is not None and self.deadline.active():
            self.deadline.cancel()
        self.deadline = None

    def connection_made_in_time(self: Any) -> None:
        connection_made(self)
        start(self)
        if not accept_errors.admit(self.transport, self.transport.getHandle().fileno()):
            self.transport.loseConnection()

    def data_received_in_time(self: Any, data: bytes) -> None:
        if not self._handlingRequest:
            start(self)
        data_received(self, data)

    def all_content_received_in_time(self: Any) -> None:
        stop(self)
        all_content_received(self)

    def connection_lost_in_time(self: Any, reason: Any) -> None:
        stop(self)
        connection_lost(self, reason)

    channel.connectionMade = connection_made_in_time
    channel.dataReceived = data_received_in_time
    channel.allContentReceived = all_content_received_in_time
    channel.connectionLost = connection_lost_in_time


def _leave_forms_to_django() -> None:
    from twisted.web import http

    http._getMultiPartArgs = lambda content, ctype: {}
