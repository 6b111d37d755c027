"""The doctor recommends only settings, files and commands that exist, and values they accept."""

import ast
import os
import re
import runpy
from pathlib import Path

import pytest

from tests.settings import VARIABLES

ROOT = Path(__file__).parent.parent.parent
MODULES = sorted((ROOT / "chat" / "cli" / "doctor").glob("*.py"))
# Of the libraries that the doctor uses itself.
OTHERS = {"REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"}
PRODUCTION = {
    "APP_ENV": "production",
    "SECRET_KEY": "0123456789abcdef" * 2,
    "ALLOWED_HOSTS": "chat.example",
    "CORS_ALLOWED_ORIGINS": "https://chat.example",
    "REDIS_URL": "redis://redis:6379/0",
    "MODEL_URL": "http://model/",
}


def texts() -> list[str]:
    """Return every sentence, or part of one, in the doctor's code."""
    return [
        node.value
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value
    ]


def found(pattern: str) -> set[str]:
    return {match for text in texts() for match in re.findall(pattern, text)}


def test_recommended_variables_are_settings() -> None:
    names = found(r"\b[A-Z]+(?:_[A-Z]+)+\b")
    assert len(names) > 10
    assert names <= VARIABLES | OTHERS


def test_recommended_values_are_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = found(r"\b([A-Z]+(?:_[A-Z]+)+=[^\s,]*[^\s,.])")
    assert values
    for each in values:
        name, _, value = each.partition("=")
        for variable in VARIABLES:
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
        environment = PRODUCTION | {name: value}
        for variable, text in (
            environment | {"ENV_FILE": os.devnull, "DATA_DIR": str(tmp_path)}
        ).items():
            monkeypatch.setenv(variable, text)
        runpy.run_path(str(ROOT / "chatproject" / "settings.py"))


def test_files_and_commands_exist() -> None:
    files = found(r"\b(?:docs|deploy)/[\w./-]+\w") | found(r"\bProcfile\.\w+")
    assert files
    assert [name for name in files if not (ROOT / name).exists()] == []
    commands = found(r"manage\.py (\w+)")
    assert commands
    own = {path.stem for path in (ROOT / "chat/management/commands").glob("*.py")}
    assert commands <= own | {"migrate", "collectstatic"}
