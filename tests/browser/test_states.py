"""Check every state of the page with axe and for overflow.

With `SCREENSHOTS=1`, also save screenshots of all states under `var/`.
"""

import os
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page

from tests.browser.states import STATES
from tests.browser.visitor import Show

SCREENSHOTS = Path(__file__).parents[2] / "var" / "screenshots"
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
HEIGHTS = {375: 740, 768: 1024, 1440: 900}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What colours and sizes can change.
NARROW_DARK_RULES = ["color-contrast", "target-size", "scrollable-region-focusable"]
RUN_AXE = """async (rules) => (await axe.run({ runOnly: rules })).violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`.slice(0, 500))"""
FREQUENT = {
    *("welcome", "empty", "conversation", "streaming", "mathematics"),
    *("offline", "sidebar", "session_dialog", "settings"),
}
OVERFLOWS = "() => document.documentElement.scrollWidth > innerWidth"


def save_screenshot(page: Page, name: str) -> None:
    if os.environ.get("SCREENSHOTS"):
        page.screenshot(path=SCREENSHOTS / f"{name}.png")


@pytest.mark.parametrize(
    "state",
    [each if each in FREQUENT else pytest.param(each, marks=pytest.mark.slow) for each in STATES],
)
def test_axe_finds_no_violation(show: Show, state: str) -> None:
    page = show(state, reduced_motion="reduce").page
    violations = []

    for scheme in SCHEMES:
        # Axe checks the last size: all rules at the widest in the light scheme, and those that
        # depend on colours and sizes at the narrowest in the dark one.
        widths = [375] if state == "drawer" else sorted(HEIGHTS, reverse=scheme == "dark")
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width in widths:
            page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
            save_screenshot(page, f"{state}-{width}-{scheme}")
            assert not page.evaluate(OVERFLOWS)
        page.evaluate(AXE.read_text())
        violations += page.evaluate(RUN_AXE, RULES if scheme == "light" else NARROW_DARK_RULES)

    assert violations == []


@pytest.mark.parametrize("state", ["conversation", "many_languages", "settings", "sidebar"])
def test_page_fits_into_320_pixels(show: Show, state: str) -> None:
    page = show(state, viewport={"width": 320, "height": 568}).page

    save_screenshot(page, f"{state}-320-light")
    assert not page.evaluate(OVERFLOWS)
