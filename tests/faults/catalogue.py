"""All rows of the report, in order."""

from tests.faults import of_deploys, of_host, of_model, of_network, of_redis, of_web, of_workers
from tests.faults.trial import FAULTS, Fault

__all__ = [
    "catalogue",
    "of_deploys",
    "of_host",
    "of_model",
    "of_network",
    "of_redis",
    "of_web",
    "of_workers",
]


def catalogue() -> list[Fault]:
    """Return every fault by its number."""
    return sorted(FAULTS, key=lambda one: one.number)
