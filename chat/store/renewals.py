"""Renew the registrations of many open sockets in few commands."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from chat.errors import SessionUnknown
from chat.store.command import Arguments, Command, Reply
from chat.store.keys import address_hash, renewal_keys
from chat.store.redis_cluster.buckets import bucket_of
from chat.store.timing import SOCKET_TIMEOUT_MS, instant

# Redis executes nothing else meanwhile: about a millisecond.
SOCKETS_PER_COMMAND = 50


@dataclass(frozen=True)
class OpenSocket:
    """A registered socket: its session, its name and the address of its client."""

    session: str
    name: str
    address: str

    @cached_property
    def registration(self) -> str:
        """The socket as a JSON array, for the script."""
        return json.dumps([self.session, self.name, address_hash(self.address)])


@dataclass(frozen=True)
class SocketState:
    """Where a session's document ends, when it expires and who answers, as a renewal finds them.

    `operator` is the name of a person who answers instead of the model.
    """

    last_seq: int
    ratings_revision: int
    expires_at: datetime
    remaining_s: float
    operator: str | None


Renewal = SocketState | Exception


def renewals(
    sockets: Sequence[OpenSocket], buckets: int
) -> list[tuple[Sequence[int], Command[tuple[Renewal, ...]]]]:
    """Return the commands that renew sockets, each with the numbers of its sockets.

    A command's value has a renewal for each of them: the state of the session, or SessionUnknown.
    On a Redis Cluster, a command can only touch keys of one bucket and of one address.
    """
    groups: dict[tuple[int, str], list[int]] = {}
    for number, socket in enumerate(sockets):
        group = (bucket_of(socket.session), socket.address) if buckets > 1 else (0, "")
        groups.setdefault(group, []).append(number)
    batches = [
        group[first : first + SOCKETS_PER_COMMAND]
        for group in groups.values()
        for first in range(0, len(group), SOCKETS_PER_COMMAND)
    ]
    return [(numbers, _renew([sockets[number] for number in numbers])) for numbers in batches]


def _renew(sockets: Sequence[OpenSocket]) -> Command[tuple[Renewal, ...]]:
    arguments: Arguments = {
        "registrations": f"[{','.join(each.registration for each in sockets)}]",
        "timeout_ms": SOCKET_TIMEOUT_MS,
    }
    keys = renewal_keys(sockets[0].session, sockets[0].address)
    return Command("renew_sockets", keys, arguments, _parse)


def _parse(reply: Reply) -> tuple[Renewal, ...]:
    now_ms = reply["now_ms"]
    return tuple(_state(now_ms, *each) if each else SessionUnknown() for each in reply["states"])


def _state(
    now_ms: int, last_seq: int, ratings_revision: int, expires_ms: int, operator: str
) -> SocketState:
    return SocketState(
        last_seq=last_seq,
        ratings_revision=ratings_revision,
        expires_at=instant(expires_ms),
        remaining_s=(expires_ms - now_ms) / 1000,
        operator=operator or None,
    )
