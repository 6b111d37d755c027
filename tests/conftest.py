"""The servers that tests share; each is started when the first test asks for it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.processes import Stack, tails

NewStack = Callable[..., Stack]


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


@pytest.fixture
def new_stack(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[NewStack]:
    """Make sites with a Redis of their own, not started yet; ended after the test."""
    stacks: list[Stack] = []

    def make(**environment: str) -> Stack:
        folder = tmp_path / f"site-{len(stacks)}"
        folder.mkdir()
        stacks.append(Stack(folder, environment))
        return stacks[-1]

    request.node.stash[STACKS] = stacks
    yield make
    for stack in stacks:
        stack.close()


STACKS = pytest.StashKey[list[Stack]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Show what the processes of a failed test wrote."""
    report = yield
    if report.failed:
        for stack in item.stash.get(STACKS, []):
            report.sections += tails(stack.processes).items()
    return report
