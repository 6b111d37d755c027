"""A whole site: web, two workers, beat, Redis, and a scripted model."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import redis
import requests
from celery import Celery

from chat.schemas import session_id
from tests.faults.markers import new_marker
from tests.model_stub import Behaviour, ModelStub
from tests.processes import HIGH_LIMITS, Process, Stack

P = ParamSpec("P")
T = TypeVar("T")

SETTINGS = HIGH_LIMITS | {
    "WORKER_CONCURRENCY": "32",
    "MODEL_TIMEOUT_S": "5",
    "REPLY_DEADLINE_S": "60",
}
WRITES_SLOWLY = Behaviour(piece_delay_s=0.05, times=None)
HTTP_TIMEOUT_S = 15


class Site:
    """The processes and the model. Blocking calls run in threads of the site.

    The threads live as long as the site, because the kernel ends a process with the thread that
    started it (PR_SET_PDEATHSIG).
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.model = ModelStub()
        self.model.__enter__()
        self.model.always(WRITES_SLOWLY)
        model = {"MODEL_URL": self.model.endpoint("huggingface")}
        self.stack = Stack(folder, SETTINGS | model | environment)
        self._threads = ThreadPoolExecutor(16, thread_name_prefix="site")
        self._http = requests.Session()

    async def in_thread(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking call in a thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: act(*args, **kwargs))

    async def start(self) -> None:
        """Start all processes, with two workers."""
        await self.in_thread(self.stack.start)
        await self.in_thread(self.stack.start_worker)

    async def close(self) -> None:
        """Stop all processes and the model."""
        await self.in_thread(self.stack.close)
        self.model.__exit__()
        self._threads.shutdown()

    @property
    def workers(self) -> list[Process]:
        return self.stack.running("worker")

    @property
    def web(self) -> Process:
        return self.stack.running("web")[0]

    @property
    def data(self) -> Path:
        """The site's DATA_DIR."""
        return Path(self.stack.environment["DATA_DIR"])

    @property
    def redis(self) -> redis.Redis:
        """A connection of the test's own to the site's Redis."""
        return redis.Redis.from_url(self.stack.redis_url, decode_responses=True, retry=None)

    @property
    def celery(self) -> Celery:
        """A Celery client that publishes extra tasks."""
        app = Celery(broker=self.stack.redis_url)
        app.conf.broker_transport_options = {"global_keyprefix": "chat:celery:"}
        app.conf.task_ignore_result = True
        return app

    async def new_session(self) -> tuple[str, str]:
        """Create a session; return its marker and its token."""
        marker = new_marker()
        response = await self.in_thread(self.request, "POST", "/token", params={"name": marker})
        response.raise_for_status()
        return marker, str(response.json()["token"])

    async def history(self, token: str) -> list[dict[str, Any]]:
        """Return the messages in a session's document."""
        response = await self.in_thread(
            self.request, "GET", "/refresh_token", params={"token": token}
        )
        response.raise_for_status()
        return list(response.json()["messages"])

    async def readiness(self) -> tuple[int, dict[str, str]]:
        """Return the status of /readyz and the result of each check."""
        response = await self.in_thread(self.request, "GET", "/readyz")
        return response.status_code, response.json()["checks"]

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send an HTTP request to the newest web process."""
        port = (
            self.stack.running("web")[-1].port
            if self.stack.running("web")
            else self.stack.environment["PORT"]
        )
        url = f"http://127.0.0.1:{port}{path}"
        return self._http.request(method, url, timeout=HTTP_TIMEOUT_S, **options)

    async def until_ready(self, within_s: float = 30) -> None:
        """Wait until /readyz returns 200."""
        async with asyncio.timeout(within_s):
            while (await self.readiness())[0] != 200:
                await asyncio.sleep(0.1)

    async def restart(self, **environment: str) -> None:
        """Restart every process but Redis with another environment."""
        for process in [*self.stack.running("beat"), *self.workers, self.web]:
            await self.in_thread(process.stop)
        starts = (self.stack.start_web, self.stack.start_worker, self.stack.start_worker)
        for start in (*starts, self.stack.start_beat):
            await self.in_thread(start, **environment)

    async def restore(self) -> None:
        """Restore two workers and a model without faults."""
        while len(self.workers) < 2:
            await self.in_thread(self.stack.start_worker)
        self.model.script()
        self.model.always(WRITES_SLOWLY)

    def append_only_file(self) -> Path:
        """Return the append-only file that Redis currently writes."""
        folder = self.data / "redis" / "appendonlydir"
        return max(folder.glob("*.incr.aof"), key=lambda path: path.stat().st_mtime)

    @staticmethod
    def document_id(token: str) -> str:
        """Return the id of a session's document."""
        return session_id(token)


@asynccontextmanager
async def running_site(folder: Path, **environment: str) -> AsyncIterator[Site]:
    """Run a site while the block runs."""
    folder.mkdir(parents=True, exist_ok=True)
    site = Site(folder, environment)
    try:
        await site.start()
        yield site
    finally:
        await site.close()
