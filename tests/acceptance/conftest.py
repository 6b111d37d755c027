"""Fixtures of the tests of the WebSocket API."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from tests.client import Client, create_session
from tests.conftest import STACKS
from tests.model_stub import ModelStub
from tests.processes import HIGH_LIMITS, Stack

Tabs = Callable[..., Awaitable[list[Client]]]


@pytest.fixture
async def tabs(stack: Stack) -> AsyncIterator[Tabs]:
    """Open tabs of a new session; asserts at the end that none saw a violation of the protocol."""
    async with AsyncExitStack() as opened:
        clients: list[Client] = []

        async def open_tabs(count: int = 1, *, site: Stack = stack) -> list[Client]:
            token = create_session(site.url)
            new = [Client(site.ws_url, token) for _ in range(count)]
            for client in new:
                await opened.enter_async_context(client)
            clients.extend(new)
            return new

        yield open_tabs
        assert [client.view.violations for client in clients] == [[] for _ in clients]


@pytest.fixture(scope="package")
def shared_single_slot_stack(
    shared_model: ModelStub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    environment = HIGH_LIMITS | {
        "MODEL_URL": shared_model.endpoint("huggingface"),
        "WORKER_CONCURRENCY": "1",
    }
    with Stack(tmp_path_factory.mktemp("single-slot"), environment) as stack:
        stack.start()
        yield stack


@pytest.fixture
def single_slot_stack(
    shared_single_slot_stack: Stack, model_stub: ModelStub, request: pytest.FixtureRequest
) -> Stack:
    """A site whose worker generates one reply at a time."""
    request.node.stash.setdefault(STACKS, []).append(shared_single_slot_stack)
    return shared_single_slot_stack
