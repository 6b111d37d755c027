"""Actions in the admin: permitted, confirmed, done one by one, and written to its log."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, cast

from django.contrib import messages
from django.contrib.admin import ModelAdmin, site
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from chat.container import store
from chat.errors import SessionUnknown
from chat.models import Session
from chat.operator.actions import ACTIONS, Action, do
from chat.operator.export import as_json, as_markdown
from chat.operator.results import ROWS_AT_MOST, Results
from chat.operator.search_query import ID
from chat.operator.session_search import SessionSearch
from chat.schemas import Session as Transcript
from chat.store import sessions

SHOWN_AT_MOST = 20
EXPORTS: dict[str, tuple[str, str, str, Callable[[Iterable[Transcript]], str]]] = {
    "export_json": ("Export as JSON", "application/json", "json", as_json),
    "export_markdown": ("Export as Markdown", "text/markdown; charset=utf-8", "md", as_markdown),
}
EXPORT_QUESTION = "A file with the transcripts is made. It holds what visitors wrote."
EXPORT_PERMISSIONS = ("chat.export_session", "chat.view_transcript")
AdminAction = tuple[Callable[..., Any], str, str]


def permitted_acts(request: HttpRequest) -> list[Action]:
    """Return what this person may do to a session."""
    return [act for act in ACTIONS if request.user.has_perm(f"chat.{act.name}_session")]


def may_export(request: HttpRequest) -> bool:
    """Return whether this person may take transcripts out."""
    return request.user.has_perms(EXPORT_PERMISSIONS)


def actions(request: HttpRequest) -> dict[str, AdminAction]:
    """Return the list's actions for this person, as Django's admin takes them."""
    found: dict[str, AdminAction] = {
        act.name: (partial(_act, act), act.name, act.title) for act in permitted_acts(request)
    }
    if may_export(request):
        for name, (title, *_) in EXPORTS.items():
            found[name] = (partial(_export, name), name, title)
    return found


def _act(
    act: Action, model_admin: "ModelAdmin[Any]", request: HttpRequest, rows: Results
) -> HttpResponse | None:
    ids = _chosen(request, rows)
    if not ids or "confirmed" not in request.POST:
        return _ask(request, ids, act.name, act.title, act.question, act.deletes)
    done: list[str] = []
    try:
        done += (session for session in ids if do(act, session))
    finally:
        _log(request, done, DELETION if act.deletes else CHANGE, f"{act.done}.")
    _tell(request, act, done, len(ids) - len(done))
    if "from_page" in request.POST and not act.deletes:
        return HttpResponseRedirect(reverse("admin:chat_session_change", args=[ids[0]]))
    return None


def _export(
    name: str, model_admin: "ModelAdmin[Any]", request: HttpRequest, rows: Results
) -> HttpResponse | None:
    title, content_type, ending, render = EXPORTS[name]
    ids = _chosen(request, rows)
    if not ids or "confirmed" not in request.POST:
        return _ask(request, ids, name, title, EXPORT_QUESTION, False)
    transcripts = [found for each in ids if (found := _transcript(each))]
    _log(request, [each.id for each in transcripts], CHANGE, f"Exported as {ending}.")
    stamp = f"{timezone.now():%Y%m%d-%H%M%S}"
    return HttpResponse(
        render(transcripts),
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="sessions-{stamp}.{ending}"'},
    )


def _chosen(request: HttpRequest, rows: Results) -> list[str]:
    """Return the ids to act on: those ticked, whatever the filters say by now; or all rows."""
    if request.POST.get("select_across") == "1" and "confirmed" not in request.POST:
        if rows.count() > ROWS_AT_MOST:
            messages.error(
                request, f"At most {ROWS_AT_MOST:,} sessions at a time. Narrow the list first."
            )
            return []
        return [row.id for row in rows]
    posted = request.POST.getlist(ACTION_CHECKBOX_NAME)[:ROWS_AT_MOST]
    return [each for each in posted if ID.fullmatch(each)]


def _ask(
    request: HttpRequest, ids: Sequence[str], name: str, title: str, question: str, deletes: bool
) -> HttpResponse | None:
    if not ids:
        return None
    rows = [
        Session.of(each) for each in SessionSearch(store()).summaries(tuple(ids[:SHOWN_AT_MOST]))
    ]
    context = {
        **site.each_context(request),
        "title": title,
        "question": question,
        "action": name,
        "ids": ids,
        "rows": rows,
        "more": len(ids) - len(rows),
        "deletes": deletes,
        "downloads": name in EXPORTS,
        "from_page": "from_page" in request.POST,
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "opts": Session._meta,
    }
    return TemplateResponse(request, "admin/chat/session/confirm.html", context)


def _log(request: HttpRequest, ids: Sequence[str], flag: int, message: str) -> None:
    if ids:
        rows: Any = [Session(id=each) for each in ids]
        LogEntry.objects.log_actions(cast(int, request.user.pk), rows, flag, message)


def _tell(request: HttpRequest, act: Action, done: Sequence[str], not_done: int) -> None:
    if done:
        messages.success(request, f"{act.done}: {_sessions(len(done))}.")
    if not_done:
        messages.warning(request, f"Nothing to do, or gone: {_sessions(not_done)}.")


def _sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count:,} sessions"


def _transcript(session: str) -> Transcript | None:
    try:
        return store().run(sessions.load(session))
    except SessionUnknown:
        return None
