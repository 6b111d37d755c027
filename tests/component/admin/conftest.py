"""Operators with permissions, sessions for them to find, and requests to the admin."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from chat.errors import ErrorCode
from chat.operator.search_index import SearchIndex
from chat.schemas import Failure, Record, StoredMessage, Timings, session_id
from chat.store import inspection, leases, sessions
from chat.store.client import Store
from chat.store.inspection import Summary
from chat.store.leases import LeaseStatus
from tests.component.conftest import LIMITS, reply, send_message, take
from tests.processes import wait_for

LIST = "/admin/chat/session/"
Login = Callable[..., Client]


@pytest.fixture
def login(db: None, store: Store) -> Login:
    """Log in a member of staff with just these permissions, or a superuser without any named."""

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
    """The search index, with every session in it."""
    index = SearchIndex(store)
    wait_for(lambda: index.indexed_share() == 1.0, "the index")
    return index


def create_session(store: Store, name: str = "Ada", token: str | None = None) -> str:
    session = session_id(token or str(uuid4()))
    store.run(sessions.create(session, name, address=session, limits=LIMITS))
    return session


def add_reply(
    store: Store,
    session: str,
    text: str = "hello",
    total_ms: int = 900,
    failure: ErrorCode | None = None,
) -> StoredMessage:
    """Store a message and a reply to it that took so long or failed; return the reply."""
    send_message(store, session, text)
    taken = take(store, session, "host:7 lease")
    error = failure and Failure(code=failure, detail="The model did not answer.", retryable=True)
    new = reply(
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
    """Store a message and a partial reply to it; return what adds text at an offset."""
    send_message(store, session)
    taken = take(store, session, lease)

    def add_text(offset: int = 0, text: str = "") -> LeaseStatus:
        return store.run(leases.progress(session, taken.lease, taken.reply, offset, text))

    add_text(0, text)
    return add_text


def load_summary(store: Store, session: str) -> Summary:
    summary = store.run(inspection.summary(session))
    assert summary is not None
    return summary


def text_of(client: Client, path: str = "", **query: str) -> str:
    """Return the HTML of a page below the list's URL."""
    response = client.get(LIST + path, query)
    assert response.status_code == 200, response
    return response.content.decode()


def word() -> str:
    """Return a word that no other session contains."""
    return "w" + uuid4().hex
