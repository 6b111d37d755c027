"""Compares what clients sent and were told with the documents."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from tests.faults.client import Client
from tests.faults.crowd import Crowd
from tests.faults.marks import echo, marks_in
from tests.model_stub import RecordedRequest


@dataclass(frozen=True)
class Tally:
    """The counts of the report; the last four must be zero."""

    accepted: int = 0
    answered: int = 0
    failed: int = 0
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    misdelivered: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        names = [one.name for one in fields(self)]
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def wrongs(self) -> dict[str, int]:
        """Return the counts that must be zero."""
        names = ("lost", "doubled", "disordered", "misdelivered")
        return {name: getattr(self, name) for name in names}


async def judge(crowd: Crowd) -> Tally:
    """Judge every client by the document of its session."""
    tally = Tally(misdelivered=mixed_prompts(crowd.site.model.requests))
    for client in crowd.clients:
        tally += judge_one(client, await crowd.site.history(client.token))
    return tally


def judge_one(client: Client, document: list[dict[str, Any]]) -> Tally:
    """Judge one client by its document, as /refresh_token gives it."""
    humans = [m["id"] for m in document if m["source"] == "human"]
    replies = [m for m in document if m["source"] == "bot"]
    outcomes = Counter(reply["reply_to"] for reply in replies)
    return Tally(
        accepted=sum(sent.accepted_at is not None for sent in client.sent),
        answered=sum(sent.answered_at is not None for sent in client.sent),
        failed=sum("error" in reply for reply in replies),
        lost=_lost(client, humans, outcomes),
        doubled=_surplus(humans) + _surplus(outcomes.elements()) + len(client.view.repeated),
        disordered=_disorder(humans, replies) + len(client.view.disordered),
        misdelivered=_misdelivered(client, document) + len(client.view.foreign),
    )


def mixed_prompts(requests: Iterable[RecordedRequest]) -> int:
    """Count the prompts that hold messages of more than one session."""
    prompts = (str(request.payload) for request in requests)
    return sum(len(set(marks_in(prompt))) > 1 for prompt in prompts)


def _lost(client: Client, humans: list[str], outcomes: Counter[str]) -> int:
    """A message is kept where it is stored, has an outcome, and its sender was told both."""
    kept = [
        sent
        for sent in client.sent
        if sent.id in humans and outcomes[sent.id] and sent.answered_at is not None
    ]
    return len(client.sent) - len(kept)


def _surplus(ids: Iterable[str]) -> int:
    return sum(count - 1 for count in Counter(ids).values())


def _disorder(humans: list[str], replies: list[dict[str, Any]]) -> int:
    answered = [reply["reply_to"] for reply in replies]
    expected = [human for human in dict.fromkeys(humans) if human in set(answered)]
    return sum(one != other for one, other in zip(dict.fromkeys(answered), expected, strict=False))


def _misdelivered(client: Client, document: list[dict[str, Any]]) -> int:
    texts = {sent.id: sent.text for sent in client.sent}
    wrong = 0
    for message in document:
        text = message["msg"].split(": ", 1)[1] if ": " in message["msg"] else ""
        if message["source"] == "human":
            wrong += text != texts.get(message["id"])
        elif "error" not in message:
            wrong += text != echo(texts.get(message["reply_to"], ""))
    return wrong
