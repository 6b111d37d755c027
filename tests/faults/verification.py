"""Compares what clients sent and received with the documents."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from tests.faults.client import ResilientClient
from tests.faults.client_group import ClientGroup
from tests.faults.markers import by_hand, echo, markers_in
from tests.model_stub import RecordedRequest


@dataclass(frozen=True)
class Counts:
    """The counts of the report; the last four must be zero."""

    accepted: int = 0
    answered: int = 0
    failed: int = 0
    lost: int = 0
    duplicated: int = 0
    out_of_order: int = 0
    misdelivered: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        names = [one.name for one in fields(self)]
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def violations(self) -> dict[str, int]:
        """Return the counts that must be zero."""
        names = ("lost", "duplicated", "out_of_order", "misdelivered")
        return {name: getattr(self, name) for name in names}


async def verify(group: ClientGroup) -> Counts:
    """Compare every client with the document of its session."""
    counts = Counts(misdelivered=prompts_with_several_markers(group.site.model.requests))
    for client in group.clients:
        counts += verify_session(client, await group.site.history(client.token))
    return counts


def verify_session(client: ResilientClient, document: list[dict[str, Any]]) -> Counts:
    """Compare one client with its document, as /refresh_token returns it."""
    humans = [m["id"] for m in document if m["source"] == "human"]
    # Without `reply_to`: an operator's answer to a message that the model answered meanwhile.
    replies = [m for m in document if m["source"] != "human" and m["reply_to"]]
    outcomes = Counter(reply["reply_to"] for reply in replies)
    return Counts(
        accepted=sum(sent.accepted_at is not None for sent in client.sent),
        answered=sum(sent.answered_at is not None for sent in client.sent),
        failed=sum("error" in reply for reply in replies),
        lost=_lost(client, humans, outcomes),
        duplicated=_duplicates(humans)
        + _duplicates(outcomes.elements())
        + len(client.view.repeated),
        out_of_order=_out_of_order(humans, replies) + len(client.view.violations),
        misdelivered=_misdelivered(client, document) + len(client.foreign),
    )


def prompts_with_several_markers(requests: Iterable[RecordedRequest]) -> int:
    """Count the prompts that contain messages of more than one session."""
    prompts = (str(request.payload) for request in requests)
    return sum(len(set(markers_in(prompt))) > 1 for prompt in prompts)


def _lost(client: ResilientClient, humans: list[str], outcomes: Counter[str]) -> int:
    """Count messages without a place in the document or an outcome that their sender received."""
    kept = [
        sent
        for sent in client.sent
        if sent.id in humans and outcomes[sent.id] and sent.answered_at is not None
    ]
    return len(client.sent) - len(kept)


def _duplicates(ids: Iterable[str]) -> int:
    return sum(count - 1 for count in Counter(ids).values())


def _out_of_order(humans: list[str], replies: list[dict[str, Any]]) -> int:
    answered = [reply["reply_to"] for reply in replies]
    expected = [human for human in dict.fromkeys(humans) if human in set(answered)]
    return sum(one != other for one, other in zip(dict.fromkeys(answered), expected, strict=False))


def _misdelivered(client: ResilientClient, document: list[dict[str, Any]]) -> int:
    texts = {sent.id: sent.text for sent in client.sent}
    wrong = 0
    for message in document:
        text = message["msg"].split(": ", 1)[1] if ": " in message["msg"] else ""
        if message["source"] == "human":
            wrong += text != texts.get(message["id"])
        elif "error" not in message:
            expected = by_hand if message["source"] == "operator" else echo
            answered = (
                [texts.get(message["reply_to"], "")] if message["reply_to"] else [*texts.values()]
            )
            wrong += text not in map(expected, answered)
    return wrong
