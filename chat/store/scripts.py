"""The text of each script: its keys and arguments by name, what it uses of the prelude, its body.

Redis creates every function and receives every key anew each time that a script runs, which takes
longer than most scripts themselves. So a script gets only those that it uses.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from pathlib import Path

LUA = Path(__file__).parent / "lua"
COMMENT = re.compile(r"--.*")
WORD = re.compile(r"\w+")
FUNCTION = re.compile(r"^local function (\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Script:
    """A script as Redis runs it; `keys` are the names of those that it uses, in order."""

    text: str
    digest: str  # the SHA-1 digest by which Redis names it
    keys: tuple[str, ...]


@cache
def load_script(name: str, keys: tuple[str, ...], arguments: tuple[str, ...]) -> Script:
    """Return a script for commands with these keys and arguments.

    Each key that it uses is a local variable, each argument a field of the table `arg`.
    """
    # Redis accepts the flags only in the first line:
    # https://redis.io/docs/latest/develop/programmability/eval-intro/#eval-flags
    flags, _, body = (LUA / f"{name}.lua").read_text().partition("\n")
    functions = _used_functions(body)
    words = _words("\n".join([*functions, body]))
    used = keys if "KEYS" in words else tuple(key for key in keys if key in words)
    key_values = ", ".join(f"KEYS[{number}]" for number in range(1, len(used) + 1))
    members = (f"{name} = ARGV[{number}]" for number, name in enumerate(arguments, start=1))
    declarations = [
        f"local {', '.join(used)} = {key_values}",
        f"local arg = {{{', '.join(members)}}}",
    ]
    text = "\n".join([flags, *declarations, *functions, body])
    return Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest(), used)


def _used_functions(body: str) -> Sequence[str]:
    """Return the functions of the prelude that a script uses; each may use earlier ones."""
    words = _words(body)
    used: list[str] = []
    for function in reversed(_prelude()):
        if FUNCTION.findall(function)[0] in words:
            used.insert(0, function)
            words |= _words(function)
    return used


@cache
def _prelude() -> Sequence[str]:
    """Return the functions that scripts share. Blank lines separate them."""
    parts = (LUA / "prelude.lua").read_text().split("\n\n")
    return [part for part in parts if FUNCTION.search(part)]


def _words(text: str) -> set[str]:
    return set(WORD.findall(COMMENT.sub("", text)))
