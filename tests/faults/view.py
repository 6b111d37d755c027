"""What one client knows of its session, and what was wrong with the way it was told.

A view is fed the frames of a chat.v1 socket. It is strict: what the protocol rules out is written
down, not repaired.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.faults.marks import marks_in

Frame = dict[str, Any]


@dataclass
class View:
    """One client's copy of the history, by `seq`, with the reply being written."""

    mark: str
    messages: dict[int, Frame] = field(default_factory=dict)
    repeated: list[Frame] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    resets: int = 0
    writing: str | None = None
    text: str = ""

    @property
    def last_seq(self) -> int:
        return max(self.messages, default=0)

    def outcome_of(self, message_id: str) -> Frame | None:
        """Return the reply to a message, where it was told."""
        return next((m for m in self.messages.values() if m.get("reply_to") == message_id), None)

    def knows(self, message_id: str) -> bool:
        """Tell whether a message is in the history."""
        return any(message["id"] == message_id for message in self.messages.values())

    def hear(self, text: str, frame: Frame) -> None:
        """Take in one frame, given as text and as what it says."""
        self.foreign += [mark for mark in marks_in(text) if mark != self.mark]
        match frame["type"]:
            case "session.ready":
                self._begin(frame)
            case "message.accepted":
                self._learn(frame["message"])
            case "reply.started":
                self.writing, self.text = frame["id"], ""
            case "reply.delta":
                self._write(frame)
            case "reply.completed" | "reply.failed":
                self._end_reply(frame["message"])

    def _begin(self, ready: Frame) -> None:
        if not ready["recovered"]:
            self.resets += 1
            self.messages.clear()
        for message in ready["messages"]:
            self._learn(message)
        reply = ready["reply"]
        self.writing, self.text = (reply["id"], reply["text"]) if reply else (None, "")

    def _write(self, delta: Frame) -> None:
        if delta["id"] != self.writing or delta["offset"] > len(self.text):
            self.disordered.append(f"a delta at {delta['offset']} after {len(self.text)}")
        else:
            self.text = self.text[: delta["offset"]] + delta["text"]

    def _end_reply(self, message: Frame) -> None:
        if message["id"] == self.writing and not message["msg"].startswith(self.text):
            self.disordered.append(f"{self.text!r} was written for {message['msg']!r}")
        if message["seq"] in self.messages:
            self.repeated.append(message)
        self._learn(message)
        self.writing, self.text = None, ""

    def _learn(self, message: Frame) -> None:
        """A message told before is no harm where it is the same one: a resent id is told again."""
        known = self.messages.get(message["seq"])
        if known and known["id"] != message["id"]:
            self.disordered.append(f"two messages have the seq {message['seq']}")
        if not known and message["seq"] != self.last_seq + 1:
            self.disordered.append(f"seq {message['seq']} after {self.last_seq}")
        self.messages[message["seq"]] = message
