"""The page's static files: their size, and that third-party files are as published."""

import gzip
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from django.conf import settings
from django.core.files.storage import storages
from django.core.management import call_command
from django.test import override_settings
from playwright.sync_api import Page, Request, expect

from chat.middleware import DO_NOT_KEEP, KEEP_FOREVER
from tests.browser.visitor import NewVisitor
from tests.processes import Stack

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "chat" / "static" / "vendor"
PACKAGES = ROOT / "node_modules"
MAX_BYTES = 100_000
TRANSFERRED = """() => performance.getEntries()
  .filter(({ transferSize }) => transferSize)
  .map(({ name }) => name)"""
SOURCES = {
    "lit-html": "lit-html",
    "marked/marked.js": "marked/lib/marked.esm.js",
    "dompurify/purify.js": "dompurify/dist/purify.es.mjs",
    "temml/temml.js": "temml/dist/temml.mjs",
    "highlight/core.js": "@highlightjs/cdn-assets/es/core.min.js",
    "highlight/languages": "@highlightjs/cdn-assets/es/languages",
}


class NetworkRequests:
    """The URLs that a page requests over the network, not from its cache."""

    def __init__(self, page: Page) -> None:
        self.urls: list[str] = []
        self._requested: dict[str, str] = {}
        session = page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", self._note_request)
        session.on("Network.loadingFinished", self._note_end)
        session.send("Network.enable")

    def _note_request(self, event: dict[str, Any]) -> None:
        self._requested[event["requestId"]] = event["request"]["url"]

    def _note_end(self, event: dict[str, Any]) -> None:
        if event["encodedDataLength"]:
            self.urls.append(self._requested[event["requestId"]])


def test_first_visit_transfers_less_than_100_kb(new_visitor: NewVisitor) -> None:
    visitor = new_visitor()
    finished: list[Request] = []
    visitor.page.on("requestfinished", lambda request: finished.append(request))

    visitor.start()
    visitor.page.wait_for_load_state("networkidle")

    sizes = {request.url: request.sizes()["responseBodySize"] for request in finished}
    assert any("purify.js" in url for url in sizes)
    assert sum(sizes.values()) <= MAX_BYTES, sizes


def test_repeat_visit_requests_only_the_document(new_visitor: NewVisitor) -> None:
    visitor = new_visitor(locale="de").start()
    visitor.send("hello")
    visitor.expect_turn(0, "done")
    again = new_visitor(beside=visitor)
    requested = NetworkRequests(again.page)

    again.open()
    again.expect_turn(0, "done")
    again.page.wait_for_load_state("networkidle")

    assert requested.urls == [f"{visitor.site}/"]


def test_repeat_visit_through_the_service_worker_requests_only_the_document(
    new_visitor: NewVisitor,
) -> None:
    visitor = new_visitor(service_workers="allow").start()
    visitor.send("hello")
    visitor.expect_turn(0, "done")
    visitor.wait_for_worker()
    [worker] = visitor.page.context.service_workers
    worker.evaluate("performance.clearResourceTimings()")
    again = new_visitor(beside=visitor)

    again.open()
    again.expect_turn(0, "done")
    again.page.wait_for_load_state("networkidle")

    assert again.page.evaluate("navigator.serviceWorker.controller !== null")
    assert again.page.evaluate(TRANSFERRED) == [f"{visitor.site}/"]
    assert set(worker.evaluate(TRANSFERRED)) <= {f"{visitor.site}/"}


def test_only_a_file_of_this_release_is_kept_by_browsers(stack: Stack) -> None:
    page = requests.get(stack.url, headers={"Accept-Language": "de"}, timeout=10).text
    paths = re.findall(r'(?:src|href)="(/(?:static|catalogue|manifest)/[^"]+)"', page)
    assert len(paths) > 20

    for path in paths:
        response = requests.get(f"{stack.url}{path}", timeout=10)
        assert response.headers["Cache-Control"] == KEEP_FOREVER, path
        if not path.endswith(".png"):
            assert response.headers["Content-Encoding"] in {"br", "gzip"}, path
        other = re.sub("[0-9a-f]{16}", "0123456789abcdef", path)
        stale = requests.get(f"{stack.url}{other}", timeout=10)
        assert stale.headers["Cache-Control"] == DO_NOT_KEEP, other
        assert stale.content == response.content
    unknown = requests.get(f"{stack.url}/static/0123456789abcdef/chat/none.js", timeout=10)
    assert unknown.status_code == 404
    assert (
        requests.get(f"{stack.url}/catalogue/xx/0123456789abcdef.js", timeout=10).status_code == 404
    )


def test_every_module_is_preloaded(new_visitor: NewVisitor) -> None:
    visitor = new_visitor()
    requested: list[str] = []
    visitor.page.on("request", lambda request: requested.append(request.url))

    visitor.start()
    visitor.page.wait_for_load_state("networkidle")

    preloaded = visitor.page.locator("link[rel=modulepreload]").evaluate_all(
        "links => links.map((link) => link.href)"
    )
    lazy = re.compile(r"/(markdown|code_block|math|marked|purify|boot)\.js$|/catalogue/")
    modules = {url for url in requested if url.endswith(".js") and not lazy.search(url)}
    assert modules == set(preloaded)


@pytest.mark.slow
def test_urls_change_with_the_content_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    source = tmp_path / "source" / "module.js"

    def url() -> str:
        with override_settings(
            STATIC_ROOT=tmp_path / "collected", STATICFILES_DIRS=[tmp_path / "source"]
        ):
            call_command("collectstatic", interactive=False, verbosity=0)
            return storages.create_storage(settings.STORAGES["staticfiles"]).url("module.js")

    source.write_text("export const one = 1;" * 20)
    first = url()
    again = url()
    source.write_text("export const two = 2;" * 20)
    os.utime(source, (time.time() + 5,) * 2)
    second = url()

    assert re.fullmatch("/static/[0-9a-f]{16}/module.js", first)
    assert first == again != second
    compressed = tmp_path / "collected" / "module.js.gz"
    assert gzip.decompress(compressed.read_bytes()) == source.read_bytes()


def test_third_party_versions_are_the_pinned_ones() -> None:
    pinned = json.loads((ROOT / "package.json").read_text())["devDependencies"]
    listed = (VENDOR / "README.md").read_text()

    for name in ("lit-html", "marked", "dompurify", "temml", "@highlightjs/cdn-assets"):
        assert f"| {name} | {pinned[name]} |" in listed
    for folder in VENDOR.iterdir():
        assert folder.is_file() or (folder / "LICENSE").is_file(), f"{folder} has no licence"


def test_third_party_files_are_as_published() -> None:
    for file in VENDOR.rglob("*.js"):
        path = file.relative_to(VENDOR).as_posix()
        start = next(start for start in SOURCES if path.startswith(start))
        published = PACKAGES / (SOURCES[start] + path.removeprefix(start))
        if "highlight/languages" in path:
            published = published.with_suffix(".min.js")
        text = re.sub(r"^//# sourceMappingURL=.*\n?", "", published.read_text(), flags=re.M)
        assert file.read_text().rstrip() == text.rstrip(), path


def test_every_sentence_of_the_script_is_translated(new_visitor: NewVisitor) -> None:
    sources = (ROOT / "chat" / "static" / "chat").glob("*.js")
    sentences = {
        sentence
        for source in sources
        for sentence in re.findall(r'gettext\(\s*"([^"]+)"', source.read_text())
    }
    visitor = new_visitor(locale="de").open()
    expect(visitor.page.locator("html")).to_have_attribute("lang", "de")
    catalogue = visitor.page.evaluate("() => Object.keys(django.catalog)")

    assert sentences - set(catalogue) == set()
