"""What the pages show of the branding, in which language."""

import pytest
from django.test import Client
from django.utils import translation

from chat.branding import loader
from chat.branding.colours import palette
from chat.branding.content import Banner, Branding, Link
from chat.middleware import KEEP_FOREVER

SITE = Branding(
    own_name="Acme <Support>",
    accent="#7a1fa2",
    welcome="**Welcome** & hello",
    suggestions=("Where is my order?", "<b>Why</b>?"),
    disclaimer="Replies can be wrong.",
    banner=Banner("Closed on Sunday", "warning", closable=False),
    links=(Link("Imprint", "/imprint"),),
    language="de",
)


@pytest.fixture(autouse=True)
def site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "current", lambda: SITE)


def page(**headers: str) -> str:
    return Client().get("/", headers=headers).content.decode()


def test_texts_are_escaped_and_not_translated() -> None:
    html = page(**{"accept-language": "fr"})

    assert '<html lang="fr" data-banner="' in html
    assert "<title>Acme &lt;Support&gt;</title>" in html
    assert "**Welcome** &amp; hello</reply-text>" in html
    assert "&lt;b&gt;Why&lt;/b&gt;?</button>" in html
    assert '<a href="/imprint" dir="auto">Imprint</a>' in html
    assert "Avertissement" in html
    assert 'class="icon-button"' not in html  # this banner cannot be closed
    assert "style=" not in html


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ({}, "de"),
        ({"accept-language": "nl,pl;q=0.5"}, "de"),
        ({"accept-language": "*"}, "de"),
        ({"accept-language": "nl,ja;q=0.5"}, "ja"),
        ({"accept-language": "en-GB"}, "en"),
        ({"cookie": "django_language=ar"}, "ar"),
    ],
)
def test_the_default_language_is_for_those_who_ask_for_none(
    headers: dict[str, str], language: str
) -> None:
    assert f'<html lang="{language}"' in page(**headers)


def test_an_error_page_has_name_and_colours() -> None:
    html = Client().get("/nothing", headers={"accept-language": "en"}).content.decode()

    assert "<title>Page not found · Acme &lt;Support&gt;</title>" in html
    assert SITE.stylesheet_url in html


def test_a_site_without_branding_loads_nothing_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "current", Branding)
    html = page(**{"accept-language": "ja"})

    assert "branding" not in html
    with translation.override("ja"):
        assert f"<title>{Branding().name}</title>" in html
    with translation.override("en"):
        assert Branding().name == "Chat"


def test_colours_have_a_stylesheet_that_is_kept() -> None:
    response = Client().get(SITE.stylesheet_url)
    colours = palette("#7a1fa2")

    assert colours is not None
    assert response.content.decode() == colours.stylesheet
    assert response["Content-Type"] == "text/css; charset=utf-8"
    assert response["Cache-Control"] == KEEP_FOREVER
    for path in ("ffcc00-cb87e8", "7a1fa2-000000", "7a1fa2;-cb87e8", "x-y"):
        assert Client().get(f"/branding/{path}.css").status_code == 404
