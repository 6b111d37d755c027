"""Durations that several commands share, and conversions of times."""

from datetime import UTC, datetime

# The task of a new message needs some time to reach a worker; the sweep leaves it alone meanwhile.
GRACE_MS = 1_500
# Sockets of a killed web process count for this long after their last heartbeat.
SOCKET_TIMEOUT_MS = 20_000
# Visitors are told that no worker is running after this time without a heartbeat of any.
WORKER_SILENCE_MS = 3_000
# On a Redis Cluster, the sweep records the state of the whole queue every second.
QUEUE_KEPT_MS = 10_000

# An operator's page sends heartbeats more often than every two seconds.
CLAIM_MS = 6_000
DUTY_TIMEOUT_MS = 15_000


def to_ms(seconds: float) -> int:
    return round(seconds * 1000)


def instant(milliseconds: int) -> datetime:
    """Return a time in milliseconds since 1970 as a datetime in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
