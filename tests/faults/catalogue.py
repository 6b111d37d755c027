"""All rows of the report, in order."""

from tests.faults import (
    deploy_faults,
    endpoint_faults,
    host_faults,
    model_faults,
    network_faults,
    operator_faults,
    rabbitmq_faults,
    redis_cluster_faults,
    redis_faults,
    sentinel_faults,
    spread_faults,
    web_faults,
    worker_faults,
)
from tests.faults.trial import FAULTS, Fault

__all__ = [
    "catalogue",
    "deploy_faults",
    "endpoint_faults",
    "host_faults",
    "model_faults",
    "network_faults",
    "operator_faults",
    "rabbitmq_faults",
    "redis_cluster_faults",
    "redis_faults",
    "sentinel_faults",
    "spread_faults",
    "web_faults",
    "worker_faults",
]


def catalogue() -> list[Fault]:
    """Return every fault by its number."""
    return sorted(FAULTS, key=lambda one: one.number)
