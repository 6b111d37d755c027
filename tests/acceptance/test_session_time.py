"""A session's time: warned, extended, over, for every tab at the same instant."""

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

EndsIn = Callable[[Client, float], None]


@pytest.fixture
def ends_in(stack: Stack) -> EndsIn:
    """Give a session so many seconds from now on, as a deployment with a short time would."""
    store = Store(stack.redis_url, connections=1)

    def shorten(client: Client, seconds: float) -> None:
        store.run(sessions.extend(session_id(client.token), seconds))

    return shorten


def request(stack: Stack, method: str, path: str, client: Client) -> int:
    """Return the status of the HTTP API's answer about a client's session."""
    response = requests.request(
        method, stack.url + path, params={"token": client.token}, timeout=10
    )
    return response.status_code


def expires_at(frame: dict[str, str]) -> datetime:
    return datetime.fromisoformat(frame["expires_at"])


@pytest.mark.parametrize("mark_s", [300, 60])
async def test_every_tab_is_warned(tabs: Tabs, ends_in: EndsIn, mark_s: int) -> None:
    ada, other = await tabs(2)
    ends_in(ada, mark_s + 1)
    for tab in (ada, other):
        await tab.drop()
        await tab.connect()

    for tab in (ada, other):
        warning = await tab.wait_for_frame("session.expiring")
        assert warning["expires_at"] == tab.frames[-2]["expires_at"]


async def test_a_message_meanwhile_calls_the_warning_off(tabs: Tabs, ends_in: EndsIn) -> None:
    (ada,) = await tabs()
    ends_in(ada, 61)
    await ada.drop()
    await ada.connect()
    await ada.wait_for_reply(await ada.send_message("still here"))
    ends_in(ada, 62.5)
    await ada.wait_for_frame("session.expiring")

    warnings = [one for one in ada.frames if one["type"] == "session.expiring"]
    left_s = (expires_at(warnings[0]) - expires_at(ada.frames[0])).total_seconds()
    assert len(warnings) == 1
    assert left_s < 0, "it is the second, shorter time that is told"


async def test_extending_notifies_every_tab(tabs: Tabs, ends_in: EndsIn) -> None:
    ada, other = await tabs(2)
    ends_in(ada, 30)
    for tab in (ada, other):
        await tab.drop()
        await tab.connect()
    marks = [len(ada.frames), len(other.frames)]

    await other.send("session.extend")

    received = [
        await tab.wait_for_frame("session.ready", since=mark)
        for tab, mark in zip((ada, other), marks, strict=True)
    ]
    assert received[0]["expires_at"] == received[1]["expires_at"]
    before = expires_at(ada.frames[marks[0] - 1])
    assert (expires_at(received[0]) - before).total_seconds() > 3000


async def test_the_end_is_the_same_instant_for_every_tab(
    tabs: Tabs, stack: Stack, ends_in: EndsIn
) -> None:
    """Also for a tab that heard of nothing since it connected, when the end was another."""
    ada, idle = await tabs(2)
    ends_in(ada, 1.5)
    for tab in (ada, idle):
        await tab.drop()
        await tab.connect()
    ends_in(ada, 2.5)

    ends = [await tab.wait_for_frame("session.expired") for tab in (ada, idle)]
    for tab in (ada, idle):
        await tab.wait_until(lambda tab=tab: tab.closed_with == 1008, "the close")  # type: ignore[misc]
    assert ends[0] == ends[1]
    assert request(stack, "GET", "/refresh_token", ada) == 400


async def test_an_erased_session_ends_for_every_tab(tabs: Tabs, stack: Stack) -> None:
    ada, other = await tabs(2)
    await ada.wait_for_reply(await ada.send_message("hello"))

    assert request(stack, "DELETE", "/token", ada) == 204

    for tab in (ada, other):
        await tab.wait_for_frame("session.expired")
        await tab.wait_until(lambda tab=tab: tab.closed_with == 1008, "the close")  # type: ignore[misc]
