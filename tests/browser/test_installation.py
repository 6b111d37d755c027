"""The page as an installed application: manifest, icons and colours."""

import pytest
from playwright.sync_api import expect

from chat.views import STATIC
from tests.browser.visitor import NewVisitor, Visitor
from tests.processes import Stack

# A context of Playwright is incognito, where nothing can be installed.
EXPECTED_ERRORS = {"in-incognito"}
SIZE_OF = """(src) => new Promise((resolve, reject) => {
  const image = new Image();
  image.onload = () => resolve(`${image.naturalWidth}x${image.naturalHeight}`);
  image.onerror = () => reject(new Error(src));
  image.src = src;
})"""
THEME_COLOUR = """() => [...document.querySelectorAll("meta[name=theme-color]")]
  .find(({ media }) => matchMedia(media).matches)?.content"""
BACKGROUND = """() => getComputedStyle(document.documentElement).backgroundColor
  .match(/\\d+/g).map((part) => Number(part).toString(16).padStart(2, "0")).join("")"""


def test_chromium_can_install_the_page(new_visitor: NewVisitor) -> None:
    page = new_visitor().open().page
    session = page.context.new_cdp_session(page)

    found = session.send("Page.getAppManifest")
    errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]

    assert found["errors"] == []
    assert found["manifest"]["display"] == "kStandalone"
    assert {error["errorId"] for error in errors} == EXPECTED_ERRORS
    for icon in found["manifest"]["icons"]:
        if icon["type"] == "image/png":
            assert page.evaluate(SIZE_OF, icon["url"]) == icon["sizes"]
    apple = page.locator("link[rel=apple-touch-icon]").get_attribute("href")
    assert page.evaluate(SIZE_OF, apple) == "180x180"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["icons/icon-512.png", "favicon.svg"])
def test_chromium_can_install_a_site_with_a_logo(
    new_visitor: NewVisitor, stack: Stack, name: str
) -> None:
    web = stack.start_web(SITE_LOGO=str(STATIC / "chat" / name), SITE_NAME="Acme")
    page = new_visitor(site=f"http://127.0.0.1:{web.port}").open().page
    session = page.context.new_cdp_session(page)

    found = session.send("Page.getAppManifest")["manifest"]
    errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    web.stop()

    assert found["name"] == "Acme"
    assert "/branding/logo/" in found["icons"][0]["url"]
    assert {error["errorId"] for error in errors} == EXPECTED_ERRORS


def test_colour_around_the_page_is_its_background(visitor: Visitor) -> None:
    page = visitor.page
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(THEME_COLOUR) == f"#{page.evaluate(BACKGROUND)}"

    visitor.click("Settings and shortcuts")
    visitor.dialog.get_by_label("Light").check()
    assert page.evaluate(THEME_COLOUR) == f"#{page.evaluate(BACKGROUND)}" == "#fbfaf7"
    page.reload()
    expect(visitor.composer).to_be_visible()
    assert page.evaluate(THEME_COLOUR) == "#fbfaf7"
