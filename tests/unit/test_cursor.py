"""What a socket is told of the events that reach it."""

from collections.abc import Sequence

from chat.cursor import Cursor, Verdict
from chat.protocol import (
    MessageAccepted,
    ModelLoading,
    ReplyCompleted,
    ReplyDelta,
    ReplyStarted,
    ServerFrame,
)
from tests.unit.builders import bot, human, named


def accepted(name: str, seq: int) -> MessageAccepted:
    return MessageAccepted(message=human(name, seq).public())


def completed(name: str, seq: int, reply_to: str) -> ReplyCompleted:
    return ReplyCompleted(message=bot(name, seq, reply_to).public())


def started(name: str, reply_to: str = "a") -> ReplyStarted:
    return ReplyStarted(reply_to=named(reply_to), id=named(name))


def delta(name: str, offset: int, text: str, reply_to: str = "a") -> ReplyDelta:
    return ReplyDelta(reply_to=named(reply_to), id=named(name), offset=offset, text=text)


def verdicts(frames: Sequence[ServerFrame], cursor: Cursor | None = None) -> list[str]:
    cursor = cursor or Cursor()
    return [cursor.see(frame).name for frame in frames]


def test_a_whole_exchange_is_told_once() -> None:
    frames: list[ServerFrame] = [
        accepted("a", 1),
        started("A"),
        delta("A", 0, "Hel"),
        delta("A", 3, "lo"),
        completed("A", 2, "a"),
    ]

    cursor = Cursor()
    assert verdicts(frames, cursor) == ["TELL"] * 5
    assert verdicts([frames[0], frames[4]], cursor) == ["KNOWN"] * 2


def test_a_message_that_skips_one_is_a_gap() -> None:
    assert verdicts([accepted("a", 1), completed("A", 3, "a")]) == ["TELL", "GAP"]


def test_offsets_count_code_points() -> None:
    frames: list[ServerFrame] = [started("A"), delta("A", 0, "😀é"), delta("A", 2, "!")]

    assert verdicts(frames) == ["TELL", "TELL", "TELL"]


def test_deltas_told_by_the_document_are_known() -> None:
    cursor = Cursor(writing=named("A"), written_chars=5)

    assert verdicts([delta("A", 0, "Hello"), delta("A", 3, "lo!")], cursor) == ["KNOWN", "TELL"]


def test_a_missing_delta_is_a_gap() -> None:
    assert verdicts([started("A"), delta("A", 4, "x")]) == ["TELL", "GAP"]


def test_a_delta_of_a_reply_that_never_started_is_a_gap() -> None:
    assert verdicts([delta("A", 0, "x")]) == ["GAP"]


def test_a_new_attempt_starts_the_text_again() -> None:
    frames: list[ServerFrame] = [
        started("A"),
        delta("A", 0, "old"),
        started("B"),
        delta("B", 0, "new"),
    ]

    assert verdicts(frames) == ["TELL"] * 4


def test_waiting_ends_with_the_reply() -> None:
    cursor = Cursor()
    cursor.see(accepted("a", 1))
    assert cursor.waiting == {named("a")}

    cursor.see(completed("A", 2, "a"))
    assert not cursor.waiting


def test_what_has_no_place_in_the_order_is_told() -> None:
    assert Cursor().see(ModelLoading(reply_to=named("a"), retry_in_s=3)) is Verdict.TELL
