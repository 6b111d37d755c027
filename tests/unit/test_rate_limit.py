"""The rate limit of a socket's frames allows bursts and detects floods."""

import contextlib

import pytest

from chat.errors import RateLimited
from chat.websocket.rate_limit import MAX_REFUSED, MIN_FRAMES_PER_MINUTE, FrameRateLimit


async def test_a_burst_is_allowed_and_further_frames_are_rejected() -> None:
    limit = FrameRateLimit(messages_per_minute=1)
    for _ in range(int(MIN_FRAMES_PER_MINUTE)):
        limit.spend()
    with pytest.raises(RateLimited):
        limit.spend()
    assert not limit.is_flooded


async def test_a_client_that_ignores_the_limit_floods() -> None:
    limit = FrameRateLimit(messages_per_minute=1)
    refused = 0
    while not limit.is_flooded:
        try:
            limit.spend()
        except RateLimited:
            refused += 1
    assert refused == MAX_REFUSED + 1


async def test_a_slow_server_also_detects_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two refused frames the bucket may gain a token."""
    limit = FrameRateLimit(messages_per_minute=1)
    now = limit._filled_at
    monkeypatch.setattr(limit, "_now", lambda: now)
    for _ in range(1000):
        now += 0.1  # 10 frames a second; 2 are allowed
        with contextlib.suppress(RateLimited):
            limit.spend()
    assert limit.is_flooded


async def test_a_higher_message_rate_allows_more_frames() -> None:
    limit = FrameRateLimit(messages_per_minute=1000)
    for _ in range(2000):
        limit.spend()
