"""All models, and the way of one reply through their endpoints."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from inference.model_client import ModelClient, ModelSettings, Turn, build_client
from inference.model_errors import ModelError, ModelLoading, ModelNoAnswer
from inference.model_pool import (
    RECOVERY_S,
    Endpoint,
    EndpointState,
    ModelPool,
    endpoint_name,
)
from inference.model_settings import ServedModel

logger = logging.getLogger(__name__)

PROBE: Final = (Turn("human", "Hello"),)
PROBE_TOKENS: Final = 8
PROBE_TIMEOUT_S: Final = 10.0
PROBE_INTERVAL_S: Final = 0.5
# A server that stays down is probed ever more rarely: a probe counts against a rate limit.
LONGEST_PAUSE_S: Final = 60.0


class Route:
    """The endpoints to ask for one reply, one after the other.

    First those of the model that are up, the one with the fewest requests first, then those of its
    fallback. Those that are down are only asked if no other is left. Leave the context when the
    reply has ended.
    """

    def __init__(self, pools: Sequence[ModelPool], on_down: Callable[[Endpoint], None]) -> None:
        self._pools = pools
        self._on_down = on_down
        self._reserved: ModelPool | None = None
        self._endpoint: Endpoint | None = None
        self._tried: list[Endpoint] = []
        self._errors: list[ModelError] = []

    @property
    def model(self) -> str:
        """The name of the model that was asked last."""
        return (self._reserved or self._pools[0]).name

    @property
    def endpoint(self) -> Endpoint | None:
        """The endpoint that was asked last."""
        return self._endpoint

    @property
    def error(self) -> ModelError | None:
        """Of the errors of this round, the one that most deserves another."""
        ranked = sorted(self._errors, key=_rank)
        return ranked[0] if ranked else None

    def reserve(self) -> bool:
        """Reserve a place at the model itself; return False if it has reached its limit."""
        if self._pools[0].reserve():
            self._reserved = self._pools[0]
        return self._reserved is not None

    @contextmanager
    def call(self) -> Iterator[ModelClient]:
        """Choose the client of the next endpoint; record in the end whether it replied."""
        pool, endpoint = self._next() or (self._pools[0], self._pools[0].endpoints[0])
        self._reserve_instead(pool)
        self._endpoint = endpoint
        self._tried.append(endpoint)
        try:
            with pool.asking(endpoint) as client:
                yield client
        except ModelError as error:
            self._errors.append(error)
            if not endpoint.is_up:
                self._on_down(endpoint)
            raise

    def can_fail_over(self, error: ModelError) -> bool:
        """Return whether there is another endpoint to ask at once."""
        # Another server would reason as long.
        return not isinstance(error, ModelNoAnswer) and self._next() is not None

    def start_again(self) -> None:
        """Begin another round: every endpoint may be asked again."""
        self._tried, self._errors = [], []

    def _next(self) -> tuple[ModelPool, Endpoint] | None:
        for up in (True, False):
            for pool in self._pools:
                if pool.is_full and pool is not self._reserved:
                    continue
                if endpoint := pool.choose(self._tried, up=up):
                    return pool, endpoint
        return None

    def _reserve_instead(self, pool: ModelPool) -> None:
        """Reserve a place at another model and give that at the last one back."""
        if pool is not self._reserved and pool.reserve():
            self.close()
            self._reserved = pool

    def close(self) -> None:
        """Give the reserved place back."""
        if self._reserved:
            self._reserved.release()
            self._reserved = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _rank(error: ModelError) -> int:
    """A loading model is waited for; a permanent error is given up."""
    return 0 if isinstance(error, ModelLoading) else 2 if error.permanent else 1


class ModelCatalog:
    """All models of a worker process; the first one is the default. Thread-safe.

    While an endpoint is down, a thread probes it until it replies.
    """

    def __init__(
        self, pools: Sequence[ModelPool], fallbacks: Mapping[str, str] | None = None
    ) -> None:
        self._pools = {pool.name: pool for pool in pools}
        self._fallbacks = fallbacks or {}
        self._default = pools[0].name
        self._lock = threading.Lock()

    @property
    def default(self) -> str:
        """The name of the default model."""
        return self._default

    def route(self, model: str | None) -> Route:
        """Return the route for a reply of this model, or of the default one if it is unknown."""
        pools: list[ModelPool] = []
        name: str | None = model if model in self._pools else self._default
        while name is not None and (pool := self._pools[name]) not in pools:
            pools.append(pool)
            name = self._fallbacks.get(name)
        return Route(pools, self._probe_soon)

    def full_models(self) -> list[str]:
        """Return the models that have reached their limit."""
        return [name for name, pool in self._pools.items() if pool.is_full]

    def states(self) -> list[EndpointState]:
        """Return the state of every endpoint."""
        return [state for pool in self._pools.values() for state in pool.states()]

    def _probe_soon(self, endpoint: Endpoint) -> None:
        with self._lock:
            if endpoint.is_probed:
                return
            endpoint.is_probed = True
        name = f"probe {endpoint.name}"
        threading.Thread(target=self._probe, args=(endpoint,), name=name, daemon=True).start()

    def _probe(self, endpoint: Endpoint) -> None:
        pauses, next_at = probe_pauses(), 0.0
        while not endpoint.is_up:
            if endpoint.is_due and time.monotonic() >= next_at:
                with suppress(ModelError):
                    probe(endpoint)
                next_at = time.monotonic() + next(pauses)
            else:
                time.sleep(PROBE_INTERVAL_S)
        with self._lock:
            endpoint.is_probed = False


def probe_pauses() -> Iterator[float]:
    """Yield the seconds between probes of a server that stays down."""
    pause_s = float(RECOVERY_S)
    while True:
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        yield pause_s


def probe(endpoint: Endpoint) -> None:
    """Ask an endpoint for a few tokens and record whether it replies; raises ModelError."""
    try:
        with endpoint.probe.generate(PROBE) as generation:
            for _ in generation:
                break
    except ModelNoAnswer:
        pass  # it reasoned, so it is up
    except ModelError as error:
        endpoint.record(error)
        raise
    endpoint.record(None)


def build_catalog(models: Sequence[ServedModel], max_connections: int) -> ModelCatalog:
    """Create the clients of all models, without connecting; raises ValueError for a bad URL."""
    pools = [
        ModelPool(model.name, _build_endpoints(model, max_connections), model.concurrency)
        for model in models
    ]
    fallbacks = {model.name: model.fallback for model in models if model.fallback}
    return ModelCatalog(pools, fallbacks)


def _build_endpoints(model: ServedModel, max_connections: int) -> list[Endpoint]:
    names: list[str] = []
    for each in model.endpoints:
        name = endpoint_name(each.url)
        names.append(f"{name} ({names.count(name) + 1})" if name in names else name)
    return [
        _build_endpoint(name, each, max_connections)
        for name, each in zip(names, model.endpoints, strict=True)
    ]


def _build_endpoint(name: str, settings: ModelSettings, max_connections: int) -> Endpoint:
    probe_settings = replace(
        settings,
        max_new_tokens=min(PROBE_TOKENS, settings.max_new_tokens),
        timeout_s=min(PROBE_TIMEOUT_S, settings.timeout_s),
        max_connections=1,
    )
    return Endpoint(
        name,
        settings.name,
        build_client(replace(settings, max_connections=max_connections)),
        build_client(probe_settings),
    )
