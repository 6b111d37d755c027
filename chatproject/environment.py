"""Environment variables: an empty one counts as unset, and a value can be in a file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from environs import Env, EnvError


class Environment(Env):
    """Reads variables of the process, then those of the `.env` file.

    `NAME_FILE` names a file with the value of `NAME`, such as a Docker secret. environs has
    `FileAwareEnv` for that, which ignores `NAME` if both are set.
    """

    def _get_value(self, env_key: str, default: Any) -> Any:
        sources: tuple[Mapping[str, str], ...] = (os.environ, self._environ)
        for source in sources:
            value, file = source.get(env_key), source.get(f"{env_key}_FILE")
            if value and file:
                raise EnvError(
                    f'Environment variables "{env_key}" and "{env_key}_FILE" are both set'
                )
            if file:
                return _read(f"{env_key}_FILE", Path(file))
            if value:
                return value
        return default


def _read(variable: str, file: Path) -> str:
    try:
        value = file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        value = ""
    if not value:
        raise EnvError(f'Environment variable "{variable}" must name a readable file with text')
    return value
