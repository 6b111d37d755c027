"""The audit log: a line for each log-in, failure, lockout and change, with user and address."""

import logging
from collections.abc import Mapping
from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.http import HttpRequest

from chat.addresses import client_address

logger = logging.getLogger(__name__)


def connect_signals() -> None:
    """Log what Django and django-axes report."""
    user_logged_in.connect(_on_success, dispatch_uid="chat.accounts.audit")
    user_login_failed.connect(_on_failure, dispatch_uid="chat.accounts.audit")
    user_locked_out.connect(_on_lockout, dispatch_uid="chat.accounts.audit")


def log_refusal(request: HttpRequest, reason: str) -> None:
    """Log an attempt that was refused before the password was checked.

    Without the user: a flood of attempts ends here, and must not query the database.
    """
    facts = {"address": client_address(request), "reason": reason}
    logger.warning("Admin log-in refused", extra={"facts": facts})


def log_change(request: HttpRequest, sentence: str, *, fields: list[str]) -> None:
    """Log that a user changed something in the admin; the names of its fields, not the values."""
    facts = {
        "user": request.user.get_username(),
        "address": client_address(request),
        "fields": ", ".join(fields),
    }
    logger.info(sentence, extra={"facts": facts})


def _on_success(sender: Any, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    facts = {"user": user.get_username(), "address": client_address(request)}
    logger.info("Admin log-in", extra={"facts": facts})


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
