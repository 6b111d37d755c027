"""The manifest, the service worker and its page, as the server sends them."""

import json
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.test import Client

from chat.branding import loader
from chat.branding.content import Branding
from chat.branding.logo import Logo
from chat.middleware import DO_NOT_KEEP, KEEP_FOR_A_DAY, KEEP_FOREVER

RELEASE = "0123456789abcdef"
LANGUAGES = [code for code, _ in settings.LANGUAGES]


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> None:
    """Collected static files."""
    monkeypatch.setattr(staticfiles_storage, "digest", RELEASE, raising=False)


def manifest(language: str) -> dict[str, Any]:
    value: dict[str, Any] = Client().get(f"/manifest/{language}/0.webmanifest").json()
    return value


def worker(language: str, release: str = RELEASE) -> Any:
    return Client().get("/service-worker.js", {"language": language, "release": release})


def described(script: bytes) -> dict[str, Any]:
    """Return the constant at the start of the worker's script."""
    line = script.decode().splitlines()[0]
    value: dict[str, Any] = json.loads(line.removeprefix("const RELEASE = ").removesuffix(";"))
    return value


@pytest.mark.parametrize("language", LANGUAGES)
def test_manifest_is_in_the_language_of_the_page(language: str) -> None:
    found = manifest(language)

    assert found["lang"] == language
    assert found["dir"] == ("rtl" if language == "ar" else "ltr")
    assert (found["description"] == manifest("en")["description"]) == (language == "en")
    assert {"any", "maskable"} == {icon["purpose"] for icon in found["icons"]}


def test_manifest_has_the_name_and_logo_of_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    logo = Logo(b"", "image/png")
    site = Branding(own_name="Acme", logo=logo, accent="#7a1fa2")
    monkeypatch.setattr(loader, "current", lambda: site)

    found = manifest("de")

    assert found["name"] == found["short_name"] == "Acme"
    assert found["icons"] == [
        {"src": site.logo_url, "sizes": "any", "type": "image/png", "purpose": "any"}
    ]
    assert f'rel="apple-touch-icon" href="{site.logo_url}"' in Client().get("/").content.decode()


def test_logo_that_browsers_do_not_install_is_no_icon(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = manifest("de")["icons"]
    monkeypatch.setattr(loader, "current", lambda: Branding(logo=Logo(b"", "image/jpeg")))

    assert manifest("de")["icons"] == plain


@pytest.mark.usefixtures("release")
def test_worker_keeps_the_branding(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = described(worker("de").content)
    site = Branding(own_name="Acme", logo=Logo(b"", "image/png"), accent="#7a1fa2")
    monkeypatch.setattr(loader, "current", lambda: site)

    branded = described(worker("de").content)

    assert {site.logo_url, site.stylesheet_url} <= set(branded["files"])
    assert branded["version"] != plain["version"]
    assert "<title>Acme</title>" in Client().get(branded["offlinePage"]).content.decode()


def test_manifest_of_another_version_is_not_kept() -> None:
    response = Client().get("/manifest/de/0.webmanifest")
    assert response["Cache-Control"] == DO_NOT_KEEP
    assert response["Content-Type"] == "application/manifest+json"
    assert Client().get("/manifest/xx/0.webmanifest").status_code == 404
    assert Client().post("/manifest/de/0.webmanifest").status_code == 405


@pytest.mark.usefixtures("release")
@pytest.mark.parametrize("language", LANGUAGES)
def test_worker_keeps_a_page_that_is_the_same_for_everybody(language: str) -> None:
    keeps = described(worker(language).content)

    page = Client().get(keeps["offlinePage"])
    assert page["Cache-Control"] == KEEP_FOREVER
    assert page["Content-Language"] == language
    text = page.content.decode()
    assert f'lang="{language}"' in text
    assert "csrfmiddlewaretoken" not in text
    assert '"session": null' in text
    assert not page.cookies
    assert f"/static/{RELEASE}/chat/archive.js" in keeps["files"]
    assert all(url.startswith(("/static/", "/catalogue/")) for url in keeps["files"])


@pytest.mark.usefixtures("release")
def test_worker_may_be_cached_for_a_day_under_its_own_release() -> None:
    assert worker("de")["Cache-Control"] == KEEP_FOR_A_DAY
    assert worker("de", "f" * 16)["Cache-Control"] == DO_NOT_KEEP
    assert worker("xx").status_code == 404
    assert described(worker("de").content)["version"] != described(worker("en").content)["version"]


def test_there_is_no_worker_without_collected_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staticfiles_storage, "digest", "", raising=False)

    assert worker("de").status_code == 404
    assert Client().get("/offline/de/0").status_code == 404


def test_page_allows_its_own_worker_and_manifest_only() -> None:
    policy = Client().get("/")["Content-Security-Policy"]

    assert "worker-src 'self'" in policy
    assert "manifest-src 'self'" in policy
    assert "trusted-types lit-html dompurify service-worker" in policy
