"""Everything about one session, for a visitor who asks for it."""

from typing import Any

from django.contrib.admin.models import LogEntry
from django.utils import timezone

from chat.models import AuditEntry
from chat.schemas import Session, format_timestamp
from chat.store import sessions
from chat.store.client import Store
from chat.store.operation import inspection
from chat.store.sessions import NO_MESSAGES


def load_dossier(store: Store, session: str) -> dict[str, Any] | None:
    """Return all that is stored about a session, as JSON values; None if it does not exist.

    The audit log remains when a session is gone, so a session with entries in it always exists.
    Raises StoreUnavailable.
    """
    stored = store.run(inspection.dump(session))
    audit = [_audit_entry(entry) for entry in AuditEntry.objects.filter(session=session)]
    actions = LogEntry.objects.filter(content_type__app_label="chat", object_id=session)
    history = [_log_entry(entry) for entry in actions.select_related("user")]
    if not (stored or audit or history):
        return None
    return {
        "id": session,
        "exported_at": format_timestamp(timezone.now()),
        "redis": stored,
        "statistics": _statistics(store, session) if stored else None,
        "audit_log": audit,
        "admin_history": history,
    }


def _statistics(store: Store, session: str) -> dict[str, Any] | None:
    """Return what the admin derives from the document. Other statistics name no session."""
    summary = store.run(inspection.summary(session))
    if summary is None:
        return None
    loaded: Session = store.run(sessions.load(session, page=NO_MESSAGES))
    return {
        "state": summary.state.value,
        "started": format_timestamp(summary.started),
        "expires": format_timestamp(loaded.expires_at),
        "messages": summary.messages,
        "unanswered": summary.pending,
        "failures": list(summary.failures),
        "ratings": list(summary.ratings),
        "open_sockets": summary.sockets,
    }


def _audit_entry(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": format_timestamp(entry.at),
        "user": entry.user,
        "address": entry.address,
        "action": entry.action,
        "detail": entry.detail,
    }


def _log_entry(entry: LogEntry) -> dict[str, Any]:
    return {
        "at": format_timestamp(entry.action_time),
        "user": entry.user.get_username(),
        "message": entry.get_change_message(),
    }
