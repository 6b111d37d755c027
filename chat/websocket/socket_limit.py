"""The number of WebSockets of one process, below what its limit of open files allows."""

import logging

from chat.errors import TooManySockets

logger = logging.getLogger(__name__)

FULL = "This server has too many open connections. Try again later."


class SocketLimit:
    """Counts the sockets of this process."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open = 0
        self._is_full = False

    def take(self) -> None:
        """Count one more socket; raises TooManySockets."""
        if self._open >= self._limit:
            if not self._is_full:
                self._is_full = True
                logger.warning(
                    "New WebSockets are refused: %d are open, as many as the limit of open files"
                    " allows",
                    self._open,
                )
            raise TooManySockets(FULL)
        self._open += 1

    def release(self) -> None:
        """Count one socket less."""
        self._open -= 1
        if self._is_full and self._open <= 0.9 * self._limit:
            self._is_full = False
            logger.warning("New WebSockets are accepted again: %d are open", self._open)
