"""`manage.py runredis`: the embedded Redis has JSON and search, and its data is durable."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from tests.processes import START_TIMEOUT_S, Stack, wait_for


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("site"), {}) as stack:
        stack.start_redis()
        yield stack


@pytest.fixture
def client(site: Stack) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(site.redis_url, decode_responses=True, protocol=2) as client:
        yield client


def execute(client: redis.Redis, *arguments: str) -> Any:
    return client.execute_command(*arguments)


def test_json_commands_work(client: redis.Redis) -> None:
    execute(client, "JSON.SET", "doc", "$", '{"messages": []}')
    execute(client, "JSON.ARRAPPEND", "doc", "$.messages", '{"msg": "hello"}')
    assert execute(client, "JSON.GET", "doc", "$.messages[-1:].msg") == '["hello"]'


def test_search_commands_find_json(client: redis.Redis) -> None:
    execute(client, "JSON.SET", "doc:1", "$", '{"name": "Ada"}')
    schema = ["ON", "JSON", "PREFIX", "1", "doc:", "SCHEMA", "$.name", "AS", "name", "TEXT"]
    execute(client, "FT.CREATE", "names", *schema)

    wait_for(
        lambda: execute(client, "FT.SEARCH", "names", "@name:ada", "NOCONTENT") == [1, "doc:1"],
        "the index to hold the document",
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_documents_survive_a_restart(
    site: Stack, client: redis.Redis, number: signal.Signals
) -> None:
    execute(client, "JSON.SET", number.name, "$", '{"msg": "stored"}')
    site.running("redis")[0].kill(number)
    site.start_redis()
    assert execute(client, "JSON.GET", number.name, "$.msg") == '["stored"]'


def test_a_client_without_the_password_is_rejected(site: Stack) -> None:
    port = int(site.environment["EMBEDDED_REDIS_PORT"])
    with (
        redis.Redis.from_url(f"redis://127.0.0.1:{port}", retry=None) as unauthenticated,
        pytest.raises(redis.AuthenticationError),
    ):
        unauthenticated.ping()


def test_it_listens_only_on_the_loopback_interface(site: Stack) -> None:
    listening = [
        connection.laddr.ip
        for connection in psutil.Process(site.running("redis")[0].pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening == ["127.0.0.1"]


def test_the_password_is_not_in_the_command_line_or_the_log(site: Stack) -> None:
    server = site.running("redis")[0]
    password = redis.Redis.from_url(site.redis_url).get_connection_kwargs()["password"]
    shown = " ".join(psutil.Process(server.pid).cmdline()) + server.output()
    assert password not in shown


def test_its_files_are_readable_by_their_owner_only(site: Stack) -> None:
    folder = Path(site.environment["DATA_DIR"], "redis")
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / "password").stat().st_mode & 0o077 == 0


def test_keys_are_never_evicted_and_writes_are_appended_to_a_file(client: redis.Redis) -> None:
    assert client.config_get("maxmemory") == {"maxmemory": str(1024**3)}
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert client.config_get("append*") == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "appendfilename": "appendonly.aof",
        "appenddirname": "appendonlydir",
    }


def test_a_second_server_does_not_start_on_the_same_files(site: Stack) -> None:
    second = site.run("second", "python manage.py runredis", {})
    assert second.process.wait(START_TIMEOUT_S) == 1
    assert "Another server is using" in second.output()
    assert second.output().count("\n") == 1
