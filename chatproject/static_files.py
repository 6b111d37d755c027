"""Static files: collected with compressed copies, and served under URLs that browsers keep.

The URL of a file contains a digest of all collected files: `/static/DIGEST/chat/app.js`. A module
that imports `./state.js` gets `/static/DIGEST/chat/state.js`, so no file has to be rewritten.
`collectstatic` computes the digest, and every process that has the same files uses the same one.
Without collected files, and with DEBUG, URLs contain none.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import brotli
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.http import HttpRequest, HttpResponse
from whitenoise.compress import Compressor
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.storage import CompressedStaticFilesStorage

from chat.middleware import DO_NOT_KEEP, KEEP_FOREVER

DIGEST_FILE = "digest.txt"
DIGEST_CHARS = 16
LARGE_BYTES = 100_000


class FastCompressor(Compressor):  # type: ignore[misc]
    """Compresses large files less thoroughly: those of the API pages would take half a minute."""

    @staticmethod
    def compress_brotli(data: bytes) -> bytes:
        """Return data compressed with Brotli."""
        compressed: bytes = brotli.compress(data, quality=10 if len(data) < LARGE_BYTES else 5)
        return compressed


class VersionedStaticFilesStorage(CompressedStaticFilesStorage):  # type: ignore[misc]
    """Compresses static files and puts the digest of all of them into their URLs."""

    @cached_property
    def digest(self) -> str:
        """The digest of the collected files; empty if there are none."""
        try:
            return Path(self.path(DIGEST_FILE)).read_text()
        except FileNotFoundError:
            return ""

    def url(self, name: str) -> str:
        """Return the URL of a file."""
        is_versioned = self.digest and not settings.DEBUG
        url: str = super().url(f"{self.digest}/{name}" if is_versioned else name)
        return url

    def post_process(
        self, paths: dict[str, Any], dry_run: bool = False, **options: Any
    ) -> Iterator[Any]:
        """Write the compressed copies and then the digest, unless they are written already.

        They get the permissions of the other files: the user of the web processes may be another
        one than that of `collectstatic`.
        """
        digest = "" if dry_run else self._digest_of(paths)
        if digest == self.digest:
            return
        umask = os.umask(0o022)
        try:
            yield from super().post_process(paths, dry_run, **options)
            Path(self.path(DIGEST_FILE)).write_text(digest)
        finally:
            os.umask(umask)

    def create_compressor(self, **options: Any) -> Compressor:
        """Return the compressor of post_process."""
        return FastCompressor(**options)

    def _digest_of(self, names: dict[str, Any]) -> str:
        digest = hashlib.sha256()
        for name in sorted(names):
            content = hashlib.sha256(Path(self.path(name)).read_bytes()).hexdigest()
            digest.update(f"{name} {content}\n".encode())
        return digest.hexdigest()[:DIGEST_CHARS]


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """Serves static files; those whose URL contains the digest are cached for ever."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Find the collected files."""
        super().__init__(get_response)
        self._digest = cast(VersionedStaticFilesStorage, staticfiles_storage).digest
        self._versioned = re.compile(f"{self.static_prefix}([0-9a-f]{{{DIGEST_CHARS}}})/")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Respond with the file of the request's path, if there is one."""
        match = self._versioned.match(request.path_info)
        path = match and self.static_prefix + request.path_info[match.end() :]
        if not match or path not in self.files:
            response: HttpResponse = super().__call__(request)
            return response
        response = self.serve(self.files[path], request)
        response["Cache-Control"] = KEEP_FOREVER if match[1] == self._digest else DO_NOT_KEEP
        return response
