"""A real Redis with JSON, and short calls of the store's commands."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from chat.schemas import NewReply, Record, StoredMessage, Timings, session_id
from chat.store import leases, sessions
from chat.store.client import Store
from chat.store.leases import TakenMessage
from chat.store.renewals import OpenSocket, SocketState, renewals
from chat.store.sessions import Limits
from tests.redis_cluster import RedisCluster
from tests.renamed_keys import StoreWithRenamedKeys

LIMITS = Limits(
    ttl_s=600,
    pending=3,
    messages_per_minute=1_000,
    messages_per_minute_per_ip=10_000,
    bytes_per_minute_per_ip=100_000_000,
    session_messages=5_000,
    session_bytes=4_000_000,
    tokens_per_minute_per_ip=1_000,
    sockets_per_session=2,
    sockets_per_ip=3,
)


# These also run on a Redis Cluster, in `make test-all`.
ON_REDIS_CLUSTER = {
    "admin.test_search",
    "test_cluster",
    "test_leases",
    "test_operators",
    "test_queue",
    "test_ratings",
    "test_sessions",
    "test_shares",
    "test_stop_and_regenerate",
    "test_version_sequences",
    "test_versions",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    module = metafunc.module.__name__.removeprefix("tests.component.")
    if module in ON_REDIS_CLUSTER and "store" in metafunc.fixturenames:
        on_cluster = pytest.param("cluster", marks=pytest.mark.slow)
        metafunc.parametrize("store", ["server", on_cluster], indirect=True, scope="session")


@pytest.fixture(scope="session")
def redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    """A running Redis Cluster of three primaries."""
    with RedisCluster(tmp_path_factory.mktemp("redis-cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if getattr(request, "param", "server") == "cluster":
        url = request.getfixturevalue("redis_cluster").url
        store: Store = StoreWithRenamedKeys(url, connections=8)
    else:
        store = Store(request.getfixturevalue("redis_url"), connections=8)
    yield store
    store.redis.close()


@pytest.fixture
def session(store: Store) -> str:
    """A new session for this test only."""
    return create_session(store)


def renew_socket(store: Store, session: str, name: str = "socket") -> SocketState:
    """Send the heartbeat of a socket; return the state of its session."""
    [(_, command)] = renewals([OpenSocket(session, name, address=session)], store.buckets)
    [renewal] = store.run(command)
    if isinstance(renewal, Exception):
        raise renewal
    return renewal


def create_session(store: Store, name: str = "Ada", token: str | None = None) -> str:
    """Create a session and return its id; its address is its own, so no limit applies."""
    session = session_id(token or str(uuid4()))
    store.run(sessions.create(session, name, address=session, limits=LIMITS))
    return session


def send_message(store: Store, session: str, text: str = "hello") -> StoredMessage:
    return store.run(sessions.accept(session, uuid4(), text, address="test", limits=LIMITS)).message


def take_message(store: Store, session: str, lease: str = "lease-a") -> TakenMessage:
    taken = store.run(leases.take(session, lease, uuid4(), history=4))
    assert taken is not None
    return taken


def new_reply(reply_to: UUID, text: str = "hi", **fields: object) -> NewReply:
    values = {
        "id": uuid4(),
        "msg": text,
        "reply_to": reply_to,
        "finish_reason": "stop",
        "pieces": 1,
        "usage": None,
        "timings": Timings(queued_ms=1, total_ms=2),
        "error": None,
        "replaces": None,
        "record": Record(attempts=1, worker="test", model="test"),
    }
    return NewReply.model_validate(values | fields)


def store_reply(store: Store, session: str, text: str = "hi") -> StoredMessage:
    """Take the oldest waiting message and store a reply to it."""
    taken = take_message(store, session)
    new = new_reply(taken.message.id, text, replaces=taken.replaces)
    return store.run(leases.commit(session, taken.lease, new, ttl_s=600)).message


def due_at_ms(store: Store, session: str) -> float | None:
    """Return when the sweep next looks for a lost message, None if no message waits."""
    score = store.redis.zscore("chat:due", session)
    return None if score is None else float(str(score))
