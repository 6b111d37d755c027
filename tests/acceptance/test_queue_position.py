"""`reply.queued`: how many messages are ahead and about how long, while a message waits."""

from tests.acceptance.conftest import Tabs
from tests.client import Client
from tests.client_view import Frame
from tests.model_stub import Behaviour, ModelStub
from tests.processes import Stack

ENDLESS = Behaviour(pieces=("word ",), endless=True, piece_delay_s=0.02)


def queue_positions(client: Client, message: str) -> list[Frame]:
    return [
        frame
        for frame in client.frames
        if frame["type"] == "reply.queued" and frame["reply_to"] == message
    ]


async def test_older_messages_of_the_session_are_ahead(tabs: Tabs, model_stub: ModelStub) -> None:
    model_stub.script(ENDLESS)
    ada, other = await tabs(2)
    messages = [await ada.send_message(text) for text in ("one", "two", "three")]

    for tab in (ada, other):
        await tab.wait_for_frame("reply.queued", reply_to=messages[1], ahead=1)
        await tab.wait_for_frame("reply.queued", reply_to=messages[2], ahead=2)
    await ada.send("reply.stop", reply_to=messages[0])
    await ada.wait_for_reply(messages[2])

    assert queue_positions(ada, messages[0]) == [], "it never waited"


async def test_a_message_that_does_not_wait_has_no_queue_position(tabs: Tabs) -> None:
    (ada,) = await tabs()
    message = await ada.send_message("hello")
    await ada.wait_for_reply(message)

    assert queue_positions(ada, message) == []


async def test_other_sessions_are_ahead_and_the_queue_position_decreases(
    single_slot_stack: Stack, tabs: Tabs, model_stub: ModelStub
) -> None:
    (busy,) = await tabs(site=single_slot_stack)
    await busy.wait_for_reply(await busy.send_message("a reply to measure"))
    model_stub.script(ENDLESS)
    running = await busy.send_message("never stop")
    await busy.wait_for_frame("reply.delta")
    waiting = []
    for expected in (0, 1, 2):
        (client,) = await tabs(site=single_slot_stack)
        message = await client.send_message("me too")
        position = await client.wait_for_frame("reply.queued", reply_to=message)
        assert position["ahead"] == expected
        waiting.append((client, message))
    last, message = waiting[-1]

    await last.wait_until(
        lambda: len(queue_positions(last, message)) >= 3, "repeated queue positions"
    )
    etas = [position["eta_s"] for position in queue_positions(last, message)]
    assert len(set(etas)) == len(etas), "the estimate changes every time"
    assert min(etas) > 0
    model_stub.script(ENDLESS)
    await busy.send("reply.stop", reply_to=running)
    await last.wait_for_frame("reply.queued", reply_to=message, ahead=1)
    first, first_message = waiting[0]
    await first.send("reply.stop", reply_to=first_message)
    await last.wait_for_reply(message)


async def test_with_a_second_worker_two_messages_are_answered_at_once(
    single_slot_stack: Stack, tabs: Tabs, model_stub: ModelStub
) -> None:
    second = single_slot_stack.start_worker()
    model_stub.script(*[ENDLESS] * 2)
    clients = []
    for text in ("one", "two", "three"):
        (client,) = await tabs(site=single_slot_stack)
        clients.append((client, await client.send_message(text)))
        if text != "three":
            await client.wait_for_frame("reply.delta")

    third, message = clients[2]
    assert (await third.wait_for_frame("reply.queued", reply_to=message))["ahead"] == 0
    for client, running in clients[:2]:
        await client.send("reply.stop", reply_to=running)
    await third.wait_for_reply(message)
    second.stop()


async def test_a_client_that_reconnects_gets_its_queue_position_at_once(
    tabs: Tabs, model_stub: ModelStub
) -> None:
    model_stub.script(ENDLESS)
    (ada,) = await tabs()
    first, second = await ada.send_message("one"), await ada.send_message("two")
    await ada.wait_for_frame("reply.delta", reply_to=first)
    await ada.drop()
    start = len(ada.frames)

    await ada.connect()
    await ada.wait_for_frame("reply.queued", reply_to=second, since=start)

    kinds = [frame["type"] for frame in ada.frames[start:] if frame["type"] != "reply.delta"]
    assert kinds[:2] == ["session.ready", "reply.queued"]
    await ada.send("reply.stop", reply_to=first)
    await ada.wait_for_reply(second)
