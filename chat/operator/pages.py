"""The admin's pages that only sessions have: a session, the dashboard, and the search by token."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from hashlib import sha256
from typing import Any, ParamSpec
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters

from chat.accounts import audit
from chat.container import store
from chat.errors import StoreUnavailable
from chat.models import REPLACE_OPERATOR, STEP_IN, Session
from chat.operator.confirmation import REVOKE_PERMISSION, permitted_actions
from chat.operator.dashboard import load_dashboard
from chat.operator.session_page import SessionPage, load_page
from chat.privacy.retention import kept_data
from chat.schemas import session_id
from chat.store import shares
from chat.store.shares import ShareUnknown

P = ParamSpec("P")
SESSION_PARTS = ("facts", "actions", "shares", "transcript", "pending")
DASHBOARD_PARTS = ("tiles", "charts", "tables")


class TokenField(forms.UUIDField):
    """A token, or the address of a read-only link, which ends with its secret."""

    def to_python(self, value: Any) -> Any:
        """Return the UUID at the end of an address."""
        return super().to_python(str(value).strip().rpartition("/")[2] if value else value)


class TokenForm(forms.Form):
    """A visitor's token. It is sent by POST, so it appears in no URL and no access log."""

    token = TokenField(
        label="Token, or address of a read-only link",
        error_messages={"invalid": "A token looks like 01234567-89ab-4cde-8f01-23456789abcd."},
        widget=forms.TextInput(attrs={"autocomplete": "off", "size": 40, "spellcheck": "false"}),
    )


def report_unavailable_store(view: Callable[P, HttpResponse]) -> Callable[P, HttpResponse]:
    """Respond with 503 and an explanation if Redis is unavailable."""

    @wraps(view)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(*args, **kwargs)
        except StoreUnavailable:
            request = next(arg for arg in args if isinstance(arg, HttpRequest))
            context = {**site.each_context(request), "title": "Redis is unavailable"}
            page = render_to_string("admin/chat/unavailable.html", context, request)
            return HttpResponse(page, status=503)

    return wrapped


def session(request: HttpRequest, id: str) -> HttpResponse:
    """Show a session: facts, transcript, replies in progress or waiting."""
    before = request.GET.get("before", "")
    page = load_page(store(), id, int(before) if before.isdecimal() else None)
    if page is None:
        messages.warning(request, "This session no longer exists: it expired or was deleted.")
        return HttpResponseRedirect(reverse("admin:chat_session_changelist"))
    _record_reading(request, id)
    context = _page_context(request, page.summary.name) | _session_context(request, page)
    context["live"] = not before
    context["parts"] = _render("session", SESSION_PARTS, context, request)
    return TemplateResponse(request, "admin/chat/session/page.html", context)


@report_unavailable_store
def session_live(request: HttpRequest, session: str) -> HttpResponse:
    """Return the parts of a session's page that differ from the versions in the query.

    For a session that no longer exists the response is null. That is no error: a session may
    expire while its page is open.
    """
    _require_view(request)
    page = load_page(store(), session)
    if page is None:
        return JsonResponse(None, safe=False)
    changes = _changes(request, "session", SESSION_PARTS, _session_context(request, page))
    if changes:
        _record_reading(request, session)
    return JsonResponse(changes)


@report_unavailable_store
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show the dashboard."""
    _require_view(request)
    context = _page_context(request, "Dashboard") | {"dashboard": load_dashboard(store())}
    context["parts"] = _render("dashboard", DASHBOARD_PARTS, context, request)
    return TemplateResponse(request, "admin/chat/dashboard/page.html", context)


@report_unavailable_store
def dashboard_live(request: HttpRequest) -> HttpResponse:
    """Return the parts of the dashboard that differ from the versions in the query."""
    _require_view(request)
    context = {"dashboard": load_dashboard(store())}
    return JsonResponse(_changes(request, "dashboard", DASHBOARD_PARTS, context))


def operator_requests(request: HttpRequest) -> HttpResponse:
    """Show who asks for a person; the list comes over a WebSocket."""
    if not _may_step_in(request):
        raise PermissionDenied
    context = _page_context(request, "Requests for a person")
    context["is_offered"] = settings.HUMAN_SUPPORT
    return TemplateResponse(request, "admin/chat/requests.html", context)


def _record_reading(request: HttpRequest, session: str) -> None:
    """Record that a user saw a session's messages, if they may."""
    if request.user.has_perm("chat.view_transcript"):
        audit.record(request, audit.Action.READ, [session])


def record_list(request: HttpRequest) -> None:
    """Record that a user searched, or saw a list with the beginnings of conversations."""
    may_read = request.user.has_perm("chat.view_transcript")
    if request.GET.get("q", "").strip():
        where = "in names and messages" if may_read else "in names"
        audit.record(request, audit.Action.SEARCHED, detail=where)
    elif may_read:
        audit.record(request, audit.Action.LISTED)


def retention(request: HttpRequest) -> HttpResponse:
    """Show what is stored about visitors, where and for how long."""
    _require_view(request)
    context = _page_context(request, "Stored data") | {"kept": kept_data()}
    return TemplateResponse(request, "admin/chat/retention.html", context)


@sensitive_post_parameters("token")
@report_unavailable_store
def find(request: HttpRequest) -> HttpResponse:
    """Redirect from a token or the address of a link to its session."""
    _require_view(request)
    form = TokenForm(request.POST or None)
    if form.is_valid():
        found = _session_of(str(form.cleaned_data["token"]))
        return HttpResponseRedirect(reverse("admin:chat_session_change", args=[found]))
    context = _page_context(request, "Find by token") | {"form": form}
    return TemplateResponse(request, "admin/chat/find.html", context)


def _session_of(token: str) -> str:
    try:
        return store().run(shares.session_of(shares.share_id(token)))
    except ShareUnknown:
        return session_id(token)


def session_of_token(text: str) -> str | None:
    """Return the session of a token or link typed into the search; None if it is neither.

    Raises StoreUnavailable.
    """
    try:
        return _session_of(str(UUID(text.strip().rpartition("/")[2]))) if "-" in text else None
    except ValueError:
        return None


def warn_of_token(request: HttpRequest, session: str) -> HttpResponse:
    """Redirect to a session whose token was typed into the search, with a warning."""
    messages.warning(
        request,
        "You searched for a token. Search terms appear in URLs and logs:"
        " please use “Find by token” instead.",
    )
    return HttpResponseRedirect(reverse("admin:chat_session_change", args=[session]))


def format_time(instant: datetime | None) -> SafeString | str:
    """Format a time, without the date if it is today."""
    if instant is None:
        return "-"
    local = timezone.localtime(instant)
    form = "%H:%M:%S" if local.date() == timezone.localdate() else "%Y-%m-%d %H:%M"
    return format_html('<time datetime="{}">{}</time>', local.isoformat(), local.strftime(form))


def _page_context(request: HttpRequest, title: str) -> dict[str, Any]:
    return {**site.each_context(request), "title": title, "opts": Session._meta}


def _session_context(request: HttpRequest, page: SessionPage) -> dict[str, Any]:
    choices = [(each, each.is_possible(page.summary)) for each in permitted_actions(request)]
    return {
        "page": page,
        "may_read": request.user.has_perm("chat.view_transcript"),
        "actions": [choice for choice in choices if not choice[0].deletes],
        "deletions": [choice for choice in choices if choice[0].deletes],
        "may_step_in": _may_step_in(request),
        "may_replace": request.user.has_perm(REPLACE_OPERATOR),
        "max_chars": settings.MAX_MESSAGE_CHARS,
        "may_revoke": request.user.has_perm(REVOKE_PERMISSION),
        "primary": next((action for action, is_possible in choices if is_possible), None),
    }


def _may_step_in(request: HttpRequest) -> bool:
    return request.user.has_perms(STEP_IN)


def _require_view(request: HttpRequest) -> None:
    if not request.user.has_perm("chat.view_session"):
        raise PermissionDenied


def _render(
    page: str, names: tuple[str, ...], context: dict[str, Any], request: HttpRequest
) -> dict[str, dict[str, str]]:
    """Render a page's parts, each with a version that is a hash of its HTML."""
    parts = {}
    for name in names:
        html = render_to_string(f"admin/chat/{page}/_{name}.html", context, request)
        parts[name] = {"version": sha256(html.encode()).hexdigest()[:16], "html": html}
    return parts


def _changes(
    request: HttpRequest, page: str, names: tuple[str, ...], context: dict[str, Any]
) -> dict[str, Any]:
    parts = _render(page, names, context, request)
    return {name: part for name, part in parts.items() if request.GET.get(name) != part["version"]}
