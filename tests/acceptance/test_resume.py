"""A client that reconnects always ends with exactly the history in the document."""

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


async def connect_with_retries(client: Client) -> dict[str, Any]:
    """Retry to connect until the server is up, as clients do."""
    while True:
        try:
            return await client.connect()
        except (OSError, InvalidHandshake, ConnectionClosed):
            await asyncio.sleep(0.2)


async def test_only_missed_messages_are_sent(tabs: Tabs) -> None:
    ada, other = await tabs(2)
    await ada.wait_for_reply(await ada.send_message("one"))
    await other.wait_until(lambda: other.view.last_seq == 2, "the first exchange")
    await ada.drop()
    await other.wait_for_reply(await other.send_message("two"))

    ready = await ada.connect()

    assert [message["seq"] for message in ready["messages"]] == [3, 4]
    assert ready["recovered"]
    assert ada.view.shown() == other.view.shown()


async def test_a_client_ahead_of_the_document_gets_the_whole_history(tabs: Tabs) -> None:
    (ada,) = await tabs()
    await ada.wait_for_reply(await ada.send_message("one"))
    await ada.drop()
    ada.view.last_seq = 7

    ready = await ada.connect()

    assert not ready["recovered"]
    assert [message["seq"] for message in ready["messages"]] == [1, 2]


async def test_a_reply_in_progress_continues_after_a_reconnect(
    tabs: Tabs, model_stub: ModelStub
) -> None:
    model_stub.script(SLOW)
    ada, other = await tabs(2)
    message = await ada.send_message("count")
    await ada.wait_for_frame("reply.delta")
    await ada.drop()
    await other.wait_until(lambda: len(other.view.text) > 9, "more text")
    start = len(ada.frames)

    ready = await ada.connect()

    assert SLOW.text
    assert len(ready["reply"]["text"]) > 9
    assert SLOW.text.startswith(ready["reply"]["text"])
    assert (await ada.wait_for_reply(message))["msg"] == SLOW.text
    deltas = [frame for frame in ada.frames[start:] if frame["type"] == "reply.delta"]
    assert deltas[0]["offset"] == len(ready["reply"]["text"])


async def test_a_missed_failure_is_sent(tabs: Tabs, model_stub: ModelStub) -> None:
    model_stub.script(Behaviour(delay_s=0.5, status=401, error="No"))
    ada, other = await tabs(2)
    message = await ada.send_message("hello")
    await ada.wait_for_frame("message.accepted")
    await ada.drop()
    await other.wait_for_reply(message)

    await ada.connect()

    assert (await ada.wait_for_reply(message))["error"]["code"] == "model.unauthorized"


async def test_a_missed_replacement_is_sent(tabs: Tabs) -> None:
    ada, other = await tabs(2)
    message = await ada.send_message("hello")
    await ada.wait_for_reply(message)
    await other.wait_until(lambda: other.view.last_seq == 2, "the first reply")
    await ada.drop()
    await other.send("reply.regenerate", reply_to=message)
    await other.wait_until(lambda: other.view.last_seq == 3, "the second reply")

    await ada.connect()

    assert ada.view.shown() == other.view.shown()
    assert ada.view.shown()[1][2] is None


async def test_several_missed_replacements_are_sent(tabs: Tabs) -> None:
    """The reply in between is sent without what it replaced, so the whole history is sent."""
    ada, other = await tabs(2)
    message = await ada.send_message("hello")
    await ada.wait_for_reply(message)
    await other.wait_until(lambda: other.view.last_seq == 2, "the first reply")
    await ada.drop()
    for seq in (3, 4):
        await other.send("reply.regenerate", reply_to=message)
        await other.wait_until(lambda seq=seq: other.view.last_seq == seq, "another reply")  # type: ignore[misc]

    ready = await ada.connect()

    assert ready["recovered"]
    assert ada.view.shown() == other.view.shown()
    assert [text for _, _, text in ada.view.shown()] == ["hello", None, None, "You said: hello"]


async def test_a_message_resent_after_a_lost_connection_is_stored_once(tabs: Tabs) -> None:
    (ada,) = await tabs()
    message = await ada.send_message("hello")
    await ada.drop()
    await ada.connect()
    for _ in range(2):
        await ada.send_message("hello", message)
    await ada.wait_for_reply(message)

    assert [each["source"] for each in ada.view.messages.values()] == ["human", "bot"]


async def test_another_web_process_takes_over(
    tabs: Tabs, stack: Stack, model_stub: ModelStub
) -> None:
    model_stub.script(SLOW)
    (ada,) = await tabs()
    await ada.drop()
    web = stack.start_web()
    first_address, ada.ws_url = ada.ws_url, f"ws://127.0.0.1:{web.port}/chat"
    await ada.connect()
    message = await ada.send_message("count")
    await ada.wait_for_frame("reply.delta")

    await asyncio.to_thread(web.kill)
    await ada.wait_until(lambda: not ada.is_connected, "the end of the connection")
    ada.ws_url = first_address
    await ada.connect()

    assert (await ada.wait_for_reply(message))["msg"] == SLOW.text


async def test_one_tab_too_many_is_closed_with_try_again_later(tabs: Tabs) -> None:
    last = (await tabs(5))[-1]
    late = Client(last.ws_url, last.token)

    with pytest.raises(ConnectionError, match="Too many tabs"):
        await late.connect()
    await late.wait_until(lambda: late.closed_with == 1013, "the close")

    await last.close()
    await connect_with_retries(late)
    await late.close()


async def test_another_worker_takes_over(
    tabs: Tabs, single_slot_stack: Stack, model_stub: ModelStub
) -> None:
    model_stub.script(SLOW)
    ada, other = await tabs(2, site=single_slot_stack)
    message = await ada.send_message("count")
    await ada.wait_for_frame("reply.delta")

    await asyncio.to_thread(single_slot_stack.running("worker")[0].kill)
    await ada.wait_for_frame("reply.queued", reply_to=message)
    # Not in a thread: a process dies with its thread, and other tests use this site.
    single_slot_stack.start_worker()

    for tab in (ada, other):
        assert (await tab.wait_for_reply(message))["msg"] == "You said: count"
        started = [frame["id"] for frame in tab.frames if frame["type"] == "reply.started"]
        assert len(set(started)) == 2, "the text restarted under another id"
        assert tab.view.last_seq == 2


async def test_a_lost_event_is_recovered(
    tabs: Tabs, stack: Stack, model_stub: ModelStub, redis_url: str
) -> None:
    """A web process on another channel layer gets no events: it loads everything it sends."""
    web = stack.start_web(CHANNEL_REDIS_URL=redis_url)
    isolated, connected = await tabs(2)
    await isolated.drop()
    isolated.ws_url = f"ws://127.0.0.1:{web.port}/chat"
    await isolated.connect()
    model_stub.script(Behaviour(text="one two three", piece_delay_s=0.7))

    first = await isolated.send_message("slowly")
    second = await isolated.send_message("quickly")
    assert (await isolated.wait_for_reply(first))["msg"] == "one two three"
    assert (await isolated.wait_for_reply(second))["msg"] == "You said: quickly"
    kinds = [frame["type"] for frame in isolated.frames if frame.get("reply_to") == first]
    assert "reply.delta" in kinds, "the text is sent while it is generated"

    await connected.wait_for_reply(await connected.send_message("another message"))
    assert isolated.view.last_seq == 4, "it waits for nothing"
    await isolated.wait_for_reply(await isolated.send_message("one more message"))
    assert isolated.view.shown()[:6] == connected.view.shown()[:6]
    assert [frame["type"] for frame in isolated.frames].count("session.ready") == 2
    await isolated.close()
    web.stop()


@pytest.mark.slow
async def test_messages_lost_from_the_document_are_removed_from_every_tab(
    new_stack: NewStack, tabs: Tabs
) -> None:
    """Redis restarts with an older file; the tabs then show its content."""
    site = new_stack()
    site.start()
    ada, other = await tabs(2, site=site)
    await ada.wait_for_reply(await ada.send_message("stored"))
    append_only = Path(site.folder, "redis", "appendonlydir")
    shutil.copytree(append_only, site.folder / "older")
    await ada.wait_for_reply(await ada.send_message("lost"))
    await other.wait_until(lambda: other.view.last_seq == 4, "the second exchange")
    await ada.drop()

    await asyncio.to_thread(site.running("redis")[0].kill)
    shutil.rmtree(append_only)
    shutil.copytree(site.folder / "older", append_only)
    await asyncio.to_thread(site.start_redis)

    ready = await connect_with_retries(ada)
    assert not ready["recovered"]
    assert [message["seq"] for message in ready["messages"]] == [1, 2]
    message = await ada.send_message("new")
    await ada.wait_for_reply(message)
    await other.wait_until(
        lambda: any(frame.get("recovered") is False for frame in other.frames),
        "a session.ready with fewer messages",
        timeout_s=45,
    )
    await other.wait_for_reply(message)
    assert other.view.shown() == ada.view.shown()
