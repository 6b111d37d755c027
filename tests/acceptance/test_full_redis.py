"""A Redis that is almost full: no new session, but those that exist go on."""

import asyncio
from typing import Any

import pytest
import redis
import requests

from chat.errors import StoreFull
from tests.acceptance.conftest import Tabs
from tests.client import create_session
from tests.conftest import NewStack
from tests.processes import Stack, wait_for


@pytest.fixture
def site(new_stack: NewStack) -> Stack:
    stack = new_stack()
    stack.start()
    return stack


def set_used_share(site: Stack, share: float) -> None:
    """Set `maxmemory` so that this share of it is used.

    The memory of connections varies by some hundred kilobytes, so that the rest must be larger.
    """
    with redis.Redis.from_url(site.redis_url, protocol=2) as client:
        client.setrange("ballast", 50_000_000, "x")
        used: Any = client.info("memory")
        client.config_set("maxmemory", round(used["used_memory"] / share))


def post_token(site: Stack) -> requests.Response:
    return requests.post(f"{site.url}/token", params={"name": "Ada"}, timeout=10)


def readiness(site: Stack) -> tuple[int, dict[str, Any]]:
    response = requests.get(f"{site.url}/readyz", timeout=15)
    return response.status_code, response.json()


async def test_new_sessions_are_refused_and_existing_ones_get_their_replies(
    site: Stack, tabs: Tabs
) -> None:
    (ada,) = await tabs(site=site)

    await asyncio.to_thread(set_used_share, site, 0.9)
    refused = await asyncio.to_thread(post_token, site)
    reply = await ada.wait_for_reply(await ada.send_message("hello"))

    assert refused.status_code == 503
    assert refused.json() == {"detail": StoreFull.detail, "code": "store.full"}
    assert int(refused.headers["Retry-After"]) > 0
    assert reply["finish_reason"] == "stop"

    await asyncio.to_thread(set_used_share, site, 0.5)
    assert (await asyncio.to_thread(post_token, site)).status_code == 200


def test_the_code_is_the_same_when_redis_is_overfull(site: Stack) -> None:
    set_used_share(site, 1.5)
    assert post_token(site).json()["code"] == "store.full"


def test_the_page_says_so(site: Stack) -> None:
    set_used_share(site, 0.9)
    with requests.Session() as browser:
        browser.get(f"{site.url}/", timeout=10)
        form = {"name": "Ada", "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        response = browser.post(f"{site.url}/", data=form, timeout=10)
    assert response.status_code == 503
    assert "no room for new conversations" in response.text


def test_operators_see_the_used_memory(site: Stack) -> None:
    create_session(site.url)
    wait_for(lambda: readiness(site)[1]["checks"]["sweep"] == "ok", "the first sweep")
    status, body = readiness(site)
    assert (status, body["checks"]["memory"]) == (200, "ok")
    assert body["memory"]["max_bytes"] == 1024**3
    assert 1_000_000 < body["memory"]["used_bytes"] < 100_000_000

    set_used_share(site, 0.9)

    status, body = readiness(site)
    assert status == 200, "messages are still answered"
    assert body["checks"]["memory"].endswith("are used: new sessions are refused")
    text = requests.get(f"{site.url}/metrics", timeout=10).text
    figures = dict(
        line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("chat_redis")
    )
    used = float(figures["chat_redis_memory_used_bytes"])
    assert 0.85 < used / float(figures["chat_redis_memory_max_bytes"]) < 0.95
