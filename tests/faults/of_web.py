"""Faults of the web process: row 12."""

import signal

from tests.faults.trial import Trial, fault


@fault(12, "web process killed under load", times=2)
async def web_killed(trial: Trial) -> None:
    await _replace_web(trial, signal.SIGKILL)


@fault(12, "web process told to end under load (SIGTERM)", times=2)
async def web_ends(trial: Trial) -> None:
    closes = await _replace_web(trial, signal.SIGTERM)
    assert closes.count(1012) > 0.9 * len(closes), closes


async def _replace_web(trial: Trial, number: signal.Signals) -> list[int]:
    async with trial.crowd() as crowd:
        async with crowd.talking():
            for _ in range(trial.times):
                await crowd.in_mid_reply()
                trial.broke()
                await trial.site.do(trial.site.web.kill, number)
                await trial.site.do(trial.site.stack.start_web)
                trial.mended()
                await trial.recovered(crowd)
        return [code for client in crowd.clients for code in client.closes]
