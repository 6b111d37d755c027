"""Stored messages can be read by an older version: it ignores fields that it does not know."""

import pytest

from chat.schemas import StoredMessage
from tests.unit.builders import bot, human


@pytest.mark.parametrize("message", [human("a", 1), bot("b", 2, "a")])
def test_fields_of_a_newer_version_are_ignored(message: StoredMessage) -> None:
    newer = message.model_dump(mode="json") | {"added_later": {"by": "a newer version"}}
    assert StoredMessage.model_validate(newer) == message
