"""A process follows changes of the branding in the database, and does without the database."""

import threading
import time
from typing import Any

import pytest
from django.db import OperationalError
from django.db.backends.sqlite3.base import DatabaseWrapper

from chat.branding import loader
from chat.branding.content import Banner, Branding, Link, merged
from chat.branding.loader import Loader
from chat.models import SiteBranding

DEFAULTS = Branding(
    own_name="Default", accent="#7a1fa2", accent_dark="#ffd54f", disclaimer="Beware", language="de"
)
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "defaults", lambda: DEFAULTS)
    monkeypatch.setattr(loader, "WAIT_S", 30.0)


def test_fields_that_were_entered_override_the_settings() -> None:
    row = SiteBranding(
        name="Acme",
        accent="#00703a",
        logo=PNG,
        suggestions=["Why?"],
        banner="Closed",
        banner_level="error",
        banner_closable=False,
        links=[["Imprint", "/i"]],
    )
    site = merged(DEFAULTS, row)

    assert (site.name, site.disclaimer, site.language) == ("Acme", "Beware", "de")
    assert (site.accent, site.accent_dark) == ("#00703a", "")
    assert site.logo is not None
    assert site.logo.content_type == "image/png"
    assert site.banner == Banner("Closed", "error", closable=False)
    assert site.suggestions == ("Why?",)
    assert site.links == (Link("Imprint", "/i"),)
    assert merged(DEFAULTS, SiteBranding()) == DEFAULTS


@pytest.mark.django_db(transaction=True)
def test_a_change_is_loaded_when_it_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    loading = Loader()
    loading.refresh()
    assert loading.value == DEFAULTS

    SiteBranding(pk=SiteBranding.ONLY, name="Acme", logo=PNG).save()
    loading.refresh()
    assert loading.value.name == "Default"

    monkeypatch.setattr(loader, "MAX_AGE_S", 0.0)
    loading.refresh()
    assert loading.value.name == "Acme"
    first = loading.value
    loading.refresh()
    assert loading.value is first  # the same version is not loaded again

    SiteBranding.objects.filter(pk=SiteBranding.ONLY).delete()
    loading.refresh()
    assert loading.value == DEFAULTS


@pytest.mark.django_db(transaction=True)
def test_the_last_known_values_remain_while_the_database_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*args: Any) -> None:
        raise OperationalError("refused")

    loading, new = Loader(), Loader()
    SiteBranding(pk=SiteBranding.ONLY, name="Acme").save()
    loading.refresh()
    monkeypatch.setattr(loader, "MAX_AGE_S", 0.0)
    with monkeypatch.context() as away:
        away.setattr(DatabaseWrapper, "get_new_connection", refuse)
        for process in (loading, new):
            process.refresh()
            process.refresh()
        assert (loading.value.name, new.value.name) == ("Acme", "Default")

    new.refresh()
    assert new.value.name == "Acme"
    assert [record.getMessage()[:32] for record in caplog.records] == [
        "The site's branding cannot be lo",
        "The site's branding can be loade",
    ]


@pytest.mark.django_db(transaction=True)
def test_a_database_that_hangs_delays_requests_once(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def hang(*args: Any) -> None:
        assert released.wait(10)
        raise OperationalError("gave up")

    loading = Loader()
    monkeypatch.setattr(loader, "WAIT_S", 1.0)
    monkeypatch.setattr(loader, "MAX_AGE_S", 0.0)
    monkeypatch.setattr(DatabaseWrapper, "get_new_connection", hang)
    durations = []
    for _ in range(3):
        started = time.monotonic()
        loading.refresh()
        durations.append(time.monotonic() - started)
    released.set()

    assert loading.value == DEFAULTS
    assert durations[0] >= 0.99
    assert sum(durations[1:]) < 0.9
