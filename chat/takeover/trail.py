"""The admin's log of what operators did in conversations: rows of Django's admin, and log lines."""

import logging
from typing import Any

from channels.db import database_sync_to_async
from django.contrib.admin.models import CHANGE, LogEntry

from chat.models import Session
from chat.takeover.access import OperatorUser

logger = logging.getLogger(__name__)


@database_sync_to_async
def record(operator: OperatorUser, session: str, action: str) -> None:
    """Record an action without names or texts of visitors. A failure does not stop the operator."""
    logger.info("Operator action", extra={"facts": {"user": operator.name, "action": action}})
    rows: Any = [Session(id=session)]
    try:
        LogEntry.objects.log_actions(operator.id, rows, CHANGE, action)
    except Exception:
        logger.exception("The action could not be recorded in the database")
