"""Frames wait for their session's turn, and the pieces of one reply together."""

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


def test_what_waits_is_taken_at_once_and_in_order() -> None:
    box = Outbox()

    assert box.put("ada", [STARTED], "first")
    assert not box.put("ada", [delta(0, "one")], "second")
    assert box.put("eve", [STARTED], None)

    parcel = box.take("ada")
    assert parcel.frames == [STARTED, delta(0, "one")]
    assert parcel.trace == "first"
    assert box.put("ada", [STARTED], None)


def test_pieces_that_follow_each_other_are_one() -> None:
    box = Outbox()
    for piece in (delta(0, "one"), delta(3, " two"), delta(7, " three")):
        box.put("ada", [piece], None)

    assert box.take("ada").frames == [delta(0, "one two three")]


@pytest.mark.parametrize("other", [delta(4, "gap"), delta(3, "other reply", uuid4())])
def test_pieces_that_do_not_follow_stay_apart(other: ReplyDelta) -> None:
    box = Outbox()
    box.put("ada", [delta(0, "one"), other], None)

    assert box.take("ada").frames == [delta(0, "one"), other]


def test_it_is_bounded_and_has_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_FRAMES", 2)
    box = Outbox()
    box.put("ada", [STARTED, STARTED], None)

    with pytest.raises(OutboxFull):
        box.put("eve", [STARTED], None)

    box.take("ada")
    assert box.put("eve", [STARTED], None)
