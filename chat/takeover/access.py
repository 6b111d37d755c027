"""Who may open an operator's socket: the admin's own session, second factor and permissions."""

from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any

from channels.db import database_sync_to_async
from django.contrib.admin import site
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django_otp.middleware import OTPMiddleware

from chat.addresses import LOCAL
from chat.models import REPLACE_OPERATOR, STEP_IN


@dataclass(frozen=True)
class OperatorUser:
    """A user of the admin who may answer visitors."""

    id: int
    name: str
    address: str
    may_replace: bool


@database_sync_to_async
def load_operator(scope: Mapping[str, Any]) -> OperatorUser | None:
    """Return who opened a socket; None without a session of the admin or without permission.

    The session, the user and the permissions are loaded anew: they may have been revoked.
    """
    request = HttpRequest()
    request.COOKIES = _cookies(scope)
    SessionMiddleware(_no_response).process_request(request)
    AuthenticationMiddleware(_no_response).process_request(request)
    OTPMiddleware(_no_response)(request)
    user = request.user
    if not site.has_permission(request) or not user.has_perms(STEP_IN) or user.pk is None:
        return None
    return OperatorUser(
        id=int(user.pk),
        name=user.get_username(),
        address=(scope.get("client") or [LOCAL])[0],
        may_replace=user.has_perm(REPLACE_OPERATOR),
    )


def _no_response(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def _cookies(scope: Mapping[str, Any]) -> dict[str, str]:
    header = dict(scope.get("headers", [])).get(b"cookie", b"").decode("latin-1")
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}
