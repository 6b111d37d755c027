"""An echo and a stream of tokens in Chainlit, without a model, a broker or a store.

It runs in a virtual environment of its own, see `bench._chainlit`.
"""

import asyncio
import time

import chainlit  # type: ignore[import-not-found]


@chainlit.on_message  # type: ignore[untyped-decorator]
async def answer(message: chainlit.Message) -> None:
    """Stream if the message is `Stream TOKENS PER_SECOND`, as the clock model does, else echo."""
    match message.content.split():
        case ["Stream", tokens, per_second]:
            await stream(int(tokens), float(per_second))
        case _:
            await chainlit.Message(content=message.content).send()


async def stream(tokens: int, per_second: float) -> None:
    """Send tokens that are the times when they are sent."""
    reply = chainlit.Message(content="")
    start = time.monotonic()
    for number in range(tokens):
        await asyncio.sleep(max(start + number / per_second - time.monotonic(), 0))
        await reply.stream_token(f" {time.monotonic_ns()}")
    await reply.send()
