"""Faults in the middle of a person's answer: row 22."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from tests.faults.client_group import ClientGroup
from tests.faults.operator import ResilientOperator, join_all
from tests.faults.redis_faults import AWAY_S
from tests.faults.trial import Trial, fault

# The claim lives six seconds; then come a sweep and the model's reply.
BACK_WITHIN_S = 12.0


@fault(22, "browsers of operators die in the middle of an answer")
async def browsers_die(trial: Trial) -> None:
    async with trial.group() as group, operators_of(group) as operators:
        await group.ask_each()
        async with group.conversing(share=0.5):
            trial.fault_started()
            await asyncio.gather(*(operator.die() for operator in operators))
            await trial.recovered(group)
        await _check_who_answered(group, {"bot", "operator"})
    assert trial.counts.failed == 0
    assert max(trial.recoveries_s) < BACK_WITHIN_S * trial.slowness, trial.recoveries_s


@fault(22, "web process killed in the middle of a person's answer", times=2)
async def web_killed(trial: Trial) -> None:
    async with trial.group() as group, operators_of(group):
        async with group.conversing(share=0.5):
            for _ in range(trial.times):
                await group.in_mid_reply(0.5)
                trial.fault_started()
                await trial.site.in_thread(trial.site.web.kill, signal.SIGKILL)
                await trial.site.in_thread(trial.site.stack.start_web)
                trial.fault_ended()
                await trial.recovered(group)
        await _check_who_answered(group, {"operator"})
    assert trial.counts.failed == 0


@fault(22, "Redis killed and started again in the middle of a person's answer", times=2)
async def redis_killed(trial: Trial) -> None:
    """If Redis is away for longer than a claim lives, the model answers what waits."""
    site = trial.site
    async with trial.group() as group, operators_of(group):
        await group.ask_each()
        async with group.conversing(share=0.5):
            for _ in range(trial.times):
                await group.in_mid_reply(0.5)
                trial.fault_started()
                await site.in_thread(site.stack.running("redis")[0].kill)
                await asyncio.sleep(AWAY_S)
                await site.in_thread(site.stack.start_redis)
                trial.fault_ended()
                await trial.recovered(group)
        await _check_who_answered(group, {"operator"})
    assert trial.counts.failed == 0


@asynccontextmanager
async def operators_of(group: ClientGroup) -> AsyncIterator[Sequence[ResilientOperator]]:
    """Let an operator answer each client while the block runs."""
    operators = await join_all(group, group.site.stack.ws_url)
    async with AsyncExitStack() as stack:
        for operator in operators:
            await stack.enter_async_context(operator)
        async with asyncio.timeout(60):
            await asyncio.gather(*(operator.joined.wait() for operator in operators))
        yield operators


async def _check_who_answered(group: ClientGroup, expected: set[str]) -> None:
    """Fail if none of the replies is by one of those expected, so that the row shows nothing."""
    documents = [await group.site.history(client.token) for client in group.clients]
    found = {message["source"] for document in documents for message in document}
    assert expected <= found, found
