"""The versions of questions and replies, as a client of chat.v1 derives them from messages.

Pass every message of `session.ready`, `message.accepted`, `reply.completed` and `reply.failed` to
`add`, in order of `seq`. Replaced messages arrive without text. Those that were received before
they were replaced keep theirs.
"""

from collections.abc import Iterator, Sequence
from typing import Any

Message = dict[str, Any]


def original(message: Message) -> str:
    """Return the id of the message of which this one is a copy, or its own."""
    return str(message.get("version_of", message["id"]))


class MessageVersions:
    """The messages of one session, which of them are current, and their versions."""

    def __init__(self) -> None:
        self._messages: dict[str, Message] = {}  # by id, in order of seq

    def clear(self) -> None:
        """Forget all messages."""
        self._messages.clear()

    def add(self, message: Message) -> None:
        """Add the next message, or a known one again."""
        known = self._messages.get(message["id"], {})
        self._messages[message["id"]] = known | message
        if "replaces" in message:
            for replaced in self._replaced_by(message):
                replaced.setdefault("replaced_by", message["id"])

    def current(self) -> list[Message]:
        """Return the messages that are not replaced."""
        return [message for message in self._messages.values() if "replaced_by" not in message]

    def reply_to(self, question: str) -> Message | None:
        """Return the current reply to a message."""
        return next((m for m in self.current() if m.get("reply_to") == question), None)

    def of_question(self, question: str) -> list[Message]:
        """Return the versions of a human message, oldest first.

        They are what it was edited to and what these were before. Of a version that was chosen
        again, it is the newest copy, after which the conversation went on.
        """
        groups: dict[str, str] = {}  # original → the first original of its group
        versions: dict[str, Message] = {}  # original → its newest message
        for message in self._messages.values():
            if message["source"] == "human":
                replaced = self._messages.get(message.get("replaces", ""))
                first = groups[original(replaced)] if replaced else original(message)
                groups.setdefault(original(message), first)
                versions[original(message)] = message
        group = groups[original(self._messages[question])]
        return [message for key, message in versions.items() if groups[key] == group]

    def of_reply(self, question: str) -> list[Message]:
        """Return the versions of the reply to a human message, oldest first.

        A reply that continues another takes its place. Failed ones are left out.
        """
        versions: dict[str, Message] = {}  # original → itself, or what continues it
        places: dict[str, str] = {}  # id of a reply → its key in `versions`
        for reply in self._replies(original(self._messages[question])):
            key = places.get(original(reply)) or places.get(reply.get("continues", ""))
            places[reply["id"]] = key = key or reply["id"]
            if "version_of" not in reply or key not in versions:
                versions[key] = reply
        return list(versions.values())

    def _replies(self, question: str) -> Iterator[Message]:
        for message in self._messages.values():
            asked = self._messages.get(message.get("reply_to") or "")
            if asked and original(asked) == question and not self._has_failed(message):
                yield message

    def _has_failed(self, reply: Message) -> bool:
        """Return whether a reply is no version: it has no text, or a good one was kept instead."""
        kept = self._messages.get(reply.get("replaced_by", ""))
        return bool(
            reply.get("failed")
            or reply.get("error")
            or reply.get("msg") == ""
            or (kept and kept["seq"] < reply["seq"])
        )

    def _replaced_by(self, message: Message) -> Sequence[Message]:
        """Return what a message replaces: a reply, or a question and what followed it."""
        replaced = self._messages.get(message["replaces"])
        if message["source"] != "human":
            return [replaced] if replaced else []
        first = replaced["seq"] if replaced else 0
        return [
            earlier
            for earlier in self._messages.values()
            if earlier["seq"] < message["seq"] and self._question_seq(earlier) >= first
        ]

    def _question_seq(self, message: Message) -> int:
        question = self._messages.get(message.get("reply_to") or "", message)
        return int(question["seq"])
