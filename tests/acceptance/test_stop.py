"""`reply.stop` cancels the model call and keeps the partial reply, at any time and from any tab."""

import asyncio
from pathlib import Path

import pytest
import requests

from tests.acceptance.conftest import Tabs
from tests.client import Client
from tests.client_view import Frame
from tests.conftest import NewStack
from tests.model_stub import Behaviour, ModelStub, loading
from tests.ports import free_port
from tests.processes import Process, Stack, wait_for

ENDLESS = Behaviour(pieces=("word ",), endless=True, piece_delay_s=0.01)


async def stop(client: Client, message: str) -> Frame:
    """Request the stop and return the stored reply."""
    await client.send("reply.stop", reply_to=message)
    return await client.wait_for_reply(message)


async def test_a_stopped_reply_keeps_its_text_and_cancels_the_model_call(
    tabs: Tabs, model_stub: ModelStub
) -> None:
    model_stub.script(ENDLESS)
    (ada,) = await tabs()
    message = await ada.send_message("never stop")
    await ada.wait_for_frame("reply.delta")

    reply = await stop(ada, message)

    assert reply["finish_reason"] == "stop_requested"
    assert reply["msg"].strip() == " ".join(["word"] * reply["pieces"])
    assert reply["pieces"] > 0
    assert "error" not in reply
    model_stub.wait_for(lambda requests: requests[-1].disconnected_at_s is not None)


async def test_another_tab_can_stop_a_reply(tabs: Tabs, model_stub: ModelStub) -> None:
    model_stub.script(ENDLESS)
    writer, other = await tabs(2)
    message = await writer.send_message("never stop")
    await other.wait_for_frame("reply.delta")

    reply = await stop(other, message)

    assert await writer.wait_for_reply(message) == reply
    assert reply["finish_reason"] == "stop_requested"


async def test_a_reply_can_be_stopped_after_a_reconnect(tabs: Tabs, model_stub: ModelStub) -> None:
    model_stub.script(ENDLESS)
    (ada,) = await tabs()
    message = await ada.send_message("never stop")
    await ada.wait_for_frame("reply.delta")
    await ada.drop()
    ready = await ada.connect()

    reply = await stop(ada, message)

    assert reply["msg"].startswith(ready["reply"]["text"])
    assert reply["finish_reason"] == "stop_requested"


async def test_a_reply_can_be_stopped_before_its_first_text(
    tabs: Tabs, model_stub: ModelStub
) -> None:
    model_stub.script(Behaviour(delay_s=60))
    (ada,) = await tabs()
    message = await ada.send_message("hello")
    await ada.wait_for_frame("reply.started")

    reply = await stop(ada, message)

    assert (reply["msg"], reply["pieces"]) == ("", 0)
    assert reply["finish_reason"] == "stop_requested"
    model_stub.wait_for(lambda requests: requests[-1].disconnected_at_s is not None)


async def test_a_reply_can_be_stopped_while_the_model_loads(
    tabs: Tabs, model_stub: ModelStub
) -> None:
    model_stub.script(loading(20))
    (ada,) = await tabs()
    message = await ada.send_message("wake up")
    await ada.wait_for_frame("model.loading", reply_to=message)

    reply = await stop(ada, message)

    assert (reply["finish_reason"], reply["pieces"]) == ("stop_requested", 0)
    assert len(model_stub.requests) == 1


async def test_a_stopped_waiting_message_is_completed_in_order(
    tabs: Tabs, model_stub: ModelStub
) -> None:
    model_stub.script(ENDLESS)
    (ada,) = await tabs()
    first, second, third = [await ada.send_message(text) for text in ("one", "two", "three")]
    await ada.wait_for_frame("reply.delta", reply_to=first)

    await ada.send("reply.stop", reply_to=second)
    await ada.send("reply.stop", reply_to=first)
    await ada.wait_for_reply(third)

    replies = [each for each in ada.view.messages.values() if each["source"] == "bot"]
    assert [reply["reply_to"] for reply in replies] == [first, second, third]
    assert [reply["finish_reason"] for reply in replies] == [
        "stop_requested",
        "stop_requested",
        "stop",
    ]
    assert (replies[1]["msg"], replies[1]["pieces"]) == ("", 0)
    assert len(model_stub.requests) == 2, "the model was not called for the second"


async def test_stopping_twice_or_too_late_sends_the_stored_reply(tabs: Tabs) -> None:
    ada, other = await tabs(2)
    message = await ada.send_message("hello")
    reply = await ada.wait_for_reply(message)
    await other.wait_for_reply(message)
    start = len(other.frames)

    await other.send("reply.stop", reply_to=message)

    assert (await other.wait_for_frame("reply.completed", since=start))["message"] == reply
    assert reply["finish_reason"] == "stop"


@pytest.mark.parametrize("reply_to", ["00000000-0000-4000-8000-000000000000", "nonsense"])
async def test_stopping_an_unknown_message_is_an_error(tabs: Tabs, reply_to: str) -> None:
    (ada,) = await tabs()
    await ada.send("reply.stop", reply_to=reply_to)

    assert (await ada.wait_for_frame("error"))["code"] == "message.invalid"


async def test_a_stop_needs_no_free_worker(
    single_slot_stack: Stack, tabs: Tabs, model_stub: ModelStub
) -> None:
    model_stub.script(ENDLESS)
    (busy,) = await tabs(site=single_slot_stack)
    running = await busy.send_message("never stop")
    await busy.wait_for_frame("reply.delta")
    (ada,) = await tabs(site=single_slot_stack)
    message = await ada.send_message("me too")
    await ada.wait_for_frame("reply.queued", reply_to=message)

    reply = await stop(ada, message)

    assert (reply["finish_reason"], reply["pieces"]) == ("stop_requested", 0)
    assert busy.view.partial_reply, "the only worker is still busy"
    await stop(busy, running)


@pytest.mark.slow
async def test_stopping_frees_the_slot_of_the_embedded_model(
    new_stack: NewStack, tabs: Tabs
) -> None:
    site = new_stack(
        MODEL_URL="",
        EMBEDDED_MODEL_PORT=str(free_port()),
        MAX_NEW_TOKENS="1500",
    )
    model = site.run("model", "python manage.py runmodel", {})
    await asyncio.to_thread(site.start)
    model.wait_until(lambda: "Serving" in model.output(), "to load")
    (ada,) = await tabs(site=site)
    message = await ada.send_message("Count from one to one thousand, in words.")
    await ada.wait_for_frame("reply.delta")
    assert busy_slots(model) == 1

    reply = await stop(ada, message)

    assert reply["finish_reason"] == "stop_requested"
    assert reply["pieces"] > 0
    await asyncio.to_thread(wait_for, lambda: busy_slots(model) == 0, "the slot to be free", 5)


def busy_slots(model: Process) -> int:
    port = model.environment["EMBEDDED_MODEL_PORT"]
    key = Path(model.environment["DATA_DIR"], "model_key").read_text()
    headers = {"Authorization": f"Bearer {key}"}
    slots = requests.get(f"http://127.0.0.1:{port}/slots", headers=headers, timeout=10).json()
    return sum(slot["is_processing"] for slot in slots)
