"""Ratings in the admin: list, filter, transcript, dashboard, and exports as training data."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client

from chat.models import AuditEntry
from chat.operator.conditions import OneOf, Query
from chat.operator.dashboard import load_dashboard
from chat.operator.export import as_message_lines
from chat.operator.search_index import SearchIndex
from chat.operator.session_search import scan
from chat.schemas import Rating, StoredMessage
from chat.store import ratings, sessions
from chat.store.client import Store
from tests.component.admin.conftest import Login, add_reply, get_html, unique_word
from tests.component.admin.test_actions import post_action, post_confirmed
from tests.component.conftest import LIMITS, create_session, store_reply
from tests.processes import wait_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("index")]


def rate(
    store: Store, session: str, reply: StoredMessage, rating: Rating | None, comment: str = ""
) -> None:
    command = ratings.rate(session, reply.id, rating, comment, address=session, limits=LIMITS)
    store.run(command)


@pytest.fixture
def rated(store: Store) -> str:
    """A session of Ada with a good reply, a bad one that was replaced, and one without rating."""
    session = create_session(store, f"Ada {unique_word()}")
    rate(store, session, add_reply(store, session, "one"), "up", "Nice <b>")
    bad = add_reply(store, session, "two")
    rate(store, session, bad, "down")
    assert bad.reply_to
    store.run(sessions.regenerate(session, bad.reply_to, address=session, limits=LIMITS))
    store_reply(store, session, "Better")
    rate(store, session, add_reply(store, session, "three"), "up")
    return session


def test_the_list_shows_and_filters_ratings(
    store: Store, operator: Client, index: SearchIndex, rated: str
) -> None:
    html = get_html(operator, q=rated[:12])
    assert "+2 -1" in html
    other = create_session(store)
    add_reply(store, other)
    wait_for(lambda: index.count(Query((OneOf("id", frozenset({other})),))) == 1, "the index")
    for choice, is_found in {"any": True, "up": True, "down": True, "no": False}.items():
        shown = get_html(operator, rating=choice, q=rated[:12])
        assert (f"{rated}/change" in shown) is is_found, choice
    assert rated in scan(store, Query((OneOf("rating", frozenset({"down"})),))).ids


def test_the_transcript_shows_ratings_and_only_readers_see_comments(
    operator: Client, login: Login, rated: str
) -> None:
    html = get_html(operator, f"{rated}/change/")
    assert html.count("rated good") == 2
    assert html.count("rated bad") == 1
    assert "<q>Nice &lt;b&gt;</q>" in html
    hidden = get_html(login("view_session"), f"{rated}/change/")
    assert "Comment of 8 characters" in hidden
    assert "Nice" not in hidden


def test_rated_replies_are_exported_as_training_data_without_names(
    store: Store, operator: Client, rated: str
) -> None:
    assert "Export ratings" in post_action(operator, "export_ratings", rated).content.decode()
    response = post_confirmed(operator, "export_ratings", rated)
    assert ".jsonl" in response["Content-Disposition"]
    text = response.content.decode()
    assert "Ada" not in text
    first = [{"role": "user", "content": "one"}]
    good = [{"role": "assistant", "content": "About one"}]
    second = [*first, *good, {"role": "user", "content": "two"}]
    better = [{"role": "assistant", "content": "Better"}]
    third = [*second, *better, {"role": "user", "content": "three"}]
    last = [{"role": "assistant", "content": "About three"}]
    assert [json.loads(line) for line in text.splitlines()] == [
        {"prompt": first, "completion": good, "label": True, "comment": "Nice <b>"},
        {
            "prompt": second,
            "completion": [{"role": "assistant", "content": "About two"}],
            "label": False,
        },
        {"prompt": third, "completion": last, "label": True},
    ]
    lines = as_message_lines([store.run(sessions.load(rated))]).splitlines()
    assert [json.loads(line) for line in lines] == [
        {"messages": [*first, *good]},
        {"messages": [*third, *last]},
    ]
    entry = AuditEntry.objects.get(action="exported")
    assert (entry.session, entry.detail) == (rated, "Exported ratings")


def test_exporting_ratings_needs_both_permissions(login: Login, rated: str) -> None:
    for permissions in (("view_session", "export_session"), ("view_session", "view_transcript")):
        response = post_action(login(*permissions), "export_ratings", rated, confirmed="yes")
        assert "attachment" not in response.headers.get("Content-Disposition", "")


def test_a_command_exports_the_ratings_of_all_sessions(rated: str) -> None:
    output = StringIO()
    call_command("export_ratings", format="messages", stdout=output)
    examples = [json.loads(line) for line in output.getvalue().splitlines()]
    assert {"role": "assistant", "content": "About three"} in [e["messages"][-1] for e in examples]
    assert AuditEntry.objects.filter(session=rated, user__endswith="(shell)").exists()


def test_the_dashboard_shows_the_share_of_good_ratings(store: Store, rated: str) -> None:
    tiles = {t.name: t for group in load_dashboard(store).groups for t in group.tiles}
    assert tiles["Rated as good"].value.endswith("%")
    assert "in the last hour" in tiles["Rated as good"].remark
    assert tiles["Rated as bad"].link == "?rating=down"
