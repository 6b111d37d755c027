"""`python -m tests.model_stub --port N` serves until SIGINT or SIGTERM."""

import argparse
import asyncio
import signal
import sys

from tests.model_stub import serve
from tests.model_stub.record import Record


async def main(host: str, port: int) -> None:
    """Serve, and print the URL on the first line."""
    server = await serve(Record(), host, port)
    address = server.sockets[0].getsockname()
    sys.stdout.write(f"serving on http://{address[0]}:{address[1]}\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.model_stub")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    asyncio.run(main(options.host, options.port))
