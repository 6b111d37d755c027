"""A scripted model, and a delivery that records the published frames."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Self

import pytest

from chat.protocol import Frame
from inference.model_client import Turn, Usage
from inference.model_errors import GenerationCancelled

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
