"""`python -m tests.faults.takeover_recording`: print the frames of both sides of a takeover.

A visitor asks for a person; one joins and writes; their browser is killed in the middle of an
answer; the model answers; the person comes back, answers and leaves. All processes are real; the
model is a stub. Heartbeats and queue positions are left out.
"""

import asyncio
import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from uuid import uuid4

from tests.client import Client
from tests.client_view import Frame
from tests.faults.site import Site, running_site
from tests.model_stub import Behaviour
from tests.operator_client import OperatorClient
from tests.operator_user import operator_cookie

LEFT_OUT = {"reply.queued", "session.pong"}


class Recorder:
    """Prints a line per frame, with the seconds since the start."""

    def __init__(self) -> None:
        self._started_at = time.monotonic()

    def note(self, text: str) -> None:
        """Print what happens besides frames."""
        sys.stdout.write(f"{self._seconds()}           -- {text}\n")

    def frame(self, side: str, arrow: str, frame: Frame) -> None:
        """Print a frame that a side sends (>) or receives (<)."""
        if frame["type"] not in LEFT_OUT:
            text = json.dumps({k: v for k, v in frame.items() if k != "limits"}, ensure_ascii=False)
            sys.stdout.write(f"{self._seconds()} {side:8} {arrow} {text}\n")

    def _seconds(self) -> str:
        return f"{time.monotonic() - self._started_at:6.2f}"


class RecordedVisitor(Client):
    """A visitor whose frames are printed."""

    recorder: Recorder
    side = "visitor"

    async def send(self, type_: str, **fields: object) -> None:
        if type_ != "operator.pong":
            self.recorder.frame(self.side, ">", {"type": type_, **fields})
        await super().send(type_, **fields)

    async def _receive(self, text: str) -> None:
        if json.loads(text)["type"] != "operator.ping":
            self.recorder.frame(self.side, "<", json.loads(text))
        await super()._receive(text)


class RecordedOperator(RecordedVisitor, OperatorClient):
    """An operator whose frames are printed."""

    side = "operator"


async def record(site: Site) -> None:
    """Run the scene."""
    site.model.always(Behaviour(pieces=("The model", " answers", " again."), piece_delay_s=0.1))
    recorder = Recorder()
    RecordedVisitor.recorder = recorder
    _, token = await site.new_session()
    cookie = await site.in_thread(operator_cookie, site.stack)
    async with RecordedVisitor(site.stack.ws_url, token) as visitor:
        await visitor.send("operator.request")
        await visitor.wait_for_frame("operator.requested")
        first = await _begin_to_answer(recorder, site, cookie, token, visitor)
        recorder.note("the operator's browser is killed")
        await visitor.wait_for_reply(first)
        async with RecordedOperator(site.stack.ws_url, token, cookie) as operator:
            await operator.join()
            question = await visitor.send_message("Are you back?")
            await operator.wait_for_frame("message.accepted", id=question)
            await operator.answer(question, "Yes. My laptop had died.")
            await operator.send("operator.leave")
            await visitor.wait_for_frame("operator.left", since=_count(visitor, "operator.joined"))
            last = await visitor.send_message("Thank you")
            await visitor.wait_for_reply(last)
    recorder.note("the history, from /refresh_token")
    for message in await site.history(token):
        shown = {name: message[name] for name in ("seq", "source", "msg")}
        recorder.note(json.dumps(shown, ensure_ascii=False))


async def _begin_to_answer(
    recorder: Recorder, site: Site, cookie: str, token: str, visitor: Client
) -> str:
    """Join, begin to answer the visitor's first message, and vanish; return the message's id."""
    async with RecordedOperator(site.stack.ws_url, token, cookie) as operator:
        await operator.join()
        await visitor.wait_for_frame("operator.joined")
        first = await visitor.send_message("Is anybody there?")
        await operator.wait_for_frame("message.accepted", id=first)
        answer = str(uuid4())
        for text in ("Yes, I", "Yes, I am a per"):
            await operator.send("operator.write", id=answer, reply_to=first, msg=text)
            await visitor.wait_until(partial(_has_text, visitor, text))
        operator.is_asleep = True
        await operator.drop()
        return first


def _has_text(client: Client, text: str) -> bool:
    return client.view.text == text


def _count(client: Client, type_: str) -> int:
    """Return the number of frames up to the last one of a type."""
    return max(n for n, frame in enumerate(client.frames) if frame["type"] == type_)


async def main() -> None:
    """Run the scene on a site of its own."""
    with tempfile.TemporaryDirectory(prefix="takeover-") as folder:
        async with running_site(Path(folder), HUMAN_SUPPORT="True") as site:
            await record(site)


if __name__ == "__main__":
    asyncio.run(main())
