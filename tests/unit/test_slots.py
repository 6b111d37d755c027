"""A session that finds no free slot is enqueued when one is released."""

from chat.worker.slots import Slots


def test_a_session_without_a_place_is_handed_on_when_one_is_free() -> None:
    handed_on: list[str] = []
    slots = Slots(1, handed_on.append)
    assert slots.take("first")
    assert not slots.take("second")
    assert not slots.take("third")
    assert not slots.take("second")

    slots.release()
    assert handed_on == ["second"]
    assert slots.take("second")
    slots.release()
    assert handed_on == ["second", "third"]


def test_a_session_that_found_a_place_elsewhere_is_not_handed_on() -> None:
    handed_on: list[str] = []
    slots = Slots(1, handed_on.append)
    slots.take("first")
    slots.take("second")

    slots.forget("second")
    slots.release()

    assert handed_on == []


def test_a_place_given_back_can_be_taken_again() -> None:
    slots = Slots(2, lambda session: None)
    assert slots.take("a")
    assert slots.take("b")
    slots.release()
    assert slots.take("c")
    assert not slots.take("d")
