"""Find the code blocks of the documentation, and what a reader does with each.

An HTML comment before a block says it: `<!-- docs-test: ACTION ARGUMENT -->`. Without one, the
block contains commands that end.
"""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from markdown_it import MarkdownIt
from markdown_it.token import Token

Action = Literal["run", "until", "output", "file", "append", "type", "settings", "skip"]
NEEDS_ARGUMENT = {"until", "file", "append", "type", "skip"}
COMMENT = re.compile(r"<!-- docs-test: (\w+)(?: (.*?))? -->")
# Diagrams, listings and Sphinx's directives: nothing that a reader copies.
NOT_COPIED = re.compile(r"mermaid|text|\{.*")
COMMANDS = {"", "sh"}


@dataclass(frozen=True)
class Block:
    """One block that a reader copies, or compares with what the terminal shows.

    The argument of `until` is the text that a command shows when it is ready and goes on running;
    of `file` and `append`, the file that the block is written to; of `type`, lines that are typed
    into the command, each with a pattern of what it shows then, separated by " | "; of `skip`, why
    it is not run here, in words of the sentence before. `output` compares the lines with what the
    last command shows, where "…" stands for anything, and repeats the command for as long as
    "up to N s" says. `settings` are lines of `.env` that a start accepts.
    """

    page: str
    section: str
    line: int
    text: str
    action: Action
    argument: str
    before: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(root: Path, page: str) -> Iterator[Block]:
    """Yield the blocks of a page in order; ValueError if the comment before one is not valid."""
    section, paragraph, comment = "", "", ("run", "")
    tokens = MarkdownIt("commonmark").parse((root / page).read_text())
    for previous, token in zip([None, *tokens], tokens, strict=False):
        if previous and previous.type == "heading_open":
            section = anchor(token.content)
        elif token.type == "inline":
            paragraph = token.content
        elif token.type == "html_block" and (found := COMMENT.search(token.content)):
            comment = (found[1], found[2] or "")
        elif token.type in {"fence", "code_block"}:
            if not NOT_COPIED.fullmatch(token.info):
                yield block(page, section, token, comment, paragraph)
            comment = ("run", "")


def block(page: str, section: str, token: Token, comment: tuple[str, str], before: str) -> Block:
    action, argument = comment
    assert token.map
    line = token.map[0] + 1
    place = f"{page}:{line}"
    if action not in get_args(Action):
        raise ValueError(f"{place}: there is no action {action}")
    if (action in NEEDS_ARGUMENT) != bool(argument) and action != "output":
        raise ValueError(f"{place}: {action} {'takes no' if argument else 'needs an'} argument")
    if action == "run" and token.info not in COMMANDS:
        raise ValueError(f"{place}: say in a comment what a reader does with this block")
    return Block(page, section, line, token.content, cast(Action, action), argument, before)


def anchor(heading: str) -> str:
    """Return a heading's anchor as GitHub writes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def pages(root: Path) -> list[str]:
    """Return the pages that people read: those of the root and of docs/."""
    found = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
    return sorted(path.relative_to(root).as_posix() for path in found)


def commands_of(text: str) -> list[str]:
    """Split a block into commands as a shell does: lines that end one."""
    commands: list[str] = []
    lines: list[str] = []
    for line in text.splitlines():
        if not lines and (not line.strip() or line.startswith("#")):
            continue
        lines.append(line)
        check = subprocess.run(
            ["bash", "-nc", "\n".join(lines)], capture_output=True, text=True, check=False
        )
        if check.returncode == 0 and not check.stderr and not line.endswith("\\"):
            commands.append("\n".join(lines))
            lines = []
    if lines:
        raise ValueError("not a command: " + "\n".join(lines))
    return commands
