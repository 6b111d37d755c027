"""FrameHandlers change the document and return the effects."""

from uuid import uuid4

import pytest

from chat.errors import (
    MessageEmpty,
    MessageInvalid,
    MessageTooLong,
    RateLimited,
    SessionBusy,
    UnknownModel,
)
from chat.events.delivery import CHANGED, UNANNOUNCED
from chat.protocol import (
    MessageSend,
    ModelChoice,
    ReplyRegenerate,
    ReplyStop,
    SessionExtend,
    SessionHistory,
    SessionMessages,
    SessionSync,
)
from chat.store import sessions
from chat.store.client import AsyncStore, Store
from chat.websocket.handlers import Effects, FrameHandlers
from chat.websocket.rate_limit import ReadLimits
from tests.component.conftest import LIMITS, send_message, store_reply, take_message


@pytest.fixture
def handlers(async_store: AsyncStore, session: str) -> FrameHandlers:
    models = [ModelChoice(name="fast", label="Fast")]
    return FrameHandlers(async_store, LIMITS, ReadLimits(5, 9, 9), session, "192.0.2.1", models)


async def test_a_message_is_stored_enqueued_and_confirmed(
    handlers: FrameHandlers, store: Store, session: str
) -> None:
    frame = MessageSend(id=uuid4(), msg="hello")
    effects = await handlers.handle(frame)
    assert effects.enqueue
    assert effects.frame is not None
    assert effects.frame.type == "message.accepted"
    assert effects.event is None, "a session with one tab needs no event"
    assert [message.id for message in store.run(sessions.load(session)).messages] == [frame.id]


async def test_a_resent_message_is_confirmed_and_not_enqueued(
    handlers: FrameHandlers,
) -> None:
    frame = MessageSend(id=uuid4(), msg="hello")
    first = await handlers.handle(frame)
    again = await handlers.handle(frame)
    assert again == Effects(frame=first.frame, repeat=True)


async def test_other_tabs_receive_an_event(
    handlers: FrameHandlers, store: Store, session: str
) -> None:
    for socket in ("one", "two"):
        store.run(sessions.register_socket(session, socket, address=session, limits=LIMITS))
    effects = await handlers.handle(MessageSend(id=uuid4(), msg="hello"))
    assert effects.event is not None
    assert effects.event["frames"][0][0] == "message.accepted"


@pytest.mark.parametrize(("text", "error"), [(" \n", MessageEmpty), ("x" * 2001, MessageTooLong)])
async def test_an_invalid_message_is_rejected_and_not_stored(
    handlers: FrameHandlers, store: Store, session: str, text: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await handlers.handle(MessageSend(id=uuid4(), msg=text))
    assert store.run(sessions.load(session)).messages == ()


async def test_the_chosen_model_is_stored_with_the_message(
    handlers: FrameHandlers, store: Store, session: str
) -> None:
    await handlers.handle(MessageSend(id=uuid4(), msg="hello", model="fast"))
    await handlers.handle(MessageSend(id=uuid4(), msg="hello"))
    assert [each.model for each in store.run(sessions.load(session)).messages] == ["fast", None]


async def test_a_message_for_an_unknown_model_is_rejected_and_not_stored(
    handlers: FrameHandlers, store: Store, session: str
) -> None:
    with pytest.raises(UnknownModel):
        await handlers.handle(MessageSend(id=uuid4(), msg="hello", model="slow"))
    assert store.run(sessions.load(session)).messages == ()


async def test_a_message_beyond_the_limit_of_waiting_messages_is_rejected(
    handlers: FrameHandlers, store: Store, session: str
) -> None:
    for _ in range(LIMITS.pending):
        send_message(store, session)
    with pytest.raises(SessionBusy):
        await handlers.handle(MessageSend(id=uuid4(), msg="one more"))


async def test_stopping_a_waiting_message_completes_its_reply_at_once(
    handlers: FrameHandlers, store: Store, session: str
) -> None:
    message = send_message(store, session)
    send_message(store, session)
    effects = await handlers.handle(ReplyStop(reply_to=message.id))
    assert effects.enqueue, "the next message is due"
    assert effects.frame is not None
    assert effects.frame.type == "reply.completed"
    assert effects.event is not None


async def test_stopping_a_reply_in_progress_is_left_to_its_worker(
    handlers: FrameHandlers, store: Store, session: str
) -> None:
    message = send_message(store, session)
    take_message(store, session)
    assert await handlers.handle(ReplyStop(reply_to=message.id)) == Effects()


async def test_stopping_an_unknown_message_is_rejected(handlers: FrameHandlers) -> None:
    with pytest.raises(MessageInvalid):
        await handlers.handle(ReplyStop(reply_to=uuid4()))


async def test_regenerating_enqueues_and_resyncs(
    handlers: FrameHandlers, store: Store, session: str
) -> None:
    message = send_message(store, session)
    store_reply(store, session)
    effects = await handlers.handle(ReplyRegenerate(reply_to=message.id))
    assert effects == Effects(enqueue=True, resync=True, event=UNANNOUNCED)


async def test_a_sync_only_loads(handlers: FrameHandlers) -> None:
    assert await handlers.handle(SessionSync(after=3)) == Effects(load_after=3)


async def test_extending_changes_the_session_for_every_tab(handlers: FrameHandlers) -> None:
    assert await handlers.handle(SessionExtend()) == Effects(event=CHANGED)


async def test_earlier_messages_are_requested_in_pages(
    handlers: FrameHandlers, store: Store, session: str
) -> None:
    for _ in range(101):
        send_message(store, session)
        store_reply(store, session)

    page = (await handlers.handle(SessionHistory(before=202))).frame
    assert isinstance(page, SessionMessages)
    assert [message.seq for message in page.messages] == list(range(2, 202))
    assert (page.before, page.has_earlier) == (202, True)
    last = (await handlers.handle(SessionHistory(before=2))).frame
    assert isinstance(last, SessionMessages)
    assert ([message.seq for message in last.messages], last.has_earlier) == ([1], False)
    empty = (await handlers.handle(SessionHistory(before=1))).frame
    assert isinstance(empty, SessionMessages)
    assert (empty.messages, empty.has_earlier) == ((), False)


async def test_loads_are_limited(handlers: FrameHandlers) -> None:
    for _ in range(5):
        assert (await handlers.handle(SessionSync(after=0))).load_after == 0
    with pytest.raises(RateLimited):
        await handlers.handle(SessionSync(after=0))
    with pytest.raises(RateLimited):
        await handlers.handle(SessionHistory(before=1))
