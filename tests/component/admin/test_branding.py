"""The branding's page in the admin: permission, checks, log and preview."""

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from chat.models import AuditEntry, SiteBranding
from tests.component.admin.conftest import Login

ADMIN = "/admin/chat/sitebranding/"
FORM = f"{ADMIN}1/change/"
PREVIEW = f"{ADMIN}preview/"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><circle r="9"/></svg>'
FIELDS = {
    "name": "Acme Support",
    "accent": "#7a1fa2",
    "welcome": "# Hello\r\nworld",
    "suggestions": "Where is my order?\r\n\r\n  Why?  ",
    "disclaimer": "Replies can\r\nbe wrong.",
    "banner": "Closed on Sunday",
    "banner_level": "warning",
    "banner_closable": "on",
    "links": "Legal notice https://example.org/i\r\nPrivacy /privacy",
    "language": "de",
}

pytestmark = pytest.mark.django_db


def logo(content: bytes = SVG) -> SimpleUploadedFile:
    return SimpleUploadedFile("logo.png", content, "image/png")


def stored() -> SiteBranding | None:
    return SiteBranding.objects.filter(pk=SiteBranding.ONLY).first()


@pytest.fixture
def editor(login: Login) -> Client:
    return login("change_sitebranding", "view_sitebranding")


def test_the_form_stores_the_one_row_and_logs_who_changed_what(editor: Client) -> None:
    assert editor.get(ADMIN, follow=True).redirect_chain == [(FORM, 302)]
    response = editor.post(FORM, FIELDS | {"logo_file": logo()})

    assert response.status_code == 302
    row = stored()
    assert row is not None
    assert (row.name, row.accent, row.language) == ("Acme Support", "#7a1fa2", "de")
    assert row.welcome == "# Hello\nworld"
    assert row.suggestions == ["Where is my order?", "Why?"]
    assert row.disclaimer == "Replies can be wrong."
    assert row.links == [["Legal notice", "https://example.org/i"], ["Privacy", "/privacy"]]
    assert bytes(row.logo) == SVG

    again = editor.post(FORM, FIELDS | {"banner": "Open again", "remove_logo": "on"})
    assert again.status_code == 302
    row = stored()
    assert row is not None
    assert bytes(row.logo) == b""
    entry = LogEntry.objects.latest("id")
    assert entry.object_id == "1"
    assert "banner" in entry.get_change_message()
    assert "welcome" not in entry.get_change_message().lower()
    second, first = AuditEntry.objects.filter(action=AuditEntry.Action.CHANGED)
    assert first.detail.startswith("site branding: name, logo_file, accent")
    assert second.detail == "site branding: remove_logo, banner"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"accent": "#ffcc00"}, "#ffcc00 has 1.31:1, #836900 would do."),
        ({"accent_dark": "#7a1fa2"}, "with the dark page"),
        ({"name": "a\u202eb"}, "without control or text direction characters"),
        ({"suggestions": "a\nb\nc\nd\ne"}, "Must have at most 4 questions."),
        ({"links": "Imprint"}, "Must have a label and a URL on each line"),
        ({"links": "Imprint javascript:alert(1)"}, "Must have https:// URLs or paths"),
        ({"links": "Imprint //example.org"}, "Must have https:// URLs or paths"),
        ({"welcome": "x" * 2001}, "Must have at most 2000 characters."),
        ({"logo_file": b"GIF89a"}, "Must be a PNG, JPEG, WebP or SVG image."),
        ({"logo_file": SVG.replace(b"circle", b"script")}, "without &lt;script&gt;"),
    ],
)
def test_the_form_refuses_what_the_settings_refuse(
    editor: Client, fields: dict[str, str | bytes], sentence: str
) -> None:
    for url in (FORM, PREVIEW):
        files = {name: logo(data) for name, data in fields.items() if isinstance(data, bytes)}
        response = editor.post(url, FIELDS | fields | files)
        assert response.status_code == 200
        assert sentence in response.content.decode()
    assert stored() is None


def test_the_preview_shows_the_form_and_stores_nothing(editor: Client) -> None:
    html = editor.post(PREVIEW, FIELDS | {"logo_file": logo()}).content.decode()

    assert html.count("Acme Support") >= 4
    assert html.count('src="data:image/svg+xml;base64,') == 4
    assert 'href="/branding/7a1fa2-' in html
    assert "Where is my order?" in html
    assert "style=" not in html
    assert stored() is None
    assert LogEntry.objects.count() == 0


def test_only_its_own_permission_opens_it(login: Login) -> None:
    viewer, other = login("view_sitebranding"), login("view_session", "delete_session")

    assert viewer.get(FORM).status_code == 200
    assert viewer.post(FORM, FIELDS).status_code == 403
    assert viewer.post(PREVIEW, FIELDS).status_code == 403
    for url in (ADMIN, FORM, PREVIEW):
        assert other.get(url).status_code == 403
    assert login().get(f"{ADMIN}add/").status_code == 403
    assert stored() is None
