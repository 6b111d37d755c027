"""The admin's users are stored in PostgreSQL if DATABASE_URL names one."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.conftest import NewStack
from tests.ports import free_port
from tests.processes import wait_for

pytestmark = pytest.mark.slow

PROGRAMS = os.pathsep.join(
    [os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
)
# PostgreSQL refuses to run as root.
OWNER = pwd.getpwnam("nobody") if os.getuid() == 0 else None


@pytest.fixture
def database_url() -> Iterator[str]:
    if not (initdb := shutil.which("initdb", path=PROGRAMS)):
        pytest.fail("no PostgreSQL server is installed (on Debian: apt install postgresql)")
    folder, port = tempfile.mkdtemp(prefix="chat-postgresql-"), free_port()
    if OWNER:
        os.chown(folder, OWNER.pw_uid, OWNER.pw_gid)
    binaries = Path(initdb).resolve().parent
    subprocess.run(
        [initdb, "-D", f"{folder}/data", "-A", "trust", "-U", "chat", "--no-sync"],
        check=True,
        capture_output=True,
        cwd=folder,
        user=OWNER and OWNER.pw_uid,
    )
    server = subprocess.Popen(
        [binaries / "postgres", "-D", f"{folder}/data", "-p", str(port), "-k", folder, "-F"],
        stderr=subprocess.DEVNULL,
        cwd=folder,
        user=OWNER and OWNER.pw_uid,
    )
    url = f"postgres://chat@127.0.0.1:{port}/postgres"
    wait_for(lambda: _responds(url), "PostgreSQL to respond")
    yield url
    server.terminate()
    server.wait(20)
    shutil.rmtree(folder)


def test_the_admins_first_user_can_log_in(new_stack: NewStack, database_url: str) -> None:
    stack = new_stack(DATABASE_URL=database_url, REDIS_URL="redis://127.0.0.1:9/0")
    environment = stack.environment | {"DJANGO_SUPERUSER_PASSWORD": "correct horse battery"}

    def manage(*arguments: str) -> str:
        command = ["python", "manage.py", *arguments]
        process = subprocess.run(
            command, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=60
        )
        return process.stdout

    manage("migrate", "--noinput")
    manage("createsuperuser", "--noinput", "--username", "ada", "--email", "ada@chat.example")
    code = "from django.contrib.auth.models import User; from django.db import connection as c;"
    code += " u = User.objects.get(username='ada');"
    code += " print(c.vendor, u.check_password('correct horse battery') and u)"
    assert "postgresql ada" in manage("shell", "-c", code)


def test_a_backup_can_be_restored_into_migrated_tables(
    new_stack: NewStack, database_url: str, tmp_path: Path
) -> None:
    stack = new_stack(DATABASE_URL=database_url, REDIS_URL="redis://127.0.0.1:9/0", PATH=PROGRAMS)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE restored")
    restored_url = database_url.replace("/postgres", "/restored")

    def manage(command: str, url: str = database_url) -> None:
        environment = stack.environment | {"DATABASE_URL": url}
        environment["DJANGO_SUPERUSER_PASSWORD"] = uuid4().hex
        command = f"python manage.py {command}"
        subprocess.run(command.split(), env=environment, check=True, timeout=60)

    manage("migrate --noinput --verbosity 0")
    manage("createsuperuser --noinput --username ada --email ada@chat.example")
    manage(f"backup {tmp_path / 'backups'}")
    manage("migrate --noinput --verbosity 0", restored_url)
    (file,) = (tmp_path / "backups").glob("*/database.sql")
    restore = [
        "psql",
        "-v",
        "ON_ERROR_STOP=1",
        "--single-transaction",
        "-qf",
        str(file),
        restored_url,
    ]
    done = subprocess.run(restore, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")
    with psycopg.connect(restored_url) as connection:
        assert connection.execute("SELECT username FROM auth_user").fetchall() == [("ada",)]
    manage("migrate --check", restored_url)


def _responds(url: str) -> bool:
    with suppress(psycopg.OperationalError), psycopg.connect(url):
        return True
    return False
