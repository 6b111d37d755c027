"""The rules that score replies of the embedded model, and the items they are applied to."""

from collections import Counter
from typing import Any

import pytest

from bench._scoring import Item, Score, is_repetitive, language_of, load_items, score


def item(**fields: Any) -> Item:
    values: dict[str, Any] = {"id": "i", "kind": "question", "held_out": False, "turns": ["?"]}
    return Item(**values | fields)


GOOD = Score(on_topic=True, right_language=True, stops=True, uses_facts=None)
CITY = item(expect=[r"\bparis\b"], absent=["london"], max_words=6)
THREE = item(expect=[{"pattern": r"\b(red|blue|green)\b", "distinct": 3}])
NAME = item(kind="follow_up", facts=[r"\bclara\b"])
FRENCH = item(language="fr")


@pytest.mark.parametrize(
    ("asked", "reply", "finish_reason", "expected"),
    [
        (CITY, "It is Paris.", "stop", GOOD),
        (CITY, "It is Lyon.", "stop", Score(False, True, True, None)),
        (CITY, "Paris, not London.", "stop", Score(False, True, True, None)),
        (CITY, "It is of course Paris, the capital.", "stop", Score(False, True, True, None)),
        (CITY, "It is Paris", "length", Score(True, True, False, None)),
        (CITY, "Paris est la capitale.", "stop", Score(True, False, True, None)),
        (CITY, "", "stop", Score(False, True, True, None)),
        (THREE, "Red, blue and GREEN.", "stop", GOOD),
        (THREE, "Red, blue and red.", "stop", Score(False, True, True, None)),
        (NAME, "Your name is Clara.", "stop", Score(True, True, True, True)),
        (NAME, "My name is Maria.", "stop", Score(True, True, True, False)),
        (FRENCH, "C'est une ville.", "stop", GOOD),
        (FRENCH, "It is a city.", "stop", Score(True, False, True, None)),
        (item(language="any"), "Es una ciudad.", "stop", GOOD),
    ],
)
def test_each_rule_is_checked(asked: Item, reply: str, finish_reason: str, expected: Score) -> None:
    assert score(asked, reply, finish_reason) == expected


def test_a_good_reply_follows_all_rules_that_concern_it() -> None:
    assert GOOD.is_good
    assert Score(True, True, True, True).is_good
    for place in range(4):
        assert not Score(*(position != place for position in range(4))).is_good


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The sea is blue.", "en"),
        ("Das ist nicht der Weg.", "de"),
        ("El mar es azul.", "es"),
        ("Tokyo", "en"),
        ("", "en"),
        ("東京です", "other"),
    ],
)
def test_language_is_that_of_the_frequent_words(text: str, language: str) -> None:
    assert language_of(text, "en") == language


def test_a_sentence_that_occurs_again_and_again_is_repetitive() -> None:
    assert is_repetitive("I am not sure. " * 3)
    assert not is_repetitive("I am not sure. " * 2)
    assert not is_repetitive("Red.\nRed.\nRed.\n")


def test_there_are_sixty_items_and_a_third_of_each_kind_is_held_out() -> None:
    items = load_items()
    assert len({each.id for each in items}) == len(items) == 60
    kinds = Counter(each.kind for each in items)
    assert kinds == {"question": 24, "follow_up": 18, "instruction": 18}
    assert Counter(each.kind for each in items if each.held_out) == {
        kind: count // 3 for kind, count in kinds.items()
    }


def test_each_item_ends_with_the_visitor_and_contains_the_facts_that_it_asks_for() -> None:
    for asked in load_items():
        assert len(asked.turns) % 2 == 1, asked.id
        assert asked.expect or asked.facts, asked.id
        told = "\n".join(asked.turns[:-1])
        assert score(asked, told, "stop").uses_facts is not False, asked.id
