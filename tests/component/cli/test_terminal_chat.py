"""What the terminal client prints for frames and typed lines, with a fake connection."""

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from chat.cli.chat_client import ChatClient, Frame
from chat.cli.interactive import HELP, InteractiveChat
from chat.cli.pipe import PipedChat

EXPIRES_AT = "2026-01-01T12:00:00.000Z"
LOCAL = f"{datetime(2026, 1, 1, 12, tzinfo=UTC).astimezone():%H:%M}"
READY: Frame = {
    "type": "session.ready",
    "name": "Ada",
    "expires_at": EXPIRES_AT,
    "has_earlier": False,
}
GREETING = f"Hi Ada, what would you like to talk about?\n{HELP}\n"
PAUSE: Frame = {"type": "pause"}
AFTER_TYPING: Frame = {"type": "after typing"}
STARTED: Frame = {"type": "reply.started", "id": "r1", "reply_to": "m1"}
THINKING = STARTED | {"type": "reply.thinking"}


class FakeClient:
    """Yields frames, those after a PAUSE or AFTER_TYPING later, and records what is sent."""

    def __init__(self, *frames: Frame) -> None:
        self._frames = frames
        self.sent: list[tuple[Any, ...]] = []
        self.ready, self.typed, self.done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def send(self, msg: str, replaces: str | None = None) -> str:
        self.sent.append((msg, replaces) if replaces else (msg,))
        return f"m{len(self.sent)}"

    async def transmit(self, type_: str, **fields: Any) -> None:
        self.sent.append((type_, fields))

    async def frames(self) -> AsyncIterator[Frame]:
        for frame in self._frames:
            if frame is PAUSE:
                await asyncio.sleep(0.01)
            elif frame is AFTER_TYPING:
                self.ready.set()
                await self.typed.wait()
            else:
                yield frame
        self.ready.set()
        self.done.set()
        await asyncio.Event().wait()


def accepted(text: str, id_: str = "m1", seq: int = 1, **fields: str) -> Frame:
    message = {"id": id_, "seq": seq, "source": "human", "msg": text, **fields}
    return {"type": "message.accepted", "message": message}


def delta(text: str) -> Frame:
    return {"type": "reply.delta", "id": "r1", "reply_to": "m1", "text": text}


def completed(text: str, reason: str = "stop", reply_to: str = "m1", **fields: Any) -> Frame:
    reply = {"id": "r1", "seq": 2, "source": "bot", "reply_to": reply_to, "msg": text}
    return {"type": "reply.completed", "message": {**reply, "finish_reason": reason, **fields}}


def rated(rating: str | None, reply: str = "r1") -> Frame:
    return {"type": "reply.rated", "id": reply, "rating": rating, "revision": 1}


def failed(*, retryable: bool = True, reply_to: str = "m1") -> Frame:
    error = {"code": "model.timeout", "detail": "The model took too long.", "retryable": retryable}
    message = completed("", reply_to=reply_to)["message"] | {"error": error}
    return {"type": "reply.failed", "message": message}


async def screen(*frames: Frame, typed: tuple[str, ...] = ()) -> tuple[str, FakeClient]:
    """Return what is printed after the greeting, once frames are received and lines are typed."""
    client, output = FakeClient(READY, *frames), io.StringIO()

    async def lines() -> AsyncIterator[str]:
        await client.ready.wait()
        for line in typed:
            yield line
        client.typed.set()
        await client.done.wait()

    chat = InteractiveChat(cast(ChatClient, client), output, lambda kind, text: text)
    async with asyncio.timeout(5):
        await chat.run(lines())
    printed = output.getvalue()
    assert printed.startswith(GREETING)
    return printed.removeprefix(GREETING), client


@pytest.mark.parametrize(
    ("frames", "printed"),
    [
        pytest.param((), "> \n", id="prompt"),
        pytest.param((accepted("hello"), completed("hi")), "> hello\nbot: hi\n> \n", id="history"),
        pytest.param(
            (accepted("hello"), STARTED, delta("one"), delta(" two"), completed("one two.")),
            "> hello\nbot: one two.\n> \n",
            id="stream",
        ),
        pytest.param(
            (accepted("hello"), STARTED, delta("one"), STARTED, delta("two"), completed("two")),
            "> hello\nbot: one\nThe reply starts again.\nbot: two\n> \n",
            id="restarted reply",
        ),
        pytest.param(
            (accepted("hello"), STARTED, delta("one"), completed("two")),
            "> hello\nbot: one\nbot: two\n> \n",
            id="different final text",
        ),
        pytest.param(
            (accepted("hello"), STARTED, completed("one", "stop_requested")),
            "> hello\nbot: one\nStopped.\n> \n",
            id="stopped",
        ),
        pytest.param(
            (accepted("hello"), failed()),
            "> hello\nbot: \nThe model took too long. Type /retry to try again.\n> \n",
            id="failed",
        ),
        pytest.param(
            (accepted("hello"), failed(retryable=False)),
            "> hello\nbot: \nThe model took too long.\n> \n",
            id="failed permanently",
        ),
        pytest.param(
            ({"type": "connection.lost"}, {"type": "connection.lost"}, READY),
            "Connection lost. Reconnecting ...\nReconnected.\n> \n",
            id="reconnected",
        ),
        pytest.param(
            (PAUSE, {"type": "connection.lost"}),
            "> \nConnection lost. Reconnecting ...\n> \n",
            id="note after the prompt",
        ),
        pytest.param((READY,), f"This conversation now expires at {LOCAL}.\n> \n", id="extended"),
        pytest.param(
            (accepted("hello"), {"type": "reply.queued", "reply_to": "m1", "ahead": 1}),
            "> hello\n1 message ahead.\n",
            id="queued",
        ),
        pytest.param(
            (accepted("hello"), {"type": "reply.queued", "reply_to": "m1", "ahead": 2}),
            "> hello\n2 messages ahead.\n",
            id="queued after two",
        ),
        pytest.param(
            (
                accepted("hello"),
                *({"type": "reply.queued", "reply_to": "m1", "ahead": 1, "workers": 0},) * 2,
                {"type": "reply.queued", "reply_to": "m1", "ahead": 1, "workers": 1},
            ),
            "> hello\nNo worker is running. The reply comes once one is back.\n1 message ahead.\n",
            id="queued without a worker",
        ),
        pytest.param(
            (accepted("hello"), {"type": "model.loading", "retry_in_s": 3.2}),
            "> hello\nThe model is loading. Retrying in 3 s.\n",
            id="loading",
        ),
        pytest.param(
            (accepted("hello"), STARTED, *[THINKING] * 2, completed("hi")),
            "> hello\nbot: (thinking) hi\n> \n",
            id="thinking",
        ),
        pytest.param(
            (accepted("hello"), completed("hi"), rated("down"), rated(None), rated("up", "r2")),
            "> hello\nbot: hi\nRated as bad.\nThe rating is revoked.\n> \n",
            id="rated",
        ),
        pytest.param(
            ({"type": "session.expiring", "expires_at": EXPIRES_AT},),
            f"This conversation expires at {LOCAL}. Type /extend to keep it open.\n> \n",
            id="expiring",
        ),
        pytest.param(
            ({"type": "error", "code": "message.empty", "detail": "Empty.", "ref": None},),
            "Empty.\n> \n",
            id="error",
        ),
        pytest.param(
            (accepted("\x1b]0;owned\x07 \u202ered"), completed("\u009b31m\u2066")),
            "> ]0;owned red\nbot: 31m\n> \n",
            id="control characters",
        ),
    ],
)
async def test_frames_are_shown(frames: tuple[Frame, ...], printed: str) -> None:
    assert (await screen(*frames))[0] == printed


async def test_an_unknown_command_is_named_and_not_sent() -> None:
    printed, client = await screen(typed=("/foo bar", "/help"))
    assert printed == f"> Unknown command /foo. {HELP}\n> {HELP}\n> \n"
    assert client.sent == []


async def test_commands_send_frames_about_the_last_message() -> None:
    _, client = await screen(
        accepted("hello"), typed=("/stop", "/retry", "/extend", "", "/quit", "unread")
    )
    assert client.sent == [
        ("reply.stop", {"reply_to": "m1"}),
        ("reply.regenerate", {"reply_to": "m1"}),
        ("session.extend", {}),
    ]


async def test_a_reply_is_rated_with_a_comment_and_not_before_it_is_there() -> None:
    printed, client = await screen(typed=("/good",))
    assert "There is no reply yet." in printed
    assert client.sent == []
    frames = (accepted("hello"), completed("hi"))
    _, client = await screen(*frames, typed=("/good", "/bad  too short ", "/unrate"))
    assert client.sent == [
        ("reply.rate", {"id": "r1", "rating": "up", "comment": None}),
        ("reply.rate", {"id": "r1", "rating": "down", "comment": "too short"}),
        ("reply.rate", {"id": "r1", "rating": None, "comment": None}),
    ]


EDITED = (
    *(accepted("hello"), completed("hi")),
    *(
        accepted("good day", "m2", 3, replaces="m1"),
        completed("hey", id="r2", seq=4, reply_to="m2"),
    ),
)
NOTE = "This replaces the earlier message and what followed it:\n"


async def test_the_last_message_is_edited_and_its_reply_continued() -> None:
    printed, client = await screen(*EDITED, typed=("/edit  good night", "/continue"))
    assert printed.startswith(f"> hello\nbot: hi\n{NOTE}> good day\nbot: hey\n")
    assert client.sent == [("good night", "m2"), ("reply.continue", {"reply_to": "m2"})]


async def test_versions_are_listed_and_chosen_by_number() -> None:
    printed, client = await screen(*EDITED, typed=("/choose 1", "/versions", "/choose 1"))
    assert printed.endswith(
        "> Type /versions, then /choose and one of the numbers.\n"
        "> 1. question: hello\n2. question (current): good day\n> > \n"
    )
    assert [(type_, fields["version"]) for type_, fields in client.sent] == [
        ("version.choose", "m1")
    ]


async def test_texts_of_versions_are_requested_before_they_are_listed() -> None:
    stub = {"id": "r0", "seq": 2, "source": "bot", "reply_to": "m1", "replaced_by": "r1"}
    version = {"type": "session.version", "id": "r0", "messages": [stub | {"msg": "old \n text"}]}
    printed, client = await screen(
        accepted("hello"),
        {"type": "message.replaced", "message": stub},
        completed("new", seq=3, replaces="r0"),
        *(AFTER_TYPING, version),
        typed=("/versions",),
    )
    assert client.sent == [("version.load", {"id": "r0"})]
    assert printed.endswith("1. reply: old text\n2. reply (current): new\n> \n")


async def test_one_version_is_not_listed() -> None:
    printed, _ = await screen(accepted("hello"), completed("hi"), typed=("/versions",))
    assert "The last question and its reply have one version each." in printed


async def test_no_prompt_is_shown_while_a_regenerated_reply_is_queued() -> None:
    printed, _ = await screen(
        *(accepted("hello"), completed("hi"), PAUSE, AFTER_TYPING),
        *({"type": "reply.queued", "reply_to": "m1", "ahead": 0}, PAUSE, STARTED, completed("hey")),
        typed=("/retry",),
    )
    assert printed == "> hello\nbot: hi\n> bot: hey\n> \n"


async def test_a_typed_line_is_sent() -> None:
    _, client = await screen(typed=("hello",))
    assert client.sent == [("hello",)]


async def test_a_pipe_prints_only_replies_to_its_own_lines_and_counts_failures() -> None:
    client = FakeClient(
        completed("old", reply_to="m0"),
        {"type": "connection.lost"},
        completed("\x1b[31mhi", reply_to="m1"),
        {"type": "error", "code": "rate.limited", "detail": "Too fast.", "ref": "m2"},
        {"type": "error", "code": "message.too_long", "detail": "Too long.", "ref": "m2"},
        failed() | {"message": failed()["message"] | {"reply_to": "m3"}},
    )
    output, errors = io.StringIO(), io.StringIO()

    async def lines() -> AsyncIterator[str]:
        for line in ("one", " ", "two", "three"):
            yield line

    chat = PipedChat(cast(ChatClient, client), output, errors)
    async with asyncio.timeout(5):
        await chat.run(lines())

    assert output.getvalue() == "[31mhi\n"
    assert errors.getvalue().splitlines() == [
        "Connection lost. Reconnecting ...",
        "Too long.",
        "The model took too long.",
    ]
    assert chat.failures == 2
