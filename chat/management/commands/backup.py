"""`manage.py backup`: copy the database, and on request the sessions, into a folder of their own.

    FOLDER/20261126T031700Z/
        database.sql        PostgreSQL: for `psql`, also into tables that `migrate` created
        database.sqlite3    SQLite
        appendonlydir/      with --sessions: for Redis' folder

A folder with a date as its name is complete: it has another name while it is written.
"""

import os
import re
import shutil
import sqlite3
import subprocess
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from redis.connection import SSLConnection, parse_url
from redis.exceptions import RedisError

from chat.store.connections import SentinelPool, SentinelUrl, Tls, is_sentinel_url
from chat.store.redis_cluster.nodes import is_cluster_url

NAME = "%Y%m%dT%H%M%SZ"
UNFINISHED = re.compile(r"\.\d{8}T\d{6}Z")
# Redis reads a snapshot of another server as the base of its append-only file.
MANIFEST = "file appendonly.aof.1.base.rdb seq 1 type b\n"


class Command(BaseCommand):
    help = "Copy the database, and on request the sessions, into a new folder inside FOLDER."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Define the options."""
        parser.add_argument("folder", metavar="FOLDER", type=Path)
        parser.add_argument(
            "--sessions", action="store_true", help="also copy Redis, which holds conversations"
        )
        parser.add_argument(
            "--keep-days", type=float, metavar="N", help="delete backups that are older"
        )

    def handle(
        self,
        *args: Any,
        folder: Path,
        sessions: bool,
        keep_days: float | None,
        **options: Any,
    ) -> None:
        """Write the backup, then delete old ones."""
        now = datetime.now(UTC)
        finished = folder / now.strftime(NAME)
        unfinished = folder / f".{finished.name}"
        try:
            delete_unfinished(folder)
            unfinished.mkdir(parents=True, mode=0o700)
            copy_database(unfinished)
            if sessions:
                copy_sessions(unfinished)
            unfinished.rename(finished)
        except OSError as error:
            raise CommandError(f"The backup could not be written: {error}") from error
        size = sum(file.stat().st_size for file in finished.rglob("*"))
        self.stdout.write(f"Wrote {finished} ({size} bytes).")
        if keep_days is not None:
            for old in older_than(folder, now - timedelta(days=keep_days)):
                shutil.rmtree(old)
                self.stdout.write(f"Deleted {old}.")


def copy_database(folder: Path) -> None:
    if connection.vendor == "sqlite":
        return copy_sqlite(folder / "database.sqlite3")
    file = folder / "database.sql"
    # Django knows how PostgreSQL's programs receive the address and the password.
    options = ["--clean", "--if-exists", "--no-owner", f"--file={file}"]
    arguments, environment = connection.client.settings_to_cmd_args_env(
        connection.settings_dict, options
    )
    run(["pg_dump", *arguments[1:]], environment or {}, advice="postgresql-client")
    if b"PostgreSQL database dump complete" not in file.read_bytes()[-1000:]:
        raise CommandError("pg_dump wrote an incomplete file.")
    return None


def copy_sqlite(file: Path) -> None:
    connection.ensure_connection()
    copy = sqlite3.connect(file)
    try:
        connection.connection.backup(copy)
        (result,) = copy.execute("PRAGMA quick_check").fetchone()
    finally:
        copy.close()
    if result != "ok":
        raise CommandError(f"The database is damaged: {result}")


def copy_sessions(folder: Path) -> None:
    """Copy Redis over its replication protocol: one point in time, and no access to its files."""
    append_only = folder / "appendonlydir"
    append_only.mkdir(mode=0o700)
    base = append_only / "appendonly.aof.1.base.rdb"
    arguments, environment = redis_cli_arguments()
    run(["redis-cli", *arguments, "--rdb", str(base)], environment, advice="redis-tools")
    if not base.is_file() or base.open("rb").read(5) != b"REDIS":
        raise CommandError("redis-cli wrote an incomplete file.")
    (append_only / "appendonly.aof.manifest").write_text(MANIFEST)


def redis_cli_arguments() -> tuple[list[str], dict[str, str]]:
    """Return redis-cli's options and environment; the password is not in its arguments."""
    if is_cluster_url(settings.REDIS_URL):
        raise CommandError(
            "With a Redis Cluster, copy each primary: docs/how-to/use-redis-cluster.md."
        )
    url = server_options(settings.REDIS_URL, settings.REDIS_TLS[settings.REDIS_URL])
    options = {"-s": url.get("path"), "-h": url.get("host"), "-p": url.get("port")}
    options["--user"] = url.get("username")
    flags = []
    if url["is_encrypted"]:
        flags = ["--tls"]
        tls = settings.REDIS_TLS[settings.REDIS_URL]
        options["--cacert"] = tls.get("ssl_ca_certs")
        options["--cert"], options["--key"] = tls.get("ssl_certfile"), tls.get("ssl_keyfile")
    given = [str(part) for item in options.items() if item[1] for part in item]
    password = url.get("password")
    return flags + given, {"REDISCLI_AUTH": str(password)} if password else {}


def server_options(url: str, tls: Tls) -> dict[str, Any]:
    """Return where the sessions are: the server, or the primary that Sentinels name."""
    if not is_sentinel_url(url):
        parsed: dict[str, Any] = parse_url(url)
        return parsed | {"is_encrypted": parsed.get("connection_class") is SSLConnection}
    sentinels = SentinelUrl.parse(url)
    pool = SentinelPool.from_url(url, **tls)
    try:
        host, port = pool.get_master_address()  # type: ignore[no-untyped-call]
    except RedisError as error:
        raise CommandError(f"The Sentinels name no primary: {error}") from error
    finally:
        pool.disconnect()
    address = {"host": host, "port": port, "is_encrypted": sentinels.is_encrypted}
    return address | sentinels.credentials


def run(command: Sequence[str], environment: Mapping[str, str], *, advice: str) -> None:
    program = command[0]
    if not shutil.which(program):
        raise CommandError(f"{program} is not installed (on Debian: apt install {advice}).")
    # No shell, and the arguments are from the settings.
    done = subprocess.run(  # nosec B603
        command, env=os.environ | environment, stdin=subprocess.DEVNULL, capture_output=True
    )
    if done.returncode:
        raise CommandError(f"{program} failed: {done.stderr.decode(errors='replace').strip()}")


def delete_unfinished(folder: Path) -> None:
    """Delete what an interrupted backup left."""
    for entry in folder.glob(".*Z"):
        if UNFINISHED.fullmatch(entry.name):
            shutil.rmtree(entry)


def older_than(folder: Path, time: datetime) -> list[Path]:
    """Return the complete backups from before `time`, oldest first."""
    return sorted(entry for entry in folder.iterdir() if (made := made_at(entry)) and made < time)


def made_at(entry: Path) -> datetime | None:
    try:
        return datetime.strptime(entry.name, NAME).replace(tzinfo=UTC)
    except ValueError:
        return None
