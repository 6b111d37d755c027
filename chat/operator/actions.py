"""What an operator can do to a session: one command in Redis, then a task and an event as hints."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from kombu.exceptions import OperationalError

from chat.container import delivery, store
from chat.errors import ChatError, StoreUnavailable
from chat.events.task_publisher import enqueue_answer
from chat.store import sessions
from chat.store.operation import inspection
from chat.store.operation.inspection import State, Summary

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Action:
    """An action of the list and of a session's page.

    `name` is part of its permission's name. `run` returns whether it changed anything, and
    `is_possible` whether it would now.
    """

    name: str
    title: str
    question: str
    done: str
    run: Callable[[str], bool]
    deletes: bool = False
    is_possible: Callable[[Summary], bool] = lambda _: True


def apply(action: Action, session: str) -> bool:
    """Apply an action; return False if it changed nothing or the session does not exist.

    Raises StoreUnavailable.
    """
    try:
        changed = action.run(session)
    except StoreUnavailable:
        raise
    except ChatError:
        return False
    if changed:
        delivery().publish_change(session)
    return changed


def _stop(session: str) -> bool:
    queue = store().run(inspection.inspect(session)).queue
    if not queue:
        return False
    message = UUID(queue[0].message)
    stopped = store().run(sessions.stop(session, message, ttl_s=settings.SESSION_TTL_S))
    if stopped and stopped.pending:
        _enqueue(session)
    return stopped is None or stopped.new


def _requeue(session: str) -> bool:
    requeued = store().run(inspection.requeue(session, ttl_s=settings.SESSION_TTL_S))
    if requeued:
        _enqueue(session)
    return requeued


def _extend(session: str) -> bool:
    store().run(sessions.extend(session, settings.SESSION_TTL_S))
    return True


def _expire(session: str) -> bool:
    store().run(sessions.extend(session, 0))
    return True


def _delete(session: str) -> bool:
    return store().run(sessions.erase(session))


def _enqueue(session: str) -> None:
    try:
        enqueue_answer(session)
    except OperationalError:
        logger.warning("The broker is unavailable; the sweep enqueues the session later")


ACTIONS = (
    Action(
        "stop",
        "Stop the reply",
        "Stops the reply in progress or, if there is none, the next one. The text so far is kept.",
        "Stopped the reply",
        _stop,
        is_possible=lambda summary: summary.pending > 0,
    ),
    Action(
        "requeue",
        "Queue again",
        "Sends a waiting message to a worker now, or tries again if the last reply failed.",
        "Queued again",
        _requeue,
        is_possible=lambda summary: summary.state in (State.WAITING, State.FAILED),
    ),
    Action(
        "extend",
        "Extend",
        "Restarts the session's lifetime from now.",
        "Extended",
        _extend,
    ),
    Action(
        "expire",
        "Expire",
        "Ends the session now. The visitor sees that it expired; none of its data is kept.",
        "Expired",
        _expire,
        deletes=True,
    ),
    Action(
        "delete",
        "Delete",
        "Permanently deletes the session and all its data, and closes its open pages.",
        "Deleted",
        _delete,
        deletes=True,
    ),
)
