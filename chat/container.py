"""Objects built from the settings, once per process and on first use."""

import os
import socket
from functools import cache

from django.conf import settings

from chat.events.delivery import Delivery
from chat.events.task_publisher import TaskPublisher, enqueue_answer
from chat.observability import open_files
from chat.protocol import ModelChoice, SessionLimits
from chat.store.client import AsyncStore, Store
from chat.store.redis_cluster.stores import open_async_store, open_store
from chat.store.replication import AsyncReplicatedStore, ReplicatedStore
from chat.store.sessions import Limits
from chat.store.shares import ShareLimits
from chat.websocket.heartbeats import Heartbeats
from chat.websocket.queue_position import QueuePositions
from chat.websocket.rate_limit import ReadLimits
from chat.websocket.socket_limit import SocketLimit
from chat.worker.model_queue import ModelQueue
from chat.worker.responder import Responder, ResponderSettings
from chat.worker.slots import Slots
from inference.model_catalog import ModelCatalog, build_catalog

WEB_CONNECTIONS = 100
SPARE_CONNECTIONS = 10
PING_INTERVAL_S = 1.25


@cache
def store() -> Store:
    """Return the blocking store, with a connection for every thread of a worker."""
    connections = settings.WORKER_CONCURRENCY + SPARE_CONNECTIONS
    tls = settings.REDIS_TLS[settings.REDIS_URL]
    if replicas := settings.STORE_MIN_REPLICAS:
        return ReplicatedStore(settings.REDIS_URL, connections, tls, min_replicas=replicas)
    return open_store(settings.REDIS_URL, connections, tls)


@cache
def async_store() -> AsyncStore:
    """Return the store for the event loop."""
    tls = settings.REDIS_TLS[settings.REDIS_URL]
    if replicas := settings.STORE_MIN_REPLICAS:
        return AsyncReplicatedStore(settings.REDIS_URL, WEB_CONNECTIONS, tls, min_replicas=replicas)
    return open_async_store(settings.REDIS_URL, WEB_CONNECTIONS, tls)


@cache
def worker_name() -> str:
    """Return the name of this process in the admin and in documents."""
    return f"{socket.gethostname()}:{os.getpid()}"


@cache
def limits() -> Limits:
    """Return the limits of a session and of an address."""
    return Limits(
        ttl_s=settings.SESSION_TTL_S,
        pending=settings.MAX_PENDING,
        messages_per_minute=settings.MESSAGES_PER_MINUTE,
        messages_per_minute_per_ip=settings.MESSAGES_PER_MINUTE_PER_IP,
        bytes_per_minute_per_ip=settings.BYTES_PER_MINUTE_PER_IP,
        session_messages=settings.MAX_SESSION_MESSAGES,
        session_bytes=settings.MAX_SESSION_BYTES,
        tokens_per_minute_per_ip=settings.TOKENS_PER_MINUTE_PER_IP,
        sockets_per_session=settings.SOCKETS_PER_SESSION,
        sockets_per_ip=settings.SOCKETS_PER_IP,
    )


@cache
def share_limits() -> ShareLimits:
    """Return the limits of the links to snapshots of a session."""
    return ShareLimits(
        per_session=settings.SHARES_PER_SESSION,
        per_minute=settings.SHARES_PER_MINUTE,
        bytes=settings.MAX_SHARED_BYTES,
    )


@cache
def read_limits() -> ReadLimits:
    """Return this process' limits of loads and of unknown tokens."""
    return ReadLimits(
        per_session=settings.READS_PER_MINUTE,
        per_address=settings.READS_PER_MINUTE_PER_IP,
        unknown_per_address=settings.UNKNOWN_TOKENS_PER_MINUTE_PER_IP,
    )


@cache
def socket_limit() -> SocketLimit:
    """Return this process' limit of open sockets."""
    return SocketLimit(open_files.socket_limit())


@cache
def heartbeats() -> Heartbeats:
    """Return the heartbeats of this process' open sockets."""
    return Heartbeats(async_store())


@cache
def queue_positions() -> QueuePositions:
    """Return the queue positions of this process' open sockets."""
    return QueuePositions(async_store())


@cache
def client_limits() -> SessionLimits:
    """Return the limits that are sent to clients."""
    return SessionLimits(
        max_message_chars=settings.MAX_MESSAGE_CHARS,
        max_pending=settings.MAX_PENDING,
        messages_per_minute=settings.MESSAGES_PER_MINUTE,
        history_messages=settings.HISTORY_MESSAGES,
        session_ttl_s=settings.SESSION_TTL_S,
        ping_interval_s=PING_INTERVAL_S,
        human_support=settings.HUMAN_SUPPORT,
    )


@cache
def model_choices() -> tuple[ModelChoice, ...]:
    """Return the models that clients can choose from; none if there is only one."""
    models = settings.MODELS if len(settings.MODELS) > 1 else ()
    return tuple(ModelChoice(name=each.name, label=each.label) for each in models)


@cache
def slots() -> Slots:
    """Return this worker's slots for replies."""
    return Slots(settings.WORKER_CONCURRENCY, enqueue_answer)


@cache
def models() -> ModelCatalog:
    """Return the models and what this worker knows of their endpoints."""
    return build_catalog(settings.MODELS, settings.WORKER_CONCURRENCY)


@cache
def model_queue() -> ModelQueue:
    """Return the sessions that wait in this worker for a model."""
    return ModelQueue(enqueue_answer)


@cache
def task_publisher() -> TaskPublisher:
    """Return this process' task publisher."""
    return TaskPublisher()


@cache
def delivery() -> Delivery:
    """Return the delivery of events from threads of this process."""
    return Delivery()


@cache
def responder() -> Responder:
    """Return the responder of this worker process."""
    reply_settings = ResponderSettings(
        history_messages=settings.HISTORY_MESSAGES,
        deadline_s=settings.REPLY_DEADLINE_S,
        ttl_s=settings.SESSION_TTL_S,
        worker=worker_name(),
        shows_models=len(settings.MODELS) > 1,
    )
    return Responder(store(), delivery(), models(), model_queue(), reply_settings)
