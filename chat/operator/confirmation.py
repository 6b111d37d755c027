"""Actions in the admin: permitted, confirmed, applied one by one, and logged by Django's admin."""

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

from django.contrib import messages
from django.contrib.admin import ModelAdmin, site
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from chat.accounts import audit
from chat.container import store
from chat.errors import SessionUnknown
from chat.models import Session
from chat.operator.actions import ACTIONS, Action, apply
from chat.operator.changelist import MAX_ROWS, Results
from chat.operator.conditions import ID
from chat.operator.export import as_json, as_kto_lines, as_markdown
from chat.operator.session_search import SessionSearch
from chat.privacy.dossier import load_dossier
from chat.schemas import Session as Transcript
from chat.store import sessions, shares
from chat.store.operation.inspection import Summary
from chat.store.sessions import ALL_MESSAGES
from chat.store.shares import ShareUnknown

MAX_ROWS_SHOWN = 20
REVOKE_PERMISSION = "chat.revoke_share"
EXPORT_PERMISSIONS = ("chat.export_session", "chat.view_transcript")
AdminAction = tuple[Callable[..., Any], str, str]


def as_dossiers(transcripts: Iterable[Transcript]) -> str:
    """Return a JSON array of everything about these sessions."""
    dossiers = [load_dossier(store(), each.id) for each in transcripts]
    return json.dumps(dossiers, ensure_ascii=False, indent=2)


class Export(NamedTuple):
    """An action that downloads transcripts."""

    name: str
    title: str
    content_type: str
    extension: str
    render: Callable[[Iterable[Transcript]], str]
    question: str = "Downloads a file with the transcripts, including everything visitors wrote."
    deletes: bool = False
    is_possible: Callable[[Summary], bool] = lambda summary: summary.messages > 0


EXPORTS = (
    Export("export_json", "Export as JSON", "application/json", "json", as_json),
    Export(
        "export_markdown", "Export as Markdown", "text/markdown; charset=utf-8", "md", as_markdown
    ),
    Export(
        "export_ratings",
        "Export ratings",
        "application/jsonl; charset=utf-8",
        "jsonl",
        as_kto_lines,
        "Downloads rated replies with the conversations before them as training data: JSON lines"
        " without names, but with everything visitors wrote.",
        is_possible=lambda summary: bool(summary.ratings),
    ),
    Export(
        "export_all",
        "Export everything",
        "application/json",
        "json",
        as_dossiers,
        "Downloads everything that is stored about the session, for a visitor who asks for it:"
        " document, queue, statistics, and who read or changed it.",
        is_possible=lambda summary: True,
    ),
)


def permitted_actions(request: HttpRequest) -> list[Action | Export]:
    """Return the actions that this user may apply to a session."""
    user = request.user
    actions = [action for action in ACTIONS if user.has_perm(f"chat.{action.name}_session")]
    return [*actions, *(EXPORTS if user.has_perms(EXPORT_PERMISSIONS) else ())]


def admin_actions(request: HttpRequest) -> dict[str, AdminAction]:
    """Return the list's actions for this user, in the format of Django's admin."""

    def view(action: Action | Export) -> Callable[..., Any]:
        return partial(_export, action) if isinstance(action, Export) else partial(_apply, action)

    return {
        action.name: (view(action), action.name, action.title)
        for action in permitted_actions(request)
    }


@require_POST
def revoke_share(request: HttpRequest, session: str) -> HttpResponse:
    """Revoke the posted link of a session; raises StoreUnavailable.

    It needs no confirmation: the visitor can create another link.
    """
    if not request.user.has_perms(("chat.view_session", REVOKE_PERMISSION)):
        raise PermissionDenied
    share = request.POST.get("share", "")
    try:
        store().run(shares.revoke(session, share))
    except ShareUnknown:
        messages.warning(request, "This link no longer exists: it ended or was revoked.")
    else:
        _log(request, [session], audit.Action.CHANGED, f"Revoked the link {share}.")
        messages.success(request, "Revoked the link.")
    return HttpResponseRedirect(reverse("admin:chat_session_change", args=[session]))


def _apply(
    action: Action, model_admin: "ModelAdmin[Any]", request: HttpRequest, rows: Results
) -> HttpResponse | None:
    ids = _selected(request, rows)
    if not ids or "confirmed" not in request.POST:
        return _confirmation(request, ids, action)
    changed: list[str] = []
    try:
        changed += (session for session in ids if apply(action, session))
    finally:
        kind = audit.Action.DELETED if action.deletes else audit.Action.CHANGED
        _log(request, changed, kind, f"{action.done}.")
    if changed:
        messages.success(request, f"{action.done}: {_sessions(len(changed))}.")
    if unchanged := len(ids) - len(changed):
        messages.warning(
            request, f"Nothing to do, or session no longer exists: {_sessions(unchanged)}."
        )
    if "from_page" in request.POST and not action.deletes:
        return HttpResponseRedirect(reverse("admin:chat_session_change", args=[ids[0]]))
    return None


def _export(
    export: Export, model_admin: "ModelAdmin[Any]", request: HttpRequest, rows: Results
) -> HttpResponse | None:
    ids = _selected(request, rows)
    if not ids or "confirmed" not in request.POST:
        return _confirmation(request, ids, export)
    transcripts = [loaded for each in ids if (loaded := _transcript(each))]
    ids = [each.id for each in transcripts]
    _log(request, ids, audit.Action.EXPORTED, f"{export.title.replace('Export', 'Exported', 1)}.")
    name = f"sessions-{timezone.now():%Y%m%d-%H%M%S}.{export.extension}"
    return HttpResponse(
        export.render(transcripts),
        content_type=export.content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _selected(request: HttpRequest, rows: Results) -> list[str]:
    """Return the ids of the selected rows, even if the filters no longer match; or of all rows."""
    if request.POST.get("select_across") == "1" and "confirmed" not in request.POST:
        if rows.count() > MAX_ROWS:
            messages.error(
                request,
                f"At most {MAX_ROWS:,} sessions can be selected at a time. Narrow the list first.",
            )
            return []
        return [row.id for row in rows]
    posted = request.POST.getlist(ACTION_CHECKBOX_NAME)[:MAX_ROWS]
    return [each for each in posted if ID.fullmatch(each)]


def _confirmation(
    request: HttpRequest, ids: Sequence[str], action: Action | Export
) -> HttpResponse | None:
    if not ids:
        return None
    summaries = SessionSearch(store()).summaries(ids[:MAX_ROWS_SHOWN])
    context = {
        **site.each_context(request),
        "title": action.title,
        "action": action,
        "is_export": isinstance(action, Export),
        "ids": ids,
        "summaries": summaries,
        "more": len(ids) - len(summaries),
        "from_page": "from_page" in request.POST,
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "opts": Session._meta,
    }
    return TemplateResponse(request, "admin/chat/session/confirmation.html", context)


def _log(request: HttpRequest, ids: Sequence[str], action: audit.Action, message: str) -> None:
    flag = DELETION if action is audit.Action.DELETED else CHANGE
    if ids:
        audit.record(request, action, ids, message.rstrip("."))
        rows: Any = [Session(id=each) for each in ids]
        LogEntry.objects.log_actions(cast(int, request.user.pk), rows, flag, message)


def _sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count:,} sessions"


def _transcript(session: str) -> Transcript | None:
    try:
        return store().run(sessions.load(session, page=ALL_MESSAGES))
    except SessionUnknown:
        return None
