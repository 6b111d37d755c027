"""Which files may be the logo, and how it is served."""

from pathlib import Path

import pytest
from django.test import Client

from chat.branding import loader
from chat.branding.content import Branding
from chat.branding.logo import MAX_LOGO_BYTES, Logo, parse_logo, read_logo
from chat.middleware import DO_NOT_KEEP, KEEP_FOREVER

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">%s</svg>'
PNG = b"\x89PNG\r\n\x1a\n and so on"


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x0a\x00\x00\x00WEBPVP8 ", "image/webp"),
        ((SVG % '<path d="M0 0"/>').encode(), "image/svg+xml"),
        (b"\xef\xbb\xbf" + (SVG % "").encode(), "image/svg+xml"),
        ((SVG % '<use xlink:href="#a"/>').encode(), "image/svg+xml"),
        ((SVG % '<image href="data:image/png;base64,AA"/>').encode(), "image/svg+xml"),
    ],
)
def test_the_type_is_that_of_the_content(content: bytes, content_type: str) -> None:
    assert parse_logo(content).content_type == content_type


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "PNG, JPEG, WebP or SVG"),
        (b"GIF89a", "PNG, JPEG, WebP or SVG"),
        (b"<html></html>", "PNG, JPEG, WebP or SVG"),
        (b"<svg></svg>", "PNG, JPEG, WebP or SVG"),
        ((SVG % "<path>").encode(), "PNG, JPEG, WebP or SVG"),
        ((SVG % "").encode("utf-16"), "PNG, JPEG, WebP or SVG"),
        (PNG + bytes(MAX_LOGO_BYTES), "at most 40 KiB"),
        ((SVG % "<script>alert(1)</script>").encode(), "without <script>"),
        ((SVG % "<SCRIPT/>").encode(), "without <script>"),
        ((SVG % "<foreignObject/>").encode(), "without <foreignobject>"),
        ((SVG % '<a href="#x"/>').encode(), "without <a>"),
        ((SVG % '<set attributeName="onload" to="x"/>').encode(), "without <set>"),
        ((SVG % '<g onload="alert(1)"/>').encode(), "scripts; it has onload"),
        ((SVG % '<image href="https://example.org/a.png"/>').encode(), "loads nothing"),
        ((SVG % '<use xlink:href="javascript:alert(1)"/>').encode(), "loads nothing"),
        ((SVG % '<image href="data:image/svg+xml;base64,AA"/>').encode(), "loads nothing"),
        ((SVG % "<style>@import 'x'</style>").encode(), "without <style>"),
        (('<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG % "&a;").encode(), "without DOCTYPE"),
    ],
)
def test_other_files_are_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match="Must be") as refused:
        parse_logo(content)
    assert sentence in str(refused.value)


def test_a_logo_of_the_settings_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "logo.png").write_bytes(PNG)

    assert read_logo(str(tmp_path / "logo.png")) == Logo(PNG, "image/png")
    assert read_logo("") is None


def test_the_response_cannot_run_scripts_and_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Branding(logo=Logo((SVG % "").encode(), "image/svg+xml"))
    monkeypatch.setattr(loader, "current", lambda: site)

    response = Client().get(site.logo_url)
    other = Client().get("/branding/logo/0123456789abcdef")

    assert response.status_code == other.status_code == 200
    assert response.content == (SVG % "").encode()
    assert response["Content-Type"] == "image/svg+xml"
    assert response["X-Content-Type-Options"] == "nosniff"
    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert policy.endswith("sandbox")
    assert response["Cache-Control"] == KEEP_FOREVER
    assert other["Cache-Control"] == DO_NOT_KEEP


def test_a_site_without_logo_has_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "current", Branding)

    assert Client().get("/branding/logo/0123456789abcdef").status_code == 404
    assert Branding().logo_url == ""
