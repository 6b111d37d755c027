"""The verification of the fault suite finds each kind of violation, and none in a valid history."""

import json
from typing import Any

import pytest

from tests.faults.client import ResilientClient, Sent
from tests.faults.markers import echo
from tests.faults.network_faults import FrameCutter, frame_sizes
from tests.faults.verification import Counts, verify_session

MARKER = "m0123456789ab"
OTHER_MARKER = "mba9876543210"
VALID = {"lost": 0, "duplicated": 0, "out_of_order": 0, "misdelivered": 0}


def human(number: int) -> dict[str, Any]:
    return {"id": f"h{number}", "source": "human", "msg": f"Human: {MARKER} {number}"}


def bot(number: int, text: str | None = None) -> dict[str, Any]:
    reply = echo(f"{MARKER} {number}") if text is None else text
    return {"id": f"b{number}", "source": "bot", "reply_to": f"h{number}", "msg": f"Bot: {reply}"}


def client_that_sent(count: int) -> ResilientClient:
    client = ResilientClient(MARKER, "token", lambda: "")
    for number in range(1, count + 1):
        sent = Sent(f"{MARKER} {number}", id=f"h{number}", accepted_at=1.0, answered_at=2.0)
        client.sent.append(sent)
    return client


HISTORIES: dict[str, tuple[list[dict[str, Any]], dict[str, int]]] = {
    "valid": ([human(1), bot(1), human(2), bot(2)], {}),
    "a reply is missing": ([human(1), bot(1), human(2)], {"lost": 1}),
    "a message is missing": ([human(1), bot(1)], {"lost": 1}),
    "two replies": ([human(1), bot(1), bot(1), human(2), bot(2)], {"duplicated": 1}),
    "a message stored twice": ([human(1), human(1), bot(1), human(2), bot(2)], {"duplicated": 1}),
    "replies in the wrong order": ([human(1), human(2), bot(2), bot(1)], {"out_of_order": 2}),
    "the reply of another session": (
        [human(1), bot(1, echo(f"{OTHER_MARKER} 1")), human(2), bot(2)],
        {"misdelivered": 1},
    ),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_each_violation_in_a_history_is_counted(name: str) -> None:
    history, violations = HISTORIES[name]
    assert verify_session(client_that_sent(2), history).violations == VALID | violations


def ready(*messages: dict[str, Any]) -> dict[str, Any]:
    fields = {"recovered": True, "has_earlier": False, "reply": None}
    return {"type": "session.ready", "messages": messages, **fields}


def test_a_reply_that_completes_twice_is_a_duplicate() -> None:
    client = client_that_sent(0)
    completed = {"type": "reply.completed", "message": bot(1) | {"seq": 2}}
    for frame in (ready(human(1) | {"seq": 1}), completed, completed):
        client.view.apply(frame)
    assert verify_session(client, []).violations == VALID | {"duplicated": 1}


async def test_a_frame_with_another_sessions_marker_is_misdelivered() -> None:
    client = client_that_sent(0)
    await client._receive(json.dumps(ready() | {"name": f"… {OTHER_MARKER} 1 …"}))
    assert verify_session(client, []).violations == VALID | {"misdelivered": 1}


def test_a_gap_in_the_history_or_in_a_text_is_out_of_order() -> None:
    client = client_that_sent(0)
    client.view.apply(ready(human(1) | {"seq": 2}))
    client.view.apply({"type": "reply.started", "id": "b1"})
    client.view.apply({"type": "reply.delta", "id": "b1", "offset": 3, "text": "x"})
    assert verify_session(client, []).violations == VALID | {"out_of_order": 2}


def test_counts_add_up() -> None:
    assert Counts(accepted=1, lost=2) + Counts(accepted=3) == Counts(accepted=4, lost=2)


def test_frames_are_measured_with_and_without_mask() -> None:
    short, masked, long = b"\x81\x02hi", b"\x81\x82mask..", b"\x81\x7e\x01\x00" + b"x" * 256
    assert list(frame_sizes(short + masked + long)) == [len(short), len(masked), len(long)]


@pytest.mark.parametrize(
    ("share", "passes"), [(0.0, b""), (0.5, b"\x81\x02"), (1.0, b"\x81\x02hi")]
)
def test_a_connection_is_cut_before_in_or_after_a_frame(share: float, passes: bytes) -> None:
    cutter = FrameCutter(2, share, to_server=False)
    first = b"HTTP/1.1 101 \r\n\r\n" + b"\x81\x02ho"
    assert cutter.passes(b"anything", to_server=True) == (b"anything", False)
    assert cutter.passes(first, to_server=False)[0] == first
    if share:
        assert cutter.passes(b"\x81\x02hi", to_server=False) == (passes, True)
