"""What concerns no one session: the sweep, and how the whole service stands."""

from dataclasses import dataclass

from chat.store.command import (
    SOCKET_TIMEOUT_MS,
    Answer,
    Command,
    milliseconds,
    proof_keys,
    service_keys,
)

SWEEP_AGAIN_MS = 5_000
WORKER_TIMEOUT_S = 10.0
PROOF_KEPT_MS = 60_000


@dataclass(frozen=True)
class ClusterState:
    """How the whole service stands.

    `overdue_s` is how long ago the sweep should have looked at the oldest waiting session.
    """

    waiting: int
    overdue_s: float
    swept_ago_s: float | None
    workers: dict[str, float]

    @property
    def alive(self) -> list[str]:
        """The workers with a recent sign of life."""
        return [name for name, silent_s in self.workers.items() if silent_s < WORKER_TIMEOUT_S]


def sweep(most: int) -> Command[tuple[str, ...]]:
    """Find sessions that wait for an answer and that no worker holds."""
    arguments = (most, SWEEP_AGAIN_MS, SOCKET_TIMEOUT_MS)
    return Command("sweep", service_keys(), arguments, lambda answer: tuple(answer[1:]))


def count_event(figure: str) -> Command[None]:
    """Count something in this minute's figures and note when it last happened."""
    return Command("note", service_keys(), (figure,), lambda answer: None)


def heartbeats() -> Command[dict[str, float]]:
    """Return the seconds since each worker's last sign of life."""

    def read_answer(answer: Answer) -> dict[str, float]:
        return {
            worker: int(age_ms) / 1000
            for worker, age_ms in zip(answer[1::2], answer[2::2], strict=True)
        }

    return Command("signs", service_keys(), (), read_answer)


def heartbeat(worker: str, *, free: int) -> Command[None]:
    """Give a worker's sign of life, and how many more replies it can write."""
    return Command("pulse", service_keys(), (worker, free), lambda answer: None)


def find_slot(asking: str) -> Command[str | None]:
    """Find another worker that has a place for one more reply."""
    arguments = (asking, milliseconds(WORKER_TIMEOUT_S / 2))

    def read_answer(answer: Answer) -> str | None:
        return answer[1] if answer[0] == "found" else None

    return Command("place", service_keys(), arguments, read_answer)


def load() -> Command[ClusterState]:
    """Read how the whole service stands."""

    def read_answer(answer: Answer) -> ClusterState:
        return ClusterState(
            waiting=int(answer[1]),
            overdue_s=int(answer[2]) / 1000,
            swept_ago_s=int(answer[3]) / 1000 if answer[3] else None,
            workers={
                worker: int(silent_ms) / 1000
                for worker, silent_ms in zip(answer[4::2], answer[5::2], strict=True)
            },
        )

    return Command("service", service_keys(), (), read_answer)


def check_writable() -> Command[None]:
    """Write something, to see that Redis takes writes."""
    return Command("probe", service_keys(), (), lambda answer: None)


def record_health_probe(nonce: str) -> Command[None]:
    """Note that a worker did the task that carries `nonce`."""
    return Command("prove", proof_keys(nonce), (PROOF_KEPT_MS,), lambda answer: None)


def health_probe_done(nonce: str) -> Command[bool]:
    """Return whether a worker did the task that carries `nonce`."""
    return Command("proved", proof_keys(nonce), (), lambda answer: answer[0] == "yes")
