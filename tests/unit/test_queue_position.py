"""How many messages are ahead of a waiting one, and the estimate of how long they take."""

import pytest

from chat.schemas import PartialReply, QueueState, Session
from chat.websocket.queue_position import queue_positions
from tests.unit.builders import human, id_of, session

IN_PROGRESS = PartialReply(id=id_of("A"), reply_to=id_of("a"), text="")


def waiting(messages: int, *, is_replying: bool = False, **queue: float) -> Session:
    return session(
        *(human(chr(97 + index), index + 1) for index in range(messages)),
        partial_reply=IN_PROGRESS if is_replying else None,
        queue=QueueState.model_validate(queue),
    )


def positions(of: Session) -> list[tuple[int, float | None]]:
    return [(position.ahead, position.eta_s) for position in queue_positions(of)]


def test_a_reply_in_progress_has_no_queue_position() -> None:
    assert positions(waiting(1, is_replying=True)) == []


def test_older_messages_of_the_session_are_ahead() -> None:
    one_worker = waiting(3, is_replying=True, in_progress=1, mean_reply_s=2)

    assert positions(one_worker) == [(1, 2.0), (2, 4.0)]


def test_messages_of_other_sessions_are_ahead() -> None:
    assert positions(waiting(2, ahead=3, waiting=5, in_progress=1, mean_reply_s=2)) == [
        (3, 8.0),
        (4, 20.0),
    ]


def test_more_workers_shorten_the_estimate() -> None:
    def eta_s(in_progress: int) -> float | None:
        return positions(waiting(1, ahead=3, waiting=4, in_progress=in_progress, mean_reply_s=2))[
            0
        ][1]

    assert (eta_s(1), eta_s(4)) == (8.0, 2.0)


@pytest.mark.parametrize("is_replying", [True, False])
def test_the_estimate_always_changes_and_is_never_negative(is_replying: bool) -> None:
    etas = [
        positions(
            waiting(2, is_replying=is_replying, in_progress=1, mean_reply_s=2, elapsed_s=since)
        )[-1][1]
        or 0
        for since in (0, 0.5, 1, 5, 30, 600)
    ]

    assert len(set(etas)) == len(etas)
    assert min(etas) > 0
    assert etas[0] > etas[1] > etas[2], "it counts down"
    assert etas[2] < etas[3] < etas[4] < etas[5], "it grows once the reply is late"


def test_there_is_no_estimate_without_workers() -> None:
    assert positions(waiting(1, ahead=2, waiting=3, mean_reply_s=2)) == [(2, None)]


def test_there_is_no_estimate_before_the_first_reply() -> None:
    assert positions(waiting(1, ahead=1, waiting=2, in_progress=4)) == [(1, None)]
