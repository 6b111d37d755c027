"""Every block of the documentation says what a reader does with it; `make docs-test` does it."""

import re
from pathlib import Path

import pytest

from tests.documentation.blocks import Block, blocks_of, commands_of, pages
from tests.documentation.journeys import JOURNEYS

ROOT = Path(__file__).parent.parent.parent
PAGES = pages(ROOT)
BLOCKS = [block for page in PAGES for block in blocks_of(ROOT, page)]
SECTIONS = [section for journey in JOURNEYS for section in journey.sections]


def test_the_documentation_has_blocks() -> None:
    assert len(BLOCKS) > 25
    assert {block.action for block in BLOCKS} >= {"run", "until", "output", "append", "skip"}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_every_block_is_run_in_one_journey_or_says_why_not(block: Block) -> None:
    if block.action == "skip":
        assert block.argument in " ".join(block.before.split())
    else:
        assert sum(each in (block.page, f"{block.page}#{block.section}") for each in SECTIONS) == 1


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_of_a_journey_has_blocks(section: str) -> None:
    page, _, anchor = section.partition("#")
    assert any(block.page == page and anchor in ("", block.section) for block in BLOCKS)


@pytest.mark.parametrize(
    ("comment", "error"),
    [
        ("<!-- docs-test: dance -->", "there is no action dance"),
        ("<!-- docs-test: until -->", "until needs an argument"),
        ("<!-- docs-test: run now -->", "run takes no argument"),
    ],
)
def test_a_wrong_comment_is_an_error(tmp_path: Path, comment: str, error: str) -> None:
    (tmp_path / "page.md").write_text(f"# Page\n\n{comment}\n\n    make run\n")
    with pytest.raises(ValueError, match=f"page.md:5: {error}"):
        list(blocks_of(tmp_path, "page.md"))


def test_other_languages_need_a_comment(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("```python\nprint()\n```\n")
    with pytest.raises(ValueError, match="say in a comment"):
        list(blocks_of(tmp_path, "page.md"))


def test_a_block_is_split_into_whole_commands() -> None:
    text = (
        "# first\nmake run   # a comment\n\nfor n in 1 2; do\n    echo $n\ndone\n"
        "cat \\\n  <<END\na\nEND\n"
    )
    assert commands_of(text) == [
        "make run   # a comment",
        "for n in 1 2; do\n    echo $n\ndone",
        "cat \\\n  <<END\na\nEND",
    ]


def test_the_tests_in_the_comparison_exist() -> None:
    page = (ROOT / "docs/explanation/comparison.md").read_text()
    named = re.findall(r"`(?:(tests/[\w/]+)/)?(test_\w+\.py)::(test_\w+)`", page)

    assert len(named) == page.count(".py::") > 25
    for folder, file, name in named:
        source = (ROOT / (folder or "tests/browser") / file).read_text()
        assert f"def {name}(" in source, name
