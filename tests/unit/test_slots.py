"""A session that finds no free slot is enqueued when one is released."""

from chat.worker.slots import Slots


def test_a_session_without_a_slot_is_enqueued_when_one_is_released() -> None:
    enqueued: list[str] = []
    slots = Slots(1, enqueued.append)
    assert slots.take("first")
    assert not slots.take("second")
    assert not slots.take("third")
    assert not slots.take("second")

    slots.release()
    assert enqueued == ["second"]
    assert slots.take("second")
    slots.release()
    assert enqueued == ["second", "third"]


def test_a_session_that_found_a_slot_elsewhere_is_not_enqueued() -> None:
    enqueued: list[str] = []
    slots = Slots(1, enqueued.append)
    slots.take("first")
    slots.take("second")

    slots.forget("second")
    slots.release()

    assert enqueued == []


def test_a_released_slot_can_be_taken_again() -> None:
    slots = Slots(2, lambda session: None)
    assert slots.take("a")
    assert slots.take("b")
    slots.release()
    assert slots.take("c")
    assert not slots.take("d")


def test_a_slot_is_used_for_the_session_that_has_waited_longest() -> None:
    slots = Slots(1, lambda session: None)
    for session in "abc":
        slots.take(session)
    assert slots.next_waiting() == "b"
    assert not slots.take("d")

    slots.stop()

    assert slots.next_waiting() is None
