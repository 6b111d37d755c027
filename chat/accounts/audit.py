"""The audit log: who logged in, and who read, searched, exported, changed or deleted what.

What users do is a row of `AuditEntry` and a line in the log. Failures of log-ins and lockouts are
only lines: a flood of them must not fill the database.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from axes.signals import user_locked_out
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.http import HttpRequest
from django.utils import timezone

from chat.addresses import client_address
from chat.models import AuditEntry

Action = AuditEntry.Action

logger = logging.getLogger(__name__)

# A page that is loaded again is still the same reading.
READING = timedelta(minutes=10)
REPEATED = frozenset({Action.LISTED, Action.READ})


def connect_signals() -> None:
    """Log what Django and django-axes report."""
    user_logged_in.connect(_on_success, dispatch_uid="chat.accounts.audit")
    user_login_failed.connect(_on_failure, dispatch_uid="chat.accounts.audit")
    user_locked_out.connect(_on_lockout, dispatch_uid="chat.accounts.audit")


def record(
    request: HttpRequest,
    action: AuditEntry.Action,
    sessions: Iterable[str] = (),
    detail: str = "",
) -> None:
    """Record what the user of a request did, once for each session, or once without any."""
    write(request.user.get_username(), client_address(request), action, sessions, detail)


def write(
    user: str,
    address: str,
    action: AuditEntry.Action,
    sessions: Iterable[str] = (),
    detail: str = "",
) -> None:
    """Record what a user of the admin, or of the shell, did."""
    if count := _store(user, address, action, list(sessions) or [""], detail):
        facts = {"user": user, "address": address, "action": action.value, "entries": count}
        logger.info("Admin: %s", action.label, extra={"facts": facts})


def _store(
    user: str, address: str, action: AuditEntry.Action, sessions: Sequence[str], detail: str = ""
) -> int:
    """Store entries and remove those that are too old; return how many are new."""
    if action in REPEATED:
        since = timezone.now() - READING
        recent = AuditEntry.objects.filter(user=user, action=action, at__gt=since)
        known = set(recent.filter(session__in=sessions).values_list("session", flat=True))
        sessions = [session for session in sessions if session not in known]
    entries = [
        AuditEntry(user=user, address=address, action=action, session=session, detail=detail)
        for session in sessions
    ]
    AuditEntry.objects.bulk_create(entries)
    if entries:
        prune()
    return len(entries)


def prune() -> int:
    """Delete what is older than AUDIT_RETENTION_DAYS, also in Django's own log; return how much."""
    if not settings.AUDIT_RETENTION_DAYS:
        return 0
    oldest = timezone.now() - timedelta(days=settings.AUDIT_RETENTION_DAYS)
    entries, _ = AuditEntry.objects.filter(at__lt=oldest).delete()
    logged, _ = LogEntry.objects.filter(action_time__lt=oldest).delete()
    return entries + logged


def log_refusal(request: HttpRequest, reason: str) -> None:
    """Log an attempt that was refused before the password was checked.

    Without the user: a flood of attempts ends here, and must not query the database.
    """
    facts = {"address": client_address(request), "reason": reason}
    logger.warning("Admin log-in refused", extra={"facts": facts})


def _on_success(sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    facts = {"user": user.get_username(), "address": client_address(request)}
    logger.info("Admin log-in", extra={"facts": facts})
    _store(facts["user"], facts["address"], Action.LOGGED_IN, [""])


def _on_failure(
    sender: Any,
    credentials: Mapping[str, Any],
    request: HttpRequest | None = None,
    **kwargs: Any,
) -> None:
    if request is not None:
        facts = _facts(request, credentials.get("username"))
        logger.warning("Admin log-in failed", extra={"facts": facts})


def _on_lockout(sender: Any, request: HttpRequest, **kwargs: Any) -> None:
    credentials = getattr(request, "axes_credentials", None) or {}
    facts = _facts(request, credentials.get("username"))
    logger.warning("Admin log-in locked", extra={"facts": facts})


def _facts(request: HttpRequest, name: object) -> dict[str, str]:
    """Return address and user. People type passwords as names: only names of users are logged."""
    users = get_user_model()._default_manager
    is_known = users.filter(**{get_user_model().USERNAME_FIELD: str(name)}).exists()
    return {"user": str(name) if is_known else "unknown", "address": client_address(request)}
