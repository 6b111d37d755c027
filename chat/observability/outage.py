"""Log lines about a server that stops responding: one when it does, and one when it responds."""

import logging
import time


class Outage:
    """Whether one server responds, as far as this process knows."""

    def __init__(self, logger: logging.Logger, server: str) -> None:
        self._logger, self._server = logger, server
        self._since: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether the last use failed."""
        return self._since is not None

    def failed(self, error: BaseException) -> None:
        """Note that a use has failed."""
        if self._since is None:
            self._since = time.monotonic()
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            self._logger.warning("%s does not respond: %s", self._server, reason)

    def succeeded(self) -> None:
        """Note that a use has succeeded."""
        if self._since is not None:
            lasted_s = time.monotonic() - self._since
            self._logger.warning("%s responds again, after %.0f s", self._server, lasted_s)
            self._since = None
