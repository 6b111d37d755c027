"""Pure: how many messages are answered before one that waits, and how long that takes."""

from collections.abc import Iterator

from chat.protocol import ReplyQueued
from chat.schemas import QueueState, Session


def queue_positions(session: Session) -> Iterator[ReplyQueued]:
    """Yield the place of each message that waits, oldest first.

    `ahead` counts the session's own older messages and one message of each waiting session in
    front. The estimate follows from how long replies took lately and how many are written side by
    side, whoever writes them; it is None where nothing is written, so nobody knows.
    """
    is_held = session.partial_reply is not None
    for index, message in enumerate(session.pending):
        if index >= is_held:
            ahead = index + session.queue.ahead
            eta_s = _eta_s(session.queue, index, is_held)
            yield ReplyQueued(reply_to=message, ahead=ahead, eta_s=eta_s)


def _eta_s(queue: QueueState, index: int, is_held: bool) -> float | None:
    """Estimate the wait of the message with `index` older ones in its own session.

    Each of these is a turn: a reply, and a wait for a worker behind all who wait now.
    """
    if queue.mean_reply_s is None or not queue.in_progress:
        return None
    slot_s = queue.mean_reply_s / queue.in_progress
    turn_s = queue.mean_reply_s + queue.waiting * slot_s
    if is_held:
        wait_s = _left_s(queue.mean_reply_s, queue.elapsed_s) + queue.waiting * slot_s
        return round(wait_s + (index - 1) * turn_s, 1)
    wait_s = _left_s(slot_s, queue.elapsed_s) + queue.ahead * slot_s
    return round(wait_s + index * turn_s, 1)


def _left_s(usual_s: float, since_s: float) -> float:
    """Return what is left of something that usually takes `usual_s`: never nothing, never frozen.

    Past the half it is expected to take as long again as it took: what is late tends to be later.
    """
    return max(usual_s - since_s, since_s)
