"""Generated secrets, stored under DATA_DIR and readable by their owner only."""

import os
import secrets
import time
from pathlib import Path


def read_or_create_secret(path: Path) -> str:
    """Return the secret in `path`, which the first call creates.

    Processes that start at the same time get the same secret: one creates the file, the others wait
    for its content. Raises OSError if the file cannot be created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
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
