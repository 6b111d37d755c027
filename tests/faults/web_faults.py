"""Faults of the web process: row 12."""

import signal

from tests.faults.trial import Trial, fault


@fault(12, "web process killed under load", times=2)
async def web_killed(trial: Trial) -> None:
    await _replace_web(trial, signal.SIGKILL)


@fault(12, "web process stopped under load (SIGTERM)", times=2)
async def web_ends(trial: Trial) -> None:
    closes = await _replace_web(trial, signal.SIGTERM)
    assert closes.count(1012) > 0.9 * len(closes), closes


async def _replace_web(trial: Trial, number: signal.Signals) -> list[int]:
    async with trial.group() as group:
        async with group.conversing():
            for _ in range(trial.times):
                await group.in_mid_reply()
                trial.fault_started()
                await trial.site.in_thread(trial.site.web.kill, number)
                await trial.site.in_thread(trial.site.stack.start_web)
                trial.fault_ended()
                await trial.recovered(group)
        return [code for client in group.clients for code in client.closes]
