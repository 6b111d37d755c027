"""A client that comes back ends with exactly the history in the document, whatever happened."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.acceptance.conftest import Tabs
from tests.client import Client
from tests.conftest import NewStack
from tests.model_stub import Behaviour, ModelStub
from tests.processes import Stack

SLOW = Behaviour(text="one two three four five six seven eight", piece_delay_s=0.1)


async def connect_when_up(client: Client) -> dict[str, Any]:
    """Connect again and again, as a client does whose server is away."""
    while True:
        try:
            return await client.connect()
        except (OSError, InvalidHandshake, ConnectionClosed):
            await asyncio.sleep(0.2)


async def test_only_what_was_missed_is_sent(tabs: Tabs) -> None:
    ada, other = await tabs(2)
    await ada.outcome(await ada.say("one"))
    await other.until(lambda: other.view.last_seq == 2, "the first exchange")
    await ada.drop()
    await other.outcome(await other.say("two"))

    ready = await ada.connect()

    assert [message["seq"] for message in ready["messages"]] == [3, 4]
    assert ready["recovered"]
    assert ada.view.shown() == other.view.shown()


async def test_who_knows_more_than_the_document_is_told_all(tabs: Tabs) -> None:
    (ada,) = await tabs()
    await ada.outcome(await ada.say("one"))
    await ada.drop()
    ada.view.last_seq = 7

    ready = await ada.connect()

    assert not ready["recovered"]
    assert [message["seq"] for message in ready["messages"]] == [1, 2]


async def test_a_reply_is_joined_in_its_middle(tabs: Tabs, model_stub: ModelStub) -> None:
    model_stub.script(SLOW)
    ada, other = await tabs(2)
    message = await ada.say("count")
    await ada.received("reply.delta")
    await ada.drop()
    await other.until(lambda: len(other.view.text) > 9, "more text")
    mark = len(ada.frames)

    ready = await ada.connect()

    assert SLOW.text
    assert len(ready["reply"]["text"]) > 9
    assert SLOW.text.startswith(ready["reply"]["text"])
    assert (await ada.outcome(message))["msg"] == SLOW.text
    deltas = [frame for frame in ada.frames[mark:] if frame["type"] == "reply.delta"]
    assert deltas[0]["offset"] == len(ready["reply"]["text"])


async def test_a_failure_is_found_by_who_was_away(tabs: Tabs, model_stub: ModelStub) -> None:
    model_stub.script(Behaviour(delay_s=0.5, status=401, error="No"))
    ada, other = await tabs(2)
    message = await ada.say("hello")
    await ada.received("message.accepted")
    await ada.drop()
    await other.outcome(message)

    await ada.connect()

    assert (await ada.outcome(message))["error"]["code"] == "model.unauthorized"


async def test_a_replacement_is_found_by_who_was_away(tabs: Tabs) -> None:
    ada, other = await tabs(2)
    message = await ada.say("hello")
    await ada.outcome(message)
    await other.until(lambda: other.view.last_seq == 2, "the first reply")
    await ada.drop()
    await other.send("reply.regenerate", reply_to=message)
    await other.until(lambda: other.view.last_seq == 3, "the second reply")

    await ada.connect()

    assert ada.view.shown() == other.view.shown()
    assert ada.view.shown()[1][2] is None


async def test_replacements_of_replacements_are_found_by_who_was_away(tabs: Tabs) -> None:
    """The reply between is told without what it replaced, so all is told."""
    ada, other = await tabs(2)
    message = await ada.say("hello")
    await ada.outcome(message)
    await other.until(lambda: other.view.last_seq == 2, "the first reply")
    await ada.drop()
    for seq in (3, 4):
        await other.send("reply.regenerate", reply_to=message)
        await other.until(lambda seq=seq: other.view.last_seq == seq, "another reply")  # type: ignore[misc]

    ready = await ada.connect()

    assert ready["recovered"]
    assert ada.view.shown() == other.view.shown()
    assert [text for _, _, text in ada.view.shown()] == ["hello", None, None, "You said: hello"]


async def test_a_message_sent_into_a_broken_connection_is_sent_again_once(tabs: Tabs) -> None:
    (ada,) = await tabs()
    message = await ada.say("hello")
    await ada.drop()
    await ada.connect()
    for _ in range(2):
        await ada.say("hello", message)
    await ada.outcome(message)

    assert [one["source"] for one in ada.view.messages.values()] == ["human", "bot"]


async def test_another_web_process_takes_over(
    tabs: Tabs, stack: Stack, model_stub: ModelStub
) -> None:
    model_stub.script(SLOW)
    (ada,) = await tabs()
    await ada.drop()
    web = stack.start_web()
    first_address, ada.ws_url = ada.ws_url, f"ws://127.0.0.1:{web.port}/chat"
    await ada.connect()
    message = await ada.say("count")
    await ada.received("reply.delta")

    await asyncio.to_thread(web.kill)
    await ada.until(lambda: not ada.is_connected, "the end of the connection")
    ada.ws_url = first_address
    await ada.connect()

    assert (await ada.outcome(message))["msg"] == SLOW.text


async def test_a_tab_too_many_is_asked_to_come_back_later(tabs: Tabs) -> None:
    last = (await tabs(5))[-1]
    late = Client(last.ws_url, last.token)

    with pytest.raises(ConnectionError, match="Too many tabs"):
        await late.connect()
    await late.until(lambda: late.closed_with == 1013, "the close")

    await last.close()
    await connect_when_up(late)
    await late.close()


async def test_another_worker_takes_over(
    tabs: Tabs, narrow_stack: Stack, model_stub: ModelStub
) -> None:
    model_stub.script(SLOW)
    ada, other = await tabs(2, site=narrow_stack)
    message = await ada.say("count")
    await ada.received("reply.delta")

    await asyncio.to_thread(narrow_stack.of("worker")[0].kill)
    await ada.received("reply.queued", reply_to=message)
    # Not in a thread: a process dies with the thread that started it, and others use this site.
    narrow_stack.start_worker()

    for tab in (ada, other):
        assert (await tab.outcome(message))["msg"] == "You said: count"
        started = [frame["id"] for frame in tab.frames if frame["type"] == "reply.started"]
        assert len(set(started)) == 2, "the text began again under another id"
        assert tab.view.last_seq == 2


async def test_nobody_waits_for_a_lost_event(
    tabs: Tabs, stack: Stack, model_stub: ModelStub, redis_url: str
) -> None:
    """A web process on another channel layer hears of nothing: all it tells, it has read."""
    web = stack.start_web(CHANNEL_REDIS_URL=redis_url)
    deaf, hearing = await tabs(2)
    await deaf.drop()
    deaf.ws_url = f"ws://127.0.0.1:{web.port}/chat"
    await deaf.connect()
    model_stub.script(Behaviour(text="one two three", piece_delay_s=0.7))

    first = await deaf.say("slowly")
    second = await deaf.say("quickly")
    assert (await deaf.outcome(first))["msg"] == "one two three"
    assert (await deaf.outcome(second))["msg"] == "You said: quickly"
    kinds = [frame["type"] for frame in deaf.frames if frame.get("reply_to") == first]
    assert "reply.delta" in kinds, "the text is told while it is written"

    await hearing.outcome(await hearing.say("did you hear that?"))
    assert deaf.view.last_seq == 4, "it waits for nothing"
    await deaf.outcome(await deaf.say("what?"))
    assert deaf.view.shown()[:6] == hearing.view.shown()[:6]
    assert [frame["type"] for frame in deaf.frames].count("session.ready") == 2
    await deaf.close()
    web.end()


async def test_what_the_document_lost_is_told(new_stack: NewStack, tabs: Tabs) -> None:
    """Redis comes back with an older file; the tabs then show what it has."""
    site = new_stack()
    site.start()
    ada, other = await tabs(2, site=site)
    await ada.outcome(await ada.say("kept"))
    append_only = Path(site.folder, "redis", "appendonlydir")
    shutil.copytree(append_only, site.folder / "older")
    await ada.outcome(await ada.say("lost"))
    await other.until(lambda: other.view.last_seq == 4, "the second exchange")
    await ada.drop()

    await asyncio.to_thread(site.of("redis")[0].kill)
    shutil.rmtree(append_only)
    shutil.copytree(site.folder / "older", append_only)
    await asyncio.to_thread(site.start_redis)

    ready = await connect_when_up(ada)
    assert not ready["recovered"]
    assert [message["seq"] for message in ready["messages"]] == [1, 2]
    message = await ada.say("new")
    await ada.outcome(message)
    await other.until(
        lambda: any(frame.get("recovered") is False for frame in other.frames),
        "that the document has less",
        timeout_s=45,
    )
    await other.outcome(message)
    assert other.view.shown() == ada.view.shown()
