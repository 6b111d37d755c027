"""Files under DATA_DIR are for their owner only; collected static files are for everybody."""

import subprocess
from pathlib import Path

import pytest

from chatproject.secret_files import create_private_folder
from tests.conftest import NewStack
from tests.processes import ROOT, START_TIMEOUT_S


def permissions(path: Path) -> int:
    return path.stat().st_mode & 0o777


def run(command: str, environment: dict[str, str]) -> None:
    """Run a command under the usual umask, which lets everybody read new files."""
    subprocess.run(
        ["/bin/sh", "-c", f"umask 022; exec {command}"],
        cwd=ROOT,
        env=environment,
        check=True,
        timeout=START_TIMEOUT_S,
    )


def test_everything_in_the_data_folder_is_for_its_owner_only(new_stack: NewStack) -> None:
    stack = new_stack()
    folder = Path(stack.environment["DATA_DIR"], "data")
    folder.mkdir()
    folder.chmod(0o755)
    environment = stack.environment | {"DATA_DIR": str(folder), "MODEL_URL": ""}

    run("python manage.py migrate --skip-checks --verbosity 0", environment)

    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    assert {"database.sqlite3", "secret_key", "model_key", "metrics", "redis/password"} <= set(
        files
    )
    assert any(path.suffix == ".db" for path in files.values()), "files of metrics"
    private = {name: path for name, path in files.items() if not name.startswith("static")}
    assert not {name for name, path in private.items() if permissions(path) & 0o077}
    assert permissions(folder) == 0o700


def test_collected_static_files_are_readable_by_everybody(new_stack: NewStack) -> None:
    stack = new_stack()
    folder = Path(stack.environment["DATA_DIR"], "collected")

    run(
        "python manage.py collectstatic --noinput --verbosity 0",
        stack.environment | {"STATIC_ROOT": str(folder)},
    )

    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".gz" for path in files), "compressed copies"
    assert {permissions(path) for path in files} == {0o644}
    assert {permissions(path) for path in folder.rglob("*") if path.is_dir()} == {0o755}


@pytest.mark.parametrize(("before", "after"), [(0o755, 0o700), (0o700, 0o700), (0o1777, 0o1777)])
def test_a_folder_is_closed_unless_it_is_shared_like_tmp(
    tmp_path: Path, before: int, after: int
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(before)
    create_private_folder(folder)
    assert folder.stat().st_mode & 0o7777 == after
