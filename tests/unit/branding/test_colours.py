"""The accent colour is readable, and so is everything derived from it."""

import re
from itertools import product
from pathlib import Path

import pytest
from django.conf import settings

from chat.branding.colours import (
    DARK_SURFACES,
    DEFAULT_ACCENT,
    LIGHT_SURFACES,
    MIN_CONTRAST,
    adjust,
    check_accent,
    check_accent_dark,
    contrast_of,
    lowest_contrast,
    palette,
)

PAGE_CSS = (Path(settings.BASE_DIR) / "chat" / "static" / "chat" / "page.css").read_text()
LEVELS = ("00", "40", "80", "c0", "ff")
# Colours of the page that are shown on a visitor's message and as its text.
TEXT = ("#22262a", "#e6e5e0")


def css_colours(name: str) -> tuple[str, str]:
    match = re.search(rf"--{name}: light-dark\((\S+), (\S+)\);", PAGE_CSS)
    assert match, name
    return match[1], match[2]


def test_contrast_is_that_of_wcag() -> None:
    assert contrast_of("#ffffff", "#000000") == pytest.approx(21)
    assert contrast_of("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast_of("#2a6a5d", "#2a6a5d") == 1


def test_the_surfaces_are_those_of_the_page() -> None:
    surfaces = [css_colours(name) for name in ("background", "surface", "inset")]
    assert tuple(zip(*surfaces, strict=True)) == (LIGHT_SURFACES, DARK_SURFACES)
    assert css_colours("text") == TEXT
    assert css_colours("accent")[0] == DEFAULT_ACCENT


@pytest.mark.parametrize("colour", ["#" + "".join(parts) for parts in product(LEVELS, repeat=3)])
def test_every_accepted_accent_has_a_readable_palette(colour: str) -> None:
    accent = adjust(colour, LIGHT_SURFACES, MIN_CONTRAST)
    check_accent(accent)
    colours = palette(accent)

    assert colours is not None
    check_accent_dark(colours.accent_dark)
    assert contrast_of(colours.on_accent[0], colours.accent) >= MIN_CONTRAST
    assert contrast_of(colours.on_accent[1], colours.accent_dark) >= MIN_CONTRAST
    for text, tint in zip(TEXT, colours.tint, strict=True):
        assert contrast_of(text, tint) >= MIN_CONTRAST


def test_an_unreadable_accent_is_refused_with_one_that_would_do() -> None:
    with pytest.raises(ValueError, match=r"4\.5:1 or more with the light page") as refused:
        check_accent("#ffcc00")

    assert "#ffcc00 has 1.31:1" in str(refused.value)
    found = re.search("(#......) would do", str(refused.value))
    assert found
    check_accent(found[1])
    assert lowest_contrast(found[1], LIGHT_SURFACES) < 4.7


@pytest.mark.parametrize("colour", ["teal", "#2a6", "2a6a5d", "#2a6a5g", "#2a6a5d\n", "#2a6a5d80"])
def test_only_one_spelling_of_a_colour_is_accepted(colour: str) -> None:
    for check in (check_accent, check_accent_dark):
        with pytest.raises(ValueError, match="Must be a colour such as #2a6a5d"):
            check(colour)


def test_a_dark_colour_of_its_own_is_used_and_checked() -> None:
    colours = palette("#7A1FA2", "#FFD54F")
    assert colours is not None
    assert (colours.accent, colours.accent_dark) == ("#7a1fa2", "#ffd54f")
    assert "--accent:light-dark(#7a1fa2,#ffd54f)" in colours.stylesheet
    with pytest.raises(ValueError, match="dark page"):
        check_accent_dark("#7a1fa2")
    assert palette("") is None
