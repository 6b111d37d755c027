"""A short selection of the fault suite; `make faults` runs all of it, and longer."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.faults import network_faults, redis_faults, web_faults, worker_faults
from tests.faults.site import Site
from tests.faults.trial import Run, Trial

pytestmark = pytest.mark.slow

SESSIONS = 20
# Other tests run at the same time; `make faults` measures how long a recovery takes.
PATIENCE = 4.0
SELECTION: dict[str, tuple[Run, int]] = {
    "a_worker_dies_during_the_commit": (worker_faults.worker_dies_during_commit, 1),
    "a_worker_is_stopped": (worker_faults.worker_ends, 1),
    "tasks_are_delivered_three_times": (worker_faults.task_delivered_twice, 40),
    "redis_is_killed": (redis_faults.redis_killed, 1),
    "the_web_process_is_stopped": (web_faults.web_ends, 1),
    "connections_are_cut": (network_faults.connection_cut, 36),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with two workers. The tests of this file share it."""
    site = Site(tmp_path_factory.mktemp("site"), worker_faults.POINTS)
    try:
        asyncio.run(site.start())
        yield site
    finally:
        asyncio.run(site.close())


@pytest.mark.parametrize("what", SELECTION)
async def test_every_message_gets_one_reply_in_order_while(what: str, site: Site) -> None:
    run, times = SELECTION[what]
    await site.restore()
    trial = Trial(site, SESSIONS, times, PATIENCE)
    await run(trial)
    assert not any(trial.counts.violations.values()), trial.counts
    assert trial.counts.accepted >= 2 * SESSIONS
    assert trial.counts.answered == trial.counts.accepted
