"""The rate limit of a socket's frames allows bursts and detects floods."""

import contextlib
import time

import pytest

from chat.errors import RateLimited
from chat.websocket import rate_limit
from chat.websocket.rate_limit import (
    MAX_REFUSED,
    MIN_FRAMES_PER_MINUTE,
    FrameRateLimit,
    ReadLimits,
    WindowLimit,
)


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


def test_a_window_ends_with_its_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 59.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    limit = WindowLimit(per_minute=1)
    limit.check("a")
    limit.count("a")
    limit.check("b")
    with pytest.raises(RateLimited) as refused:
        limit.check("a")
    assert refused.value.retry_after_s == 1
    now = 60.0
    limit.check("a")


def test_a_window_counts_a_bounded_number_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MAX_KEYS", 1)
    limit = WindowLimit(per_minute=1)
    limit.count("a")
    limit.count("b")
    limit.check("b")
    with pytest.raises(RateLimited):
        limit.check("a")


def test_loads_are_limited_by_session_and_by_address() -> None:
    limits = ReadLimits(per_session=1, per_address=2, unknown_per_address=1)
    limits.spend("one", "192.0.2.1")
    with pytest.raises(RateLimited):
        limits.spend("one", "192.0.2.2")
    limits.spend("two", "192.0.2.1")
    with pytest.raises(RateLimited):
        limits.spend("three", "192.0.2.1")
    limits.spend("three", "192.0.2.2")


def test_unknown_tokens_block_their_address() -> None:
    limits = ReadLimits(per_session=9, per_address=9, unknown_per_address=1)
    limits.count_unknown("192.0.2.1")
    with pytest.raises(RateLimited):
        limits.spend("any", "192.0.2.1")
    limits.spend("any", "192.0.2.2")
