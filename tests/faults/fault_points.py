"""The site's settings with fault points, for the tests only. A file in DATA_DIR enables each.

`die-before-commit`, `die-during-commit` (sent, but the reply is not read) and `die-after-commit`:
the first worker that reaches the point deletes the file and kills itself.
`clock`: if it exists at the start, the number of seconds in it is added to Python's clock.
`lose-tasks`: every fifth task is not sent to the broker.
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

LOST_EACH = 5
CLOCK = Path(DATA_DIR, "clock")
real_time = time.time


def exit_at(point: str) -> None:
    """Kill this process if it is the first to reach an armed point."""
    try:
        Path(DATA_DIR, point).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def with_fault_points(run: Callable[..., Any]) -> Callable[..., Any]:
    """Return Store.run with a point before, in and after each commit."""

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

    def put_or_lose(self: Any, queue: str, message: Any, **options: Any) -> Any:
        is_answer = message.get("headers", {}).get("task") == "chat.tasks.answer"
        losing_now = is_answer and Path(DATA_DIR, "lose-tasks").exists()
        if losing_now and next(count) % LOST_EACH == 0:
            with Path(DATA_DIR, "lost-tasks").open("a") as lost:
                lost.write("x")
            return None
        return put(self, queue, message, **options)

    return put_or_lose


if CLOCK.exists():
    setattr(time, "time", wrong_time)  # noqa: B010
setattr(Store, "run", with_fault_points(Store.run))  # noqa: B010 mypy rejects the assignment
setattr(transport.Channel, "_put", lose_tasks(transport.Channel._put))  # noqa: B010
