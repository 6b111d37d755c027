"""The requests that the stub received and its script, shared by its thread and the tests."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from tests.model_stub.behaviour import Behaviour

MAX_RECORDS = 10_000


@dataclass
class RecordedRequest:
    """One request that the stub received; times are seconds since the epoch.

    `finished_at_s` is when the last byte of the response was written (or its fault happened),
    `disconnected_at_s` when the client closed the connection before that.
    """

    path: str
    headers: dict[str, str]
    payload: Any
    received_at_s: float
    finished_at_s: float | None = None
    disconnected_at_s: float | None = None


class Record:
    """The script and the requests; every new or changed request wakes `wait_for`."""

    def __init__(self) -> None:
        self.default = Behaviour(times=None)
        # Probes of an endpoint that is down come at any time, and are not what a test scripts.
        self.leaves_out_probes = False
        self.documents: dict[str, Any] = {}
        self.token: str | None = None
        self.tokenizer: Callable[[str], Any] | None = None
        self.tokenized: list[dict[str, Any]] = []
        self._script: deque[tuple[Behaviour, int | None]] = deque()
        self._requests: deque[RecordedRequest] = deque(maxlen=MAX_RECORDS)
        self._changed = threading.Condition()
        self.released = threading.Event()

    def set_script(self, behaviours: Iterable[Behaviour]) -> None:
        """Set the behaviours for the next requests, before `default`; hold them if they say so."""
        self.released.set()
        self.released = threading.Event()
        with self._changed:
            self._script = deque((each, each.times) for each in behaviours)

    def next_behaviour(self) -> Behaviour:
        """Take the behaviour for the next request from the script."""
        with self._changed:
            if not self._script:
                return self.default
            behaviour, left = self._script.popleft()
            if left is None or left > 1:
                self._script.appendleft((behaviour, None if left is None else left - 1))
            return behaviour

    def add(self, request: RecordedRequest) -> None:
        """Record a request."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def finish(self, request: RecordedRequest) -> None:
        """Record that the response was written."""
        with self._changed:
            request.finished_at_s = time.time()
            self._changed.notify_all()

    def disconnect(self, request: RecordedRequest) -> None:
        """Record that the client disconnected, if the response was not finished."""
        with self._changed:
            if request.finished_at_s is None and request.disconnected_at_s is None:
                request.disconnected_at_s = time.time()
                self._changed.notify_all()

    def requests(self) -> list[RecordedRequest]:
        """Return the recorded requests, oldest first."""
        with self._changed:
            return list(self._requests)

    def as_json(self) -> list[dict[str, Any]]:
        """Return the recorded requests as JSON objects."""
        with self._changed:
            return [asdict(request) for request in self._requests]

    def clear(self) -> None:
        """Clear the recorded requests."""
        with self._changed:
            self._requests.clear()

    def wait_for(
        self, condition: Callable[[list[RecordedRequest]], bool], timeout_s: float
    ) -> list[RecordedRequest]:
        """Wait until the requests fulfil `condition` and return them; AssertionError on timeout."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(list(self._requests)), timeout_s):
                raise AssertionError(f"Not seen within {timeout_s} s: {list(self._requests)}")
            return list(self._requests)
