"""What the workers know of the endpoints of models, as their heartbeats say."""

from collections.abc import Collection, Mapping, Sequence

from pydantic import TypeAdapter, ValidationError

from chat.schemas import FrozenModel


class EndpointReport(FrozenModel):
    """What one worker knows of an endpoint; `requests` counts its own."""

    model: str
    endpoint: str
    is_up: bool
    requests: int


class EndpointStatus(FrozenModel):
    """An endpoint as all workers see it. `down_for` counts those that do not ask it."""

    model: str
    endpoint: str
    workers: int
    down_for: int
    requests: int

    @property
    def is_up(self) -> bool:
        """Whether any worker asks it."""
        return self.down_for < self.workers


_reports = TypeAdapter(tuple[EndpointReport, ...])


def dump_reports(reports: Sequence[EndpointReport]) -> str:
    """Return what a heartbeat stores."""
    return _reports.dump_json(tuple(reports)).decode()


def merge_reports(
    stored: Mapping[str, str], workers: Collection[str]
) -> tuple[EndpointStatus, ...]:
    """Return each endpoint once, as these workers see it."""
    found: dict[tuple[str, str], list[EndpointReport]] = {}
    for worker, text in stored.items():
        for report in _parse(text) if worker in workers else ():
            found.setdefault((report.model, report.endpoint), []).append(report)
    return tuple(
        EndpointStatus(
            model=model,
            endpoint=endpoint,
            workers=len(reports),
            down_for=sum(not each.is_up for each in reports),
            requests=sum(each.requests for each in reports),
        )
        for (model, endpoint), reports in found.items()
    )


def _parse(text: str) -> tuple[EndpointReport, ...]:
    try:
        return _reports.validate_json(text)
    except ValidationError:  # a worker of another version
        return ()
