"""The walls between the modules, read from their imports and names."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("chatproject", "chat", "inference")
SOURCES = {
    path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): ast.parse(path.read_text())
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}
CORE = (
    "steps",
    "sessions",
    "leases",
    "store",
    "replies",
    "writing",
    "keeper",
    "history",
    "schemas",
    "delivery",
)
HTTP_CLIENTS = {"requests", "urllib3", "httpx", "aiohttp", "http.client", "urllib.request"}


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names that a module imports, members of modules too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules_that_import(*wanted: str) -> set[str]:
    """Return the modules that import one of `wanted` or something in it."""
    return {
        module
        for module, tree in SOURCES.items()
        for name in imports(tree)
        if any(name == one or name.startswith(f"{one}.") for one in wanted)
    }


def modules_with(is_wanted: Callable[[ast.AST], bool]) -> set[str]:
    """Return the modules whose code has such a node."""
    return {
        module
        for module, tree in SOURCES.items()
        if any(is_wanted(node) for node in ast.walk(tree))
    }


def strings_like(pattern: str) -> Callable[[ast.AST], bool]:
    return lambda node: (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.match(pattern, node.value) is not None
    )


def test_inference_knows_nothing_of_the_chat() -> None:
    outsiders = modules_that_import("chat", "chatproject")
    assert not {module for module in outsiders if module.startswith("inference")}


@pytest.mark.parametrize("edge", ["tasks", "consumers", "api", "views", "admin", "broker"])
def test_the_core_never_imports_the_edge(edge: str) -> None:
    core = {f"chat.{name}" for name in CORE}
    assert core <= SOURCES.keys()
    assert not core & modules_that_import(f"chat.{edge}")


def test_only_the_routing_imports_the_consumers() -> None:
    assert modules_that_import("chat.consumers") == {"chat.routing"}


def test_only_inference_talks_http() -> None:
    outside = {
        module
        for module in modules_that_import(*HTTP_CLIENTS)
        if not module.startswith("inference.")
    }
    # They ask the site itself: whether it answers, or for a token.
    assert outside == {"chat.management.commands.runall", "chat.doctor.outside", "chat.client"}


def test_the_server_does_not_use_its_own_client() -> None:
    outside = {
        module
        for module in modules_that_import("chat.client", "chat.terminal")
        if not module.startswith("chat.terminal.")
    }
    assert outside == {"chat.management.commands.chat"}


def test_only_the_settings_read_the_environment() -> None:
    def reads(node: ast.AST) -> bool:
        return isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}

    def names_the_settings(module: str) -> bool:
        text = ast.unparse(SOURCES[module])
        setting = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'chatproject.settings')"
        return text.count("os.environ") == text.count(setting)

    readers = {module for module in modules_with(reads) if not names_the_settings(module)}
    # runall hands the whole environment on to its processes.
    assert readers - {"chat.management.commands.runall"} <= {"chatproject.settings"}


def test_only_the_steps_name_keys() -> None:
    # The settings name what Celery and the channel layer keep in Redis.
    assert modules_with(strings_like("chat:")) == {"chat.steps", "chatproject.settings"}


def test_only_scripts_use_redis_json() -> None:
    assert modules_with(strings_like(r"(?i)json\.[a-z]+$")) == set()
    assert not modules_with(
        lambda node: isinstance(node, ast.Attribute) and ast.unparse(node).endswith("redis.json")
    )
    scripts = " ".join(path.read_text() for path in (ROOT / "chat" / "scripts").glob("*.lua"))
    assert "JSON.ARRAPPEND" in scripts
