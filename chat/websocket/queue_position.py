"""How many messages are ahead of one that waits, and how long that takes. No I/O."""

from collections.abc import Iterator

from chat.protocol import ReplyQueued
from chat.schemas import QueueState, Session


def queue_positions(session: Session) -> Iterator[ReplyQueued]:
    """Yield the queue position of each message that waits, oldest first.

    `ahead` counts the session's own older messages and one message of each waiting session ahead of
    it. The estimate divides the duration of recent replies by the number in progress, so it needs
    to know neither workers nor threads. It is None if no reply is in progress.
    """
    is_taken = session.partial_reply is not None
    for index, message in enumerate(session.pending):
        if index >= is_taken:
            ahead = index + session.queue.ahead
            eta_s = _eta_s(session.queue, index, is_taken)
            workers = session.queue.workers
            yield ReplyQueued(reply_to=message, ahead=ahead, eta_s=eta_s, workers=workers)


def _eta_s(queue: QueueState, index: int, is_taken: bool) -> float | None:
    """Estimate the wait of the message with `index` older ones in its own session.

    Each older message costs a turn: its reply, and a wait for a worker behind all waiting sessions.
    """
    if queue.mean_reply_s is None or not queue.in_progress:
        return None
    slot_s = queue.mean_reply_s / queue.in_progress
    turn_s = queue.mean_reply_s + queue.waiting * slot_s
    if is_taken:
        wait_s = _remaining_s(queue.mean_reply_s, queue.elapsed_s) + queue.waiting * slot_s
        return round(wait_s + (index - 1) * turn_s, 1)
    wait_s = _remaining_s(slot_s, queue.elapsed_s) + queue.ahead * slot_s
    return round(wait_s + index * turn_s, 1)


def _remaining_s(usual_s: float, elapsed_s: float) -> float:
    """Estimate the rest of something that usually takes `usual_s`.

    After half of that time, expect it to take as long again: otherwise the estimate of a late reply
    would reach zero and stay there.
    """
    return max(usual_s - elapsed_s, elapsed_s)
