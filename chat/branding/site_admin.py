"""The admin's page of the branding: one form, and a preview of what it would show."""

import base64
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chat.accounts import audit
from chat.branding import loader
from chat.branding.content import Branding, merged, model_name
from chat.branding.form import BrandingForm
from chat.models import SiteBranding

if TYPE_CHECKING:
    BrandingModelAdmin = admin.ModelAdmin[SiteBranding]
else:
    BrandingModelAdmin = admin.ModelAdmin


class SiteBrandingAdmin(BrandingModelAdmin):
    """The one row. The list of rows leads to it; it is stored when it is first saved."""

    form = BrandingForm
    change_form_template = "admin/chat/branding/form.html"
    readonly_fields = ("logo_now",)
    fieldsets = (
        (None, {"fields": ("name", "logo_now", "logo_file", "remove_logo")}),
        ("Colours", {"fields": ("accent", "accent_dark")}),
        ("First visit", {"fields": ("welcome", "language")}),
        ("Conversation", {"fields": ("suggestions", "disclaimer", "links")}),
        ("Banner", {"fields": ("banner", "banner_level", "banner_closable")}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is one row."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """There is always one row."""
        return False

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> SiteBranding | None:
        """Return the row, a new one if it is not stored yet."""
        if object_id != str(SiteBranding.ONLY):
            return None
        return _stored()

    def get_urls(self) -> list[URLPattern]:
        """Return the form's pages and the preview."""
        preview = path(
            "preview/", self.admin_site.admin_view(self.preview), name="chat_branding_preview"
        )
        return [preview, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the form in place of a list of one."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return HttpResponseRedirect(
            reverse("admin:chat_sitebranding_change", args=[SiteBranding.ONLY])
        )

    def save_model(self, request: HttpRequest, obj: SiteBranding, form: Any, change: bool) -> None:
        """Store the row, log who changed what, and show it in this process at once."""
        super().save_model(request, obj, form, change)
        detail = f"site branding: {', '.join(form.changed_data)}"[:200]
        audit.record(request, audit.Action.CHANGED, detail=detail)
        transaction.on_commit(loader.expire)

    def preview(self, request: HttpRequest) -> HttpResponse:
        """Show what the page would look like with the form's values, without storing them."""
        if request.method != "POST" or not self.has_change_permission(request):
            raise PermissionDenied
        form = self.get_form(request)(request.POST, request.FILES, instance=_stored())
        context = {**self.admin_site.each_context(request), "form": form}
        if form.is_valid():
            branding = merged(loader.defaults(), form.instance)
            context |= {
                "site": branding,
                "logo": _data_url(branding),
                "model": model_name(),
                "schemes": ("light", "dark"),
            }
        return TemplateResponse(request, "admin/chat/branding/preview.html", context)

    @admin.display(description="Logo now")
    def logo_now(self, row: SiteBranding) -> SafeString | str:
        """The logo that the page shows."""
        url = _data_url(merged(loader.defaults(), row))
        return format_html('<img class="chat-logo" src="{}" alt="Logo">', url) if url else "-"


def _stored() -> SiteBranding:
    row = SiteBranding.objects.filter(pk=SiteBranding.ONLY).first()
    return row or SiteBranding(pk=SiteBranding.ONLY)


def _data_url(branding: Branding) -> str:
    """Return the logo itself as a URL: it may not be stored yet."""
    if not branding.logo:
        return ""
    content = base64.b64encode(branding.logo.content).decode()
    return f"data:{branding.logo.content_type};base64,{content}"
