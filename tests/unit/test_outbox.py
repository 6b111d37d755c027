"""The outbox keeps the frames of each session in order and joins the deltas of a reply."""

from uuid import uuid4

import pytest

from chat.events import outbox
from chat.events.outbox import Outbox, OutboxFull
from chat.protocol import ReplyDelta, ReplyStarted

MESSAGE, REPLY = uuid4(), uuid4()
STARTED = ReplyStarted(reply_to=MESSAGE, id=REPLY)


def delta(offset: int, text: str, reply: object = REPLY) -> ReplyDelta:
    return ReplyDelta.model_validate(
        {"reply_to": MESSAGE, "id": reply, "offset": offset, "text": text}
    )


def test_all_waiting_frames_are_taken_in_order() -> None:
    box = Outbox()

    assert box.put("ada", [STARTED], None)
    assert not box.put("ada", [delta(0, "one")], "second")
    assert not box.put("eve", [STARTED], None)

    batches = box.take_all()
    assert batches["ada"].frames == [STARTED, delta(0, "one")]
    assert batches["ada"].trace == "second"
    assert batches["eve"].frames == [STARTED]
    assert not box.put("ada", [STARTED], None)


def test_a_send_is_scheduled_again_after_nothing_was_left() -> None:
    box = Outbox()
    assert box.put("ada", [STARTED], None)
    assert box.take_all()
    assert not box.take_all()

    assert box.put("ada", [STARTED], None)


def test_no_frames_mean_a_change() -> None:
    box = Outbox()
    box.put("ada", [], None)
    box.put("ada", [STARTED], None)

    assert box.take_all()["ada"].is_changed


def test_consecutive_deltas_are_joined() -> None:
    box = Outbox()
    for piece in (delta(0, "one"), delta(3, " two"), delta(7, " three")):
        box.put("ada", [piece], None)

    assert box.take_all()["ada"].frames == [delta(0, "one two three")]


@pytest.mark.parametrize("other", [delta(4, "gap"), delta(3, "other reply", uuid4())])
def test_other_deltas_are_not_joined(other: ReplyDelta) -> None:
    box = Outbox()
    box.put("ada", [delta(0, "one"), other], None)

    assert box.take_all()["ada"].frames == [delta(0, "one"), other]


def test_a_full_outbox_rejects_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_FRAMES", 2)
    box = Outbox()
    box.put("ada", [STARTED, STARTED], None)

    with pytest.raises(OutboxFull):
        box.put("eve", [STARTED], None)

    box.take_all()
    assert not box.put("eve", [STARTED], None)
