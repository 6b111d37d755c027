"""Beat publishes sweeps one at a time, and without an expiry by another host's clock."""

import json

import pytest
from celery import Celery
from celery.beat import ScheduleEntry
from django.conf import settings

from chat.store.client import Store
from chat.worker.beat_scheduler import BeatScheduler
from chatproject.celery import app as project_app


@pytest.fixture
def scheduler(redis_url: str, store: Store) -> BeatScheduler:
    store.redis.delete(settings.SWEEP_QUEUE)
    app = Celery("beat", broker=redis_url)
    app.conf.beat_schedule = project_app.conf.beat_schedule
    return BeatScheduler(app, lazy=True)


@pytest.fixture
def sweep(scheduler: BeatScheduler) -> ScheduleEntry:
    scheduler.setup_schedule()
    entry: ScheduleEntry = scheduler.schedule["sweep"]
    return entry


def test_a_sweep_is_published_only_after_the_last_one_was_taken(
    scheduler: BeatScheduler, sweep: ScheduleEntry, store: Store
) -> None:
    for _ in range(3):
        scheduler.apply_entry(sweep)
    assert store.redis.llen(settings.SWEEP_QUEUE) == 1
    store.redis.lpop(settings.SWEEP_QUEUE)
    scheduler.apply_entry(sweep)
    assert store.redis.llen(settings.SWEEP_QUEUE) == 1


def test_a_waiting_sweep_does_not_hold_up_the_erasure(
    scheduler: BeatScheduler, sweep: ScheduleEntry, store: Store
) -> None:
    store.redis.delete(settings.ERASURE_QUEUE)
    erasure: ScheduleEntry = scheduler.schedule["erase_deleted_texts"]
    scheduler.apply_entry(sweep)
    for _ in range(2):
        scheduler.apply_entry(erasure)
    assert store.redis.llen(settings.ERASURE_QUEUE) == 1


def test_a_sweep_does_not_expire(
    scheduler: BeatScheduler, sweep: ScheduleEntry, store: Store
) -> None:
    scheduler.apply_entry(sweep)
    message = json.loads(str(store.redis.lpop(settings.SWEEP_QUEUE)))
    assert message["headers"]["task"] == "chat.tasks.sweep"
    assert message["headers"]["expires"] is None


def test_a_broker_that_fails_is_logged_once_and_tried_after_growing_pauses(
    scheduler: BeatScheduler,
    sweep: ScheduleEntry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    now, attempts = [0.0], []
    publish = BeatScheduler.apply_async

    def fail(*arguments: object, **options: object) -> None:
        attempts.append(now[0])
        raise OSError("refused")

    monkeypatch.setattr("chat.worker.beat_scheduler.time.monotonic", lambda: now[0])
    monkeypatch.setattr(BeatScheduler, "apply_async", fail)
    for second in range(40):
        now[0] = second + 1.0
        scheduler.apply_entry(sweep)
    assert attempts == [1, 2, 4, 8, 16, 26, 36]
    monkeypatch.setattr(BeatScheduler, "apply_async", publish)
    now[0] = 100.0
    scheduler.apply_entry(sweep)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "The broker does not accept tasks: OSError: refused",
        "The broker works again, after 99 s",
    ]
