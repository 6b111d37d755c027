"""An operator's page for the fault suite: it answers every message of one session by hand.

It comes back after every cut and joins again, as the page and its user would.
"""

import asyncio
from contextlib import suppress
from typing import Any
from uuid import uuid4

from websockets.exceptions import WebSocketException

from tests.faults.client_group import ClientGroup
from tests.faults.markers import by_hand
from tests.operator_client import OperatorClient
from tests.operator_user import operator_cookie

RECONNECT_S = 0.3
WORD_S = 0.15
STORED_WITHIN_S = 3.0


class ResilientOperator(OperatorClient):
    """Streams each answer word by word, then sends it until it is stored."""

    def __init__(self, ws_url: str, token: str, cookie: str) -> None:
        super().__init__(ws_url, token, cookie)
        self.is_gone = False
        self.joined = asyncio.Event()
        self._answers: dict[str, str] = {}
        self._working: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "ResilientOperator":
        self._working = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *exception: object) -> None:
        if self._working:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)
        await self.close()

    async def die(self) -> None:
        """Vanish without a word, and do not come back."""
        self.is_gone = self.is_asleep = True
        await self.drop()

    async def _work(self) -> None:
        while not self.is_gone:
            with suppress(OSError, WebSocketException, TimeoutError, AssertionError):
                await self.connect(open_timeout=5, close_timeout=1)
                await self._answer_all()
            await asyncio.sleep(RECONNECT_S)

    async def _answer_all(self) -> None:
        while not self.is_gone:
            await self.join()
            self.joined.set()
            while message := await self._next_message():
                if not await self._answer(message):
                    break

    async def _next_message(self) -> dict[str, Any]:
        await self.wait_until(lambda: self._waiting() or not self.is_connected, timeout_s=600)
        if not self.is_connected:
            raise ConnectionError
        return self._waiting()[0]

    def _waiting(self) -> list[dict[str, Any]]:
        messages = [message for _, message in sorted(self.view.messages.items())]
        answered = {message.get("reply_to") for message in messages}
        return [m for m in messages if m["source"] == "human" and m["id"] not in answered]

    async def _answer(self, message: dict[str, Any]) -> bool:
        """Return whether the message is answered, by whomever."""
        id = self._answers.setdefault(message["id"], str(uuid4()))
        text, words = "", by_hand(message["msg"]).split(" ")
        for word in words[:6]:
            text = f"{text} {word}".strip()
            await self.send("operator.write", id=id, reply_to=message["id"], msg=text)
            await asyncio.sleep(WORD_S)
        await self.send(
            "operator.answer", id=id, reply_to=message["id"], msg=by_hand(message["msg"])
        )
        with suppress(AssertionError):
            await self.wait_until(
                lambda: message not in self._waiting() or not self.is_connected,
                timeout_s=STORED_WITHIN_S,
            )
        if not self.is_connected:
            raise ConnectionError
        return message not in self._waiting()


async def join_all(group: ClientGroup, web_url: str) -> list[ResilientOperator]:
    """Return an operator for each client of a group, not started yet."""
    site = group.site
    cookie = await site.in_thread(operator_cookie, site.stack)
    return [ResilientOperator(web_url, client.token, cookie) for client in group.clients]
