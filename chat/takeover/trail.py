"""What operators did in conversations: rows of the audit log and of Django's own, and log lines."""

import logging
from typing import Any

from channels.db import database_sync_to_async
from django.contrib.admin.models import CHANGE, LogEntry

from chat.accounts import audit
from chat.models import Session
from chat.takeover.access import OperatorUser

logger = logging.getLogger(__name__)


@database_sync_to_async
def record(operator: OperatorUser, session: str, action: str, details: str = "") -> None:
    """Record an action without names or texts of visitors. A failure does not stop the operator.

    `details` are for the database only: no log line contains a name that visitors see.
    """
    rows: Any = [Session(id=session)]
    message = f"{action}{details}"
    try:
        audit.write(operator.name, operator.address, audit.Action.ANSWERED, [session], message)
        LogEntry.objects.log_actions(operator.id, rows, CHANGE, f"{message}.")
    except Exception:
        logger.exception("The action could not be recorded in the database")
