"""A rolling deploy: row 19."""

import signal

from tests.faults.network_faults import through
from tests.faults.proxy import Proxy
from tests.faults.trial import Trial, fault

SESSIONS = 200
PAUSE_S = 8.0
FEW_WORDS = "and on"


@fault(
    19,
    "rolling deploy: a worker and the web process replaced in turn under 200 sessions",
    times=10,
    order="alone",
)
async def rolling_deploy(trial: Trial) -> None:
    """As in a deployment: start the new process, then send SIGTERM to the old one."""
    site = trial.site
    async with Proxy(lambda: ("127.0.0.1", site.stack.running("web")[-1].port)) as proxy:
        async with trial.group(through(proxy), sessions=SESSIONS) as group:
            async with group.conversing(PAUSE_S, share=0.01, words=FEW_WORDS):
                for _ in range(trial.times):
                    trial.fault_started()
                    for name, start in (
                        ("worker", site.stack.start_worker),
                        ("web", site.stack.start_web),
                    ):
                        old = site.stack.running(name)[0]
                        await site.in_thread(start)
                        await site.in_thread(old.kill, signal.SIGTERM)
                    await trial.recovered(group)
    assert trial.counts.failed == 0
