"""All settings, read from the environment or `.env`; no other module reads them.

`.env.example` lists the variables with their defaults. An invalid or missing value raises
ImproperlyConfigured with the name of the variable.
"""

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvError, validate

from chatproject.redis_urls import checked_redis_url, complete_redis_url
from chatproject.secret_files import read_or_create_secret

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env()
env.read_env(env.str("ENV_FILE", str(BASE_DIR / ".env")), recurse=False)


def at_least(minimum: float) -> validate.Range:
    return validate.Range(min=minimum)


try:
    APP_ENV = env.str(
        "APP_ENV", "development", validate=validate.OneOf(["development", "production"])
    )
    PORT = env.int("PORT", 3500, validate=validate.Range(1, 65535))
    DATA_DIR = Path(env.str("DATA_DIR", str(BASE_DIR / "var"))).resolve()
    DEBUG = env.bool("DEBUG", False)
    LOG_LEVEL = env.str("LOG_LEVEL", "INFO").upper()
    if LOG_LEVEL not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise EnvError('Environment variable "LOG_LEVEL" must be DEBUG, INFO, WARNING or ERROR')
    LOG_FORMAT = env.str("LOG_FORMAT", "json" if APP_ENV == "production" else "text")
    if LOG_FORMAT not in {"json", "text"}:
        raise EnvError('Environment variable "LOG_FORMAT" must be json or text')
    OTEL_EXPORTER_OTLP_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", "")

    # Redis: the store, the broker and the channel layer may be one server or three.
    REDIS_URL = (
        complete_redis_url(
            env.str("REDIS_URL", "") or None,
            host=env.str("REDIS_HOST", "") or None,
            port=env.int("REDIS_PORT", 6379),
            user=env.str("REDIS_USER", "") or None,
            password=env.str("REDIS_PASSWORD", "") or None,
        )
        or ""
    )
    EMBEDDED_REDIS = not REDIS_URL
    EMBEDDED_REDIS_PORT = env.int("EMBEDDED_REDIS_PORT", PORT + 1)
    if EMBEDDED_REDIS:
        EMBEDDED_REDIS_PASSWORD = read_or_create_secret(DATA_DIR / "redis" / "password")
        REDIS_URL = f"redis://:{EMBEDDED_REDIS_PASSWORD}@127.0.0.1:{EMBEDDED_REDIS_PORT}/0"
    checked_redis_url("REDIS_URL", REDIS_URL)
    CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "") or REDIS_URL
    CHANNEL_REDIS_URL = env.str("CHANNEL_REDIS_URL", "") or REDIS_URL
    checked_redis_url("CELERY_BROKER_URL", CELERY_BROKER_URL)
    checked_redis_url("CHANNEL_REDIS_URL", CHANNEL_REDIS_URL)

    # The model.
    MODEL_URL = env.str("MODEL_URL", "")
    MODEL_API = env.str("MODEL_API", "huggingface" if MODEL_URL else "")
    EMBEDDED_MODEL = not (MODEL_API or MODEL_URL)
    EMBEDDED_MODEL_PORT = env.int("EMBEDDED_MODEL_PORT", PORT + 2)
    EMBEDDED_MODEL_SLOTS = env.int("EMBEDDED_MODEL_SLOTS", 4, validate=validate.Range(1, 64))
    # Half the cores: the threads wait for each other, so one that shares its core slows down all.
    EMBEDDED_MODEL_THREADS = env.int(
        "EMBEDDED_MODEL_THREADS", max(1, (os.cpu_count() or 2) // 2), validate=at_least(1)
    )
    MODEL_FILE = env.str("MODEL_FILE", "")
    if EMBEDDED_MODEL:
        MODEL_API = "chat"
        MODEL_URL = f"http://127.0.0.1:{EMBEDDED_MODEL_PORT}/v1/chat/completions"
    if MODEL_API not in {"huggingface", "completions", "chat"}:
        raise EnvError('Environment variable "MODEL_API" must be huggingface, completions or chat')
    if urlsplit(MODEL_URL).scheme not in {"http", "https"}:
        raise EnvError('Environment variable "MODEL_URL" must be an http:// or https:// address')
    MODEL_NAME = env.str("MODEL_NAME", "EleutherAI/gpt-j-6b")
    HUGGINGFACE_INFERENCE_TOKEN = env.str(
        "HUGGINGFACE_INFERENCE_TOKEN", env.str("HUGGINFACE_INFERENCE_TOKEN", "")
    )
    MODEL_CONTEXT_TOKENS = env.int("MODEL_CONTEXT_TOKENS", 2048, validate=at_least(64))
    MAX_NEW_TOKENS = env.int("MAX_NEW_TOKENS", 200 if EMBEDDED_MODEL else 25, validate=at_least(1))
    if MAX_NEW_TOKENS >= MODEL_CONTEXT_TOKENS:
        raise EnvError('Environment variable "MAX_NEW_TOKENS" must be below MODEL_CONTEXT_TOKENS')
    HISTORY_MESSAGES = env.int("HISTORY_MESSAGES", 4, validate=validate.Range(1, 200))
    MODEL_TIMEOUT_S = env.float("MODEL_TIMEOUT_S", 60, validate=at_least(0.1))
    REPLY_DEADLINE_S = env.float("REPLY_DEADLINE_S", 120, validate=at_least(1))

    # Sessions and limits.
    SESSION_TTL_S = env.float("SESSION_TTL_S", 3600, validate=at_least(1))
    WORKER_CONCURRENCY = env.int("WORKER_CONCURRENCY", 64, validate=at_least(1))
    MAX_MESSAGE_CHARS = env.int("MAX_MESSAGE_CHARS", 2000, validate=at_least(1))
    MAX_PENDING = env.int("MAX_PENDING", 10, validate=at_least(1))
    MESSAGES_PER_MINUTE = env.int("MESSAGES_PER_MINUTE", 20, validate=at_least(1))
    TOKENS_PER_MINUTE_PER_IP = env.int("TOKENS_PER_MINUTE_PER_IP", 30, validate=at_least(1))
    SOCKETS_PER_SESSION = env.int("SOCKETS_PER_SESSION", 5, validate=at_least(1))
    SOCKETS_PER_IP = env.int("SOCKETS_PER_IP", 20, validate=at_least(1))

    # The site.
    ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", [] if APP_ENV == "production" else ["*"])
    CORS_ALLOWED_ORIGINS = env.list(
        "CORS_ALLOWED_ORIGINS", [] if APP_ENV == "production" else ["http://localhost:3000"]
    )
    # Metrics: one folder for all processes of this host; prometheus_client reads the variable.
    WORKER_METRICS_ADDRESS = env.str("WORKER_METRICS_ADDRESS", "")
    if WORKER_METRICS_ADDRESS and not WORKER_METRICS_ADDRESS.rpartition(":")[2].isdigit():
        raise EnvError('Environment variable "WORKER_METRICS_ADDRESS" must be host:port')
    METRICS_DIR = DATA_DIR / "metrics" / socket.gethostname()
    METRICS_DIR.mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(METRICS_DIR)

    STATIC_ROOT = Path(env.str("STATIC_ROOT", "") or DATA_DIR / "static")
    SECRET_KEY = env.str("SECRET_KEY", "")
    DATABASE_URL = env.str("DATABASE_URL", f"sqlite:///{DATA_DIR}/database.sqlite3")
    if APP_ENV == "production":
        if not SECRET_KEY:
            raise EnvError('Environment variable "SECRET_KEY" must be set in production')
        if not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS:
            raise EnvError('Environment variable "ALLOWED_HOSTS" must name the hosts in production')
        if not CORS_ALLOWED_ORIGINS or not all(
            urlsplit(origin).scheme == "https" for origin in CORS_ALLOWED_ORIGINS
        ):
            raise EnvError(
                'Environment variable "CORS_ALLOWED_ORIGINS" must list https:// origins'
                " in production"
            )
    elif not SECRET_KEY:
        SECRET_KEY = read_or_create_secret(DATA_DIR / "secret_key")
except (EnvError, ValueError, OSError) as error:
    raise ImproperlyConfigured(str(error)) from None


# Django
ROOT_URLCONF = "chatproject.urls"
ASGI_APPLICATION = "chatproject.asgi.application"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "ninja",  # serves the scripts of the API page, which would otherwise come from a CDN
    "inference",
    "chat",
]
MIDDLEWARE = [
    "chat.middleware.bypass_for_probes",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "chat.middleware.count_responses",
    "chat.middleware.no_store",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
DATABASES = {"default": dj_database_url.parse(DATABASE_URL, conn_max_age=60)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
STATIC_URL = "static/"
if APP_ENV == "development":
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise warns if the folder is missing
# collectstatic writes a compressed copy of every file, which WhiteNoise serves.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = APP_ENV == "development"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]

# Security: in production a proxy terminates https.
CSRF_TRUSTED_ORIGINS = [origin for origin in CORS_ALLOWED_ORIGINS if "://" in origin]
SECURE_REFERRER_POLICY = "same-origin"  # with "no-referrer" forms send `Origin: null`
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = APP_ENV == "production"
if APP_ENV == "production":
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 3600

# Only files of this site, nothing inline. The chat page sets a stricter policy.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}

# Channels: each process receives the events of all its sockets on one pub/sub connection. The read
# timeout must be longer than any blocking call of the layer; redis-py's default closes idle ones.
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [
                {
                    "address": CHANNEL_REDIS_URL,
                    "socket_timeout": 10,
                    "socket_connect_timeout": 2,
                    "health_check_interval": 15,
                    "protocol": 2,
                }
            ],
            "prefix": "chat:layer",
        },
    }
}

# Celery: a lost task is replaced by the sweep, so tasks are acknowledged early and publishing has
# short timeouts. Threads, because a worker spends its time waiting for HTTP.
CELERY_TASK_DEFAULT_QUEUE = "chat:tasks"
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_POOL = "threads"
# Four threads more than replies, for the sweep and health probes: see chat/worker/slots.py.
CELERY_WORKER_CONCURRENCY = WORKER_CONCURRENCY + 4
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CHANNEL_ERROR_RETRY = True  # a Redis that rejects writes stops no worker
CELERY_BROKER_POOL_LIMIT = 16
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 2,
    "socket_connect_timeout": 2,
    "max_connections": WORKER_CONCURRENCY + 20,
    "priority_steps": [0],
    # Redis keeps no copy of unacknowledged tasks: the sweep replaces lost ones.
    "ack_emulation": False,
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_max": 0.2}
SWEEP_INTERVAL_S = 1
CELERY_BEAT_SCHEDULE = {
    "sweep": {
        "task": "chat.tasks.sweep",
        "schedule": SWEEP_INTERVAL_S,
        "options": {"expires": 2 * SWEEP_INTERVAL_S},
    }
}
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")

# Libraries never log below INFO, because their DEBUG logs contain frames, headers and URLs with
# tokens. uvicorn's access log is off, because it contains the token of the query string.
LIBRARY_LOG_LEVEL = "INFO" if LOG_LEVEL == "DEBUG" else LOG_LEVEL
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "about": {"()": "chat.observability.logs.About"},
        # A failed readiness check is not logged as a server error.
        "no_probes": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: not record.getMessage().endswith(": /readyz"),
        },
    },
    "formatters": {
        "json": {"()": "chat.observability.logs.JsonLines"},
        "text": {"()": "chat.observability.logs.ReadableLines"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["about"],
        }
    },
    "root": {"handlers": ["console"], "level": LIBRARY_LOG_LEVEL},
    "loggers": {
        **{name: {"level": LOG_LEVEL} for name in ("chat", "chatproject", "inference")},
        **{name: {"handlers": [], "propagate": True} for name in ("django", "uvicorn")},
        "uvicorn.access": {"handlers": [], "propagate": False},
        "django.request": {"filters": ["no_probes"]},
        # These log one or two lines per task, and the sweep runs every second.
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
    },
}
