"""The audit log in the admin: to read, search and filter, never to change."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from chat.models import AuditEntry

if TYPE_CHECKING:
    AuditModelAdmin = admin.ModelAdmin[AuditEntry]
else:
    AuditModelAdmin = admin.ModelAdmin


@admin.register(AuditEntry)
class AuditEntryAdmin(AuditModelAdmin):
    """The list of entries."""

    list_display = ("time", "user", "action", "session_link", "detail", "address")
    list_display_links = None
    list_filter = ("action", "at", "user")
    search_fields = ("session__startswith", "user", "address")
    search_help_text = "A user, an address, or the beginning of a session ID."
    date_hierarchy = "at"
    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Entries are written by what users do."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Entries cannot be edited."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Entries are only deleted by age."""
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list."""
        return super().changelist_view(request, {"title": "Audit log"} | (extra_context or {}))

    @admin.display(description="time", ordering="at")
    def time(self, entry: AuditEntry) -> str:
        """When it was, to the second."""
        return f"{localtime(entry.at):%Y-%m-%d %H:%M:%S}"

    @admin.display(description="session")
    def session_link(self, entry: AuditEntry) -> SafeString | str:
        """A link to the session, which may no longer exist."""
        if not entry.session:
            return "-"
        url = reverse("admin:chat_session_change", args=[entry.session])
        return format_html('<a href="{}"><code>{}</code></a>', url, entry.session[:8])
