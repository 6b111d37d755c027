"""What the page shows of the site, from the settings and from what the admin's users entered."""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext

from chat.branding.colours import DEFAULT_ACCENT, Palette, palette
from chat.branding.logo import Logo, parse_logo
from chat.models import SiteBranding

# The weights of the embedded model, unless MODEL_FILE names others.
EMBEDDED_MODEL_NAME = "SmolLM2-135M-Instruct"


@dataclass(frozen=True)
class Banner:
    """A text above the page; `level` is one of LEVELS in rules.py."""

    text: str
    level: str
    closable: bool

    def __bool__(self) -> bool:
        return bool(self.text)

    @cached_property
    def digest(self) -> str:
        """What a browser stores of a banner that was closed: another one is shown again."""
        return hashlib.sha256(f"{self.level} {self.text}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Link:
    """A link below the page."""

    label: str
    url: str


@dataclass(frozen=True)
class Branding:
    """The site's branding. Texts are as the operator wrote them, in one language."""

    own_name: str = ""
    logo: Logo | None = None
    accent: str = ""
    accent_dark: str = ""
    welcome: str = ""
    suggestions: tuple[str, ...] = ()
    disclaimer: str = ""
    banner: Banner | None = None
    links: tuple[Link, ...] = ()
    language: str = "en"

    @property
    def name(self) -> str:
        """The name of the site; without one of its own, "Chat" in the reader's language."""
        return self.own_name or gettext("Chat")

    @property
    def logo_url(self) -> str:
        """The path of the logo; empty if there is none."""
        return reverse("logo", args=[self.logo.digest]) if self.logo else ""

    @property
    def palette(self) -> Palette | None:
        """The colours; None if they are those of page.css."""
        return palette(self.accent, self.accent_dark)

    @property
    def has_content(self) -> bool:
        """Whether the page shows more than a name and colours."""
        return bool(
            self.logo
            or self.welcome
            or self.suggestions
            or self.disclaimer
            or self.banner
            or self.links
        )

    @property
    def theme_colour(self) -> str:
        """The accent colour on a light page."""
        return self.accent or DEFAULT_ACCENT

    @property
    def stylesheet_url(self) -> str:
        """The path of the style sheet with the colours; empty if it is not needed."""
        colours = self.palette
        if not colours:
            return ""
        return reverse("colours", args=[colours.accent[1:], colours.accent_dark[1:]])


def from_settings() -> Branding:
    """Return the branding of the settings alone."""
    banner = Banner(settings.SITE_BANNER, settings.SITE_BANNER_LEVEL, settings.SITE_BANNER_CLOSABLE)
    return Branding(
        own_name=settings.SITE_NAME,
        logo=settings.SITE_LOGO,
        accent=settings.SITE_ACCENT,
        accent_dark=settings.SITE_ACCENT_DARK,
        welcome=settings.SITE_WELCOME,
        suggestions=tuple(settings.SITE_SUGGESTIONS),
        disclaimer=settings.SITE_DISCLAIMER,
        banner=banner or None,
        links=tuple(Link(label, url) for label, url in dict(settings.SITE_LINKS).items()),
        language=settings.SITE_LANGUAGE,
    )


def merged(defaults: Branding, entered: SiteBranding) -> Branding:
    """Return the defaults with the values that were entered in the admin and are not empty.

    The two accent colours belong together: a colour for dark pages is not one of another accent.
    """
    values = {
        "own_name": entered.name,
        "logo": parse_logo(bytes(entered.logo)) if entered.logo else None,
        "accent": entered.accent,
        "accent_dark": entered.accent_dark,
        "welcome": entered.welcome,
        "suggestions": tuple(entered.suggestions),
        "disclaimer": entered.disclaimer,
        "banner": Banner(entered.banner, entered.banner_level, entered.banner_closable),
        "links": tuple(Link(label, url) for label, url in entered.links),
        "language": entered.language,
    }
    given = {name: value for name, value in values.items() if value}
    if "accent" in given:
        given.setdefault("accent_dark", "")
    return replace(defaults, **cast(dict[str, Any], given))


def model_name() -> str:
    """Return the model's name for visitors."""
    if settings.EMBEDDED_MODEL:
        return Path(settings.MODEL_FILE).stem or EMBEDDED_MODEL_NAME
    if settings.MODELS_FILE:
        return str(settings.MODELS[0].label)
    return str(settings.MODEL_NAME)
