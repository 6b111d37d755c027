"""SessionTimers: which timer is due when, on a clock that the test sets."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from chat.schemas import PartialReply
from chat.websocket import timers
from chat.websocket.cursor import Cursor
from chat.websocket.timers import SessionTimers, Timer
from tests.unit.builders import human, id_of, session


class Clock:
    """A clock of the event loop, which the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()

    class Loop:
        time = clock

    monkeypatch.setattr(asyncio, "get_running_loop", lambda: Loop)
    return clock


def due(session_timers: SessionTimers) -> Iterator[tuple[float, Timer]]:
    return iter(sorted(session_timers._due(), key=lambda item: item[0]))


def first(session_timers: SessionTimers, clock: Clock) -> tuple[float, Timer]:
    at, timer = next(due(session_timers))
    return round(at - clock.now, 2), timer


def opened(*, codec_shows_queue: bool = True, **fields: Any) -> SessionTimers:
    state = session(**fields)
    return SessionTimers(state, Cursor(state), codec_shows_queue)


async def test_an_idle_socket_waits_for_its_expiry_only(clock: Clock) -> None:
    idle = opened(remaining_s=10)
    assert [timer for _, timer in due(idle)] == [Timer.EXPIRY]
    idle.resync_soon()
    assert first(idle, clock) == (timers.REPLY_SILENCE_S, Timer.RESYNC)


async def test_a_queued_message_is_resynced_soon_and_once(clock: Clock) -> None:
    state = session(human("a", 1))
    waiting = SessionTimers(state, Cursor(state), True)
    assert first(waiting, clock) == (timers.FIRST_POSITION_S, Timer.RESYNC)
    clock.now += timers.FIRST_POSITION_S
    waiting._restart(Timer.RESYNC)
    assert [timer for _, timer in due(waiting)] == [Timer.EXPIRY_WARNING, Timer.EXPIRY]
    waiting.resync_soon()
    assert first(waiting, clock) == (timers.REPLY_SILENCE_S, Timer.RESYNC)


async def test_a_silent_reply_is_resynced_after_two_seconds(clock: Clock) -> None:
    partial = PartialReply(reply_to=id_of("a"), id=id_of("A"), text="x")
    state = session(human("a", 1), partial_reply=partial)
    replying = SessionTimers(state, Cursor(state), True)
    assert first(replying, clock) == (timers.REPLY_SILENCE_S, Timer.RESYNC)
    clock.now += 1
    replying.record_progress(Cursor(state))
    assert first(replying, clock) == (timers.REPLY_SILENCE_S, Timer.RESYNC)


async def test_a_codec_without_queue_positions_resyncs_after_silence_only(clock: Clock) -> None:
    state = session(human("a", 1))
    plain = SessionTimers(state, Cursor(state), False)
    assert first(plain, clock) == (timers.REPLY_SILENCE_S, Timer.RESYNC)


async def test_a_failed_resync_is_retried_soon(clock: Clock) -> None:
    idle = opened()
    idle.resync_soon()
    assert first(idle, clock) == (timers.REPLY_SILENCE_S, Timer.RESYNC)


async def test_a_failed_resync_wakes_timers_that_wait_for_the_expiry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timers, "REPLY_SILENCE_S", 0.01)
    idle = opened()
    timer = asyncio.create_task(idle.next())
    await asyncio.sleep(0)
    idle.resync_soon()
    assert await asyncio.wait_for(timer, 5) is Timer.RESYNC


@pytest.mark.parametrize(("remaining_s", "warning_in_s"), [(600, 300), (200, 140), (30, None)])
async def test_expiry_warnings_are_due_five_minutes_and_one_minute_before(
    clock: Clock, remaining_s: float, warning_in_s: float | None
) -> None:
    expiring = opened(remaining_s=remaining_s)
    found = {timer: at - clock.now for at, timer in due(expiring)}
    assert found.get(Timer.EXPIRY_WARNING) == warning_in_s
    assert found[Timer.EXPIRY] == pytest.approx(remaining_s + timers.TOLERANCE_S)


async def test_waiting_ends_when_an_earlier_timer_is_set() -> None:
    state = session()
    session_timers = SessionTimers(state, Cursor(state), True)
    waiting = asyncio.create_task(session_timers.next())
    await asyncio.sleep(0)
    session_timers.update_expiry(state.expires_at, -1)
    async with asyncio.timeout(1):
        assert await waiting is Timer.EXPIRY
