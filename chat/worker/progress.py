"""Stores and publishes the text of all replies that a worker process writes, in batches.

A writer only adds text to its draft. One thread stores what was added to any draft in one round
trip, then publishes it. So a worker that writes one reply stores each piece at once, and under load
the batches grow instead of the delays.
"""

import logging
import threading
import time
from collections.abc import Sequence
from uuid import UUID

from chat.errors import StoreUnavailable
from chat.events.delivery import Delivery
from chat.protocol import ReplyDelta
from chat.store import leases
from chat.store.client import Store
from chat.store.command import Command
from chat.store.leases import LeaseStatus
from chat.worker.lease_renewer import LeaseHandle

logger = logging.getLogger(__name__)

# The least time between two deltas of a reply, and between two round trips.
DELTA_INTERVAL_S = 0.04
BATCH_INTERVAL_S = 0.004
# If there are more, each reply sends longer deltas less often.
MAX_DELTAS_PER_S = 1500
RETRY_S = 0.5


class Draft:
    """The text of one reply under one id, and how much of it is stored.

    Its writer adds text, the thread of `Progress` stores it.
    """

    def __init__(self, handle: LeaseHandle, reply_to: UUID) -> None:
        self.handle = handle
        self.reply = handle.reply
        self.reply_to = reply_to
        self.text = ""
        self.pieces = 0
        self.stored_chars = 0
        self.store_at = 0.0
        self.is_being_stored = False
        self._stored_bytes = 0

    def add(self, piece: str) -> None:
        """Add a piece of text."""
        self.text += piece
        self.pieces += 1

    def unstored(self) -> str:
        """Return the text that is not stored yet."""
        return self.text[self.stored_chars :]

    def delta(self, text: str) -> ReplyDelta:
        """Return the frame for text that follows the stored text."""
        return ReplyDelta(
            reply_to=self.reply_to, id=self.reply, offset=self.stored_chars, text=text
        )

    def store(self, text: str, retry_in_s: float = 0) -> Command[LeaseStatus]:
        """Return the command that appends text, or stores all of it again if Redis lost some."""
        is_complete = self._stored_bytes >= 0
        return leases.progress(
            self.handle.session,
            self.handle.lease,
            self.reply,
            offset=self._stored_bytes,
            text=text if is_complete else self.text[: self.stored_chars] + text,
            pieces=self.pieces,
            retry_in_s=retry_in_s,
        )

    def record(self, text: str, status: LeaseStatus) -> bool:
        """Record that text is stored; return whether Redis has the text before it, too."""
        self.handle.update(status)
        if self._stored_bytes < 0:
            self._stored_bytes = len(self.text[: self.stored_chars].encode())
        self._stored_bytes += len(text.encode())
        self.stored_chars += len(text)
        if status.length == self._stored_bytes:
            return True
        self._stored_bytes = -1
        return False


class Progress:
    """The thread that stores the text of all replies of this process."""

    def __init__(self, store: Store, delivery: Delivery) -> None:
        self._store = store
        self._delivery = delivery
        self._open: set[Draft] = set()
        self._with_text: set[Draft] = set()
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="progress", daemon=True).start()

    def add(self, draft: Draft) -> None:
        """Store and publish the new text of a draft soon."""
        with self._changed:
            self._open.add(draft)
            self._with_text.add(draft)
            self._changed.notify_all()

    def end(self, draft: Draft) -> None:
        """Stop storing a draft. Afterwards its text is not stored or published any more."""
        with self._changed:
            self._open.discard(draft)
            self._with_text.discard(draft)
            self._changed.wait_for(lambda: not draft.is_being_stored)

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            drafts = self._next_batch()
            try:
                self._store_all(drafts)
            except Exception:
                logger.exception("Storing replies in progress failed")
            finally:
                with self._changed:
                    for draft in drafts:
                        draft.is_being_stored = False
                    self._changed.notify_all()
            # time.sleep fails where libfaketime shifts the clock.
            pause.wait(BATCH_INTERVAL_S)

    def _next_batch(self) -> Sequence[Draft]:
        """Wait for drafts whose new text must be stored now."""
        with self._changed:
            while True:
                now = time.monotonic()
                due = [draft for draft in self._with_text if draft.store_at <= now]
                if due:
                    break
                waits = [draft.store_at - now for draft in self._with_text]
                self._changed.wait(min(waits, default=None))
            interval_s = max(DELTA_INTERVAL_S, len(self._open) / MAX_DELTAS_PER_S)
            for draft in due:
                draft.is_being_stored = True
                draft.store_at = now + interval_s
            self._with_text.difference_update(due)
            return due

    def _store_all(self, drafts: Sequence[Draft]) -> None:
        texts = [draft.unstored() for draft in drafts]
        commands = [draft.store(text) for draft, text in zip(drafts, texts, strict=True)]
        deltas = []
        for draft, text, result in zip(drafts, texts, self._run_all(commands), strict=True):
            if isinstance(result, LeaseStatus):
                deltas.append((draft.handle.session, draft.delta(text)))
            self._record(draft, text, result)
        self._delivery.publish_all(deltas)

    def _run_all(
        self, commands: Sequence[Command[LeaseStatus]]
    ) -> Sequence[LeaseStatus | Exception]:
        try:
            results = self._store.run_all(commands)
        except StoreUnavailable as error:
            return [error] * len(commands)
        return results

    def _record(self, draft: Draft, text: str, result: LeaseStatus | Exception) -> None:
        """Record what is stored; store it again if Redis lost text or did not respond."""
        if isinstance(result, LeaseStatus):
            is_complete = draft.record(text, result)
        else:
            is_complete = False
            draft.handle.update(result)
            draft.store_at = time.monotonic() + RETRY_S
        if not is_complete:
            with self._changed:
                if draft in self._open:
                    self._with_text.add(draft)
