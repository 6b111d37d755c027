"""The rules of docs/explanation/architecture.md, checked against imports and names."""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("chatproject", "chat", "inference")
SOURCES = {
    path.relative_to(ROOT)
    .with_suffix("")
    .as_posix()
    .replace("/", ".")
    .removesuffix(".__init__"): ast.parse(path.read_text())
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}

# From the lowest layer to the highest. A module belongs to the longest matching prefix of its name.
# It may import from that prefix and from lower layers, never from another prefix in its layer.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("chat", "inference"),
    ("chat.addresses", "chat.errors"),
    ("chat.schemas", "chat.observability.logs"),
    (
        "chat.observability.liveness",
        "chat.observability.open_files",
        "chat.observability.outage",
        "chat.observability.tracing_sdk",
    ),
    (
        "chat.protocol",
        "chat.observability.metric_files",
        "chat.observability.metrics",
        "chat.observability.tracing",
    ),
    ("chat.store",),
    ("chat.events", "chat.models"),
    ("chat.branding", "chat.websocket", "chat.worker"),
    ("chat.container",),
    ("chat.observability",),  # the exporter and the health checks
    ("chat.accounts",),
    ("chat.privacy",),
    ("chat.apidocs", "chat.cli", "chat.operator", "chat.takeover"),
    ("chat.branding.site_admin",),
    ("chat.admin", "chat.api", "chat.consumers", "chat.middleware", "chat.tasks"),
    ("chat.worker.lifecycle",),  # Celery's signals, connected by the app
    ("chat.web_app",),
    (
        "chat.apps",
        "chat.branding.routes",
        "chat.embed",
        "chat.management",
        "chat.routing",
        "chat.templatetags",
        "chat.views",
    ),
    ("chat.web_app.offline",),
    ("chat.urls",),
    ("chatproject",),
)
# Names that Django prescribes.
DJANGO_NAMES = {"apps", "urls", "management", "commands"}
MODULES_PER_PACKAGE = {"chat.operator": 12, "chat.store": 16, "inference": 22}
HTTP_CLIENTS = {"requests", "urllib3", "httpx", "aiohttp", "http.client", "urllib.request"}


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names that a module imports, including members of modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_modules(tree: ast.AST) -> set[str]:
    """Return the project's modules that a module imports, or imports something from."""
    return {
        name if name in SOURCES else name.rpartition(".")[0]
        for name in imports(tree)
        if name.partition(".")[0] in PACKAGES
    }


def modules_that_import(*wanted: str) -> set[str]:
    """Return the modules that import one of `wanted` or something in it."""
    return {
        module
        for module, tree in SOURCES.items()
        for name in imports(tree)
        if any(name == each or name.startswith(f"{each}.") for each in wanted)
    }


def modules_with(is_wanted: Callable[[ast.AST], bool]) -> set[str]:
    """Return the modules whose syntax tree has a matching node."""
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


def layer_of(module: str) -> tuple[int, str]:
    """Return the number of a module's layer and the prefix that assigns the module to it."""
    names = ((number, name) for number, layer in enumerate(LAYERS) for name in layer)
    return max(
        (each for each in names if module == each[1] or module.startswith(f"{each[1]}.")),
        key=lambda each: len(each[1]),
    )


@pytest.mark.parametrize("module", SOURCES)
def test_a_module_imports_only_from_lower_layers(module: str) -> None:
    number, name = layer_of(module)
    wrong = {
        imported
        for imported in imported_modules(SOURCES[module])
        if layer_of(imported)[1] != name and layer_of(imported)[0] >= number
    }
    assert not wrong


def test_imports_have_no_cycles() -> None:
    graph = {module: imported_modules(tree) for module, tree in SOURCES.items()}
    while leaves := {module for module, needs in graph.items() if not needs & graph.keys()}:
        graph = {module: needs for module, needs in graph.items() if module not in leaves}
    assert not graph


def test_chat_and_inference_do_not_import_the_project() -> None:
    assert {module.partition(".")[0] for module in modules_that_import("chatproject")} <= {
        "chatproject"
    }
    assert not {module for module in modules_that_import("chat") if module.startswith("inference")}


def test_no_two_modules_share_a_name() -> None:
    names = Counter(module.rpartition(".")[2] for module in SOURCES)
    shared = {name for name, count in names.items() if count > 1}
    # `manage.py chat` and `manage.py doctor` are named like the packages they run.
    assert shared <= DJANGO_NAMES | {"chat", "doctor"}


@pytest.mark.parametrize("package", sorted({module.rpartition(".")[0] for module in SOURCES}))
def test_a_package_has_few_modules(package: str) -> None:
    inside = [module for module in SOURCES if module.rpartition(".")[0] == package]
    packages = {module.rpartition(".")[0] for module in SOURCES}
    modules = [module for module in inside if module not in packages]
    assert len(modules) <= MODULES_PER_PACKAGE.get(package, 14)


def test_only_the_routing_imports_the_consumers() -> None:
    assert modules_that_import("chat.consumers") == {"chat.routing"}
    assert modules_that_import("chat.takeover.sockets") == {"chat.routing"}


def test_only_the_container_builds_clients() -> None:
    built = {"Store", "AsyncStore", "ReplicatedStore", "AsyncReplicatedStore"}
    built |= {"TaskPublisher", "Responder", "build_catalog"}

    def builds(node: ast.AST) -> bool:
        return isinstance(node, ast.Call) and ast.unparse(node.func) in built

    assert modules_with(builds) == {"chat.container"}


def test_only_inference_sends_http_requests() -> None:
    outside = {
        module
        for module in modules_that_import(*HTTP_CLIENTS)
        if not module.startswith("inference.")
    }
    # They send requests to the site itself.
    assert outside == {
        "chat.management.commands.runall",
        "chat.cli.doctor.site",
        "chat.cli.chat_client",
    }


def test_the_server_does_not_use_its_own_client() -> None:
    outside = {
        module
        for module in modules_that_import("chat.cli.chat_client")
        if not module.startswith("chat.cli.")
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
    # These pass the whole environment on to the programs that they run.
    passed_on = {"chat.management.commands.runall", "chat.management.commands.backup"}
    assert readers - passed_on <= {"chatproject.settings", "chatproject.environment"}


def test_only_the_store_names_keys() -> None:
    # The settings have the key prefixes of Celery and the channel layer.
    named = modules_with(strings_like("chat:"))
    outside = {module for module in named if not module.startswith("chat.store.")}
    assert outside == {"chatproject.settings"}


def test_only_scripts_use_redis_json() -> None:
    assert modules_with(strings_like(r"(?i)json\.[a-z]+$")) == set()
    assert not modules_with(
        lambda node: isinstance(node, ast.Attribute) and ast.unparse(node).endswith("redis.json")
    )
    scripts = " ".join(path.read_text() for path in (ROOT / "chat/store/lua").glob("*.lua"))
    assert "JSON.ARRAPPEND" in scripts
