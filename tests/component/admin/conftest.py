"""Users with permissions, sessions with replies, and requests to the admin."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from chat.errors import ErrorCode
from chat.operator.search_index import SearchIndex
from chat.schemas import Failure, Record, StoredMessage, Timings
from chat.store import leases
from chat.store.client import Store
from chat.store.leases import LeaseStatus
from chat.store.operation import inspection
from chat.store.operation.inspection import Summary
from tests.component.conftest import new_reply, send_message, take_message
from tests.processes import wait_for

LIST = "/admin/chat/session/"
Login = Callable[..., Client]


@pytest.fixture
def login(db: None, store: Store) -> Login:
    """Log in a staff user with only these permissions, or a superuser if none is given."""

    def log_in(*permissions: str) -> Client:
        user = User.objects.create_user(f"user-{uuid4().hex}", is_staff=True)
        if permissions:
            found = Permission.objects.filter(
                content_type__app_label="chat", codename__in=permissions
            )
            assert len(found) == len(permissions), found
            user.user_permissions.set(found)
        else:
            user.is_superuser = True
            user.save()
        client = Client()
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def operator(login: Login) -> Client:
    """A client with all permissions."""
    return login()


@pytest.fixture
def index(store: Store) -> SearchIndex:
    """The search index, once every session is in it."""
    index = SearchIndex(store)
    wait_for(lambda: index.indexed_share() == 1.0, "every session to be indexed")
    return index


def add_reply(
    store: Store,
    session: str,
    text: str = "hello",
    total_ms: int = 900,
    failure: ErrorCode | None = None,
) -> StoredMessage:
    """Store a message and a reply to it with this duration or failure; return the reply."""
    send_message(store, session, text)
    taken = take_message(store, session, "host:7 lease")
    error = failure and Failure(code=failure, detail="The model did not answer.", retryable=True)
    new = new_reply(
        taken.message.id,
        "" if failure else f"About {text}",
        finish_reason=None if failure else "stop",
        timings=Timings(queued_ms=100, first_token_ms=300, total_ms=total_ms),
        error=error,
        replaces=taken.replaces,
        record=Record(attempts=taken.attempts, worker="host:7", model="gpt-j"),
    )
    return store.run(leases.commit(session, taken.lease, new, ttl_s=600)).message


def start_reply(
    store: Store, session: str, text: str = "", lease: str = "host:9 lease"
) -> Callable[..., LeaseStatus]:
    """Store a message and a partial reply to it; return a function that adds text at an offset."""
    send_message(store, session)
    taken = take_message(store, session, lease)

    def add_text(offset: int = 0, text: str = "") -> LeaseStatus:
        return store.run(leases.progress(session, taken.lease, taken.reply, offset, text))

    add_text(0, text)
    return add_text


def load_summary(store: Store, session: str) -> Summary:
    summary = store.run(inspection.summary(session))
    assert summary is not None
    return summary


def get_html(client: Client, path: str = "", **query: str) -> str:
    """Return the HTML of the session list, or of a page below it."""
    response = client.get(LIST + path, query)
    assert response.status_code == 200, response
    return response.content.decode()


def unique_word() -> str:
    """Return a word that no other session contains."""
    return f"w{uuid4().hex}"
