"""A site under the Redis users of deploy/redis/users.acl, which may do only what they must."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import redis
import requests
from redis.exceptions import NoPermissionError

from chat.operator.conditions import Query
from chat.operator.session_search import SessionSearch
from chat.store.client import Store
from tests.acceptance.conftest import Tabs
from tests.client import create_session
from tests.conftest import NewStack
from tests.model_stub import Behaviour, ModelStub, failing
from tests.processes import ROOT, Stack, migrated_database, wait_for

ACL_FILE = ROOT / "deploy" / "redis" / "users.acl"
USERS = {line.split()[1]: line.split()[2:] for line in ACL_FILE.read_text().splitlines()}
PASSWORD = uuid4().hex


@dataclass(frozen=True)
class Restricted:
    """A Redis with the restricted users, and a client that may do everything."""

    address: str
    admin: redis.Redis

    def url(self, user: str) -> str:
        return f"redis://{user}:{PASSWORD}@{self.address}"

    def denied(self) -> list[dict[str, Any]]:
        """Return what Redis has denied since `site` started."""
        entries: Any = self.admin.execute_command("ACL", "LOG")
        rows = [dict(zip(entry[::2], entry[1::2], strict=True)) for entry in entries]
        return [
            {name: row[name] for name in ("reason", "context", "object", "username")}
            for row in rows
            if "name=test" not in row["client-info"]
        ]


@pytest.fixture(scope="module")
def restricted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Restricted]:
    with Stack(tmp_path_factory.mktemp("redis"), {}) as server:
        server.start_redis()
        address = server.redis_url.rpartition("@")[2]
        with redis.Redis.from_url(server.redis_url, decode_responses=True, protocol=2) as admin:
            for user, rules in USERS.items():
                rules = [re.sub(r"^>.*", f">{PASSWORD}", rule) for rule in rules]
                admin.execute_command("ACL", "SETUSER", user, *rules)
            yield Restricted(address, admin)


@pytest.fixture
def site(restricted: Restricted, new_stack: NewStack) -> Stack:
    restricted.admin.flushall()  # so that this site waits for its own beat and worker
    restricted.admin.execute_command("ACL", "LOG", "RESET")
    stack = new_stack(
        REDIS_URL=restricted.url("worker"),
        CELERY_BROKER_URL=restricted.url("broker"),
        CHANNEL_REDIS_URL=restricted.url("layer"),
        AOF_REWRITE_INTERVAL_S="1",
    )
    shutil.copy(migrated_database(), stack.folder / "database.sqlite3")
    stack.start_web(REDIS_URL=restricted.url("web"))
    stack.start_worker()
    stack.start_beat()
    wait_for(lambda: set(checks(stack).values()) == {"ok"}, "everything to be ready")
    return stack


def checks(site: Stack) -> dict[str, str]:
    response = requests.get(f"{site.url}/readyz", timeout=15)
    return dict(response.json()["checks"])


@pytest.mark.slow
async def test_conversations_need_nothing_that_redis_denies(
    restricted: Restricted, site: Stack, tabs: Tabs, model_stub: ModelStub
) -> None:
    (ada,) = await tabs(site=site)
    first = await ada.wait_for_reply(await ada.send_message("hello"))
    assert first["finish_reason"] == "stop"
    seen = len(ada.frames)
    await ada.send("reply.regenerate", reply_to=first["reply_to"])
    await ada.wait_for_frame("reply.completed", since=seen)
    model_stub.script(Behaviour(pieces=("word ",), endless=True, piece_delay_s=0.01))
    message = await ada.send_message("never stop")
    await ada.wait_for_frame("reply.delta", reply_to=message)
    await ada.send("reply.stop", reply_to=message)
    assert (await ada.wait_for_reply(message))["finish_reason"] == "stop_requested"
    model_stub.script(failing(404))
    refused = await ada.wait_for_reply(await ada.send_message("who are you?"))
    assert refused["error"]["code"] == "model.rejected"
    await ada.send("session.extend")

    def finish() -> None:
        token = create_session(site.url)
        requests.get(f"{site.url}/refresh_token", params={"token": token}, timeout=10)
        headers = {"Authorization": f"Bearer {ada.token}"}
        link = requests.post(f"{site.url}/share", headers=headers, timeout=10).json()
        assert requests.get(f"{link['url']}.json", timeout=10).json()["messages"]
        assert requests.get(f"{site.url}/share", headers=headers, timeout=10).json()["shares"]
        path = f"{site.url}/share/{link['id']}"
        assert requests.delete(path, headers=headers, timeout=10).status_code == 204
        requests.delete(f"{site.url}/token", params={"token": token}, timeout=10)
        wait_for(lambda: restricted.admin.zscore("chat:deletions", "erased") is None, "the rewrite")
        assert set(checks(site).values()) == {"ok"}
        assert requests.get(f"{site.url}/readyz", timeout=15).json()["memory"]

    await asyncio.to_thread(finish)
    assert restricted.denied() == []


@pytest.mark.slow
def test_the_admin_can_search_sessions(restricted: Restricted, site: Stack) -> None:
    create_session(site.url)
    store = Store(restricted.url("web"), connections=1)
    search = SessionSearch(store)
    assert search.indexed_share == 1
    wait_for(lambda: search.count(Query()) >= 1, "the index to hold the session")
    assert search.page(Query(), 0, 10)
    assert restricted.denied() == []
    store.redis.close()


@pytest.mark.slow
def test_the_doctor_finds_nothing_to_change_about_redis(
    restricted: Restricted, site: Stack
) -> None:
    doctor = subprocess.run(
        ["python", "manage.py", "doctor", "--no-color", "--idle", "0.1"],
        env=site.environment | {"REDIS_URL": restricted.url("web")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert doctor.returncode == 0, doctor.stdout
    assert doctor.stdout.count("its user may run only some commands") == 3
    assert "warn REDIS" not in doctor.stdout
    assert "Deleted texts leave Redis' files" in doctor.stdout


def assert_refused(restricted: Restricted, user: str, command: str) -> None:
    with (
        redis.Redis.from_url(restricted.url(user), protocol=2) as client,
        pytest.raises(NoPermissionError),
    ):
        client.execute_command(*command.split())


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize(
    "command",
    [
        "FLUSHALL",
        "KEYS *",
        "CONFIG GET *",
        "SHUTDOWN NOSAVE",
        "MONITOR",
        "ACL LIST",
        "SCRIPT FLUSH",
    ],
)
def test_no_user_may_run_dangerous_commands(
    restricted: Restricted, user: str, command: str
) -> None:
    assert_refused(restricted, user, command)


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("broker", "JSON.GET chat:{x}:document"),
        ("broker", "DEL chat:{x}:document"),
        ("broker", "PUBLISH chat:layer__group__session.x y"),
        ("layer", "GET chat:swept"),
        ("layer", "SUBSCRIBE /0.celery.pidbox"),
        ("worker", "RPUSH chat:tasks forged"),
        ("worker", "PUBLISH chat:layer__group__session.x y"),
        ("worker", "FT.SEARCH chat:sessions:4 *"),
        ("web", "RPUSH chat:tasks forged"),
        ("web", "BGREWRITEAOF"),
    ],
)
def test_no_user_may_do_what_is_the_task_of_another(
    restricted: Restricted, user: str, command: str
) -> None:
    assert_refused(restricted, user, command)


def test_the_users_may_run_no_more_than_the_scripts_need() -> None:
    # The users of the service do not copy sessions to another Redis.
    files = set((ROOT / "chat/store/lua").glob("*.lua")) - {ROOT / "chat/store/lua/export.lua"}
    scripts = " ".join(path.read_text() for path in files)
    used = {name.lower() for name in re.findall(r"redis\.p?call\('([A-Z._]+)'", scripts)}
    direct = {"ping", "select", "client|setinfo", "eval", "evalsha", "scan", "wait"}
    of_user = {
        "worker": {"bgsave", "bgrewriteaof"},
        "web": {"ft.create", "ft.info", "ft.search"},
    }
    for user, more in of_user.items():
        allowed = {rule[1:] for rule in USERS[user] if rule.startswith("+")}
        assert allowed == used | direct | more
