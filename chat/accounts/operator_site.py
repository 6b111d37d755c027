"""The admin site: limits log-ins, and asks for a second factor if ADMIN_REQUIRE_OTP is set."""

from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from redis.exceptions import RedisError

from chat.accounts import audit, throttle
from chat.accounts.second_factor import SecondFactorForm
from chat.branding import loader

BUSY_RETRY_S = 5
REFUSAL = """<!doctype html><html lang="en"><title>Log in</title><h1>{reason}</h1>
<p>Try again in {retry_after_s} seconds. An operator with a shell can unlock a user or an address
with <code>manage.py unlock_login</code>.</p></html>"""


class OperatorSite(AdminSite):
    """Django's admin site with another log-in."""

    login_template = "admin/chat/login.html"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        if settings.ADMIN_REQUIRE_OTP:
            self.login_form = SecondFactorForm

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may see the admin; a session without second factor may not."""
        allowed = super().has_permission(request)
        if not settings.ADMIN_REQUIRE_OTP:
            return allowed
        return allowed and request.user.is_verified()  # type: ignore[union-attr]  # by OTPMiddleware

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return what every page's template uses, with the site's name and the version."""
        title = f"{loader.current().name} administration"
        own = {"site_header": title, "site_title": title, "chat_version": settings.VERSION}
        return super().each_context(request) | own

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the form, or log in within the limits."""
        if request.method != "POST":
            return super().login(request, extra_context)
        try:
            if throttle.is_locked(request):
                return self._refuse_locked(request)
            with throttle.hashing_slot():
                response = super().login(request, extra_context)
        except throttle.TooManyLogins:
            audit.log_refusal(request, "too many at once")
            return self._refuse(request, "The server is busy.", 503, BUSY_RETRY_S)
        except RedisError:
            # Without counts there is no limit, so nobody logs in.
            audit.log_refusal(request, "Redis is unavailable")
            return self._refuse(request, "Redis is unavailable.", 503, BUSY_RETRY_S)
        if getattr(request, "axes_locked_out", False):
            return self._refuse(request, "Too many failed attempts.", 429, self._lockout_s)
        return response

    @property
    def _lockout_s(self) -> int:
        return int(settings.ADMIN_LOGIN_LOCKOUT_S)

    def _refuse_locked(self, request: HttpRequest) -> HttpResponse:
        audit.log_refusal(request, "too many failures")
        return self._refuse(request, "Too many failed attempts.", 429, self._lockout_s)

    def _refuse(
        self, request: HttpRequest, reason: str, status: int, retry_after_s: int
    ) -> HttpResponse:
        # No template: during a flood of log-ins, nearly all of them end here.
        page = HttpResponse(
            format_html(REFUSAL, reason=reason, retry_after_s=retry_after_s), status=status
        )
        page["Retry-After"] = str(retry_after_s)
        return page
