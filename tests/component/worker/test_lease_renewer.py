"""Leases are renewed in batches, and a reply that must end is cancelled with its reason."""

import threading
import time
from collections.abc import Sequence
from uuid import uuid4

import pytest

from chat.errors import SessionUnknown, StoreUnavailable
from chat.store import sessions
from chat.store.client import Store
from chat.store.command import Command, LeaseLost
from chat.store.leases import LeaseStatus
from chat.worker.lease_renewer import CancelReason, LeaseHandle, LeaseRenewer
from tests.component.conftest import due_at_ms, send_message, take_message
from tests.processes import wait_for

HELD = LeaseStatus(stop_requested=False, length=0)
Results = list[LeaseStatus | Exception]


class Call:
    """A model call that only records whether it was cancelled."""

    is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class RecordingStore:
    """Returns the scripted results for each batch of renewals, then success."""

    def __init__(self, *script: Results | Exception) -> None:
        self.batches: list[int] = []
        self._script = iter(script)

    def run_all(self, commands: Sequence[Command[LeaseStatus]]) -> Results:
        self.batches.append(len(commands))
        results = next(self._script, None)
        if isinstance(results, Exception):
            raise results
        return results or [HELD for _ in commands]


def handle(deadline_s: float = 60, session: str = "ada") -> LeaseHandle:
    return LeaseHandle(session, "lease", uuid4(), time.monotonic() + deadline_s)


@pytest.fixture
def held() -> LeaseHandle:
    return handle()


def renewer_of(store: RecordingStore) -> LeaseRenewer:
    return LeaseRenewer(store)  # type: ignore[arg-type]


def test_the_first_cancel_reason_is_kept(held: LeaseHandle) -> None:
    held.cancel(CancelReason.STOP)
    held.cancel(CancelReason.DEADLINE)
    assert held.cancel_reason is CancelReason.STOP


def test_only_the_running_call_is_cancelled(held: LeaseHandle) -> None:
    ended, running = Call(), Call()
    with held.cancels(ended):
        pass
    with held.cancels(running):
        held.cancel(CancelReason.STOP)
    assert (ended.is_cancelled, running.is_cancelled) == (False, True)


def test_a_call_that_starts_after_the_cancellation_is_cancelled_at_once(held: LeaseHandle) -> None:
    held.cancel(CancelReason.STOP)
    call = Call()
    with held.cancels(call):
        assert call.is_cancelled


def test_waiting_ends_with_the_cancellation(held: LeaseHandle) -> None:
    threading.Timer(0.01, held.cancel, [CancelReason.STOP]).start()
    assert held.wait(30)


def test_waiting_without_a_cancellation_returns_false(held: LeaseHandle) -> None:
    assert not held.wait(0)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (HELD, None),
        (LeaseStatus(stop_requested=True, length=0), CancelReason.STOP),
        (LeaseLost(), CancelReason.LEASE_LOST),
        (SessionUnknown(), CancelReason.SESSION_GONE),
        (StoreUnavailable(), None),
    ],
)
def test_the_result_of_a_renewal_sets_the_cancel_reason(
    held: LeaseHandle, result: LeaseStatus | Exception, reason: CancelReason | None
) -> None:
    held.update(result)
    assert held.cancel_reason is reason


def test_all_leases_are_renewed_in_one_round_trip() -> None:
    store = RecordingStore()
    renewer = renewer_of(store)
    handles = [handle(session=f"session-{number}") for number in range(5)]
    with renewer.renewing(handles[0]), renewer.renewing(handles[1]), renewer.renewing(handles[2]):
        wait_for(lambda: 3 in store.batches, "a renewal of all three leases", timeout_s=2)
    assert max(store.batches) == 3


@pytest.mark.parametrize("error", [StoreUnavailable(), RuntimeError("a bug")])
def test_the_thread_survives_an_error_and_renews_again(held: LeaseHandle, error: Exception) -> None:
    store = RecordingStore(error)
    with renewer_of(store).renewing(held):
        wait_for(lambda: len(store.batches) >= 2, "a renewal after the error", timeout_s=2)
    assert held.cancel_reason is None


def test_each_handle_gets_its_own_result() -> None:
    store = RecordingStore([LeaseLost(), LeaseStatus(stop_requested=True, length=0)])
    renewer, first, second = renewer_of(store), handle(), handle()
    # Both must be due in the same batch.
    with renewer.renewing(first), renewer.renewing(second):
        assert first.wait(2) or second.wait(2)
        wait_for(lambda: first.cancel_reason and second.cancel_reason, "both results", timeout_s=2)
    assert {first.cancel_reason, second.cancel_reason} == {
        CancelReason.LEASE_LOST,
        CancelReason.STOP,
    }


def test_a_reply_is_cancelled_at_its_deadline() -> None:
    late = handle(deadline_s=0.05)
    with renewer_of(RecordingStore()).renewing(late):
        assert late.wait(2)
    assert late.cancel_reason is CancelReason.DEADLINE


def test_releasing_cancels_current_and_later_replies(held: LeaseHandle) -> None:
    renewer, later = renewer_of(RecordingStore()), handle()
    with renewer.renewing(held):
        renewer.release_all()
        with renewer.renewing(later):
            pass
    assert held.cancel_reason is later.cancel_reason is CancelReason.SHUTDOWN


def test_a_lease_added_while_the_thread_goes_idle_is_renewed(held: LeaseHandle) -> None:
    store = RecordingStore()
    renewer = renewer_of(store)
    used = threading.Event()

    def use() -> None:
        with renewer.renewing(held):
            used.wait(10)

    adding = threading.Thread(target=use)

    class AddsWhenCleared(threading.Event):
        """Adds a lease when the thread has found none left."""

        def clear(self) -> None:
            if not adding.ident:
                adding.start()
                self.wait(0.2)  # with the lock held, the lease is added only afterwards
            super().clear()

    idle, renewer._has_handles = renewer._has_handles, AddsWhenCleared()
    idle.set()
    wait_for(lambda: store.batches, "a renewal of the added lease", timeout_s=3)
    used.set()
    adding.join()


def test_a_lease_in_redis_is_renewed_and_reports_a_stop(store: Store, session: str) -> None:
    message = send_message(store, session)
    taken = take_message(store, session)
    held = LeaseHandle(session, taken.lease, taken.reply, time.monotonic() + 60)
    before = due_at_ms(store, session)
    assert before is not None
    with LeaseRenewer(store).renewing(held):
        wait_for(lambda: (due_at_ms(store, session) or 0) > before, "a renewed lease", timeout_s=2)
        store.run(sessions.stop(session, message.id, ttl_s=600))
        assert held.wait(2)
    assert held.cancel_reason is CancelReason.STOP
