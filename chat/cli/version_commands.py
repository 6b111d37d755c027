"""The terminal client's commands about versions: edit, continue, list and choose."""

from collections.abc import Iterator
from uuid import uuid4

from chat.cli.chat_client import ChatClient, Frame
from chat.cli.lines import printable
from chat.cli.message_versions import Message, MessageVersions

SHOWN_CHARS = 70


class VersionCommands:
    """The versions of the last question and of the reply to it."""

    def __init__(self, client: ChatClient) -> None:
        self._client = client
        self._messages = MessageVersions()
        self._listed: list[Message] = []  # as they are numbered on the screen
        self._missing: set[str] = set()  # versions whose texts were requested, to list them

    def receive(self, frame: Frame) -> str:
        """Take a frame; return a note to print, or nothing."""
        match frame:
            case {"type": "session.ready", "recovered": False}:
                self._messages.clear()
            case {"type": "session.version", "messages": messages}:
                for message in messages:
                    self._messages.add(message)
                return self._note_if_complete(frame["id"])
            case {"type": "error", "ref": ref} if ref in self._missing:
                self._missing.clear()
            case {"message": message}:
                self._messages.add(message)
        return ""

    async def edit(self, text: str) -> str | None:
        """Send `text` in place of the last question; return the new message's id."""
        question = self._last_question()
        return await self._client.send(text, replaces=question["id"]) if question else None

    async def list_versions(self) -> str:
        """Return the list of versions, or nothing if texts have to be requested first."""
        self._listed = self._versions()
        self._missing = {message["id"] for message in self._listed if "msg" not in message}
        for version in sorted(self._missing):
            await self._client.transmit("version.load", id=version)
        return "" if self._missing else self._note()

    async def choose(self, number: str) -> str:
        """Make the version with this number current; return a note if that is not possible."""
        if not number.isdecimal() or not 0 < int(number) <= len(self._listed):
            return "Type /versions, then /choose and one of the numbers."
        version = self._listed[int(number) - 1]
        await self._client.transmit("version.choose", id=str(uuid4()), version=version["id"])
        return ""

    def _note_if_complete(self, received: str) -> str:
        if received not in self._missing:
            return ""
        self._missing.discard(received)
        return "" if self._missing else self._note()

    def _note(self) -> str:
        return "\n".join(self._lines()) or "The last question and its reply have one version each."

    def _lines(self) -> Iterator[str]:
        self._listed = self._versions()
        current = {message["id"] for message in self._messages.current()}
        for number, message in enumerate(self._listed, start=1):
            source = "question" if message["source"] == "human" else "reply"
            text = printable(" ".join(message.get("msg", "").split()))
            shown = text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}..."
            mark = " (current)" if message["id"] in current else ""
            yield f"{number}. {source}{mark}: {shown}"

    def _versions(self) -> list[Message]:
        """Return the versions of the question, and those of the reply, if there are several."""
        question = self._last_question()
        if not question:
            return []
        lists = self._messages.of_question(question["id"]), self._messages.of_reply(question["id"])
        return [message for versions in lists if len(versions) > 1 for message in versions]

    def _last_question(self) -> Message | None:
        questions = [each for each in self._messages.current() if each["source"] == "human"]
        return questions[-1] if questions else None
