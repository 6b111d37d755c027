"""A socket's budget of frames: room for a person, not for a flood."""

import pytest

from chat.errors import RateLimited
from chat.websocket.rate_limit import LEAST_A_MINUTE, MAX_REFUSED, FrameRateLimit


async def test_a_burst_fits_and_more_is_refused() -> None:
    budget = FrameRateLimit(messages_per_minute=1)
    for _ in range(int(LEAST_A_MINUTE)):
        budget.spend()
    with pytest.raises(RateLimited):
        budget.spend()
    assert not budget.is_flooded


async def test_whoever_goes_on_floods() -> None:
    budget = FrameRateLimit(messages_per_minute=1)
    refused = 0
    while not budget.is_flooded:
        try:
            budget.spend()
        except RateLimited:
            refused += 1
    assert refused == MAX_REFUSED + 1


async def test_who_may_say_more_may_send_more_frames() -> None:
    budget = FrameRateLimit(messages_per_minute=1000)
    for _ in range(2000):
        budget.spend()
