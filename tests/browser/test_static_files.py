"""The page's static files: their size, and that third-party files are as published."""

import gzip
import json
import re
from pathlib import Path

from django.core.management import call_command
from django.test import override_settings
from playwright.sync_api import Response, expect

from tests.browser.visitor import NewVisitor

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "chat" / "static" / "vendor"
PACKAGES = ROOT / "node_modules"
MAX_BYTES = 100_000
SOURCES = {
    "lit-html": "lit-html",
    "marked/marked.js": "marked/lib/marked.esm.js",
    "dompurify/purify.js": "dompurify/dist/purify.es.mjs",
    "temml/temml.js": "temml/dist/temml.mjs",
    "highlight/core.js": "@highlightjs/cdn-assets/es/core.min.js",
    "highlight/languages": "@highlightjs/cdn-assets/es/languages",
}


def test_first_visit_transfers_less_than_100_kb(new_visitor: NewVisitor) -> None:
    visitor = new_visitor()
    responses: list[Response] = []
    visitor.page.on("response", lambda response: responses.append(response))

    visitor.start()
    visitor.page.wait_for_load_state("networkidle")

    sizes = {response.url: len(gzip.compress(response.body(), 9)) for response in responses}
    assert any("purify.js" in url for url in sizes)
    assert sum(sizes.values()) < MAX_BYTES, sizes


def test_every_module_is_preloaded(new_visitor: NewVisitor) -> None:
    visitor = new_visitor()
    requested: list[str] = []
    visitor.page.on("request", lambda request: requested.append(request.url))

    visitor.start()
    visitor.page.wait_for_load_state("networkidle")

    preloaded = visitor.page.locator("link[rel=modulepreload]").evaluate_all(
        "links => links.map((link) => link.href)"
    )
    lazy = re.compile(r"/(markdown|code_block|math|marked|purify|boot)\.js$|\d/words\.js$")
    modules = {url for url in requested if url.endswith(".js") and not lazy.search(url)}
    assert modules == set(preloaded)


def test_collected_files_are_served_compressed(tmp_path: Path) -> None:
    with override_settings(STATIC_ROOT=tmp_path):
        call_command("collectstatic", interactive=False, verbosity=0)

    assert (
        gzip.decompress((tmp_path / "chat" / "app.js.gz").read_bytes())
        == (ROOT / "chat" / "static" / "chat" / "app.js").read_bytes()
    )


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
