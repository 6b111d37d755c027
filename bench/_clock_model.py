"""A model whose tokens are the times when they were sent, so that clients measure the delay.

`python -m bench._clock_model PORT TOKENS PER_SECOND` serves the Hugging Face protocol. Each token
is a space and `time.monotonic_ns()`, a clock that all processes of one machine share.
"""

import asyncio
import json
import sys
import time

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _chunk(event: object) -> bytes:
    data = f"data:{json.dumps(event)}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    tokens, per_second = int(sys.argv[2]), float(sys.argv[3])
    while head := await reader.readuntil(b"\r\n\r\n"):
        lines = dict(line.partition(b":")[::2] for line in head.lower().splitlines()[1:])
        await reader.readexactly(int(lines.get(b"content-length", b"0")))
        if not head.startswith(b"POST / "):  # it has nothing else, such as a tokenizer
            writer.write(NOT_FOUND)
            continue
        writer.write(HEAD)
        start = time.monotonic()
        for number in range(tokens):
            await asyncio.sleep(max(start + number / per_second - time.monotonic(), 0))
            token = {"token": {"text": f" {time.monotonic_ns()}"}, "generated_text": None}
            writer.write(_chunk(token))
        end = {"token": {"text": ""}, "generated_text": "-", "details": {"finish_reason": "length"}}
        writer.write(_chunk(end) + b"0\r\n\r\n")
        await writer.drain()


async def _accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await _serve(reader, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _main() -> None:
    server = await asyncio.start_server(_accept, "127.0.0.1", int(sys.argv[1]), backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
