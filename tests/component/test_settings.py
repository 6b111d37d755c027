"""Invalid settings stop the start with a sentence that names the variable."""

import os
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).parents[2]
VARIABLES = re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
PRODUCTION = {
    "APP_ENV": "production",
    "SECRET_KEY": "0123456789abcdef" * 2,
    "ALLOWED_HOSTS": "chat.example",
    "CORS_ALLOWED_ORIGINS": "https://chat.example",
}


LoadSettings = Callable[[dict[str, str]], dict[str, Any]]


@pytest.fixture
def load_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadSettings:
    """Return a function that runs the settings module with these variables only."""

    def load(environment: dict[str, str]) -> dict[str, Any]:
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")  # restored afterwards
        base = {"ENV_FILE": os.devnull, "DATA_DIR": str(tmp_path)}
        for name, value in (base | environment).items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(ROOT / "chatproject" / "settings.py"))

    return load


@pytest.mark.parametrize(
    "environment",
    [
        {},
        PRODUCTION,
        {"LOG_LEVEL": "debug"},
        {"MODEL_URL": "http://model/generate"},
        {"MODEL_API": "", "MODEL_URL": ""},
        {"WORKER_METRICS_ADDRESS": "0.0.0.0:9100"},
        {"REDIS_URL": "rediss://:p@redis:6380/0"},
    ],
)
def test_valid_settings_are_accepted(
    load_settings: LoadSettings, environment: dict[str, str]
) -> None:
    load_settings(environment)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"APP_ENV": "test"}, '"APP_ENV" is not valid: Must be one of: development, production.'),
        ({"PORT": "0"}, '"PORT" is not valid: Must be greater than or equal to 1'),
        ({"PORT": "http"}, '"PORT" is not valid: Not a valid integer.'),
        ({"LOG_LEVEL": "loud"}, '"LOG_LEVEL" is not valid: Not a valid log level.'),
        ({"LOG_FORMAT": "xml"}, '"LOG_FORMAT" is not valid: Must be one of: json, text.'),
        ({"WORKER_METRICS_ADDRESS": "host"}, '"WORKER_METRICS_ADDRESS" is not valid: Must be host'),
        ({"REDIS_URL": "http://a:1"}, '"REDIS_URL" must be redis://'),
        ({"REDIS_URL": "redis://:p/w@a:1"}, '"REDIS_URL" is not a valid address: percent-encode'),
        ({"REDIS_URL": "unix:///run/redis"}, '"CELERY_BROKER_URL" must be redis:// or rediss://'),
        ({"CELERY_BROKER_URL": "memory://"}, '"CELERY_BROKER_URL" must be redis:// or rediss://'),
        ({"CELERY_BROKER_URL": "nonsense"}, '"CELERY_BROKER_URL" must be redis:// or rediss://'),
        ({"CHANNEL_REDIS_URL": "amqp://a"}, '"CHANNEL_REDIS_URL" must be redis:// or rediss://'),
        ({"REDIS_CA_FILE": "/none"}, '"REDIS_CA_FILE" is not valid: Must name a readable file.'),
        ({"MODEL_API": "magic"}, '"MODEL_API" is not valid: Must be huggingface, completions or'),
        ({"MODEL_API": "chat"}, '"MODEL_URL" must be set, because MODEL_API is'),
        ({"MODEL_URL": "model:8000"}, '"MODEL_URL" is not valid: Must be an http:// or https://'),
        ({"MAX_NEW_TOKENS": "2048"}, '"MAX_NEW_TOKENS" must be below MODEL_CONTEXT_TOKENS'),
        ({"SESSION_TTL_S": "0"}, '"SESSION_TTL_S" is not valid: Must be greater than or equal'),
        ({"APP_ENV": "production"}, '"SECRET_KEY" not set'),
        (PRODUCTION | {"SECRET_KEY": ""}, '"SECRET_KEY" is not valid: Must be set in production.'),
        (PRODUCTION | {"SECRET_KEY": "0123456789"}, '"SECRET_KEY" is not valid: Must be random'),
        (PRODUCTION | {"SECRET_KEY": "x" * 64}, '"SECRET_KEY" is not valid: Must be random'),
        (
            PRODUCTION | {"SECRET_KEY": "django-insecure-0123456789abcdef0123456789"},
            '"SECRET_KEY" is not valid: Must be random',
        ),
        (PRODUCTION | {"DEBUG": "true"}, '"DEBUG" is not valid: Must be off in production'),
        (
            PRODUCTION | {"CSRF_TRUSTED_ORIGINS": "http://a.example"},
            '"CSRF_TRUSTED_ORIGINS" is not valid: Must list https:// origins in production.',
        ),
        ({"CSRF_TRUSTED_ORIGINS": "a.example"}, '"CSRF_TRUSTED_ORIGINS" is not valid: Must list'),
        ({"ADMIN_LOGIN_ATTEMPTS": "0"}, '"ADMIN_LOGIN_ATTEMPTS" is not valid: Must be greater'),
        ({"ADMIN_LOGIN_LOCKOUT_S": "0"}, '"ADMIN_LOGIN_LOCKOUT_S" is not valid: Must be greater'),
        ({"ADMIN_REQUIRE_OTP": "perhaps"}, '"ADMIN_REQUIRE_OTP" is not valid: Not a valid boolean'),
        (PRODUCTION | {"ALLOWED_HOSTS": ""}, '"ALLOWED_HOSTS" is not valid: Must be set in'),
        (PRODUCTION | {"ALLOWED_HOSTS": "*"}, '"ALLOWED_HOSTS" is not valid: Must name the hosts'),
        (
            PRODUCTION | {"CORS_ALLOWED_ORIGINS": "https://a.example,http://b.example"},
            '"CORS_ALLOWED_ORIGINS" is not valid: Must list https:// origins in production.',
        ),
    ],
)
def test_an_invalid_setting_is_named(
    load_settings: LoadSettings, environment: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ImproperlyConfigured) as caught:
        load_settings(environment)
    assert str(caught.value).startswith("Environment variable ")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("environment", "tokens"),
    [
        ({}, 200),
        ({"MODEL_URL": "http://model/"}, 25),
        ({"MODEL_URL": "http://model/", "MODEL_API": "completions"}, 25),
        ({"MODEL_URL": "http://model/", "MODEL_API": "chat"}, 512),
        ({"MODEL_URL": "http://model/", "MODEL_API": "chat", "MODEL_CONTEXT_TOKENS": "600"}, 300),
        ({"MODEL_CONTEXT_TOKENS": "64"}, 32),
        ({"MODEL_URL": "http://model/", "MODEL_API": "chat", "MAX_NEW_TOKENS": "25"}, 25),
    ],
)
def test_the_length_of_a_reply_depends_on_the_kind_of_model(
    load_settings: LoadSettings, environment: dict[str, str], tokens: int
) -> None:
    assert load_settings(environment)["MAX_NEW_TOKENS"] == tokens


@pytest.mark.parametrize(
    ("trusted", "expected"),
    [
        ("", ["https://chat.example"]),
        ("https://a.example,https://b.example", ["https://a.example", "https://b.example"]),
    ],
)
def test_forms_are_accepted_from_a_list_of_their_own(
    load_settings: LoadSettings, trusted: str, expected: list[str]
) -> None:
    loaded = load_settings(PRODUCTION | {"CSRF_TRUSTED_ORIGINS": trusted})
    assert loaded["CSRF_TRUSTED_ORIGINS"] == expected
    assert loaded["CORS_ALLOWED_ORIGINS"] == ["https://chat.example"]
