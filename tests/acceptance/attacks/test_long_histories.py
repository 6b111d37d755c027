"""A session stays usable however much it holds."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from websockets.sync.client import ClientConnection

from chat.schemas import session_id
from chat.store import leases, sessions
from chat.store.client import Store
from chat.store.sessions import ALL_MESSAGES
from tests.acceptance.attacks.conftest import Target
from tests.acceptance.attacks.test_websocket_floods import TIMEOUT_S, open_socket
from tests.client import history
from tests.component.conftest import LIMITS, new_reply

MAX_FRAME_BYTES = 256 * 1024
MESSAGES = 140
LONGEST = "😀" * 2000
# Text whose JSON is six times as long, and the longest reply that a worker stores.
ESCAPED = "\x01" * 2000
LONGEST_REPLY = '"' * 48 * 1024


@pytest.fixture
def store(target: Target) -> Iterator[Store]:
    store = Store(target.redis_url, connections=1)
    yield store
    store.redis.close()


def fill(store: Store, token: str) -> None:
    """Store more than a megabyte, as its visitor could within minutes."""
    session = session_id(token)
    for number in range(MESSAGES):
        text = ESCAPED if number % 10 == 0 else LONGEST
        store.run(sessions.accept(session, uuid4(), text, address="test", limits=LIMITS))
        taken = store.run(leases.take(session, "attack", uuid4(), history=1))
        assert taken
        reply = new_reply(taken.message.id, LONGEST_REPLY if number % 30 == 29 else "ok")
        store.run(leases.commit(session, taken.lease, reply, ttl_s=600))


def receive(client: ClientConnection) -> dict[str, Any]:
    text = client.recv(TIMEOUT_S)
    assert len(str(text).encode()) <= MAX_FRAME_BYTES
    return dict(json.loads(text))


def test_a_session_of_several_megabytes_opens_and_can_be_read_back(
    target: Target, store: Store
) -> None:
    token = target.create_session()
    fill(store, token)
    with open_socket(target, token) as client:
        ready = receive(client)
        messages = ready["messages"]
        has_earlier = ready["has_earlier"]
        assert has_earlier
        while has_earlier:
            client.send(json.dumps({"type": "session.history", "before": messages[0]["seq"]}))
            page = receive(client)
            assert page["type"] == "session.messages", page
            messages = [*page["messages"], *messages]
            has_earlier = page["has_earlier"]
    stored = store.run(sessions.load(session_id(token), page=ALL_MESSAGES))
    assert [message["id"] for message in messages] == [str(one.id) for one in stored.messages]
    assert [message["seq"] for message in messages] == list(range(1, 2 * MESSAGES + 1))
    assert len(history(target.url, token)) == 2 * MESSAGES
