"""What each script contains: the functions and keys that it uses, and nothing else."""

import re

import pytest

from chat.store import scripts
from chat.store.keys import session_keys
from chat.store.scripts import LUA, load_script

NAMES = sorted(path.stem for path in LUA.glob("*.lua") if path.stem != "prelude")
KEYS = tuple(session_keys("a"))


@pytest.fixture
def prelude(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = (
        "local function first()\n  return 1\nend",
        "-- Adds to first.\nlocal function second()\n  return first() + 1\nend",
        "local function unused()\n  return document\nend",
    )
    monkeypatch.setattr(scripts, "_prelude", lambda: functions)


def body_of(name: str) -> str:
    return (LUA / f"{name}.lua").read_text().partition("\n")[2]


def test_a_script_gets_the_functions_that_it_uses_and_those_that_they_use(prelude: None) -> None:
    assert re.findall(r"function (\w+)", "\n".join(scripts._used_functions("return second()"))) == [
        "first",
        "second",
    ]
    assert scripts._used_functions("return 1 -- not second()") == []


@pytest.mark.parametrize("name", NAMES)
def test_a_script_gets_the_keys_that_it_uses(name: str) -> None:
    script = load_script(name, KEYS, ())
    code = re.sub("--.*", "", script.text.partition("local arg")[2])
    uses_all = "KEYS" in code
    assert script.keys == tuple(key for key in KEYS if uses_all or re.search(rf"\b{key}\b", code))
    numbers = re.findall(r"KEYS\[(\d+)\]", script.text.partition("local arg")[0])
    assert numbers == [str(number) for number in range(1, len(script.keys) + 1)]


def test_functions_of_the_prelude_are_separated_by_blank_lines_and_each_is_used() -> None:
    text = (LUA / "prelude.lua").read_text()
    names = re.findall(r"^local function (\w+)", text, re.MULTILINE)
    assert [
        re.findall(r"^local function (\w+)", part, re.MULTILINE) for part in scripts._prelude()
    ] == [[name] for name in names]
    used = {each for name in NAMES for each in scripts._used_functions(body_of(name))}
    assert used == set(scripts._prelude())


def test_a_script_is_named_by_its_digest_and_its_flags_come_first() -> None:
    script = load_script("accept", KEYS, ("a",))
    assert script.text.startswith("#!lua")
    assert re.fullmatch("[0-9a-f]{40}", script.digest)
    assert "local arg = {a = ARGV[1]}" in script.text
