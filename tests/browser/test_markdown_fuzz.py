"""Random Markdown in the real page: nothing runs, loads or leaves the place of its reply."""

import html
import os
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.browser.frames import bot, human
from tests.browser.visitor import NewVisitor, ScriptedVisitor

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "15")) * 6
# Far more than a slow machine needs: nested texts could take the renderer minutes.
MAX_UPDATE_MS = 20_000
NARROW = {"width": 320, "height": 640}
REAL_PAGE = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

PAYLOADS = (
    *("<script>a</", "<pre><b", "<pre>&lt;img src=x onerror=hit()&gt;", "<style>a<!--"),
    *("<kbd><img/src=x/onerror=hit()//", "<code><svg/onload=hit()//"),
    *(
        r"$\href{javascript:hit()}{x}$",
        r"\(\includegraphics{//evil.test/x.png}\)",
        r"$$\kern-50em \rule{20em}{20em}$$",
        r"\[\raisebox{19em}{x} \class{boundary}{y} \style{position:fixed}{z}\]",
    ),
    *(
        "<script>hit()</script>",
        "<img src=x onerror=hit()>",
        "<svg onload=hit()>",
        "<base href=//evil>",
    ),
    *(
        "[a](javascript:hit())",
        "[a](JaVaScRiPt:hit())",
        "[a](java\tscript:hit())",
        "<javascript:hit()>",
    ),
    *(
        "![a](http://evil.test/x.png)",
        "[a](data:text/html,<script>hit()</script>)",
        "[a](//evil.test)",
    ),
    *('![a](x"onerror="hit())', "[a]: javascript:hit()\n[a]", "<a href='javascript:hit()'>a</a>"),
    *("```constructor\nx\n```", "```__proto__\n<b>\n```", "```html\n<script>hit()</script>\n```"),
    *(
        "```../../evil\nx\n```",
        "~~~js onload=hit()\nhit()\n~~~",
        "<style>*{position:fixed}</style>",
    ),
    *(
        '<div style="position:fixed;inset:0">',
        "<iframe src=//evil.test>",
        "<math><mtext><img src=x>",
    ),
    *(
        "&lt;script&gt;hit()&lt;/script&gt;",
        "[a](&#106;avascript:hit())",
        "<!--",
        "-->",
        "<![CDATA[",
    ),
    *(
        "http://evil.test/",
        "www.evil.test",
        "a@evil.test",
        "[a](mailto:a@evil.test)",
        "<form><input>",
    ),
)
FRAGMENTS = (
    *(
        "# ",
        "## ",
        "###### ",
        "- ",
        "* ",
        "1. ",
        "99999999999. ",
        "- [ ] ",
        "- [x] ",
        "> ",
        "    ",
        "\t",
    ),
    *(
        "**",
        "__",
        "*",
        "_",
        "~~",
        "`",
        "``",
        "```",
        "~~~",
        "---",
        "===",
        "\n",
        "\n\n",
        "  \n",
        "\\",
        " ",
    ),
    *(
        "| a | b |\n|---|:-:|\n| c | d |\n",
        "$",
        "$$",
        r"\(",
        r"\)",
        r"\[",
        r"\]",
        r"\frac{1}{2}",
        "|",
        "[",
        "]",
        "(",
        ")",
        "![",
        "<",
        ">",
        "&",
        "&amp;",
        "&#0;",
    ),
    *(
        "word ",
        "x" * 200,
        "\u202e",
        "\u2066",
        "\u0301" * 30,
        "\u200b",
        "\u05d0\u05d1 ",
        "\U0001f469\u200d\U0001f680",
    ),
    *(
        "W" * 100 + " ",
        "`" + "x" * 100 + "`",
        "```python\ndef f():\n    return 1\n",
        "[1]: /x\n",
    ),
)
texts = st.lists(
    st.one_of(
        st.sampled_from(FRAGMENTS),
        st.sampled_from(FRAGMENTS),
        st.sampled_from(PAYLOADS),
        # Workers remove control characters from replies.
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=10),
    ),
    max_size=25,
).map("".join)
REPEATED = (
    *(
        "> ",
        "- ",
        "  - ",
        "[",
        "![",
        "**",
        "*a ",
        "_a",
        "`",
        "<",
        "&",
        "|",
        "\\",
        "1. ",
        "# ",
        "~~a",
        "(",
        "[a](",
    ),
    *("$", "$a", "$$", "$$a ", r"\(", r"\[", "\n$$", "\n\\[", r"\(\frac"),
    *("<a ", "<!--", "a@", "http://a", "- > ", "\n> - ", "| a", "*a**b", "[a](b", "[^a]"),
)
LONG_CHARS = 4000

# Streams a text into the reply of the first turn, then compares it with the same text at once.
RENDER = """async ([prefixes, text]) => {
  const host = document.querySelector("reply-text");
  const start = performance.now();
  window.violations = [];
  host.content = { text: "", isFinal: false };
  for (const prefix of prefixes) host.content = { text: prefix, isFinal: false };
  host.content = { text, isFinal: true };
  const rendered = performance.now() - start;
  await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
  const fresh = document.createElement("reply-text");
  fresh.content = { text, isFinal: true };
  const box = host.getBoundingClientRect();
  const scrolls = ".table-scroll *, figure.code pre *, math *";
  const outside = [...host.querySelectorAll("*")].filter((element) => {
    if (element.matches(scrolls)) return false;
    const { left, right, top, bottom, width, height } = element.getBoundingClientRect();
    if (!width || !height) return false;
    return left < box.left - 1 || right > box.right + 1 ||
      top < box.top - 1 || bottom > box.bottom + 1;
  });
  const attributes = [...host.querySelectorAll(":not(math, math *)")].flatMap((element) =>
    [...element.attributes].map(({ name }) => `${element.localName} ${name}`));
  return {
    rendered,
    hits: window.hits, violations: window.violations,
    attributes: [...new Set(attributes)],
    elements: [...new Set([...host.querySelectorAll(":not(math, math *)")].map(
      ({ localName }) => localName))],
    scripted: host.querySelectorAll("math :is([href], [src], [onclick], a, img, script)").length,
    links: [...host.querySelectorAll("a")].map((a) => [a.getAttribute("href"), a.target, a.rel]),
    outside: outside.map((element) => element.outerHTML.slice(0, 200)),
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    positions: [...host.querySelectorAll(":not(figure.code > figcaption)")].filter((element) =>
      ["fixed", "sticky", "absolute"].includes(getComputedStyle(element).position)).length,
    streamed: host.textContent, fresh: fresh.textContent,
  };
}"""
PREPARE = """() => {
  window.hits = 0;
  window.violations = [];
  window.hit = () => { window.hits += 1; };
  document.addEventListener("securitypolicyviolation", (violation) =>
    window.violations.push(`${violation.violatedDirective} ${violation.sample}`));
}"""
ELEMENTS = {
    *(
        "p",
        "br",
        "strong",
        "em",
        "del",
        "a",
        "code",
        "pre",
        "ul",
        "ol",
        "li",
        "blockquote",
        "hr",
        "input",
    ),
    *("h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
    *("figure", "figcaption", "span", "button", "div"),
}


class Page:
    """A narrow page with one reply."""

    def __init__(self, visitor: ScriptedVisitor) -> None:
        self._page = visitor.page
        self._site = visitor.site
        self.requests: list[str] = []
        self._page.on("request", lambda request: self.requests.append(request.url))
        self._page.evaluate(PREPARE)

    def text(self) -> str:
        """Return the text of the reply as it is shown."""
        return self._page.locator("reply-text").inner_text()

    def check(self, text: str, prefixes: list[str]) -> None:
        """Render a text and check what became of it."""
        self.requests.clear()
        shown: dict[str, Any] = self._page.evaluate(RENDER, [prefixes, text])
        assert shown["hits"] == 0, text
        assert shown["violations"] == []
        lazy = re.compile(re.escape(self._site) + "/static/[0-9a-f]+/(chat|vendor)/")
        assert [url for url in self.requests if not lazy.match(url)] == []
        assert shown["scripted"] == 0
        assert set(shown["elements"]) <= ELEMENTS
        assert not [name for name in shown["attributes"] if name.partition(" ")[2].startswith("on")]
        assert not [
            name for name in shown["attributes"] if name.endswith((" style", " src", " id"))
        ]
        for href, target, rel in shown["links"]:
            assert href is None or href.lower().startswith(("http:", "https:", "mailto:"))
            assert (target, rel) == ("_blank", "noopener noreferrer nofollow")
        assert shown["outside"] == [], text
        assert shown["overflow"] <= 0
        assert shown["positions"] == 0
        assert shown["streamed"] == shown["fresh"]
        assert shown["rendered"] < MAX_UPDATE_MS, text


@pytest.fixture
def page(new_visitor: NewVisitor) -> Page:
    visitor = new_visitor(kind=ScriptedVisitor, viewport=NARROW)
    assert isinstance(visitor, ScriptedVisitor)
    visitor.start_with([human(1, "hi"), bot(2, 1, "**Hello**")])
    visitor.page.wait_for_selector("reply-text strong")
    return Page(visitor)


@given(text=texts, cuts=st.lists(st.integers(0, 400), max_size=4))
@REAL_PAGE
def test_no_markdown_escapes_its_reply(page: Page, text: str, cuts: list[int]) -> None:
    page.check(text, [text[:cut] for cut in sorted(cuts)])


@pytest.mark.slow
def test_long_repetitions_are_rendered_in_time(page: Page) -> None:
    for fragment in REPEATED:
        text = (fragment * LONG_CHARS)[:LONG_CHARS]
        page.check(text, [text[: LONG_CHARS // 2]])


def test_a_text_too_deep_for_the_renderer_stays_plain(page: Page) -> None:
    page.check("1. " * 20_000, ["1. " * 10_000])


def test_known_payloads_are_text_or_harmless_links(page: Page) -> None:
    for payload in PAYLOADS:
        page.check(payload, [payload[:size] for size in range(0, len(payload), 3)])


def test_a_link_is_shown_when_its_definition_arrives(page: Page) -> None:
    text = "Read [this][1].\n\nAnd [that][1].\n\n[1]: https://example.org/"
    page.check(text, [text[:size] for size in range(0, len(text), 5)])
    assert page.text() == "Read this.\n\nAnd that."


@pytest.mark.parametrize(
    "text",
    ["<script>a</", "<pre><b", "x <pre>&lt;img&gt;", "y <kbd><img/src=x/onerror=hit()//", "<b>a"],
)
def test_html_is_shown_as_it_was_written(page: Page, text: str) -> None:
    page.check(f"Look: {text}", [f"Look: {text[:5]}"])
    assert page.text() == f"Look: {html.unescape(text)}"
