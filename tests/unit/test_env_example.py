"""`.env.example` and the settings name the same variables with the same defaults."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SETTINGS = ast.parse((ROOT / "chatproject" / "settings.py").read_text())
LINES = (ROOT / ".env.example").read_text().splitlines()
EXAMPLE = {
    match[1]: match[2] for line in LINES if (match := re.fullmatch(r"#([A-Z][A-Z_]*)=(.*)", line))
}


def env_calls() -> list[ast.Call]:
    return [
        node
        for node in ast.walk(SETTINGS)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func.value) == "env"
        and node.func.attr != "read_env"
    ]


def variable(call: ast.Call) -> str:
    assert isinstance(call.args[0], ast.Constant), ast.unparse(call)
    return str(call.args[0].value)


LITERAL_DEFAULTS = {
    variable(call): str(call.args[1].value)
    for call in env_calls()
    if len(call.args) > 1 and isinstance(call.args[1], ast.Constant)
}


def test_the_example_names_exactly_the_variables_of_the_settings() -> None:
    # ENV_FILE is the path of the file itself.
    assert {variable(call) for call in env_calls()} - {"ENV_FILE"} == set(EXAMPLE)


@pytest.mark.parametrize("name", sorted(LITERAL_DEFAULTS))
def test_the_example_has_the_defaults_of_the_settings(name: str) -> None:
    assert EXAMPLE[name] == LITERAL_DEFAULTS[name]


@pytest.mark.parametrize("name", sorted(EXAMPLE))
def test_every_variable_has_an_explanation_of_one_line(name: str) -> None:
    line = LINES.index(f"#{name}={EXAMPLE[name]}")
    assert re.fullmatch(r"# .+[.:]", LINES[line - 1])
