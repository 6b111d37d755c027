"""After any interleaving of actions and failures, every tab has the history of the document.

`INTERLEAVINGS=300` runs more trials than the default, `INTERLEAVINGS_FROM` starts with another
seed, and `--log-cli-level=INFO` shows the progress.
"""

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from chat.store.client import AsyncStore
from tests.acceptance.interleavings import Move, Trial, plan, shrink
from tests.conftest import NewStack
from tests.model_stub import Behaviour, ModelStub, failing, loading, overloaded
from tests.processes import Stack

logger = logging.getLogger(__name__)

TRIALS = int(os.environ.get("INTERLEAVINGS", "10"))
FIRST_SEED = int(os.environ.get("INTERLEAVINGS_FROM", "1"))
IS_LONG = "INTERLEAVINGS" in os.environ
BATCH = 10
MOVES = 30
SHRINK_TRIES = 12

USUAL = Behaviour(piece_delay_s=0.02)
BEHAVIOURS = (
    USUAL,
    Behaviour(delay_s=0.5),
    Behaviour(piece_delay_s=0.15),
    Behaviour(reset_after=2),
    loading(0.6),
    failing(401),
    failing(500),
    overloaded(0.5),
)


async def inject_failures(
    site: Stack, model_stub: ModelStub, chance: random.Random, is_over: asyncio.Event
) -> None:
    """Kill and replace processes of the site, again and again, until the trials are over."""
    faults = ["worker", "web"] if IS_LONG else ["worker"]
    while not is_over.is_set():
        model_stub.script(*chance.choices(BEHAVIOURS, k=6))
        await asyncio.sleep(chance.uniform(0.5, 2))
        kind = chance.choice(faults)
        await asyncio.to_thread(chance.choice(site.running(kind)).kill)
        await asyncio.sleep(chance.uniform(0, 1))
        start = site.start_worker if kind == "worker" else site.start_web
        await asyncio.to_thread(start)


@asynccontextmanager
async def failures(site: Stack, model_stub: ModelStub, seed: int) -> AsyncIterator[None]:
    is_over = asyncio.Event()
    task = asyncio.create_task(inject_failures(site, model_stub, random.Random(seed), is_over))
    try:
        yield
    finally:
        is_over.set()
        await task


@pytest.mark.slow
async def test_every_tab_ends_with_the_history_of_the_document(
    new_stack: NewStack, model_stub: ModelStub
) -> None:
    model_stub.always(USUAL)
    site = new_stack(MAX_PENDING="100")
    await asyncio.to_thread(site.start)
    await asyncio.to_thread(site.start_worker)
    if IS_LONG:
        await asyncio.to_thread(site.start_web)
    store = AsyncStore(site.redis_url, connections=20)
    try:
        for first in range(FIRST_SEED, FIRST_SEED + TRIALS, BATCH):
            last = min(first + BATCH, FIRST_SEED + TRIALS)
            await run_batch(site, model_stub, store, range(first, last))
            logger.info("%s interleavings hold", last - FIRST_SEED)
    finally:
        await store.redis.aclose()


async def run_batch(site: Stack, model_stub: ModelStub, store: AsyncStore, seeds: range) -> None:
    plans = {seed: plan(seed, MOVES) for seed in seeds}
    trials = [Trial(site, seed, *plans[seed]) for seed in seeds]
    for trial in trials:
        await trial.create_session()
    async with failures(site, model_stub, seeds.start):
        results = await asyncio.gather(*(trial.run(store) for trial in trials))
    for trial, violations in zip(trials, results, strict=True):
        if violations:
            tabs, moves = plans[trial.seed]

            async def fails(rest: Sequence[Move], seed: int = trial.seed, tabs: int = tabs) -> bool:
                trial = Trial(site, seed, tabs, rest)
                await trial.create_session()
                return bool(await trial.run(store))

            if IS_LONG:
                moves = list(await shrink(fails, moves, SHRINK_TRIES))
            raise AssertionError("\n".join([f"seed {trial.seed}:", *violations, *map(str, moves)]))
