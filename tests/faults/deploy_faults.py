"""A rolling deploy: rows 19 and 20."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import requests

from tests.faults.network_faults import through
from tests.faults.nginx import nginx
from tests.faults.proxy import Proxy
from tests.faults.site import Site
from tests.faults.trial import Trial, fault

SESSIONS = 200
PAUSE_S = 8.0
FEW_WORDS = "and on"
AWAY_WITHIN_S = 2.0
REQUEST_PAUSE_S = 0.1
REQUESTERS = 3


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


@dataclass
class Requests:
    """What HTTP clients experienced."""

    count: int = 0
    failures: list[str] = field(default_factory=list)

    def send(self, method: str, url: str) -> None:
        """Send one request."""
        self.count += 1
        try:
            response = requests.request(method, url, timeout=15)
        except requests.RequestException as error:
            self.failures.append(f"{method}: {type(error).__name__}")
            return
        if not response.ok:
            self.failures.append(f"{method}: {response.status_code}")


@asynccontextmanager
async def requesting(site: Site, address: str) -> AsyncIterator[Requests]:
    """Send HTTP requests of different kinds during the block."""
    _, token = await site.new_session()
    sent, over = Requests(), asyncio.Event()
    kinds = (
        ("GET", "/test"),
        ("POST", "/token?name=Ada"),
        ("GET", "/"),
        ("GET", f"/refresh_token?token={token}"),
    )

    async def request() -> None:
        while not over.is_set():
            for method, path in kinds:
                await site.in_thread(sent.send, method, address + path)
                await asyncio.sleep(REQUEST_PAUSE_S)

    requesters = [asyncio.create_task(request()) for _ in range(REQUESTERS)]
    try:
        yield sent
    finally:
        over.set()
        await asyncio.gather(*requesters)


@fault(20, "two web processes behind nginx restarted in turn", times=2, order="alone")
async def rolling_restart_through_nginx(trial: Trial) -> None:
    """As `docker compose up -d --no-deps web` replaces one container after the other."""
    site = trial.site
    await site.in_thread(site.stack.start_web)
    ports = [web.port for web in site.stack.running("web")]
    async with nginx(site, ports) as port:
        socket_address, address = f"ws://127.0.0.1:{port}/chat", f"http://127.0.0.1:{port}"
        async with trial.group(lambda: socket_address) as group:
            async with group.conversing(), requesting(site, address) as sent:
                for _ in range(trial.times):
                    for web in site.stack.running("web"):
                        trial.fault_started()
                        await site.in_thread(web.kill, signal.SIGTERM)
                        await site.in_thread(site.stack.start_web, PORT=str(web.port))
                        await trial.recovered(group)
            gaps_s = [gap_s for client in group.clients for gap_s in client.gaps_s]
            trial.recoveries_s = gaps_s
            closes = [code for client in group.clients for code in client.closes]
    assert not sent.failures, f"{len(sent.failures)} of {sent.count}: {sent.failures[:10]}"
    assert max(gaps_s) < AWAY_WITHIN_S * trial.slowness, sorted(gaps_s)[-5:]
    assert set(closes) == {1012}, closes
    assert trial.counts.failed == 0
