"""Server-sent events, decoded as the bytes come in.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream.
Only `data` matters here; event names, ids and comments are passed over.
"""

import re
from typing import Final

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BOM: Final = b"\xef\xbb\xbf"


class SseDecoder:
    """Bytes in, the data of whole events out; where the bytes are split makes no difference."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._data: list[bytes] = []
        self._is_first_line = True
        self._swallow_lf = False

    def feed(self, chunk: bytes) -> list[str]:
        """Return the data of each event that `chunk` completes, in order."""
        if self._swallow_lf and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._swallow_lf = False
        self._buffer += chunk
        # A long line that trickles in would otherwise be searched from its start at every byte.
        if b"\n" not in chunk and b"\r" not in chunk:
            return []
        self._swallow_lf = chunk.endswith(b"\r")
        *lines, rest = _LINE_END.split(self._buffer)
        self._buffer = bytearray(rest)
        return [event for line in lines if (event := self._take_line(bytes(line))) is not None]

    def finish(self) -> list[str]:
        """Return the last event of a stream that ended without its blank line, if there is one."""
        rest, self._buffer = bytes(self._buffer), bytearray()
        self._take_line(rest)
        event = self._take_line(b"")
        return [] if event is None else [event]

    def _take_line(self, line: bytes) -> str | None:
        if self._is_first_line:
            self._is_first_line = False
            line = line.removeprefix(_BOM)
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" "))
        return None

    def _dispatch(self) -> str | None:
        if not self._data:
            return None
        data, self._data = b"\n".join(self._data), []
        return data.decode("utf-8", errors="replace")
