"""The site's branding in the browser: texts, logo and colours, and a change in the admin."""

import json
import shutil
import time
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import expect

from chat.branding.loader import MAX_AGE_S
from tests.browser.test_states import AXE, NARROW_DARK_RULES, OVERFLOWS, RULES, RUN_AXE, SCHEMES
from tests.browser.visitor import NewVisitor, ScriptedVisitor
from tests.operator_user import PASSWORD, create_operator
from tests.processes import Process, Stack, migrated_database, wait_for

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 3"><rect width="9" height="3"/></svg>'
SITE = {
    "SITE_NAME": "Acme Support",
    "SITE_ACCENT": "#7a1fa2",
    "SITE_WELCOME": "# Orders\n\n**Welcome!** See the [opening hours](https://example.org/hours).",
    "SITE_SUGGESTIONS": json.dumps(["Where is my order?", "How do I return something? " * 4]),
    "SITE_DISCLAIMER": "Replies can be wrong.",
    "SITE_BANNER": "On Sunday the chat is not available.",
    "SITE_BANNER_LEVEL": "warning",
    "SITE_LINKS": json.dumps({"Imprint": "/imprint", "Privacy": "https://example.org/privacy"}),
}
ACCENT = "() => getComputedStyle(document.querySelector('.primary')).backgroundColor"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of a branded site, with a database of its own."""
    folder = tmp_path_factory.mktemp("branded")
    (folder / "logo.svg").write_text(SVG)
    database = shutil.copy(migrated_database(), folder / "database.sqlite3")
    own = {"SITE_LOGO": str(folder / "logo.svg"), "DATABASE_URL": f"sqlite:///{database}"}
    return SITE | own


@pytest.fixture(scope="module")
def branded(shared_stack: Stack, environment: dict[str, str]) -> Iterator[str]:
    """The URL of a web process of the shared site, with branding."""
    with_branding = shared_stack.start_web(**environment)
    yield url_of(with_branding)
    with_branding.stop()


def url_of(web: Process) -> str:
    return f"http://127.0.0.1:{web.port}"


def open_scripted(new_visitor: NewVisitor, site: str) -> ScriptedVisitor:
    visitor = new_visitor(kind=ScriptedVisitor, site=site, locale="en-GB")
    assert isinstance(visitor, ScriptedVisitor)
    visitor.open()
    return visitor


def test_a_suggestion_is_sent_and_the_others_disappear(
    new_visitor: NewVisitor, branded: str
) -> None:
    visitor = open_scripted(new_visitor, branded)
    page = visitor.page
    expect(page).to_have_title("Acme Support")
    assert page.locator(".logo:visible").evaluate("(image) => image.naturalWidth > 0")
    expect(page.get_by_role("link", name="opening hours")).to_be_visible()
    expect(page.locator(".welcome-text strong")).to_have_text("Welcome!")

    visitor.enter_name("Ada")
    expect(page.locator(".greeting")).to_contain_text("Hi Ada")
    expect(page.locator(".greeting")).to_contain_text("gpt-j-6b")
    expect(page.get_by_role("img", name="Acme Support")).to_be_visible()
    visitor.composer.fill("my draft")
    suggestion = page.get_by_role("button", name="Where is my order?")
    suggestion.focus()
    page.keyboard.press("Enter")

    expect(visitor.turn(0)).to_contain_text("Where is my order?")
    expect(suggestion).to_be_hidden()
    expect(visitor.composer).to_be_focused()
    expect(visitor.composer).to_have_value("my draft")
    sent = [frame for frame in visitor.server.received if frame["type"] == "message.send"]
    assert [frame["msg"] for frame in sent] == ["Where is my order?"]


@pytest.mark.slow
def test_a_closed_banner_stays_closed_until_it_changes(
    new_visitor: NewVisitor, branded: str
) -> None:
    visitor = open_scripted(new_visitor, branded)
    banner = visitor.page.get_by_role("region", name="Announcement")
    expect(banner).to_contain_text("Warning: On Sunday")

    banner.get_by_role("button", name="Close").click()
    expect(banner).to_have_count(0)
    expect(visitor.page.locator("#name")).to_be_focused()
    visitor.page.reload()
    expect(banner).to_be_hidden()

    visitor.page.evaluate("localStorage.setItem('chat.banner', 'of another text')")
    visitor.page.reload()
    expect(banner).to_be_visible()


def test_axe_finds_no_violation_in_a_branded_page(new_visitor: NewVisitor, branded: str) -> None:
    visitor = open_scripted(new_visitor, branded)
    page = visitor.page
    violations = []
    for name in ("", "Ada"):
        if name:
            visitor.enter_name(name)
            expect(page.locator(".greeting")).to_be_visible()
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            for width in (1440, 375):
                page.set_viewport_size({"width": width, "height": 740})
                assert not page.evaluate(OVERFLOWS)
            page.evaluate(AXE.read_text())
            violations += page.evaluate(RUN_AXE, RULES if scheme == "light" else NARROW_DARK_RULES)
            assert page.evaluate(ACCENT) == (
                "rgb(122, 31, 162)" if scheme == "light" else "rgb(203, 135, 232)"
            )

    assert violations == []


@pytest.mark.slow
def test_a_change_in_the_admin_reaches_every_process(
    shared_stack: Stack, branded: str, environment: dict[str, str]
) -> None:
    other = shared_stack.start_web(**environment)
    user = create_operator(shared_stack, **environment)
    operator = requests.Session()

    def post(path: str, **fields: str) -> requests.Response:
        address = f"{branded}{path}"
        operator.get(address, timeout=20)
        fields["csrfmiddlewaretoken"] = operator.cookies["csrftoken"]
        return operator.post(address, fields, timeout=20)

    def shows_new_name(site: str) -> bool:
        return "<title>Another name</title>" in requests.get(f"{site}/", timeout=20).text

    assert (
        "Acme Support administration"
        in post("/admin/login/?next=/admin/", username=user, password=PASSWORD).text
    )
    assert not shows_new_name(url_of(other))
    saved_at = time.monotonic()
    saved = post("/admin/chat/sitebranding/1/change/", name="Another name", banner_level="info")

    assert "was changed successfully" in saved.text
    assert shows_new_name(branded)
    wait_for(lambda: shows_new_name(url_of(other)), "the other process to show the new name")
    assert time.monotonic() - saved_at < MAX_AGE_S + 3
    other.stop()
