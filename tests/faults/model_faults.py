"""Faults of the model's server: row 16."""

import asyncio
import time
from dataclasses import replace

from tests.faults.trial import Trial, fault
from tests.model_stub import Behaviour, failing, loading, overloaded

TIMEOUT_S = 2.0
DEADLINE_S = 12.0
SWEEP_S = 5.0
IMPATIENT = {"MODEL_TIMEOUT_S": f"{TIMEOUT_S:g}", "REPLY_DEADLINE_S": f"{DEADLINE_S:g}"}
HANG_S = 14.0  # longer than a sweep may be late
FEW_THREADS = {
    "MODEL_TIMEOUT_S": f"{HANG_S + 2:g}",
    "REPLY_DEADLINE_S": "60",
    "WORKER_CONCURRENCY": "4",
}
LINK_LOCAL = "http://169.254.169.254/latest/meta-data/"

# How the model's server behaves, and the error code that clients receive.
BAD_MODELS: dict[str, tuple[Behaviour, str]] = {
    "responds with 500": (failing(500), "model.unavailable"),
    "is loading": (loading(1), "model.loading"),
    "is overloaded (429)": (overloaded(1), "model.overloaded"),
    "hangs": (Behaviour(hang_after=0), "model.timeout"),
    "resets in mid-stream": (Behaviour(reset_after=3), "model.unavailable"),
    "truncates": (Behaviour(truncate=True), "model.bad_reply"),
    "sends an empty reply": (Behaviour(text="", finish_reason="stop"), "model.bad_reply"),
    "sends 100 MB": (Behaviour(filler_bytes=100_000_000), "model.bad_reply"),
    "sends garbage": (Behaviour(raw="<html>no model here</html>"), "model.bad_reply"),
    "sends a byte a second": (Behaviour(byte_delay_s=1.0), "reply.deadline"),
    "redirects to a link-local address": (
        Behaviour(status=302, headers={"Location": LINK_LOCAL}, raw=""),
        "model.rejected",
    ),
}


@fault(16, "the model fails, in eleven ways", times=len(BAD_MODELS), environment=IMPATIENT)
async def bad_model(trial: Trial) -> None:
    """Each session gets the right code in time, and its next message is answered."""
    model, wrong = trial.site.model, []
    async with trial.group() as group:
        for name, (behaviour, code) in BAD_MODELS.items():
            model.always(replace(behaviour, times=None))
            started_at = time.monotonic()
            await group.ask_each()
            took_s = time.monotonic() - started_at
            received = {client.last_error() for client in group.clients}
            if received != {code} or took_s > (DEADLINE_S + SWEEP_S) * trial.slowness:
                wrong.append(
                    f"a model that {name}: {sorted(map(str, received))} after {took_s:.1f} s"
                )
            model.always(Behaviour(times=None))
            await group.ask_each()
            if any(client.last_error() for client in group.clients):
                wrong.append(f"after a model that {name} the next message failed")
    assert not wrong, "; ".join(wrong)
    assert trial.counts.failed == len(BAD_MODELS) * trial.sessions


@fault(16, "the model hangs on more replies than there are threads", environment=FEW_THREADS)
async def model_hangs_on_all(trial: Trial) -> None:
    """The workers stay healthy: they sweep, run health probes, and continue with the model."""
    site = trial.site
    async with trial.group() as group:
        site.model.always(Behaviour(hang_after=0, times=None))
        sent = [await client.send_next() for client in group.clients]
        trial.fault_started()
        await asyncio.sleep(HANG_S)
        status, checks = await site.readiness()
        assert status == 200, checks
        assert checks["sweep"] == "ok", checks
        site.model.always(Behaviour(times=None))
        trial.fault_ended()
        await group.answered(sent)
        await trial.recovered(group)
        await group.ask_each()
        assert not any(client.last_error() for client in group.clients)
