"""The servers that tests share; each is started when the first test needs it.

Use the smallest fixture that suffices: `redis_url` (only Redis), `model_stub`, `stack` (a whole
site, shared with other tests), or `new_stack` (a new site, with its own settings, that a test may
break).
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.model_stub import Behaviour, ModelStub
from tests.processes import HIGH_LIMITS, Stack, last_lines
from tests.rabbitmq import RabbitMQ, running_rabbitmq

NewStack = Callable[..., Stack]
STACKS = pytest.StashKey[list[Stack]]()

# All tests share one address. Tests of the limits set their own values.


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running Redis with JSON, which is also `settings.REDIS_URL`."""
    if not settings.EMBEDDED_REDIS:
        yield settings.REDIS_URL
        return
    environment = {
        "DATA_DIR": str(settings.DATA_DIR),
        "EMBEDDED_REDIS_PORT": str(settings.EMBEDDED_REDIS_PORT),
    }
    with Stack(tmp_path_factory.mktemp("redis"), environment) as stack:
        stack.start_redis()
        yield settings.REDIS_URL


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A running RabbitMQ, shared with other tests."""
    with running_rabbitmq(tmp_path_factory.mktemp("rabbitmq")) as node:
        yield node


@pytest.fixture(scope="session")
def shared_model() -> Iterator[ModelStub]:
    with ModelStub(leaves_out_probes=True) as stub:
        yield stub


@pytest.fixture
def model_stub(shared_model: ModelStub) -> ModelStub:
    """The model stub that `stack` and `new_stack` use, with an empty script."""
    shared_model.script()
    shared_model.always(Behaviour())
    shared_model.clear_requests()
    return shared_model


@pytest.fixture(scope="session")
def shared_stack(
    shared_model: ModelStub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    environment = HIGH_LIMITS | {"MODEL_URL": shared_model.endpoint("huggingface")}
    with Stack(tmp_path_factory.mktemp("site"), environment) as stack:
        stack.start()
        yield stack


@pytest.fixture
def stack(shared_stack: Stack, model_stub: ModelStub, request: pytest.FixtureRequest) -> Stack:
    """A running site with `model_stub` as its model, shared with other tests."""
    request.node.stash.setdefault(STACKS, []).append(shared_stack)
    return shared_stack


@pytest.fixture
def new_stack(
    model_stub: ModelStub, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[NewStack]:
    """Create sites with `model_stub` as their model, not started; stopped after the test."""
    stacks: list[Stack] = request.node.stash.setdefault(STACKS, [])
    created: list[Stack] = []

    def create(**environment: str) -> Stack:
        folder = tmp_path / f"site-{len(created)}"
        folder.mkdir()
        model = {"MODEL_URL": model_stub.endpoint(environment.get("MODEL_API", "huggingface"))}
        created.append(Stack(folder, HIGH_LIMITS | model | environment))
        stacks.append(created[-1])
        return created[-1]

    yield create
    for stack in created:
        stack.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Add the last lines of its processes' logs to the report of a failed test."""
    report = yield
    if report.failed:
        for stack in item.stash.get(STACKS, []):
            report.sections += last_lines(stack.processes).items()
    return report
