"""Which events the cursor delivers, and which frames bring a client up to date."""

from collections.abc import Sequence

from chat.events.published_frame import position_of
from chat.protocol import (
    MessageAccepted,
    ModelLoading,
    ReplyCompleted,
    ReplyDelta,
    ReplyStarted,
    ServerFrame,
)
from chat.schemas import PartialReply, Session, StoredOperator
from chat.websocket.cursor import Cursor, Decision, Presence
from tests.unit.builders import NOON, bot, human, id_of, session


def accepted(name: str, seq: int) -> MessageAccepted:
    return MessageAccepted(message=human(name, seq).public())


def completed(name: str, seq: int, reply_to: str) -> ReplyCompleted:
    return ReplyCompleted(message=bot(name, seq, reply_to).public())


def started(name: str, reply_to: str = "a") -> ReplyStarted:
    return ReplyStarted(reply_to=id_of(reply_to), id=id_of(name))


def delta(name: str, offset: int, text: str, reply_to: str = "a") -> ReplyDelta:
    return ReplyDelta(reply_to=id_of(reply_to), id=id_of(name), offset=offset, text=text)


def partial_reply(text: str, name: str = "A", reply_to: str = "a") -> PartialReply:
    return PartialReply(id=id_of(name), reply_to=id_of(reply_to), text=text)


def waiting_cursor() -> Cursor:
    """Return the cursor of a client that waits for the reply to its first message."""
    return Cursor(session(human("a", 1)))


def decisions(frames: Sequence[ServerFrame], cursor: Cursor | None = None) -> list[str]:
    cursor = cursor or Cursor(session())
    return [cursor.decide(position_of(frame)).name for frame in frames]


def test_a_whole_exchange_is_delivered_once() -> None:
    frames: list[ServerFrame] = [
        accepted("a", 1),
        started("A"),
        delta("A", 0, "Hel"),
        delta("A", 3, "lo"),
        completed("A", 2, "a"),
    ]

    cursor = Cursor(session())
    assert decisions(frames, cursor) == ["DELIVER"] * 5
    assert decisions([frames[0], frames[4]], cursor) == ["DUPLICATE"] * 2


def test_a_skipped_seq_is_a_gap() -> None:
    assert decisions([accepted("a", 1), completed("A", 3, "a")]) == ["DELIVER", "GAP"]


def test_offsets_count_code_points() -> None:
    frames: list[ServerFrame] = [started("A"), delta("A", 0, "😀é"), delta("A", 2, "!")]

    assert decisions(frames, waiting_cursor()) == ["DELIVER", "DELIVER", "DELIVER"]


def test_deltas_already_in_the_document_are_duplicates() -> None:
    cursor = Cursor(session(human("a", 1), partial_reply=partial_reply("Hello")))

    assert decisions([delta("A", 0, "Hello"), delta("A", 3, "lo!")], cursor) == [
        "DUPLICATE",
        "DELIVER",
    ]


def test_a_missing_delta_is_a_gap() -> None:
    assert decisions([started("A"), delta("A", 4, "x")], waiting_cursor()) == ["DELIVER", "GAP"]


def test_a_delta_of_a_reply_that_never_started_is_a_gap() -> None:
    assert decisions([delta("A", 0, "x")]) == ["GAP"]


def test_a_new_attempt_restarts_the_text() -> None:
    frames: list[ServerFrame] = [
        started("A"),
        delta("A", 0, "old"),
        started("B"),
        delta("B", 0, "new"),
    ]

    assert decisions(frames, waiting_cursor()) == ["DELIVER"] * 4


def test_a_message_waits_until_its_reply() -> None:
    cursor = Cursor(session())
    cursor.decide(position_of(accepted("a", 1)))
    cursor.decide(position_of(accepted("b", 2)))
    cursor.decide(position_of(started("A")))
    assert cursor.waiting == [str(id_of("a")), str(id_of("b"))]
    assert cursor.queued == 1

    cursor.decide(position_of(completed("A", 3, "a")))
    assert cursor.waiting == [str(id_of("b"))]


def test_a_frame_without_a_position_is_delivered() -> None:
    loading = ModelLoading(reply_to=id_of("a"), retry_in_s=3)
    assert Cursor(session()).decide(position_of(loading)) is Decision.DELIVER


def test_a_reply_out_of_turn_is_a_gap() -> None:
    """Its own message, or the end of the reply before it, was not sent."""
    cursor = Cursor(session(human("a", 1), human("b", 2)))

    assert decisions([started("B", "b")], cursor) == ["GAP"]
    assert decisions([started("A")]) == ["GAP"]


def test_another_message_with_a_known_seq_is_a_gap() -> None:
    """The document lost messages and has new ones since."""
    cursor = Cursor(session(human("a", 1), bot("A", 2, "a")))

    assert decisions([accepted("b", 2), completed("A", 2, "a")], cursor) == ["GAP", "DUPLICATE"]


def test_missed_messages_are_sent_as_their_frames() -> None:
    cursor = Cursor(session())
    document = session(
        human("a", 1), bot("A", 2, "a"), human("b", 3), partial_reply=partial_reply("Hel", "B", "b")
    )

    assert cursor.catch_up(document) == [
        accepted("a", 1),
        completed("A", 2, "a"),
        accepted("b", 3),
        started("B", "b"),
        delta("B", 0, "Hel", "b"),
    ]
    assert decisions([delta("B", 3, "lo", "b"), completed("B", 4, "b")], cursor) == ["DELIVER"] * 2


def test_a_missed_continuation_names_the_earlier_reply() -> None:
    cursor = Cursor(session(human("a", 1), bot("A", 2, "a")))
    partial = partial_reply("", "B").model_copy(update={"continues": id_of("A")})

    frames = cursor.catch_up(session(last_seq=2, pending=(id_of("a"),), partial_reply=partial))

    assert frames == [started("B").model_copy(update={"continues": id_of("A")})]


def test_only_the_missing_text_is_sent() -> None:
    cursor = waiting_cursor()
    decisions([started("A"), delta("A", 0, "Hel")], cursor)
    document = session(last_seq=1, pending=(id_of("a"),), partial_reply=partial_reply("Hello"))

    assert cursor.catch_up(document) == [delta("A", 3, "lo")]
    assert cursor.catch_up(document) == []


def test_the_partial_reply_of_a_lost_worker_is_dropped() -> None:
    cursor = waiting_cursor()
    decisions([started("A"), delta("A", 0, "Hel")], cursor)

    assert cursor.catch_up(session(last_seq=1, pending=(id_of("a"),))) == []
    assert cursor.queued == 1
    assert decisions([started("B"), delta("B", 0, "x")], cursor) == ["DELIVER"] * 2


def test_lost_or_replaced_messages_need_the_whole_session() -> None:
    before = session(human("a", 1), bot("A", 2, "a"))
    replaced = session(human("a", 1), bot("A", 2, "a", replaced_by=id_of("B")), bot("B", 3, "a"))

    assert Cursor(before).catch_up(session(human("b", 1), recovered=False)) is None
    assert Cursor(session()).catch_up(replaced) is None


def test_a_reply_that_could_not_replace_an_older_one_is_sent_as_its_frame() -> None:
    before = session(human("a", 1), bot("A", 2, "a"))
    failed = bot("B", 3, "a", replaced_by=id_of("A"))
    [frame] = Cursor(before).catch_up(session(failed, last_seq=3)) or []
    assert isinstance(frame, ReplyCompleted)
    assert frame.message.replaced_by == id_of("A")


def remark(name: str, seq: int) -> ReplyCompleted:
    """Return what an operator wrote without a message to answer."""
    stored = bot(name, seq, "a", source="operator", operator="Grace")
    return ReplyCompleted(message=stored.public().model_copy(update={"reply_to": None}))


def with_operator(name: str | None, *, requested: bool = False) -> Session:
    operator = StoredOperator(name=name, user="grace", joined_at=NOON) if name else None
    return session(operator=operator, operator_requested=requested, operators_on_duty=1)


def test_a_remark_of_a_person_does_not_wait_for_a_reply() -> None:
    cursor = Cursor(session())
    assert cursor.decide(position_of(remark("r", 1))) is Decision.DELIVER
    assert cursor.waiting == []


def test_a_missed_remark_is_sent_as_the_frame_that_was_missed() -> None:
    cursor = Cursor(session())
    stored = bot("r", 1, "a", source="operator", operator="Grace")
    missed = stored.model_copy(update={"reply_to": None})
    assert [frame.type for frame in cursor.catch_up(session(missed)) or ()] == ["reply.completed"]


def test_presence_tells_each_change_once() -> None:
    presence = Presence(with_operator(None))
    steps = [
        (with_operator(None, requested=True), ["operator.requested"]),
        (with_operator("Grace"), ["operator.joined", "operator.requested"]),
        (with_operator("Grace"), []),
        (with_operator("Alan"), ["operator.left", "operator.joined"]),
        (with_operator(None), ["operator.left"]),
    ]
    for loaded, expected in steps:
        assert [frame.type for frame in presence.catch_up(loaded)] == expected
    assert presence.operator is None
