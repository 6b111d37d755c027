"""The expiry of a session: warning, extension and end, for every tab at the same time."""

from collections.abc import Callable
from datetime import datetime

import pytest
import requests

from chat.schemas import session_id
from chat.store import sessions
from chat.store.client import Store
from tests.acceptance.conftest import Tabs
from tests.client import Client
from tests.processes import Stack

ExpireIn = Callable[[Client, float], None]


@pytest.fixture
def expire_in(stack: Stack) -> ExpireIn:
    """Let a session expire in a number of seconds, like one with a short SESSION_TTL_S."""
    store = Store(stack.redis_url, connections=1)

    def shorten(client: Client, seconds: float) -> None:
        store.run(sessions.extend(session_id(client.token), seconds))

    return shorten


def request(stack: Stack, method: str, path: str, client: Client) -> int:
    """Send a request about a client's session; return the status of the response."""
    response = requests.request(
        method, stack.url + path, params={"token": client.token}, timeout=10
    )
    return response.status_code


def expires_at(frame: dict[str, str]) -> datetime:
    return datetime.fromisoformat(frame["expires_at"])


@pytest.mark.parametrize("warning_s", [300, 60])
async def test_every_tab_is_warned(tabs: Tabs, expire_in: ExpireIn, warning_s: int) -> None:
    ada, other = await tabs(2)
    expire_in(ada, warning_s + 1)
    for tab in (ada, other):
        await tab.drop()
        await tab.connect()

    for tab in (ada, other):
        warning = await tab.wait_for_frame("session.expiring")
        assert warning["expires_at"] == tab.frames[-2]["expires_at"]


async def test_a_message_cancels_the_expiry_warning(tabs: Tabs, expire_in: ExpireIn) -> None:
    (ada,) = await tabs()
    expire_in(ada, 61)
    await ada.drop()
    await ada.connect()
    await ada.wait_for_reply(await ada.send_message("hello"))
    expire_in(ada, 62.5)
    await ada.wait_for_frame("session.expiring")

    warnings = [frame for frame in ada.frames if frame["type"] == "session.expiring"]
    left_s = (expires_at(warnings[0]) - expires_at(ada.frames[0])).total_seconds()
    assert len(warnings) == 1
    assert left_s < 0, "the warning has the second, earlier time"


async def test_extending_notifies_every_tab(tabs: Tabs, expire_in: ExpireIn) -> None:
    ada, other = await tabs(2)
    expire_in(ada, 30)
    for tab in (ada, other):
        await tab.drop()
        await tab.connect()
    starts = [len(ada.frames), len(other.frames)]

    await other.send("session.extend")

    ready = [
        await tab.wait_for_frame("session.ready", since=start)
        for tab, start in zip((ada, other), starts, strict=True)
    ]
    assert ready[0]["expires_at"] == ready[1]["expires_at"]
    before = expires_at(ada.frames[starts[0] - 1])
    assert (expires_at(ready[0]) - before).total_seconds() > 3000


async def test_the_session_expires_at_the_same_time_for_every_tab(
    tabs: Tabs, stack: Stack, expire_in: ExpireIn
) -> None:
    """Also for a tab that received no event about the changed time."""
    ada, idle = await tabs(2)
    expire_in(ada, 1.5)
    for tab in (ada, idle):
        await tab.drop()
        await tab.connect()
    expire_in(ada, 2.5)

    expired = [await tab.wait_for_frame("session.expired") for tab in (ada, idle)]
    for tab in (ada, idle):
        await tab.wait_until(lambda tab=tab: tab.closed_with == 1008, "the close")  # type: ignore[misc]
    assert expired[0] == expired[1]
    assert request(stack, "GET", "/refresh_token", ada) == 400


async def test_an_erased_session_ends_for_every_tab(tabs: Tabs, stack: Stack) -> None:
    ada, other = await tabs(2)
    await ada.wait_for_reply(await ada.send_message("hello"))

    assert request(stack, "DELETE", "/token", ada) == 204

    for tab in (ada, other):
        await tab.wait_for_frame("session.expired")
        await tab.wait_until(lambda tab=tab: tab.closed_with == 1008, "the close")  # type: ignore[misc]
