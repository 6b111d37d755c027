"""All settings. Only this module reads the environment and `.env`.

`.env.example` lists the variables with their defaults. An empty value is the same as none. An
invalid or missing value stops the start with a sentence that names the variable.
"""

import logging
import os
import socket
from datetime import timedelta
from functools import partial
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from environs import EnvError, EnvNotSetError, EnvValidationError, validate

from chat.branding import rules
from chat.branding.colours import check_accent, check_accent_dark
from chat.branding.logo import read_logo
from chat.store.connections import SENTINEL_SCHEMES
from chat.store.redis_cluster.nodes import is_cluster_url
from chatproject import VERSION as VERSION
from chatproject.broker.address import check_broker_url, is_rabbitmq
from chatproject.broker.options import broker_tls, transport_options
from chatproject.environment import Environment
from chatproject.model_configuration.model_variables import (
    MODEL_APIS,
    are_headers,
    are_parameters,
    are_stop_sequences,
    default_max_new_tokens,
    history_messages,
    is_history_size,
    read_speakers,
    single_model,
)
from chatproject.model_configuration.models_file import read_models
from chatproject.redis_urls import (
    broker_url,
    cache_options,
    check_redis_url,
    complete_redis_url,
    layer_host,
    other_server,
    tls_options,
)
from chatproject.secret_files import create_private_folder, read_or_create_secret
from chatproject.validators import (
    are_origins,
    at_least,
    follows,
    has_no_wildcard,
    has_only_https,
    is_host_and_port,
    is_long_enough,
    is_off,
    is_port,
    is_proxy_url,
    is_readable,
    is_sampler,
    is_size,
    is_url,
)

BASE_DIR = Path(__file__).resolve().parent.parent
# What this process writes (database, metrics, secrets) is for its own user only.
os.umask(0o077)
LANGUAGES = [
    ("en", "English"),
    ("ar", "العربية"),
    ("de", "Deutsch"),
    ("es", "Español"),
    ("fr", "Français"),
    ("ja", "日本語"),
    ("pt", "Português"),
]
env = Environment()

try:
    env.read_env(env.str("ENV_FILE", str(BASE_DIR / ".env")), recurse=False)

    # General
    APP_ENV = env.str(
        "APP_ENV", "development", validate=validate.OneOf(["development", "production"])
    )
    in_production = APP_ENV == "production"
    PORT = env.int("PORT", 3500, validate=is_port)
    DATA_DIR = Path(env.str("DATA_DIR", str(BASE_DIR / "var"))).resolve()
    create_private_folder(DATA_DIR)
    STATIC_ROOT = Path(env.str("STATIC_ROOT", str(DATA_DIR / "static")))
    DEBUG = env.bool("DEBUG", False, validate=is_off if in_production else None)

    # Security: the defaults are for development only.
    if in_production:
        SECRET_KEY = env.str("SECRET_KEY", validate=is_long_enough)
        ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", validate=has_no_wildcard)
        CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", validate=has_only_https)
    else:
        SECRET_KEY = env.str("SECRET_KEY", "") or read_or_create_secret(DATA_DIR / "secret_key")
        ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["*"])
        CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", ["http://localhost:3000"])

    # Sites whose forms may be sent to the admin and the page; other than those that use the API.
    CSRF_TRUSTED_ORIGINS = env.list(
        "CSRF_TRUSTED_ORIGINS",
        [],
        validate=[are_origins, has_only_https] if in_production else are_origins,
    ) or [origin for origin in CORS_ALLOWED_ORIGINS if "://" in origin]

    # Websites that may show the chat in a frame.
    EMBED_ORIGINS: list[str] = env.list(
        "EMBED_ORIGINS",
        [],
        validate=[are_origins, has_only_https] if in_production else are_origins,
    )

    # Log-in of the admin
    ADMIN_LOGIN_ATTEMPTS = env.int("ADMIN_LOGIN_ATTEMPTS", 10, validate=at_least(1))
    ADMIN_LOGIN_LOCKOUT_S = env.float("ADMIN_LOGIN_LOCKOUT_S", 900, validate=at_least(1))
    ADMIN_REQUIRE_OTP = env.bool("ADMIN_REQUIRE_OTP", False)
    AUDIT_RETENTION_DAYS = env.int("AUDIT_RETENTION_DAYS", 365, validate=at_least(0))

    # Logs, traces and metrics
    LOG_LEVEL = env.log_level("LOG_LEVEL", logging.INFO)
    LOG_FORMAT = env.str(
        "LOG_FORMAT",
        "json" if in_production else "text",
        validate=validate.OneOf(["json", "text"]),
    )
    OTEL_EXPORTER_OTLP_ENDPOINT = env.str("OTEL_EXPORTER_OTLP_ENDPOINT", "", validate=is_url)
    # OpenTelemetry's SDK reads these from the environment, where those of `.env` are not.
    os.environ["OTEL_SERVICE_NAME"] = env.str("OTEL_SERVICE_NAME", "chat")
    os.environ["OTEL_TRACES_SAMPLER"] = env.str(
        "OTEL_TRACES_SAMPLER", "parentbased_always_on", validate=is_sampler
    )
    os.environ["OTEL_TRACES_SAMPLER_ARG"] = str(
        env.float("OTEL_TRACES_SAMPLER_ARG", 1, validate=validate.Range(0, 1))
    )
    WORKER_METRICS_ADDRESS = env.str("WORKER_METRICS_ADDRESS", "", validate=is_host_and_port)
    # One folder for all processes of this host. prometheus_client reads it from the environment.
    METRICS_DIR = DATA_DIR / "metrics" / socket.gethostname()
    create_private_folder(METRICS_DIR.parent)
    create_private_folder(METRICS_DIR)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(METRICS_DIR)

    # Redis: the session store, the broker and the channel layer can be one server or three.
    REDIS_URL = complete_redis_url(
        env.str("REDIS_URL", ""),
        host=env.str("REDIS_HOST", ""),
        port=env.int("REDIS_PORT", 6379, validate=is_port),
        user=env.str("REDIS_USER", ""),
        password=env.str("REDIS_PASSWORD", ""),
    )
    EMBEDDED_REDIS = not REDIS_URL
    REDIS_MAXMEMORY = env.str("REDIS_MAXMEMORY", "1gb", validate=is_size)
    EMBEDDED_REDIS_PORT = env.int("EMBEDDED_REDIS_PORT", PORT + 1, validate=is_port)
    if EMBEDDED_REDIS:
        if in_production:
            raise EnvNotSetError('Environment variable "REDIS_URL" (or "REDIS_HOST") not set')
        EMBEDDED_REDIS_PASSWORD = read_or_create_secret(DATA_DIR / "redis" / "password")
        REDIS_URL = f"redis://:{EMBEDDED_REDIS_PASSWORD}@127.0.0.1:{EMBEDDED_REDIS_PORT}/0"
    CELERY_BROKER_URL = other_server(
        "CELERY_BROKER_URL", env.str("CELERY_BROKER_URL", ""), REDIS_URL
    )
    CHANNEL_REDIS_URL = other_server(
        "CHANNEL_REDIS_URL", env.str("CHANNEL_REDIS_URL", ""), REDIS_URL
    )
    # Several servers share the channel layer's events. Their addresses are separated by spaces.
    CHANNEL_REDIS_URLS = CHANNEL_REDIS_URL.split()
    check_broker_url(CELERY_BROKER_URL)
    schemes = ("redis", "rediss", "unix", *SENTINEL_SCHEMES)
    for url in CHANNEL_REDIS_URLS:
        check_redis_url("CHANNEL_REDIS_URL", url, schemes)
    redis_tls = partial(
        tls_options,
        ca_file=env.str("REDIS_CA_FILE", "", validate=is_readable),
        certificate_file=env.str("REDIS_CERTIFICATE_FILE", "", validate=is_readable),
        key_file=env.str("REDIS_KEY_FILE", "", validate=is_readable),
    )
    REDIS_TLS = {url: redis_tls(url) for url in (REDIS_URL, CELERY_BROKER_URL, *CHANNEL_REDIS_URLS)}
    # Django's cache has no client for Redis Cluster.
    CACHE_URL = CHANNEL_REDIS_URLS[0] if is_cluster_url(REDIS_URL) else REDIS_URL
    CELERY_BROKER_USE_SSL = broker_tls(CELERY_BROKER_URL, REDIS_TLS[CELERY_BROKER_URL])
    # Celery prefers these to CELERY_BROKER_URL.
    CELERY_BROKER_READ_URL = CELERY_BROKER_WRITE_URL = broker_url(CELERY_BROKER_URL)

    STORE_MIN_REPLICAS = env.int("STORE_MIN_REPLICAS", 0, validate=at_least(0))
    if STORE_MIN_REPLICAS and is_cluster_url(REDIS_URL):
        raise EnvError('Environment variable "STORE_MIN_REPLICAS" must be 0 with a Redis Cluster')

    # Database of the admin's users
    DATABASES = {
        "default": env.dj_db_url(
            "DATABASE_URL", f"sqlite:///{DATA_DIR}/database.sqlite3", conn_max_age=60
        )
    }

    # Model
    MODEL_API = env.str(
        "MODEL_API",
        "",
        validate=validate.OneOf(MODEL_APIS),
    )
    MODEL_URL = env.str("MODEL_URL", "", validate=is_url)
    MODELS_FILE = env.str("MODELS_FILE", "", validate=is_readable)
    EMBEDDED_MODEL = not (MODEL_API or MODEL_URL or MODELS_FILE)
    EMBEDDED_MODEL_PORT = env.int("EMBEDDED_MODEL_PORT", PORT + 2, validate=is_port)
    EMBEDDED_MODEL_SLOTS = env.int("EMBEDDED_MODEL_SLOTS", 4, validate=validate.Range(1, 64))
    # Half the cores: the threads wait for each other, so one that shares its core slows all down.
    EMBEDDED_MODEL_THREADS = env.int(
        "EMBEDDED_MODEL_THREADS", max(1, (os.cpu_count() or 2) // 2), validate=at_least(1)
    )
    MODEL_FILE = env.str("MODEL_FILE", "")
    if EMBEDDED_MODEL:
        MODEL_API = "chat"
        MODEL_URL = f"http://127.0.0.1:{EMBEDDED_MODEL_PORT}/v1/chat/completions"
    elif not (MODEL_URL or MODELS_FILE):
        raise EnvError('Environment variable "MODEL_URL" must be set, because MODEL_API is')
    MODEL_API = MODEL_API or "huggingface"
    MODEL_NAME = env.str("MODEL_NAME", "EleutherAI/gpt-j-6b")
    HUGGINGFACE_INFERENCE_TOKEN = env.str(
        "HUGGINGFACE_INFERENCE_TOKEN", env.str("HUGGINFACE_INFERENCE_TOKEN", "")
    )
    if EMBEDDED_MODEL:
        EMBEDDED_MODEL_KEY = read_or_create_secret(DATA_DIR / "model_key")
        HUGGINGFACE_INFERENCE_TOKEN = EMBEDDED_MODEL_KEY
    MODEL_CA_FILE = env.str("MODEL_CA_FILE", "", validate=is_readable)
    MODEL_PROXY = env.str("MODEL_PROXY", "", validate=is_proxy_url)
    if EMBEDDED_MODEL:
        MODEL_PROXY = ""  # it is on this host
    MODEL_CONTEXT_TOKENS = env.int("MODEL_CONTEXT_TOKENS", 2048, validate=at_least(64))
    longest = default_max_new_tokens(MODEL_API, MODEL_CONTEXT_TOKENS)
    MAX_NEW_TOKENS = env.int(
        "MAX_NEW_TOKENS", min(longest, 200) if EMBEDDED_MODEL else longest, validate=at_least(1)
    )
    if MAX_NEW_TOKENS >= MODEL_CONTEXT_TOKENS:
        raise EnvError('Environment variable "MAX_NEW_TOKENS" must be below MODEL_CONTEXT_TOKENS')
    HISTORY_MESSAGES = history_messages(env.str("HISTORY_MESSAGES", "4", validate=is_history_size))
    MODEL_TIMEOUT_S = env.float("MODEL_TIMEOUT_S", 60, validate=at_least(0.1))
    model_headers = env.json("MODEL_HEADERS", {}, validate=are_headers)
    MODELS = single_model(
        api=MODEL_API,
        url=MODEL_URL,
        name=MODEL_NAME,
        token=HUGGINGFACE_INFERENCE_TOKEN or None,
        headers={} if EMBEDDED_MODEL else model_headers,
        context_tokens=MODEL_CONTEXT_TOKENS,
        max_new_tokens=MAX_NEW_TOKENS,
        timeout_s=MODEL_TIMEOUT_S,
        ca_file=MODEL_CA_FILE,
        proxy=MODEL_PROXY,
        parameters=env.json("MODEL_PARAMETERS", {}, validate=are_parameters),
        system_prompt=env.str("SYSTEM_PROMPT", "").strip(),
        stop=env.json("STOP_SEQUENCES", [], validate=are_stop_sequences),
        speakers=read_speakers(env.str("HUMAN_NAME", "Human"), env.str("BOT_NAME", "Bot")),
    )
    if MODELS_FILE:
        MODELS = read_models(
            MODELS_FILE,
            defaults=MODELS[0].endpoints[0],
            env=env,
        )
    REPLY_DEADLINE_S = env.float("REPLY_DEADLINE_S", 120, validate=at_least(1))

    # Operators who step into conversations
    HUMAN_SUPPORT = env.bool("HUMAN_SUPPORT", False)
    OPERATOR_IDLE_S = env.float("OPERATOR_IDLE_S", 300, validate=at_least(5))

    # Sessions and limits
    SESSION_TTL_S = env.float("SESSION_TTL_S", 3600, validate=at_least(1))
    WORKER_CONCURRENCY = env.int("WORKER_CONCURRENCY", 64, validate=at_least(1))
    MAX_MESSAGE_CHARS = env.int("MAX_MESSAGE_CHARS", 2000, validate=validate.Range(1, 16_000))
    MAX_PENDING = env.int("MAX_PENDING", 10, validate=at_least(1))
    MESSAGES_PER_MINUTE = env.int("MESSAGES_PER_MINUTE", 20, validate=at_least(1))
    MESSAGES_PER_MINUTE_PER_IP = env.int("MESSAGES_PER_MINUTE_PER_IP", 100, validate=at_least(1))
    BYTES_PER_MINUTE_PER_IP = env.int(
        "BYTES_PER_MINUTE_PER_IP", 262_144, validate=at_least(100_000)
    )
    MAX_SESSION_MESSAGES = env.int("MAX_SESSION_MESSAGES", 5_000, validate=at_least(2))
    MAX_SESSION_BYTES = env.int("MAX_SESSION_BYTES", 4_194_304, validate=at_least(1))
    READS_PER_MINUTE = env.int("READS_PER_MINUTE", 60, validate=at_least(1))
    READS_PER_MINUTE_PER_IP = env.int("READS_PER_MINUTE_PER_IP", 240, validate=at_least(1))
    UNKNOWN_TOKENS_PER_MINUTE_PER_IP = env.int(
        "UNKNOWN_TOKENS_PER_MINUTE_PER_IP", 120, validate=at_least(1)
    )
    TOKENS_PER_MINUTE_PER_IP = env.int("TOKENS_PER_MINUTE_PER_IP", 30, validate=at_least(1))
    SHARES_PER_SESSION = env.int("SHARES_PER_SESSION", 10, validate=at_least(0))
    SHARES_PER_MINUTE = env.int("SHARES_PER_MINUTE", 10, validate=at_least(1))
    MAX_SHARED_BYTES = env.int("MAX_SHARED_BYTES", 4_194_304, validate=at_least(1))
    SOCKETS_PER_SESSION = env.int("SOCKETS_PER_SESSION", 5, validate=at_least(1))
    SOCKETS_PER_IP = env.int("SOCKETS_PER_IP", 20, validate=at_least(1))
    AOF_REWRITE_INTERVAL_S = env.float("AOF_REWRITE_INTERVAL_S", 600, validate=at_least(0))

    # Branding of the site: defaults of what is entered in the admin
    SITE_NAME = env.str("SITE_NAME", "", validate=follows(rules.check_name))
    SITE_LOGO = read_logo(env.str("SITE_LOGO", "", validate=follows(read_logo)))
    SITE_ACCENT = env.str("SITE_ACCENT", "", validate=follows(check_accent))
    SITE_ACCENT_DARK = env.str("SITE_ACCENT_DARK", "", validate=follows(check_accent_dark))
    SITE_WELCOME = env.str("SITE_WELCOME", "", validate=follows(rules.check_welcome))
    SITE_SUGGESTIONS = env.json("SITE_SUGGESTIONS", [], validate=follows(rules.check_suggestions))
    SITE_DISCLAIMER = env.str("SITE_DISCLAIMER", "", validate=follows(rules.check_disclaimer))
    SITE_BANNER = env.str("SITE_BANNER", "", validate=follows(rules.check_banner))
    SITE_BANNER_LEVEL = env.str("SITE_BANNER_LEVEL", "info", validate=validate.OneOf(rules.LEVELS))
    SITE_BANNER_CLOSABLE = env.bool("SITE_BANNER_CLOSABLE", True)
    SITE_LINKS = env.json("SITE_LINKS", {}, validate=follows(rules.check_links))
    SITE_LANGUAGE = env.str("SITE_LANGUAGE", "en", validate=validate.OneOf(dict(LANGUAGES)))
except EnvValidationError as error:
    variable = str(error).partition(" invalid: ")[0]
    sentences = " ".join(map(str, error.error_messages))
    raise ImproperlyConfigured(f"{variable} is not valid: {sentences}") from None
except EnvNotSetError as error:
    raise ImproperlyConfigured(f"{error}: production requires it") from None
except (EnvError, ValueError, OSError) as error:
    raise ImproperlyConfigured(str(error)) from None


# Django
ROOT_URLCONF = "chatproject.urls"
ASGI_APPLICATION = "chatproject.asgi.application"
INSTALLED_APPS = [
    "chat.accounts.apps.OperatorAdminConfig",  # django.contrib.admin with another log-in
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "corsheaders",
    "ninja",  # serves the scripts of the API page, so that it loads none from other hosts
    "inference",
    "chat",
]
MIDDLEWARE = [
    "chat.middleware.respond_to_probes",
    "django.middleware.security.SecurityMiddleware",
    "chatproject.static_files.StaticFilesMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "chat.middleware.record_requests",
    "chat.middleware.no_store",
    "chat.middleware.use_browser_timezone",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "chat.branding.language.BrandedLocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "chat" / "templates"],  # before the admin's own
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
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
STATIC_URL = "static/"
if not in_production:
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # WhiteNoise warns if the folder is missing
# collectstatic also compresses every file. With DEBUG, the files of the checkout are served.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "chatproject.static_files.VersionedStaticFilesStorage"},
}
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o755  # of the folders of static files
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]

# django-axes counts failed log-ins, per address and per user, in a cache that all processes share.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first, so that a locked attempt hashes no password
    "django.contrib.auth.backends.ModelBackend",
]
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": [CACHE_URL],  # a string would be split at commas
        "KEY_PREFIX": "chat:login",
        "OPTIONS": {
            "serializer": "chat.accounts.throttle.CountSerializer",
            "socket_timeout": 2,
            "socket_connect_timeout": 2,
            "protocol": 2,
            **REDIS_TLS[CACHE_URL],
            **cache_options(CACHE_URL),
        },
    }
}
AXES_HANDLER = "axes.handlers.cache.AxesCacheHandler"
AXES_LOCKOUT_PARAMETERS = ["ip_address", "username"]
AXES_FAILURE_LIMIT = ADMIN_LOGIN_ATTEMPTS
AXES_COOLOFF_TIME = timedelta(seconds=ADMIN_LOGIN_LOCKOUT_S)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "chat.addresses.client_network"
AXES_USERNAME_CALLABLE = "chat.accounts.throttle.counted_user"
AXES_ENABLE_ADMIN = False  # its tables are empty
AXES_VERBOSE = False
SILENCED_SYSTEM_CHECKS = ["axes.W002"]  # chat.accounts.operator_site does what its middleware would
OTP_ADMIN_HIDE_SENSITIVE_DATA = True
OTP_TOTP_ISSUER = f"{SITE_NAME or 'Chat'} administration"

# In production, the site is behind a proxy that terminates TLS.
SECURE_REFERRER_POLICY = "same-origin"  # forms need the Origin that "no-referrer" hides
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = in_production
if in_production:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = 3600

# Only files of this site, and nothing inline. The chat page adds stricter directives.
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
# timeout is longer than the layer blocks: with redis-py's default, idle sockets are closed.
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "chat.events.channel_layer.ChannelLayer",
        "CONFIG": {
            "hosts": [
                {
                    **layer_host(url, REDIS_TLS[url]),
                    "socket_timeout": 10,
                    "socket_connect_timeout": 2,
                    "health_check_interval": 3,  # three missing replies: the server hangs
                    "protocol": 2,
                }
                for url in CHANNEL_REDIS_URLS
            ],
            "prefix": "chat:layer",
        },
    }
}

# Celery: tasks are only hints and the sweep finds lost ones, so nothing is acknowledged late and
# nothing waits long for the broker. Threads, because a worker mostly waits for HTTP responses.
CELERY_TASK_DEFAULT_QUEUE = "chat:tasks"
CELERY_TASK_DEFAULT_QUEUE_TYPE = CELERY_TASK_CREATE_MISSING_QUEUE_TYPE = "quorum"  # of RabbitMQ
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONCURRENCY = WORKER_CONCURRENCY + 4  # for tasks besides replies: worker/slots.py
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CONSUMER = "chat.worker.broker_consumer:BrokerConsumer"
CELERY_WORKER_ENABLE_PREFETCH_COUNT_REDUCTION = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True  # only those acknowledged late
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CHANNEL_ERROR_RETRY = True  # workers survive a Redis that refuses writes
CELERY_BROKER_POOL_LIMIT = 16
CELERY_BROKER_TRANSPORT_OPTIONS = transport_options(
    CELERY_BROKER_URL, REDIS_TLS[CELERY_BROKER_URL], connections=WORKER_CONCURRENCY + 20
)
CELERY_BROKER_CONNECTION_TIMEOUT = 2 if is_rabbitmq(CELERY_BROKER_URL) else 4  # the default
CELERY_BROKER_HEARTBEAT = 10  # of RabbitMQ
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_max": 0.2}
SWEEP_INTERVAL_S = 1
SWEEP_QUEUE = "chat:sweep"
ERASURE_QUEUE = "chat:erasure"
CELERY_BEAT_SCHEDULER = "chat.worker.beat_scheduler:BeatScheduler"
CELERY_BEAT_SCHEDULE = {
    "sweep": {
        "task": "chat.tasks.sweep",
        "schedule": SWEEP_INTERVAL_S,
        "options": {"queue": SWEEP_QUEUE},
    }
}
if AOF_REWRITE_INTERVAL_S:
    CELERY_BEAT_SCHEDULE["erase_deleted_texts"] = {
        "task": "chat.tasks.erase_deleted_texts",
        "schedule": min(AOF_REWRITE_INTERVAL_S, 60),
        "options": {"queue": ERASURE_QUEUE},
    }

# Libraries never log below INFO: at DEBUG they write frames, headers and addresses with secrets.
# Access logs are left to the proxy, because uvicorn's would show tokens in queries.
LIBRARY_LOG_LEVEL = max(LOG_LEVEL, logging.INFO)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "log_context": {"()": "chat.observability.logs.LogContextFilter"},
        # Django logs every 503 as an error. /readyz reports its findings in the response.
        "no_probes": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: not record.getMessage().endswith(": /readyz"),
        },
    },
    "formatters": {
        "json": {"()": "chat.observability.logs.JsonFormatter"},
        "text": {"()": "chat.observability.logs.TextFormatter"},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["log_context"],
        }
    },
    "root": {"handlers": ["console"], "level": LIBRARY_LOG_LEVEL},
    "loggers": {
        **{name: {"level": LOG_LEVEL} for name in ("chat", "chatproject", "inference")},
        **{name: {"handlers": [], "propagate": True} for name in ("django", "uvicorn")},
        "uvicorn.access": {"handlers": [], "propagate": False},
        "django.request": {"filters": ["no_probes"]},
        # chat.accounts.audit logs log-ins, with the facts that django-axes hides.
        "axes": {"level": "ERROR"},
        # They log every task, and the sweep is one every second.
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        # chat.worker.broker_consumer logs lost connections, once each.
        "celery.worker.consumer": {"level": "ERROR"},
    },
}
