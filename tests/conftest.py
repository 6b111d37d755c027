"""The servers that tests share; each is started when the first test needs it.

A test takes the narrowest that serves it: `redis_url` (a Redis with JSON and nothing else on it),
`model_stub`, `stack` (a whole site that other tests use too), or `new_stack` (a site of its own, to
start with other settings and to break).
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.model_stub import Behaviour, ModelStub
from tests.processes import Stack, tails

NewStack = Callable[..., Stack]
STACKS = pytest.StashKey[list[Stack]]()

# Tests of the limits set their own; the others come from one address, all at once.
ROOMY = {
    "MESSAGES_PER_MINUTE": "100000",
    "TOKENS_PER_MINUTE_PER_IP": "100000",
    "SOCKETS_PER_IP": "1000",
}


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Redis with JSON, the same that `settings.REDIS_URL` names."""
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
def shared_model() -> Iterator[ModelStub]:
    with ModelStub() as stub:
        yield stub


@pytest.fixture
def model_stub(shared_model: ModelStub) -> ModelStub:
    """The model's HTTP server that `stack` and `new_stack` use, with nothing scripted yet."""
    shared_model.script()
    shared_model.always(Behaviour())
    shared_model.clear_requests()
    return shared_model


@pytest.fixture(scope="session")
def shared_stack(
    shared_model: ModelStub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    environment = ROOMY | {"MODEL_URL": shared_model.endpoint("huggingface")}
    with Stack(tmp_path_factory.mktemp("site"), environment) as stack:
        stack.start()
        yield stack


@pytest.fixture
def stack(shared_stack: Stack, model_stub: ModelStub, request: pytest.FixtureRequest) -> Stack:
    """A running site with `model_stub` as its model; leave it as it was found."""
    request.node.stash.setdefault(STACKS, []).append(shared_stack)
    return shared_stack


@pytest.fixture
def new_stack(
    model_stub: ModelStub, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[NewStack]:
    """Make sites with `model_stub` as their model, not started yet; ended after the test."""
    stacks: list[Stack] = request.node.stash.setdefault(STACKS, [])
    made: list[Stack] = []

    def make(**environment: str) -> Stack:
        folder = tmp_path / f"site-{len(made)}"
        folder.mkdir()
        model = {"MODEL_URL": model_stub.endpoint(environment.get("MODEL_API", "huggingface"))}
        made.append(Stack(folder, ROOMY | model | environment))
        stacks.append(made[-1])
        return made[-1]

    yield make
    for stack in made:
        stack.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Show what the processes of a failed test wrote last."""
    report = yield
    if report.failed:
        for stack in item.stash.get(STACKS, []):
            report.sections += tails(stack.processes).items()
    return report
