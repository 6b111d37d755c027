"""Operators with this or that permission, and sessions for them to find."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from chat.errors import ErrorCode
from chat.operator.search_index import Index
from chat.schemas import Failure, Record, StoredMessage, Timings, session_id
from chat.store import leases, sessions
from chat.store.client import Store
from tests.component.conftest import LIMITS, reply, say, take
from tests.processes import wait_for

LIST = "/admin/chat/session/"
Login = Callable[..., Client]

pytestmark = pytest.mark.django_db


@pytest.fixture
def login(db: None, store: Store) -> Login:
    """Log in a member of staff with just these permissions, or a superuser with none named."""

    def make(*permissions: str) -> Client:
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

    return make


@pytest.fixture
def operator(login: Login) -> Client:
    """One who may do everything."""
    return login()


@pytest.fixture
def indexed(store: Store) -> Index:
    """The index, with every session in it."""
    index = Index(store)
    wait_for(lambda: index.ready_share() == 1.0, "the index")
    return index


def begin(store: Store, name: str) -> str:
    session = session_id(str(uuid4()))
    store.run(sessions.create(session, name, address=session, limits=LIMITS))
    return session


def answered(
    store: Store, session: str, text: str, total_ms: int = 900, failure: ErrorCode | None = None
) -> StoredMessage:
    """Say something and store a reply to it that took so long, or that failed."""
    say(store, session, text)
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


def word() -> str:
    """Return a word that nobody else has said."""
    return "w" + uuid4().hex
