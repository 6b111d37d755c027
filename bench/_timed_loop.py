"""The site's application, and at `/longest-callback` the longest one of its event loop.

The time is CPU time of the thread, in milliseconds, since the last request: other processes on
the machine do not lengthen it.
"""

import asyncio
import time
from typing import Any

from chatproject.asgi import application as site

PATH = "/longest-callback"
longest_s = 0.0
_run = asyncio.Handle._run


def _timed_run(handle: asyncio.Handle) -> None:
    global longest_s
    started = time.thread_time()
    _run(handle)
    longest_s = max(longest_s, time.thread_time() - started)


asyncio.Handle._run = _timed_run  # type: ignore[method-assign]


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Serve the site, or the time of the longest callback since the last such request."""
    global longest_s
    if scope["type"] != "http" or scope["path"] != PATH:
        await site(scope, receive, send)
        return
    body = b"%.3f" % (longest_s * 1000)
    longest_s = 0.0
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
