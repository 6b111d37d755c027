"""The branding as this process knows it: loaded from the database again every few seconds.

The database is not needed to serve the page. While it is unavailable, the last known values are
used, or those of the settings. A thread of its own loads, so that nobody waits for longer than
WAIT_S, and its connection is closed afterwards.
"""

import logging
import threading
import time
from functools import cache

from django.db import connection

from chat.branding.content import Branding, from_settings, merged
from chat.models import SiteBranding
from chat.observability.outage import Outage

logger = logging.getLogger(__name__)

# A change in the admin is on the pages of every process after this time.
MAX_AGE_S = 3.0
# How long a request waits for the database, once per attempt to load.
WAIT_S = 0.5

outage = Outage(
    logger,
    "The site's branding cannot be loaded, the last known values are used",
    "The site's branding can be loaded again",
)


class Loader:
    """Loads the branding and keeps it. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._value: Branding | None = None
        self._version: object = None
        self._started_at = float("-inf")
        self._thread: threading.Thread | None = None

    @property
    def value(self) -> Branding:
        """What was loaded last; the settings' branding before that."""
        return self._value or defaults()

    def refresh(self) -> None:
        """Load again if that is due; return after WAIT_S even if it takes longer."""
        with self._lock:
            elapsed_s = time.monotonic() - self._started_at
            is_running = self._thread is not None and self._thread.is_alive()
            if not is_running and elapsed_s >= MAX_AGE_S:
                self._started_at, elapsed_s = time.monotonic(), 0.0
                self._thread = threading.Thread(target=self._load, name="branding", daemon=True)
                self._thread.start()
            thread = self._thread
        if thread is not None:
            thread.join(max(0.0, WAIT_S - elapsed_s))

    def expire(self) -> None:
        """Load again on the next request."""
        with self._lock:
            self._started_at = float("-inf")

    def _load(self) -> None:
        try:
            rows = SiteBranding.objects.filter(pk=SiteBranding.ONLY)
            version = rows.values_list("changed_at", flat=True).first()
            if self._value is None or version != self._version:
                row = rows.first()
                self._value = merged(defaults(), row) if row else defaults()
                self._version = version
        except Exception as error:  # noqa: BLE001  # whatever fails, the page does not need it
            outage.failed(error)
        else:
            outage.succeeded()
        finally:
            connection.close()


_loader = Loader()
refresh, expire = _loader.refresh, _loader.expire


def current() -> Branding:
    """Return the branding that this process knows, without I/O."""
    return _loader.value


@cache
def defaults() -> Branding:
    """Return the branding of the settings."""
    return from_settings()
