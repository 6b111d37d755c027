"""Faults of the endpoints of several models: row 21."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.faults.client_group import ClientGroup
from tests.faults.site import WRITES_SLOWLY, Site
from tests.faults.trial import Trial, fault
from tests.faults.verification import prompts_with_several_markers
from tests.model_stub import Behaviour, ModelStub, failing, overloaded

VERY_SLOW = Behaviour(piece_delay_s=1.0, times=None)
FLAPS = (failing(500), Behaviour(reset_after=3), overloaded(1), Behaviour(truncate=True))
FLAP_S = 1.0
DOWN_S = 6.0
MODELS = """
[models.main]
api = "chat"
url = ["{one}", "{two}"]
name = "main"
fallback = "spare"

[models.spare]
api = "huggingface"
url = "{spare}"
name = "spare"
"""


class Endpoints:
    """Two endpoints of the model `main`; the site's own stub is that of its fallback."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.stubs = [ModelStub(), ModelStub()]
        self.seen: list[ModelStub] = []

    async def start(self) -> None:
        """Start the stubs, and the site's processes with them as their models."""
        for stub in self.stubs:
            stub.__enter__()
            stub.always(WRITES_SLOWLY)
        one, two = (stub.endpoint("chat") for stub in self.stubs)
        path = self.site.data / "models.toml"
        path.write_text(
            MODELS.format(one=one, two=two, spare=self.site.model.endpoint("huggingface"))
        )
        await self.site.restart(MODELS_FILE=str(path))
        await self.site.until_ready()

    async def kill(self, at: int) -> None:
        """Close an endpoint's port and all of its connections."""
        self.seen.append(self.stubs[at])
        await self.site.in_thread(self.stubs[at].__exit__)

    async def restart(self, at: int) -> None:
        """Listen on the same port again."""
        self.stubs[at] = ModelStub(int(self.stubs[at].url.rpartition(":")[2]))
        await self.site.in_thread(self.stubs[at].__enter__)
        self.stubs[at].always(WRITES_SLOWLY)

    async def until(self, is_wanted: Callable[[str], bool], within_s: float = 30) -> None:
        """Wait until /readyz says what is wanted about the models."""
        async with asyncio.timeout(within_s):
            while not is_wanted((await self.site.readiness())[1]["models"]):
                await asyncio.sleep(0.1)

    def close(self) -> None:
        for stub in self.stubs:
            if stub not in self.seen:
                stub.__exit__()


@asynccontextmanager
async def endpoints_of(trial: Trial) -> AsyncIterator[tuple[Endpoints, ClientGroup]]:
    endpoints = Endpoints(trial.site)
    await endpoints.start()
    try:
        async with trial.group() as group:
            yield endpoints, group
    finally:
        endpoints.close()
    stubs = {*endpoints.seen, *endpoints.stubs}
    assert not sum(prompts_with_several_markers(stub.requests) for stub in stubs)
    assert trial.counts.failed == 0


@fault(21, "one of two endpoints is killed and restarted", times=2)
async def endpoint_killed(trial: Trial) -> None:
    async with endpoints_of(trial) as (endpoints, group), group.conversing():
        for at in range(trial.times):
            await group.in_mid_reply()
            trial.fault_started()
            await endpoints.kill(at)
            await trial.recovered(group)
            await endpoints.until(lambda state: state == "main: 1 of 2 endpoints down")
            await endpoints.restart(at)
            await endpoints.until(lambda state: state == "ok")
    assert max(trial.recoveries_s) < 5 * trial.slowness, trial.recoveries_s


@fault(21, "all endpoints of a model are killed; its fallback replies")
async def all_endpoints_killed(trial: Trial) -> None:
    async with endpoints_of(trial) as (endpoints, group), group.conversing():
        await group.in_mid_reply()
        trial.fault_started()
        for at in range(2):
            await endpoints.kill(at)
        await trial.recovered(group)
        await endpoints.until(lambda state: state == "main: 2 of 2 endpoints down")
        await asyncio.sleep(DOWN_S)
        assert len(trial.site.model.requests) > trial.sessions
        for at in range(2):
            await endpoints.restart(at)
        await endpoints.until(lambda state: state == "ok")
        answered = len(trial.site.model.requests)
        await group.in_mid_reply()
        await asyncio.sleep(DOWN_S)
        # What was on its way may still reach the fallback.
        assert len(trial.site.model.requests) - answered < trial.sessions


@fault(21, "one of two endpoints is twenty times slower")
async def endpoint_slow(trial: Trial) -> None:
    async with endpoints_of(trial) as (endpoints, group):
        endpoints.stubs[0].always(VERY_SLOW)
        trial.fault_started()
        async with group.conversing():
            await asyncio.sleep(3 * DOWN_S)
        slow, fast = (len(stub.requests) for stub in endpoints.stubs)
        assert slow < fast / 3, (slow, fast)


@fault(21, "one of two endpoints flaps", times=12)
async def endpoint_flaps(trial: Trial) -> None:
    async with endpoints_of(trial) as (endpoints, group), group.conversing():
        for at in range(trial.times):
            trial.fault_started()
            endpoints.stubs[0].always(Behaviour(**{**vars(FLAPS[at % len(FLAPS)]), "times": None}))
            await asyncio.sleep(FLAP_S)
            endpoints.stubs[0].always(WRITES_SLOWLY)
            trial.fault_ended()
            await asyncio.sleep(FLAP_S)
            await trial.recovered(group)
