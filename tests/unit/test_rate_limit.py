"""A socket may send as many frames as a person needs, but not a flood."""

import pytest

from chat.errors import RateLimited
from chat.websocket.rate_limit import MAX_REFUSED, MIN_FRAMES_PER_MINUTE, FrameRateLimit


async def test_a_burst_is_allowed_and_more_is_refused() -> None:
    limit = FrameRateLimit(messages_per_minute=1)
    for _ in range(int(MIN_FRAMES_PER_MINUTE)):
        limit.spend()
    with pytest.raises(RateLimited):
        limit.spend()
    assert not limit.is_flooded


async def test_a_client_that_goes_on_floods() -> None:
    limit = FrameRateLimit(messages_per_minute=1)
    refused = 0
    while not limit.is_flooded:
        try:
            limit.spend()
        except RateLimited:
            refused += 1
    assert refused == MAX_REFUSED + 1


async def test_a_higher_message_rate_allows_more_frames() -> None:
    limit = FrameRateLimit(messages_per_minute=1000)
    for _ in range(2000):
        limit.spend()
