"""Reading lines without blocking the event loop, and printing text safely."""

import asyncio
import codecs
import os
import re
import threading
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TextIO

# Also characters that reverse the text after them, which could imitate a prompt or a reply.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
READ_BYTES = 65_536


async def lines_of(source: TextIO) -> AsyncIterator[str]:
    """Yield lines as they arrive; a thread reads them.

    It reads the descriptor, because a thread that still waits in the file's own buffer holds a
    lock that the interpreter needs at exit.
    """
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    descriptor = source.fileno()

    def read() -> None:
        decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        rest = ""
        while data := os.read(descriptor, READ_BYTES):
            *whole, rest = (rest + decode(data)).split("\n")
            for line in whole:
                loop.call_soon_threadsafe(lines.put_nowait, line)
        if rest:
            loop.call_soon_threadsafe(lines.put_nowait, rest)
        loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, name="lines", daemon=True).start()
    while (line := await lines.get()) is not None:
        yield line


async def until_one_ends(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run coroutines concurrently until one returns or raises; cancel the others."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    for task in done:
        task.result()


def printable(text: str) -> str:
    """Return text without control and direction characters, which could manipulate the terminal."""
    return CONTROL.sub("", text)
