"""The accent colour: its contrast by WCAG 2.2, and the colours that are derived from it.

Each colour is a text such as `#2a6a5d`. https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
"""

import re
from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass

# Level AA, for text.
MIN_CONTRAST = 4.5
# A derived colour is further from its background than the least that is allowed.
DERIVED_CONTRAST = 6.0
# The backgrounds of page.css on which the accent colour is used for text.
LIGHT_SURFACES = ("#fbfaf7", "#ffffff", "#f1efe9")
DARK_SURFACES = ("#191b1a", "#222524", "#131514")
DEFAULT_ACCENT = "#2a6a5d"
WHITE, BLACK = "#ffffff", "#101412"
# The share of the accent colour in the background of a visitor's message.
LIGHT_TINT, DARK_TINT = 0.13, 0.11
STEPS = 200

RGB = tuple[float, float, float]


@dataclass(frozen=True)
class Palette:
    """The colours of the page that depend on the accent colour, each for light and dark."""

    accent: str
    accent_dark: str

    @property
    def on_accent(self) -> tuple[str, str]:
        """The colours of text on the accent colour."""
        return readable_on(self.accent), readable_on(self.accent_dark)

    @property
    def tint(self) -> tuple[str, str]:
        """The backgrounds of a visitor's message."""
        return (
            mix(self.accent, LIGHT_SURFACES[1], LIGHT_TINT),
            mix(self.accent_dark, DARK_SURFACES[1], DARK_TINT),
        )

    @property
    def stylesheet(self) -> str:
        """The style sheet that replaces the colours of page.css."""
        return (
            f":root{{--accent:light-dark({self.accent},{self.accent_dark});"
            f"--on-accent:light-dark({','.join(self.on_accent)});"
            f"--human:light-dark({','.join(self.tint)})}}\n"
        )


def palette(accent: str, accent_dark: str = "") -> Palette | None:
    """Return the colours; those for dark are derived if not given. None without an accent."""
    if not accent and not accent_dark:
        return None
    accent = accent or DEFAULT_ACCENT
    derived = adjust(accent, DARK_SURFACES, DERIVED_CONTRAST)
    return Palette(accent.lower(), (accent_dark or derived).lower())


def check_accent(colour: str) -> None:
    """Raise ValueError with a sentence unless the colour is readable on a light page."""
    _check(colour, LIGHT_SURFACES, "light")


def check_accent_dark(colour: str) -> None:
    """Raise ValueError with a sentence unless the colour is readable on a dark page."""
    _check(colour, DARK_SURFACES, "dark")


def _check(colour: str, surfaces: tuple[str, ...], scheme: str) -> None:
    if not re.fullmatch("#[0-9a-fA-F]{6}", colour):
        raise ValueError(f"Must be a colour such as {DEFAULT_ACCENT}.")
    contrast = lowest_contrast(colour, surfaces)
    if contrast < MIN_CONTRAST:
        nearest = adjust(colour, surfaces, MIN_CONTRAST)
        raise ValueError(
            f"Must have a contrast of {MIN_CONTRAST}:1 or more with the {scheme} page (WCAG AA);"
            f" {colour} has {int(contrast * 100) / 100}:1, {nearest} would do."
        )


def adjust(colour: str, surfaces: tuple[str, ...], contrast: float) -> str:
    """Return the colour, made darker or lighter until it has that contrast with all surfaces."""
    hue, lightness, saturation = rgb_to_hls(*_rgb(colour))
    target = 1.0 if _luminance(surfaces[0]) < 0.5 else 0.0
    for step in range(STEPS + 1):
        level = lightness + (target - lightness) * step / STEPS
        adjusted = _hex(hls_to_rgb(hue, level, saturation)) if step else colour
        if lowest_contrast(adjusted, surfaces) >= contrast:
            return adjusted
    return WHITE if target else BLACK


def readable_on(background: str) -> str:
    """Return white or black, whichever is easier to read."""
    return max((WHITE, BLACK), key=lambda colour: contrast_of(colour, background))


def mix(colour: str, background: str, share: float) -> str:
    """Return the background with a share of the colour."""
    pairs = zip(_rgb(colour), _rgb(background), strict=True)
    red, green, blue = (part * share + under * (1 - share) for part, under in pairs)
    return _hex((red, green, blue))


def lowest_contrast(colour: str, surfaces: tuple[str, ...]) -> float:
    """Return the contrast with the surface that is nearest to the colour."""
    return min(contrast_of(colour, surface) for surface in surfaces)


def contrast_of(one: str, other: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in _rgb(colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _rgb(colour: str) -> RGB:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red / 255, green / 255, blue / 255


def _hex(rgb: RGB) -> str:
    return "#" + bytes(round(part * 255) for part in rgb).hex()
