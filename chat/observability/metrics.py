"""The Prometheus metrics of a process.

Each process writes to files of its own under `settings.METRICS_DIR`; the exporter adds them up.
Labels come from closed lists, never from what a client sends. Names and units follow
https://prometheus.io/docs/practices/naming/.
"""

from prometheus_client import Counter, Gauge, Histogram

from chat.schemas import NewReply

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
FAST_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2)
WAIT_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)

http_requests = Counter("chat_http_requests_total", "HTTP requests.", ["method", "route", "status"])
http_request_seconds = Histogram(
    "chat_http_request_duration_seconds", "Duration of an HTTP request.", buckets=WAIT_S
)
handshakes = Counter(
    "chat_handshakes_total",
    "WebSocket handshakes; outcome is accepted or an error code.",
    ["codec", "outcome"],
)
open_sockets = Gauge(
    "chat_sockets_open", "Open WebSockets.", ["codec"], multiprocess_mode="livesum"
)
frames_received = Counter("chat_frames_received_total", "Valid frames of clients.", ["type"])
errors_sent = Counter("chat_errors_sent_total", "Errors sent to clients.", ["code"])
resyncs = Counter(
    "chat_resyncs_total", "Times a socket missed an event and loaded the document instead."
)
messages_accepted = Counter("chat_messages_accepted_total", "Messages stored.")
ratings = Counter("chat_ratings_total", "Ratings of replies: up, down or revoked.", ["rating"])
task_publish_seconds = Histogram(
    "chat_task_publish_duration_seconds", "Time until the broker accepted a task.", buckets=FAST_S
)
task_publish_failures = Counter(
    "chat_task_publish_failures_total",
    "Tasks that the broker did not accept; the sweep enqueues their sessions later.",
)
sweeps = Counter("chat_sweeps_total", "Sweeps.")
sessions_requeued = Counter(
    "chat_sessions_requeued_total",
    "Sessions that the sweep enqueued because they waited and no worker held them.",
)
reply_queue_seconds = Histogram(
    "chat_reply_queue_seconds", "Time from accepted to taken by a worker.", buckets=WAIT_S
)
reply_first_text_seconds = Histogram(
    "chat_reply_first_text_seconds", "Time from accepted to the reply's first text.", buckets=WAIT_S
)
reply_seconds = Histogram(
    "chat_reply_duration_seconds", "Time from accepted to the stored outcome.", buckets=WAIT_S
)
replies = Counter("chat_replies_total", "Stored outcomes: a finish reason, or failed.", ["outcome"])
reply_failures = Counter("chat_reply_failures_total", "Failed replies.", ["code"])
replies_restarted = Counter(
    "chat_replies_restarted_total", "Replies started again because their worker was lost."
)
leases_lost = Counter(
    "chat_leases_lost_total", "Replies abandoned because another worker holds the session's lease."
)
replies_in_progress = Gauge(
    "chat_replies_in_progress", "Replies in progress.", multiprocess_mode="livesum"
)
worker_slots = Gauge(
    "chat_worker_slots",
    "Replies that the workers can generate at the same time.",
    multiprocess_mode="livesum",
)
model_tokens = Counter("chat_model_tokens_total", "Tokens counted by the model.", ["kind"])
model_call_seconds = Histogram(
    "chat_model_call_duration_seconds", "Duration of a call to the model.", buckets=WAIT_S
)
model_errors = Counter("chat_model_errors_total", "Failed calls to the model.", ["code"])
operator_joins = Counter("chat_operator_joins_total", "Times an operator joined a session.")
operator_messages = Counter("chat_operator_messages_total", "Messages that operators wrote.")
operator_requests = Counter(
    "chat_operator_requests_total", "Times a visitor asked for a person.", ["available"]
)
model_failovers = Counter(
    "chat_model_failovers_total",
    "Failed calls after which another endpoint was asked at once.",
    ["model"],
)
model_endpoint_up = Gauge(
    "chat_model_endpoint_up",
    "Whether the workers of this host ask the endpoint: 0 if one of them does not.",
    ["model", "endpoint"],
    multiprocess_mode="livemin",
)
model_endpoint_requests = Gauge(
    "chat_model_endpoint_requests",
    "Requests to the endpoint that are in progress.",
    ["model", "endpoint"],
    multiprocess_mode="livesum",
)
events_undelivered = Counter(
    "chat_events_undelivered_total", "Events that the channel layer did not accept."
)
store_command_seconds = Histogram(
    "chat_store_command_duration_seconds",
    "Duration of a Redis command.",
    ["command"],
    buckets=FAST_S,
)
store_command_failures = Counter(
    "chat_store_command_failures_total", "Failed Redis commands.", ["command"]
)


def record_http_request(method: str, route: str, status: int, seconds: float) -> None:
    """Record an HTTP request; `route` is the URL pattern, not the path."""
    http_requests.labels(method if method in METHODS else "other", route, status).inc()
    http_request_seconds.observe(seconds)


def record_reply(reply: NewReply) -> None:
    """Record a message's stored outcome."""
    timings = reply.timings
    replies.labels(reply.finish_reason or "failed").inc()
    reply_seconds.observe(timings.total_ms / 1000)
    if timings.first_token_ms is not None:
        reply_first_text_seconds.observe(timings.first_token_ms / 1000)
    if reply.error:
        reply_failures.labels(reply.error.code).inc()
    if reply.usage:
        model_tokens.labels("prompt").inc(reply.usage.prompt_tokens or 0)
        model_tokens.labels("completion").inc(reply.usage.completion_tokens or 0)
