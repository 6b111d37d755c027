"""The sentence on the page about when conversations are deleted."""

import pytest
from django.utils.translation import override

from chat.views import erasure_sentence, retention_sentence


@pytest.mark.parametrize(
    ("ttl_s", "expected"),
    [
        (1, "one second"),
        (302, "302 seconds"),
        (60, "one minute"),
        (5400, "90 minutes"),
        (3600, "one hour"),
        (7200, "2 hours"),
        (86_400, "one day"),
        (604_800, "7 days"),
    ],
)
def test_retention_is_stated_in_the_largest_exact_unit(ttl_s: float, expected: str) -> None:
    with override("en"):
        sentence = retention_sentence(ttl_s)

    assert sentence == f"The server deletes a conversation {expected} after its last message."


def test_retention_is_stated_in_german() -> None:
    with override("de"):
        sentences = [retention_sentence(ttl_s) for ttl_s in (3600, 7200)]

    assert sentences == [
        "Der Server löscht ein Gespräch eine Stunde nach der letzten Nachricht.",
        "Der Server löscht ein Gespräch 2 Stunden nach der letzten Nachricht.",
    ]


@pytest.mark.parametrize(
    ("interval_s", "expected"),
    [
        (600, "Deleted conversations leave the server's disk within 15 minutes."),
        (0.5, "Deleted conversations leave the server's disk within 6 minutes."),
        (0, ""),
    ],
)
def test_the_page_says_when_deleted_texts_leave_the_disk(interval_s: float, expected: str) -> None:
    with override("en"):
        assert erasure_sentence(interval_s) == expected


def test_the_erasure_is_stated_in_german() -> None:
    with override("de"):
        assert "innerhalb von 15 Minuten" in erasure_sentence(600)
