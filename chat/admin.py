"""Sessions in Django's admin: live from Redis, read-only but for the actions of `chat.operator`."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chat.container import store
from chat.models import Session
from chat.operator import confirmation, filters, pages
from chat.operator.changelist import BoundedPaginator, SessionChangeList
from chat.operator.results import Results
from chat.operator.search_query import ID, Query
from chat.operator.session_search import SessionSearch
from chat.operator.timeline import duration

if TYPE_CHECKING:
    SessionModelAdmin = admin.ModelAdmin[Session]
else:
    SessionModelAdmin = admin.ModelAdmin


@admin.register(Session)
class SessionAdmin(SessionModelAdmin):
    """The list of sessions, and the way to each one's page."""

    list_display = (
        "name",
        "state",
        "failures",
        "said_last",
        "length",
        "sockets",
        "time_left",
        "began",
        "short_id",
    )
    list_display_links = ("name", "short_id")
    list_filter = (
        filters.StateFilter,
        filters.FailuresFilter,
        filters.AroundFilter,
        filters.SlowFilter,
        filters.LastFilter,
        filters.StartedFilter,
    )
    list_per_page = 50
    paginator = BoundedPaginator
    list_max_show_all = 500
    ordering = ("-started",)
    search_fields = ("name",)
    change_list_template = "admin/chat/session/list.html"

    class Media:
        css = {"all": ["admin-chat/operator.css"]}
        js = ["admin-chat/token-search.js"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return all sessions, as rows that are read from Redis."""
        in_texts = request.user.has_perm("chat.view_transcript")
        return Results(SessionSearch(store()), Query(in_texts=in_texts))

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Session | None:
        """Return a session's row, None where there is no such session."""
        found = SessionSearch(store()).summaries((object_id,)) if ID.fullmatch(object_id) else []
        return Session.of(found[0]) if found else None

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the change list that asks Redis."""
        return SessionChangeList

    def get_actions(self, request: HttpRequest) -> Any:
        """Return the actions this person may take."""
        return confirmation.actions(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody adds a session here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody edits a transcript."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Deleting is an action; Django's own way would ask the database."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """Return the pages a model has, and those that only sessions have."""
        wrap = self.admin_site.admin_view
        own = [
            path("dashboard/", wrap(pages.dashboard), name="chat_session_dashboard"),
            path("dashboard/live/", wrap(pages.dashboard_live), name="chat_session_dashboard_live"),
            path("find/", wrap(pages.find), name="chat_session_find"),
            path("<str:session>/live/", wrap(pages.session_live), name="chat_session_live"),
        ]
        return own + super().get_urls()

    @pages.tells_of_trouble
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, or take an action."""
        if session := pages.session_of_token(request.GET.get("q", "")):
            return pages.warn_of_token(request, session)
        return super().changelist_view(request, {"title": "Sessions"} | (extra_context or {}))

    @pages.tells_of_trouble
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a session's page."""
        if request.method == "POST" or not self.has_view_permission(request):
            raise PermissionDenied
        return pages.session(request, unquote(object_id))

    @pages.tells_of_trouble
    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show what operators did to a session."""
        return super().history_view(request, object_id, extra_context)

    @admin.display(description="session")
    def short_id(self, row: Session) -> SafeString:
        """The id's beginning; the whole one is on the session's page."""
        return format_html('<code title="{}">{}</code>', row.id, row.id[:8])

    @admin.display(description="state")
    def state(self, row: Session) -> SafeString:
        """What it is doing now."""
        state = row.summary.state
        return format_html('<span class="chat-tag chat-{}">{}</span>', state, state)

    @admin.display(description="failures")
    def failures(self, row: Session) -> SafeString | str:
        """How many replies failed, and how the last of them."""
        codes = row.summary.failures
        if not codes:
            return "-"
        return format_html('{} <span class="quiet">{}</span>', len(codes), codes[-1])

    @admin.display(description="last message", ordering="last")
    def said_last(self, row: Session) -> SafeString | str:
        """When its last message was stored."""
        return pages.moment(row.summary.last)

    @admin.display(description="started", ordering="started")
    def began(self, row: Session) -> SafeString | str:
        """When it began."""
        return pages.moment(row.summary.started)

    @admin.display(description="sockets")
    def sockets(self, row: Session) -> int:
        """How many of its pages are open."""
        return row.summary.sockets

    @admin.display(description="time left")
    def time_left(self, row: Session) -> str:
        """How long it lasts if nothing more is said."""
        return duration(row.summary.remaining_s * 1000)


admin.site.index_template = "admin/chat/index.html"
admin.site.site_header = "Chat administration"
admin.site.site_title = "Chat administration"
admin.site.index_title = "Service"
admin.site.enable_nav_sidebar = False  # three pages need no second way to them
