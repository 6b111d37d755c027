"""Sessions in Django's admin: loaded from Redis, read-only except for the actions."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chat.accounts import audit, audit_admin  # noqa: F401 it registers the audit log
from chat.branding.site_admin import SiteBrandingAdmin
from chat.container import store
from chat.models import Session, SiteBranding
from chat.operator import confirmation, filters, pages
from chat.operator.changelist import BoundedPaginator, Results, SessionChangeList
from chat.operator.charts import format_duration
from chat.operator.conditions import STATE_LABELS, Query
from chat.operator.session_search import SessionSearch

if TYPE_CHECKING:
    SessionModelAdmin = admin.ModelAdmin[Session]
else:
    SessionModelAdmin = admin.ModelAdmin


@admin.register(Session)
class SessionAdmin(SessionModelAdmin):
    """The list of sessions, and the pages of each."""

    list_display = (
        "name",
        "state",
        "failures",
        "last_message_at",
        "length",
        "ratings",
        "sockets",
        "time_left",
        "started_at",
        "short_id",
    )
    list_display_links = ("name", "short_id")
    list_filter = (
        filters.StateFilter,
        filters.MessagesFilter,
        filters.FailuresFilter,
        filters.RatingFilter,
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

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """Return the columns; the first message only for users who may read transcripts."""
        name, *others = self.list_display
        if not request.user.has_perm("chat.view_transcript"):
            return (name, *others)
        return (name, "first_message", *others)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return all sessions as rows loaded from Redis."""
        return Results(SessionSearch(store()), Query())

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Session | None:
        """Return a session's row, or None if it does not exist."""
        found = SessionSearch(store()).summaries((object_id,))
        return Session.from_summary(found[0]) if found else None

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Return the change list for sessions in Redis."""
        return SessionChangeList

    def get_actions(self, request: HttpRequest) -> Any:
        """Return the actions that this user may apply."""
        return confirmation.admin_actions(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Sessions cannot be added."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Sessions cannot be edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Deletion is an action: Django's own delete view would query the database."""
        return False

    def get_urls(self) -> list[URLPattern]:
        """Return Django's pages of a model, and those that only sessions have."""
        wrap = self.admin_site.admin_view
        own = [
            path("dashboard/", wrap(pages.dashboard), name="chat_session_dashboard"),
            path("dashboard/live/", wrap(pages.dashboard_live), name="chat_session_dashboard_live"),
            path("requests/", wrap(pages.operator_requests), name="chat_session_requests"),
            path("find/", wrap(pages.find), name="chat_session_find"),
            path("data/", wrap(pages.retention), name="chat_session_data"),
            path("<str:session>/live/", wrap(pages.session_live), name="chat_session_live"),
            path(
                "<str:session>/revoke-share/",
                wrap(pages.report_unavailable_store(confirmation.revoke_share)),
                name="chat_session_revoke_share",
            ),
        ]
        return own + super().get_urls()

    @pages.report_unavailable_store
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list, or apply an action."""
        if session := pages.session_of_token(request.GET.get("q", "")):
            return pages.warn_of_token(request, session)
        if request.method == "GET" and self.has_view_permission(request):
            pages.record_list(request)
        return super().changelist_view(request, {"title": "Sessions"} | (extra_context or {}))

    @pages.report_unavailable_store
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

    @pages.report_unavailable_store
    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the actions applied to a session."""
        return super().history_view(request, object_id, extra_context)

    @admin.display(description="session ID")
    def short_id(self, row: Session) -> SafeString:
        """The beginning of the id; the session's page shows the whole."""
        return format_html('<code title="{}">{}</code>', row.id, row.id[:8])

    @admin.display(description="first message")
    def first_message(self, row: Session) -> str:
        """The beginning of its first message."""
        return row.summary.first_message or "-"

    @admin.display(description="state")
    def state(self, row: Session) -> SafeString:
        """What it is doing now."""
        state, operator = row.summary.state, row.summary.operator
        if operator:
            return format_html('<span class="chat-tag chat-person">with {}</span>', operator)
        return format_html('<span class="chat-tag chat-{}">{}</span>', state, STATE_LABELS[state])

    @admin.display(description="failures")
    def failures(self, row: Session) -> SafeString | str:
        """The number of failed replies, and the error code of the last one."""
        codes = row.summary.failures
        if not codes:
            return "-"
        return format_html('{} <span class="quiet">{}</span>', len(codes), codes[-1])

    @admin.display(description="ratings")
    def ratings(self, row: Session) -> SafeString | str:
        """The numbers of replies that the visitor rated as good and as bad."""
        summary = row.summary
        if not summary.ratings:
            return "-"
        return format_html(
            '<span title="{0} good, {1} bad">+{0} -{1}</span>', summary.good, summary.bad
        )

    @admin.display(description="last message", ordering="last")
    def last_message_at(self, row: Session) -> SafeString | str:
        """When its last message was stored."""
        return pages.format_time(row.summary.last)

    @admin.display(description="started", ordering="started")
    def started_at(self, row: Session) -> SafeString | str:
        """When it started."""
        return pages.format_time(row.summary.started)

    @admin.display(description="sockets")
    def sockets(self, row: Session) -> int:
        """The number of its open sockets."""
        return row.summary.sockets

    @admin.display(description="time left")
    def time_left(self, row: Session) -> str:
        """The time until it expires without another message."""
        return format_duration(row.summary.remaining_s * 1000)


admin.site.register(SiteBranding, SiteBrandingAdmin)
admin.site.index_template = "admin/chat/index.html"
admin.site.index_title = "Overview"
admin.site.enable_nav_sidebar = False  # the start page links to the few pages there are
