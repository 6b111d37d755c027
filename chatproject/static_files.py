"""Collected static files are readable by everybody, unlike the other files of this project."""

import os
from collections.abc import Iterator
from typing import Any

from whitenoise.storage import CompressedStaticFilesStorage


class ReadableStaticFilesStorage(CompressedStaticFilesStorage):  # type: ignore[misc]
    """Compresses static files; `collectstatic` may run as another user than the web process."""

    def post_process(self, *args: Any, **options: Any) -> Iterator[Any]:
        """Write the compressed copies with the permissions that Django gives the files."""
        umask = os.umask(0o022)
        try:
            yield from super().post_process(*args, **options)
        finally:
            os.umask(umask)
