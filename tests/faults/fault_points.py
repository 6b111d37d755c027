"""The site's settings with fault points, for the fault tests only.

A worker that reaches a fault point whose file exists in DATA_DIR deletes the file and kills itself:
`die-before-commit`, `die-during-commit` (after the command is sent, before its reply is read),
`die-after-commit`. If the file `clock` exists at startup, its number of seconds is added to the
time of Python's clock. While the file `drop-tasks` exists, every fifth task is not published.
"""

import itertools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kombu.transport import redis as transport

from chat.store.client import Store
from chatproject.settings import *  # noqa: F403
from chatproject.settings import DATA_DIR

DROP_EVERY = 5
CLOCK = Path(DATA_DIR, "clock")
real_time = time.time


def exit_at(point: str) -> None:
    """Kill this process if the fault point is armed and no other process reached it first."""
    try:
        Path(DATA_DIR, point).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def with_fault_points(run: Callable[..., Any]) -> Callable[..., Any]:
    """Return Store.run with a fault point before, during and after each commit."""

    def run_and_die(self: Store, command: Any) -> Any:
        if command.script != "commit":
            return run(self, command)
        exit_at("die-before-commit")
        if Path(DATA_DIR, "die-during-commit").exists():
            send_and_die(self, command)
        result = run(self, command)
        exit_at("die-after-commit")
        return result

    return run_and_die


def send_and_die(store: Store, command: Any) -> None:
    """Send a command and kill this process before it reads the reply."""
    connection = store.redis.connection_pool.get_connection()
    connection.send_command(*command.evalsha())
    connection.can_read(timeout=1)
    exit_at("die-during-commit")
    connection.disconnect()


def wrong_time() -> float:
    """Return the time of a wrong clock."""
    return real_time() + float(CLOCK.read_text() or 0)


def lose_tasks(put: Callable[..., Any]) -> Callable[..., Any]:
    """Return the transport's publish method with every fifth answer task lost."""
    count = itertools.count(1)

    def put_or_drop(self: Any, queue: str, message: Any, **options: Any) -> Any:
        is_answer = message.get("headers", {}).get("task") == "chat.tasks.answer"
        dropping_now = is_answer and Path(DATA_DIR, "drop-tasks").exists()
        if dropping_now and next(count) % DROP_EVERY == 0:
            with Path(DATA_DIR, "dropped-tasks").open("a") as dropped:
                dropped.write("x")
            return None
        return put(self, queue, message, **options)

    return put_or_drop


if CLOCK.exists():
    setattr(time, "time", skewed_time)  # noqa: B010
setattr(Store, "run", with_fault_points(Store.run))  # noqa: B010 mypy rejects an assignment to a method
setattr(transport.Channel, "_put", drop_tasks(transport.Channel._put))  # noqa: B010
