"""The admin's pages that only sessions have: a session, the dashboard, the way from a token."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from hashlib import sha256
from typing import Any, ParamSpec
from uuid import UUID

from django import forms
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

from chat.container import store
from chat.errors import StoreUnavailable
from chat.models import Session
from chat.operator.confirmation import EXPORTS, may_export, permitted_acts
from chat.operator.dashboard import read_dashboard
from chat.operator.session_page import SessionPage, read_page
from chat.schemas import session_id

P = ParamSpec("P")
SESSION_PARTS = ("facts", "lines", "pending")
DASHBOARD_PARTS = ("tiles", "charts", "workers")


class TokenForm(forms.Form):
    """A token that a visitor gave. It is posted, so it stands in no address and no log."""

    token = forms.UUIDField(
        label="Token",
        error_messages={"invalid": "A token looks like 01234567-89ab-4cde-8f01-23456789abcd."},
        widget=forms.TextInput(attrs={"autocomplete": "off", "size": 40, "spellcheck": "false"}),
    )


def tells_of_trouble(
    view: Callable[P, HttpResponse],
) -> Callable[P, HttpResponse]:
    """Answer 503 with a page that says so where Redis does not answer."""

    @wraps(view)
    def answer(*args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            return view(*args, **kwargs)
        except StoreUnavailable as error:
            request = next(arg for arg in args if isinstance(arg, HttpRequest))
            context = {**site.each_context(request), "title": "No answer", "detail": error.detail}
            page = render_to_string("admin/chat/unavailable.html", context, request)
            return HttpResponse(page, status=503)

    return answer


def session(request: HttpRequest, id: str) -> HttpResponse:
    """Show a session: facts, transcript, what is being written."""
    before = request.GET.get("before", "")
    page = read_page(store(), id, int(before) if before.isdecimal() else None)
    if page is None:
        messages.warning(request, "This session is gone: its time was over, or it was erased.")
        return HttpResponseRedirect(reverse("admin:chat_session_changelist"))
    context = _session_context(request, page) | {
        **site.each_context(request),
        "title": page.summary.name,
        "opts": Session._meta,
        "live": not before,
        "acts": permitted_acts(request),
        "exports": EXPORTS if may_export(request) else {},
    }
    context["parts"] = _render("session", SESSION_PARTS, context, request)
    return TemplateResponse(request, "admin/chat/session/page.html", context)


@tells_of_trouble
def session_live(request: HttpRequest, session: str) -> HttpResponse:
    """Return the parts of a session's page that changed since the client's versions.

    A session that is gone is null: one looks at it while that happens, which is no error.
    """
    _require_view(request)
    page = read_page(store(), session)
    if page is None:
        return JsonResponse(None, safe=False)
    return _changes(request, "session", SESSION_PARTS, _session_context(request, page))


@tells_of_trouble
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show the service at a glance."""
    _require_view(request)
    context = {
        **site.each_context(request),
        "title": "Dashboard",
        "opts": Session._meta,
        "board": read_dashboard(store()),
    }
    context["parts"] = _render("dashboard", DASHBOARD_PARTS, context, request)
    return TemplateResponse(request, "admin/chat/dashboard.html", context)


@tells_of_trouble
def dashboard_live(request: HttpRequest) -> HttpResponse:
    """Return the parts of the dashboard that changed since the client's versions."""
    _require_view(request)
    return _changes(request, "dashboard", DASHBOARD_PARTS, {"board": read_dashboard(store())})


@sensitive_post_parameters("token")
def find(request: HttpRequest) -> HttpResponse:
    """Go from a token to its session."""
    _require_view(request)
    form = TokenForm(request.POST or None)
    if form.is_valid():
        found = session_id(str(form.cleaned_data["token"]))
        return HttpResponseRedirect(reverse("admin:chat_session_change", args=[found]))
    context = {
        **site.each_context(request),
        "title": "Find a session by its token",
        "opts": Session._meta,
        "form": form,
    }
    return TemplateResponse(request, "admin/chat/find.html", context)


def session_of_token(text: str) -> str | None:
    """Return the session that a search for a token means; None where it is no token."""
    try:
        return session_id(str(UUID(text.strip()))) if "-" in text else None
    except ValueError:
        return None


def warn_of_token(request: HttpRequest, session: str) -> HttpResponse:
    """Go to the session, and say that the search is not the place for a token."""
    messages.warning(
        request,
        "That was a token, and a search stands in the page's address. Use “Find by token” instead.",
    )
    return HttpResponseRedirect(reverse("admin:chat_session_change", args=[session]))


def moment(instant: datetime | None) -> SafeString | str:
    """Return a time as lists show it: of today without the date."""
    if instant is None:
        return "-"
    local = timezone.localtime(instant)
    form = "%H:%M:%S" if local.date() == timezone.localdate() else "%Y-%m-%d %H:%M"
    return format_html('<time datetime="{}">{}</time>', local.isoformat(), local.strftime(form))


def _session_context(request: HttpRequest, page: SessionPage) -> dict[str, Any]:
    return {"page": page, "may_read": request.user.has_perm("chat.view_transcript")}


def _require_view(request: HttpRequest) -> None:
    if not request.user.has_perm("chat.view_session"):
        raise PermissionDenied


def _render(
    page: str, names: tuple[str, ...], context: dict[str, Any], request: HttpRequest
) -> dict[str, dict[str, str]]:
    """Render a page's parts, each with a version that changes with its text."""
    parts = {}
    for name in names:
        html = render_to_string(f"admin/chat/{page}/_{name}.html", context, request)
        parts[name] = {"version": sha256(html.encode()).hexdigest()[:16], "html": html}
    return parts


def _changes(
    request: HttpRequest, page: str, names: tuple[str, ...], context: dict[str, Any]
) -> JsonResponse:
    parts = _render(page, names, context, request)
    return JsonResponse(
        {name: part for name, part in parts.items() if request.GET.get(name) != part["version"]}
    )
