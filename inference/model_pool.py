"""The endpoints of one model: which one to ask, and which ones are down.

The state belongs to a process. Another one finds out on its own within a few calls.
"""

import itertools
import logging
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from circuitbreaker import CircuitBreaker

from inference.model_client import ModelClient
from inference.model_errors import ModelError, ModelNoAnswer, ModelRejected

logger = logging.getLogger(__name__)

FAILURES_TO_OPEN: Final = 3
# Probes of an endpoint that is down follow at this interval.
RECOVERY_S: Final = 5


@dataclass(frozen=True)
class EndpointState:
    """What a process knows of an endpoint; `outstanding` counts its requests."""

    model: str
    endpoint: str
    is_up: bool
    outstanding: int


class Endpoint:
    """One endpoint with its circuit breaker.

    `served_name` is the model's name at the server. `probe` asks for a few tokens.
    """

    def __init__(
        self, name: str, served_name: str, client: ModelClient, probe: ModelClient
    ) -> None:
        self.name = name
        self.served_name = served_name
        self.client = client
        self.probe = probe
        self.outstanding = 0
        self.used_at = 0
        self.is_probed = False
        self._breaker = CircuitBreaker(
            FAILURES_TO_OPEN, RECOVERY_S, expected_exception=ModelError, name=name
        )

    @property
    def is_up(self) -> bool:
        """Whether the last calls did not fail one after the other."""
        return bool(self._breaker.closed)

    @property
    def is_due(self) -> bool:
        """Whether it is down and a probe may be sent."""
        return not (self._breaker.closed or self._breaker.opened)

    def record(self, error: ModelError | None) -> None:
        """Record the outcome of a call, None for a reply."""
        was_up = self.is_up
        with suppress(ModelError), self._breaker:
            if error:
                raise error
        if was_up and not self.is_up:
            code = error.code if error else ""
            facts = {"endpoint": self.name, "code": code}
            logger.warning("A model endpoint is down", extra={"facts": facts})
        elif self.is_up and not was_up:
            logger.info("A model endpoint is up again", extra={"facts": {"endpoint": self.name}})


class ModelPool:
    """The endpoints of one model, and its limit of concurrent replies. Thread-safe."""

    def __init__(
        self, name: str, endpoints: Sequence[Endpoint], concurrency: int | None = None
    ) -> None:
        self.name = name
        self.endpoints = endpoints
        self._free = concurrency
        self._clock = itertools.count(1)
        self._lock = threading.Lock()

    @property
    def is_full(self) -> bool:
        """Whether `reserve` would return False."""
        return self._free is not None and self._free <= 0

    def reserve(self) -> bool:
        """Reserve the place of a reply; return False if there is none."""
        with self._lock:
            if self.is_full:
                return False
            if self._free is not None:
                self._free -= 1
            return True

    def release(self) -> None:
        """Give the place of a reply back."""
        with self._lock:
            if self._free is not None:
                self._free += 1

    def choose(self, tried: Collection[Endpoint], *, up: bool) -> Endpoint | None:
        """Return the endpoint with the fewest requests that was not tried and is up, or down."""
        left = [each for each in self.endpoints if each not in tried and each.is_up is up]
        return min(left, key=lambda each: (each.outstanding, each.used_at), default=None)

    @contextmanager
    def asking(self, endpoint: Endpoint) -> Iterator[ModelClient]:
        """Count a request during the block, and record how it ends.

        A call that is cancelled says nothing about the endpoint.
        """
        with self._lock:
            endpoint.outstanding += 1
            endpoint.used_at = next(self._clock)
        try:
            yield endpoint.client
            endpoint.record(None)
        except ModelError as error:
            # The others are about the conversation, not about the server.
            if not isinstance(error, ModelRejected | ModelNoAnswer):
                endpoint.record(error)
            raise
        finally:
            with self._lock:
                endpoint.outstanding -= 1

    def states(self) -> list[EndpointState]:
        """Return the state of each endpoint."""
        return [
            EndpointState(self.name, each.name, each.is_up, each.outstanding)
            for each in self.endpoints
        ]


def endpoint_name(url: str) -> str:
    """Return how operators see an endpoint: host and port, without what may be a secret."""
    return urlsplit(url).netloc.rpartition("@")[2]
