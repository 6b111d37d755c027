"""The one place that counts: what happened, told by whoever saw it happen.

Each process writes to files of its own under `settings.METRICS_DIR`; `chat.scrape` adds them up.
Labels come from closed lists, never from what a client sends. Seconds and totals as Prometheus
names them: https://prometheus.io/docs/practices/naming/
"""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram

from chat.errors import ErrorCode
from chat.schemas import NewReply

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
FAST_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2)
WAIT_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)

http_requests = Counter(
    "chat_http_requests_total", "HTTP requests answered.", ["method", "route", "status"]
)
http_seconds = Histogram(
    "chat_http_request_duration_seconds", "Time to answer an HTTP request.", buckets=WAIT_S
)
handshakes = Counter(
    "chat_handshakes_total",
    "WebSocket handshakes; outcome is admitted or an error code.",
    ["dialect", "outcome"],
)
sockets = Gauge("chat_sockets_open", "Open WebSockets.", ["dialect"], multiprocess_mode="livesum")
frames = Counter("chat_frames_received_total", "Client frames that were understood.", ["type"])
refusals = Counter("chat_errors_told_total", "Errors told to clients.", ["code"])
rereads = Counter(
    "chat_document_rereads_total", "Times a socket missed an event and read the document instead."
)
accepted = Counter("chat_messages_accepted_total", "Messages stored for an answer.")
publish_seconds = Histogram(
    "chat_task_publish_duration_seconds", "Time until the broker took a task.", buckets=FAST_S
)
publish_failures = Counter(
    "chat_task_publish_failures_total", "Tasks the broker did not take; the sweep finds them."
)
sweeps = Counter("chat_sweeps_total", "Sweeps done.")
swept = Counter(
    "chat_sessions_swept_total", "Sessions the sweep found waiting that no worker held."
)
queue_seconds = Histogram(
    "chat_reply_queue_seconds", "Time from accepted to taken by a worker.", buckets=WAIT_S
)
first_text_seconds = Histogram(
    "chat_reply_first_text_seconds", "Time from accepted to the reply's first text.", buckets=WAIT_S
)
reply_seconds = Histogram(
    "chat_reply_duration_seconds", "Time from accepted to the stored outcome.", buckets=WAIT_S
)
replies = Counter("chat_replies_total", "Stored outcomes: a finish reason, or failed.", ["outcome"])
reply_failures = Counter("chat_reply_failures_total", "Failed replies.", ["code"])
retaken = Counter(
    "chat_replies_retaken_total", "Messages taken again after another worker left them."
)
lost = Counter("chat_leases_lost_total", "Replies given up because another worker has the session.")
writing_now = Gauge(
    "chat_replies_in_progress", "Replies being written.", multiprocess_mode="livesum"
)
capacity = Gauge(
    "chat_worker_threads", "Replies the workers can write at once.", multiprocess_mode="livesum"
)
model_tokens = Counter("chat_model_tokens_total", "Tokens as the model counts them.", ["kind"])
model_seconds = Histogram(
    "chat_model_call_duration_seconds", "Time of one call to the model.", buckets=WAIT_S
)
model_errors = Counter("chat_model_errors_total", "Calls to the model that failed.", ["code"])
undelivered = Counter(
    "chat_events_undelivered_total", "Events to sockets that the channel layer did not take."
)
store_seconds = Histogram(
    "chat_store_step_duration_seconds", "Time of one step in Redis.", ["step"], buckets=FAST_S
)
store_failures = Counter("chat_store_failures_total", "Steps that Redis did not do.", ["step"])


def http_answered(method: str, route: str, status: int, seconds: float) -> None:
    """An HTTP request was answered; `route` is the URL pattern, not the path."""
    http_requests.labels(method if method in METHODS else "other", route, str(status)).inc()
    http_seconds.observe(seconds)


def socket_admitted(dialect: str) -> None:
    """A socket is open."""
    handshakes.labels(dialect, "admitted").inc()
    sockets.labels(dialect).inc()


def socket_refused(dialect: str, code: ErrorCode) -> None:
    """A handshake ended in an error."""
    handshakes.labels(dialect, code.value).inc()


def socket_closed(dialect: str) -> None:
    """A socket that was admitted is closed."""
    sockets.labels(dialect).dec()


def frame_received(kind: str) -> None:
    """A client sent a frame of chat.v1 or its plain equivalent; `kind` is its type."""
    frames.labels(kind).inc()


def error_sent(code: ErrorCode) -> None:
    """A client was told an error, by a frame or by HTTP."""
    refusals.labels(code.value).inc()


def session_resynced() -> None:
    """A socket missed an event."""
    rereads.inc()


def message_accepted() -> None:
    """A message is stored."""
    accepted.inc()


def task_published(seconds: float) -> None:
    """The broker took a task."""
    publish_seconds.observe(seconds)


def task_refused() -> None:
    """The broker took no task."""
    publish_failures.inc()


def sweep_done(found: int) -> None:
    """A sweep found this many sessions."""
    sweeps.inc()
    swept.inc(found)


def reply_taken(waited_s: float, attempts: int) -> None:
    """A worker took a message, for the `attempts`-th time."""
    queue_seconds.observe(waited_s)
    if attempts > 1:
        retaken.inc()


@contextmanager
def reply_in_progress() -> Iterator[None]:
    """A reply is being written for as long as the block runs."""
    writing_now.inc()
    try:
        yield
    finally:
        writing_now.dec()


def worker_started(threads: int) -> None:
    """A worker that can write this many replies at once is up."""
    capacity.set(threads)


@contextmanager
def model_call() -> Iterator[None]:
    """The model is asked for as long as the block runs, however it ends."""
    with model_seconds.time():
        yield


def model_failed(code: str) -> None:
    """A call to the model ended in one of its error codes."""
    model_errors.labels(ErrorCode(code).value).inc()


def reply_committed(reply: NewReply) -> None:
    """A message has its one outcome."""
    timings = reply.timings
    replies.labels(reply.finish_reason or "failed").inc()
    reply_seconds.observe(timings.total_ms / 1000)
    if timings.first_token_ms is not None:
        first_text_seconds.observe(timings.first_token_ms / 1000)
    if reply.error:
        reply_failures.labels(reply.error.code.value).inc()
    if reply.usage:
        model_tokens.labels("prompt").inc(reply.usage.prompt_tokens or 0)
        model_tokens.labels("completion").inc(reply.usage.completion_tokens or 0)


def lease_lost() -> None:
    """A reply was given up because another worker has the session."""
    lost.inc()


def event_undelivered() -> None:
    """An event was dropped on its way to the sockets."""
    undelivered.inc()


def command_done(command: str, seconds: float) -> None:
    """Redis did a step of the store."""
    store_seconds.labels(command).observe(seconds)


def command_failed(command: str) -> None:
    """Redis did not do a step of the store."""
    store_failures.labels(command).inc()
