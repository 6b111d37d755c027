"""What an operator can do to a session. Each is one step on the document, then one hint."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from uuid import UUID

from django.conf import settings
from kombu.exceptions import OperationalError

from chat.container import store
from chat.errors import ChatError, StoreUnavailable
from chat.events.delivery import Delivery
from chat.events.task_publisher import enqueue_answer
from chat.store import inspection, sessions
from chat.store.inspection import Inspection

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Action:
    """An action of the list and of a session's page.

    `name` is also that of its permission. `run` returns whether there was anything to do.
    """

    name: str
    title: str
    question: str
    done: str
    run: Callable[[str], bool]
    deletes: bool = False


@cache
def delivery() -> Delivery:
    """Return this process' way to the sockets, for threads."""
    return Delivery()


def do(act: Action, session: str) -> bool:
    """Do it; False where there was nothing to do or the session is gone.

    Raises StoreUnavailable.
    """
    try:
        return act.run(session)
    except StoreUnavailable:
        raise
    except ChatError:
        return False


def _stop(session: str) -> bool:
    inspected: Inspection = store().run(inspection.inspect(session))
    if not inspected.queue:
        return False
    message = UUID(inspected.queue[0].message)
    stopped = store().run(sessions.stop(session, message, ttl_s=settings.SESSION_TTL_S))
    if stopped and stopped.pending:
        _enqueue(session)
    delivery().publish_change(session)
    return stopped is None or stopped.new


def _requeue(session: str) -> bool:
    if not store().run(inspection.requeue(session, ttl_s=settings.SESSION_TTL_S)):
        return False
    _enqueue(session)
    delivery().publish_change(session)
    return True


def _extend(session: str) -> bool:
    store().run(sessions.extend(session, settings.SESSION_TTL_S))
    delivery().publish_change(session)
    return True


def _expire(session: str) -> bool:
    store().run(sessions.extend(session, 0))
    delivery().publish_change(session)
    return True


def _erase(session: str) -> bool:
    erased = store().run(sessions.erase(session))
    delivery().publish_change(session)
    return erased


def _enqueue(session: str) -> None:
    try:
        enqueue_answer(session)
    except OperationalError:
        logger.warning("The broker took no task; the sweep will find the session")


ACTIONS = (
    Action(
        "stop",
        "Stop the reply",
        "The reply being written, or the next one, ends; what is written so far is kept.",
        "Stopped the reply",
        _stop,
    ),
    Action(
        "requeue",
        "Queue again",
        "A message that waits is handed to a worker at once; a last reply that failed is asked"
        " for again.",
        "Queued again",
        _requeue,
    ),
    Action(
        "extend",
        "Extend",
        "The session's time starts again.",
        "Extended",
        _extend,
    ),
    Action(
        "expire",
        "Expire",
        "The session's time ends now. Its visitor sees that it expired; nothing of it is kept.",
        "Expired",
        _expire,
        deletes=True,
    ),
    Action(
        "delete",
        "Delete",
        "The session and everything about it is erased, and its pages are closed.",
        "Deleted",
        _erase,
        deletes=True,
    ),
)
