"""`manage.py backup`: what it writes can be restored; an incomplete backup never looks complete."""

import shutil
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from django.conf import LazySettings

from chat.management.commands import backup
from tests.conftest import NewStack
from tests.processes import ROOT, Stack, migrated_database

pytestmark = pytest.mark.slow

NOW = datetime.now(UTC)


@pytest.fixture
def site(new_stack: NewStack) -> Stack:
    """A site with tables; nothing is running."""
    stack = new_stack()
    shutil.copy(migrated_database(), stack.folder / "database.sqlite3")
    return stack


def back_up(stack: Stack, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["python", "manage.py", "backup", str(stack.folder / "backups"), *options],
        cwd=ROOT,
        env=stack.environment | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def backups(stack: Stack) -> list[Path]:
    return sorted((stack.folder / "backups").iterdir())


def make_backup(stack: Stack, *, age_days: float, prefix: str = "") -> Path:
    """Create the folder of a backup that was made some days ago."""
    name = prefix + (NOW - timedelta(days=age_days)).strftime(backup.NAME)
    folder = stack.folder / "backups" / name
    folder.mkdir(parents=True)
    (folder / "database.sqlite3").touch()
    return folder


def test_sessions_can_be_restored_into_another_redis(site: Stack, new_stack: NewStack) -> None:
    site.start_redis()
    with redis.Redis.from_url(site.redis_url, protocol=2) as client:
        client.execute_command("JSON.SET", "chat:{1}", "$", '{"msg": "kept"}')
        client.pexpire("chat:{1}", 3_600_000)

    done = back_up(site, "--sessions")

    assert done.returncode == 0, done.stderr
    (folder,) = backups(site)
    other = new_stack()
    restored = Path(other.environment["DATA_DIR"], "redis", "appendonlydir")
    shutil.copytree(folder / "appendonlydir", restored)
    other.start_redis()
    with redis.Redis.from_url(other.redis_url, protocol=2) as client:
        assert client.execute_command("JSON.GET", "chat:{1}", "$.msg") == b'["kept"]'
        assert 0 < client.pttl("chat:{1}") <= 3_600_000
        assert client.set("new", "1"), "the restored server is writable"


def test_the_database_is_copied_and_sessions_only_on_request(site: Stack) -> None:
    done = back_up(site)
    assert done.returncode == 0, done.stderr
    (folder,) = backups(site)
    assert [file.name for file in folder.iterdir()] == ["database.sqlite3"]
    assert folder.stat().st_mode & 0o077 == 0
    with sqlite3.connect(folder / "database.sqlite3") as copy:
        assert copy.execute("SELECT count(*) FROM auth_user").fetchone() == (0,)


def test_old_backups_are_deleted_after_a_new_one_is_complete(site: Stack) -> None:
    old, recent = make_backup(site, age_days=3), make_backup(site, age_days=1)
    interrupted = make_backup(site, age_days=0.1, prefix=".")
    other = site.folder / "backups" / "notes"
    other.mkdir()

    done = back_up(site, "--keep-days", "2")

    assert done.returncode == 0, done.stderr
    assert not old.exists()
    assert not interrupted.exists()
    assert recent.exists()
    assert other.exists()
    assert len(backups(site)) == 3


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"REDIS_URL": "redis://127.0.0.1:9/0"}, "redis-cli failed: "),
        ({"PATH": "/nowhere"}, "redis-cli is not installed"),
        ({"DATABASE_URL": "postgres://chat@127.0.0.1:9/chat"}, "pg_dump failed: "),
    ],
)
def test_a_failed_backup_fails_and_deletes_nothing(
    site: Stack, environment: dict[str, str], sentence: str
) -> None:
    old = make_backup(site, age_days=3)
    if "PATH" in environment:
        programs = shutil.which("python", path=site.environment["PATH"])
        assert programs
        environment = {"PATH": str(Path(programs).parent)}

    done = back_up(site, "--sessions", "--keep-days", "2", **environment)

    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert [entry for entry in backups(site) if not entry.name.startswith(".")] == [old]


def test_the_password_is_not_among_redis_clis_arguments(settings: LazySettings) -> None:
    settings.REDIS_URL = url = "rediss://backup:secret@redis.example:6380/0"
    settings.REDIS_TLS = {url: {"ssl_ca_certs": "/ca.pem", "ssl_check_hostname": True}}

    arguments, environment = backup.redis_cli_arguments()

    expected = "--tls -h redis.example -p 6380 --user backup --cacert /ca.pem"
    assert arguments == expected.split()
    assert environment == {"REDISCLI_AUTH": "secret"}
