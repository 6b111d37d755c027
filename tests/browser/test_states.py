"""Every state of the page: what axe says of it, that it fits, and a picture of it under `var/`."""

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

from tests.browser.states import STATES, show
from tests.processes import Stack

PICTURES = Path(__file__).parents[2] / "var" / "screenshots"
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
SIZES = {375: 740, 768: 1024, 1440: 900}
NARROW = (375,)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN_AXE = """async (rules) => (await axe.run({ runOnly: rules })).violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`.slice(0, 500))"""
TOO_WIDE = "() => document.documentElement.scrollWidth > innerWidth"


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(chromium: Browser, stack: Stack, state: str) -> None:
    page = show(chromium, stack.url, state, reduced_motion="reduce").page
    found = []

    for scheme in SCHEMES:
        # Axe looks at the last size: the widest in light colours, the narrowest in dark ones.
        widths = sorted(NARROW if state == "drawer" else SIZES, reverse=scheme == "dark")
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width in widths:
            page.set_viewport_size({"width": width, "height": SIZES[width]})
            page.screenshot(path=PICTURES / f"{state}-{width}-{scheme}.png")
            assert not page.evaluate(TOO_WIDE)
        page.evaluate(AXE.read_text())
        found += page.evaluate(RUN_AXE, RULES)
    page.context.close()

    assert found == []


def test_the_page_fits_into_320_pixels(chromium: Browser, stack: Stack) -> None:
    for state in ("talk", "many_languages", "settings", "list"):
        scripted = show(chromium, stack.url, state, viewport={"width": 320, "height": 568})
        assert not scripted.page.evaluate(TOO_WIDE)
        scripted.page.screenshot(path=PICTURES / f"{state}-320-light.png")
        scripted.page.context.close()
