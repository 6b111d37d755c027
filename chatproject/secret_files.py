"""Folders and files that only their owner can read; random secrets generated on first use."""

import os
import secrets
import stat
import time
from pathlib import Path


def create_private_folder(path: Path) -> None:
    """Create a folder for its owner only, or close one that belongs to this process' user.

    A folder of another user is left as it is, and so is one with the sticky bit, such as /tmp.
    Raises OSError if the folder cannot be created.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.stat()
    if found.st_uid == os.geteuid() and found.st_mode & 0o077 and not found.st_mode & stat.S_ISVTX:
        path.chmod(0o700)


def read_or_create_secret(path: Path) -> str:
    """Return the secret in `path`, which the first call generates.

    Processes that start at the same time must agree: the first one creates the file, and the
    others wait until it is written. Raises OSError if the folder is not writable.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return _read_when_written(path)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret := secrets.token_urlsafe(48))
    return secret


def _read_when_written(path: Path, timeout_s: float = 5) -> str:
    give_up_at = time.monotonic() + timeout_s
    while not (secret := path.read_text().strip()):
        if time.monotonic() > give_up_at:
            raise OSError(f"{path} is empty: delete it and start again")
        time.sleep(0.01)
    return secret
