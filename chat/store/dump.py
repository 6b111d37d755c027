"""Everything that Redis has about one session, key by key."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from chat.store.command import Command, Reply, named
from chat.store.keys import rating_keys

NO_EXPIRY_MS = -1
# By the names in the script's reply.
PARSERS: dict[str, Callable[[Any], Any]] = {
    "json": json.loads,
    "hashes": named,
    "lists": list,
    "strings": str,
    "sorted_sets": lambda pairs: {name: float(score) for name, score in named(pairs).items()},
}


def dump(session: str) -> Command[dict[str, Any]]:
    """Load a session's keys as JSON values, each with the seconds until it expires.

    Empty if the session does not exist.
    """

    def parse(reply: Reply) -> dict[str, Any]:
        return {} if reply.status == "gone" else dict(_keys(reply))

    return Command("dump", rating_keys(session, ""), {}, parse)


def _keys(reply: Reply) -> Iterator[tuple[str, Any]]:
    for kind, parse in PARSERS.items():
        for name, (left_ms, value) in named(reply[kind]).items():
            if value:
                expires_in_s = None if left_ms == NO_EXPIRY_MS else left_ms / 1000
                yield name, {"value": parse(value), "expires_in_s": expires_in_s}
