"""A scripted model, and a delivery that records the published frames."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Self, cast

import pytest

from chat.protocol import Frame
from inference.model_catalog import ModelCatalog
from inference.model_client import ModelClient, Turn, Usage
from inference.model_errors import GenerationCancelled
from inference.model_pool import Endpoint, ModelPool

Step = str | Exception | Callable[[], object]


class ScriptedGeneration(Iterator[str]):
    """Runs the steps of one model call: yields texts, raises errors, calls functions."""

    def __init__(self, steps: Sequence[Step], whole: bool) -> None:
        self.finish_reason = "stop"
        self.usage = Usage(prompt_tokens=3, completion_tokens=2)
        self.has_more = whole
        self.is_cancelled = False
        self.is_closed = False
        self._steps = iter(steps)

    def __next__(self) -> str:
        for step in self._steps:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, str):
                return step
            step()
            if self.is_cancelled:
                raise GenerationCancelled
        raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.is_closed = True

    def cancel(self) -> None:
        self.is_cancelled = True


class ScriptedModel:
    """Each call runs the next script. With `whole`, the end of a reply arrives with its text."""

    def __init__(self, *scripts: Sequence[Step], whole: bool = False) -> None:
        self.calls: list[ScriptedGeneration] = []
        self.turns: list[Sequence[Turn]] = []
        self._scripts = iter(scripts)
        self._whole = whole

    def generate(
        self, turns: Sequence[Turn], *, request_id: str | None = None
    ) -> ScriptedGeneration:
        self.turns.append(turns)
        self.calls.append(ScriptedGeneration(next(self._scripts), self._whole))
        return self.calls[-1]


PROBE = ScriptedModel(*[["up"]] * 100)


def client(model: ScriptedModel) -> ModelClient:
    return cast("ModelClient", model)


def catalog(*models: ScriptedModel, concurrency: int | None = None) -> ModelCatalog:
    """Return a catalog in which each model is the fallback of the one before it."""
    names = [f"model-{number}" for number in range(1, len(models) + 1)]
    pools = [
        ModelPool(
            name, [Endpoint(f"{name}:80", "served", client(model), client(PROBE))], concurrency
        )
        for name, model in zip(names, models, strict=True)
    ]
    return ModelCatalog(pools, dict(pairwise(names)))


class RecordedDelivery:
    """Records the published frames and calls `on_publish` for each."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.on_publish: Callable[[Frame], object] = lambda frame: None

    def publish(self, session: str, *frames: Frame) -> None:
        for frame in frames:
            self.frames.append(frame)
            self.on_publish(frame)

    def publish_all(self, deltas: Iterable[tuple[str, Frame]]) -> None:
        for session, delta in deltas:
            self.publish(session, delta)

    def types(self) -> list[str]:
        return [frame.type for frame in self.frames]


@pytest.fixture
def delivery() -> RecordedDelivery:
    return RecordedDelivery()
