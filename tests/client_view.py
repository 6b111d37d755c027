"""The state of a session as a chat.v1 client shows it: a pure reducer of frames.

The view is strict: it records every violation of the protocol and repairs nothing.
"""

from dataclasses import dataclass, field
from typing import Any

Frame = dict[str, Any]
STUB = ("id", "seq", "source", "replaced_by", "replaces", "reply_to", "version_of", "continues")


def replaced(message: Frame, *, failed: bool) -> Frame:
    """Return what is known of a message after it was replaced, as the server sends it."""
    stub = {name: message[name] for name in STUB if message.get(name) is not None}
    return stub | ({"failed": True} if failed else {})


@dataclass
class ClientView:
    """The history by `seq`, the partial reply, and the queued messages.

    `violations` lists violations of the protocol, `repeated` the replies that completed twice, and
    `resets` counts how often the server had less than this client and sent the whole session.
    """

    messages: dict[int, Frame] = field(default_factory=dict)
    partial_reply: Frame | None = None
    queued: dict[str, Frame] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    repeated: list[Frame] = field(default_factory=list)
    resets: int = 0
    # A test may set it higher, to pretend to be ahead of the document.
    last_seq: int = 0
    # The first message that this client has, and whether the session has others before it.
    first_seq: int = 1
    has_earlier: bool = False
    ratings_revision: int = 0

    def apply(self, frame: Frame) -> bool:
        """Apply a frame; return whether it leaves a gap."""
        match frame["type"]:
            case "session.ready":
                return self._reset_to(frame)
            case "session.messages":
                self._prepend(frame)
            case "message.accepted":
                return self._append(frame["message"])
            case "reply.completed" | "reply.failed":
                return self._end_reply(frame["message"])
            case "reply.queued":
                self._queue(frame)
            case "reply.started":
                self.partial_reply = {"reply_to": None, **frame, "text": ""}
                self.queued.pop(frame.get("reply_to", ""), None)
            case "reply.delta":
                return self._append_text(frame)
            case "reply.rated":
                self._rate(frame)
        return False

    @property
    def text(self) -> str:
        """The text of the partial reply so far."""
        return str(self.partial_reply["text"]) if self.partial_reply else ""

    def shown(self) -> list[tuple[int, str, str | None]]:
        """Return the history as (seq, id, text); the text of a replaced reply is None."""
        return [
            (seq, message["id"], None if "replaced_by" in message else message["msg"])
            for seq, message in sorted(self.messages.items())
        ]

    def rated(self) -> list[tuple[int, str, str | None]]:
        """Return the ratings of replies as (seq, rating, comment)."""
        return [
            (seq, message["rating"], message.get("comment"))
            for seq, message in sorted(self.messages.items())
            if message.get("rating")
        ]

    def has(self, message_id: str) -> bool:
        """Return whether a message is in the history."""
        return any(message["id"] == message_id for message in self.messages.values())

    def reply_to(self, message_id: str) -> Frame | None:
        """Return the newest reply to a message that was not replaced."""
        current = (m for _, m in sorted(self.messages.items()) if "replaced_by" not in m)
        replies = [m for m in current if m.get("reply_to") == message_id]
        return replies[-1] if replies else None

    def _reset_to(self, ready: Frame) -> bool:
        if not ready["recovered"]:
            self.resets += 1
        if ready["has_earlier"] or not ready["recovered"]:
            self.messages.clear()
            self.first_seq = min((message["seq"] for message in ready["messages"]), default=1)
            self.has_earlier = ready["has_earlier"]
        self.queued.clear()
        self.ratings_revision = ready.get("ratings_revision", 0)
        for message in ready["messages"]:
            self._store(message)
        self.last_seq = max(self.messages, default=0)
        self.partial_reply = dict(ready["reply"]) if ready["reply"] else None
        if sorted(self.messages) != list(range(self.first_seq, self.last_seq + 1)):
            return self._gap(f"session.ready leaves a gap: {sorted(self.messages)}")
        return False

    def _prepend(self, page: Frame) -> None:
        seqs = [message["seq"] for message in page["messages"]]
        if page["before"] != self.first_seq:
            return
        first = min(seqs, default=self.first_seq)
        if seqs != list(range(first, self.first_seq)) or page["has_earlier"] != (first > 1):
            self.violations.append(f"session.messages before {self.first_seq} has {seqs}")
        for message in page["messages"]:
            self._store(message)
        self.first_seq, self.has_earlier = first, page["has_earlier"]

    def _append(self, message: Frame) -> bool:
        seq = message["seq"]
        if seq <= self.last_seq:
            if seq >= self.first_seq and self.messages[seq]["id"] != message["id"]:
                self.violations.append(f"two messages have the seq {seq}")
            return False
        if seq > self.last_seq + 1:
            return self._gap(f"seq {seq} follows {self.last_seq}")
        self._store(message)
        self.last_seq = seq
        return False

    def _end_reply(self, message: Frame) -> bool:
        partial = self.partial_reply
        is_same = partial is not None and message["id"] == partial["id"]
        if is_same and not message["msg"].startswith(self.text):
            self.violations.append(f"{self.text!r} became {message['msg']!r}")
        if message["seq"] in self.messages:
            self.repeated.append(message)
        if partial and partial["reply_to"] in (None, message["reply_to"]):
            self.partial_reply = None
        self.queued.pop(message["reply_to"], None)
        return self._append(message)

    def _store(self, message: Frame) -> None:
        is_kept_out = "replaced_by" in message and "msg" in message
        self.messages[message["seq"]] = replaced(message, failed=True) if is_kept_out else message
        if "replaces" in message:
            for seq in self._replaced_seqs(message):
                old = self.messages[seq]
                if "replaced_by" not in old:
                    failed = "error" in old or not old["msg"]
                    by = {"replaced_by": message["id"]}
                    self.messages[seq] = replaced(old | by, failed=failed)

    def _replaced_seqs(self, message: Frame) -> list[int]:
        """Return the messages that one replaces: a reply, or a question and what follows it."""
        seqs = {old["id"]: seq for seq, old in self.messages.items()}
        first = seqs.get(message["replaces"], 0)
        if message["source"] != "human":
            return [first] if first else []
        earlier = {seq: old for seq, old in self.messages.items() if seq < message["seq"]}
        return [
            seq
            for seq, old in earlier.items()
            if seqs.get(old.get("reply_to") or old["id"], seq) >= first
        ]

    def _rate(self, rated: Frame) -> None:
        self.ratings_revision = max(self.ratings_revision, rated["revision"])
        for seq, message in self.messages.items():
            if message["id"] == rated["id"] and "replaced_by" not in message:
                rating = {name: rated[name] for name in ("rating", "comment") if rated.get(name)}
                rest = {k: v for k, v in message.items() if k not in ("rating", "comment")}
                self.messages[seq] = rest | rating

    def _queue(self, frame: Frame) -> None:
        if frame["ahead"] < 0 or (frame["eta_s"] or 0) < 0:
            self.violations.append(f"an invalid queue position: {frame}")
        if self.partial_reply and self.partial_reply["reply_to"] == frame["reply_to"]:
            self.partial_reply = None
        self.queued[frame["reply_to"]] = frame

    def _append_text(self, delta: Frame) -> bool:
        partial, offset, length = self.partial_reply, delta["offset"], len(self.text)
        if partial is None or partial["id"] != delta["id"] or offset > length:
            return self._gap(f"a delta at offset {offset} follows {length} characters")
        partial["text"] = partial["text"][:offset] + delta["text"]
        return False

    def _gap(self, what: str) -> bool:
        """Record a gap as a violation: the server must fill gaps before it sends later frames."""
        self.violations.append(what)
        return True
