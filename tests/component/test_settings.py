"""Invalid settings stop the start with a sentence that names the variable."""

import os
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from chatproject import secret_files
from tests.settings import VARIABLES

ROOT = Path(__file__).parents[2]
PRODUCTION = {
    "APP_ENV": "production",
    "SECRET_KEY": "0123456789abcdef" * 2,
    "ALLOWED_HOSTS": "chat.example",
    "CORS_ALLOWED_ORIGINS": "https://chat.example",
    "REDIS_URL": "redis://redis:6379/0",
}
# The settings set these for libraries.
FOR_LIBRARIES = (
    *("PROMETHEUS_MULTIPROC_DIR", "OTEL_SERVICE_NAME"),
    *("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"),
)

LoadSettings = Callable[[dict[str, str]], dict[str, Any]]


@pytest.fixture
def load_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoadSettings:
    """Return a function that runs the settings module with these variables only."""

    def load(environment: dict[str, str]) -> dict[str, Any]:
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name in FOR_LIBRARIES:
            monkeypatch.setenv(name, "")  # restored afterwards
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
        {"MODEL_PROXY": "http://user:p%40ss@proxy:3128"},
        {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"},
        {"WORKER_METRICS_ADDRESS": "0.0.0.0:9100"},
        {"REDIS_URL": "rediss://:p@redis:6380/0"},
        {"REDIS_URL": "redis+sentinel://:p@a,b:26380,c/mymaster/0"},
        {"SITE_NAME": "Acme", "SITE_ACCENT": "#7a1fa2", "SITE_SUGGESTIONS": '["Why?"]'},
        {"SITE_LINKS": '{"Imprint": "/i", "Privacy": "https://a.example"}', "SITE_LANGUAGE": "de"},
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
        ({"REDIS_URL": "redis://a:1/chat"}, '"REDIS_URL" must end with a database number'),
        ({"REDIS_URL": "nonsense"}, '"REDIS_URL" must be a redis:// URL or host:port'),
        ({"REDIS_URL": "unix:///run/redis"}, '"CELERY_BROKER_URL" must be redis:// or rediss://'),
        ({"CELERY_BROKER_URL": "memory://"}, '"CELERY_BROKER_URL" must be redis:// or rediss://'),
        ({"CELERY_BROKER_URL": "nonsense"}, '"CELERY_BROKER_URL" must be redis:// or rediss://'),
        ({"CHANNEL_REDIS_URL": "amqp://a"}, '"CHANNEL_REDIS_URL" must be redis:// or rediss://'),
        ({"REDIS_URL": "redis+sentinel://a:1"}, '"REDIS_URL" must name the Sentinels\' service'),
        ({"REDIS_CA_FILE": "/none"}, '"REDIS_CA_FILE" is not valid: Must name a readable file.'),
        ({"MODEL_API": "magic"}, '"MODEL_API" is not valid: Must be one of: huggingface,'),
        ({"MODEL_API": "chat"}, '"MODEL_URL" must be set, because MODEL_API is'),
        ({"MODEL_URL": "model:8000"}, '"MODEL_URL" is not valid: Must be an http:// or https://'),
        ({"MODEL_URL": "h://m"}, '"MODEL_URL" is not valid: Must be an http:// or https://'),
        ({"MODEL_CA_FILE": "/none"}, '"MODEL_CA_FILE" is not valid: Must name a readable file.'),
        ({"MODEL_CA_FILE": "/"}, '"MODEL_CA_FILE" is not valid: Must name a readable file.'),
        ({"MODEL_PROXY": "socks5://a:1"}, '"MODEL_PROXY" is not valid: Must be an address such'),
        ({"MODEL_PROXY": "proxy:3128"}, '"MODEL_PROXY" is not valid: Must be an address such'),
        ({"MODEL_PROXY": "http://u:p/w@a:1"}, '"MODEL_PROXY" is not valid: Must be an address'),
        ({"MODEL_PARAMETERS": "t=1"}, '"MODEL_PARAMETERS" is not valid: Not valid JSON.'),
        ({"MODEL_PARAMETERS": "[1]"}, '"MODEL_PARAMETERS" is not valid: Must be a JSON object.'),
        ({"MODEL_PARAMETERS": '{"stream": false}'}, 'parameter "stream" cannot be changed'),
        ({"MODEL_PARAMETERS": '{"max_tokens": 9}'}, "cannot be changed: set MAX_NEW_TOKENS"),
        ({"MODEL_PARAMETERS": '{"stop": "x"}'}, "cannot be changed: set STOP_SEQUENCES instead"),
        ({"MODEL_PARAMETERS": '{"top_p": NaN}'}, "Out of range float values"),
        ({"STOP_SEQUENCES": "###"}, '"STOP_SEQUENCES" is not valid: Not valid JSON.'),
        ({"STOP_SEQUENCES": '"###"'}, '"STOP_SEQUENCES" is not valid: Must be a JSON array'),
        ({"STOP_SEQUENCES": '["a", "b", "c", "d"]'}, "At most 3 stop sequences are possible"),
        ({"STOP_SEQUENCES": '[""]'}, "A stop sequence must be a text of 1 to 100 characters"),
        ({"HUMAN_NAME": "Ada:"}, '"HUMAN_NAME" or "BOT_NAME" is not valid: A speaker'),
        ({"BOT_NAME": "human"}, "The two speakers must have different names"),
        ({"HISTORY_MESSAGES": "some"}, '"HISTORY_MESSAGES" is not valid: Must be auto or a'),
        ({"HISTORY_MESSAGES": "201"}, '"HISTORY_MESSAGES" is not valid: Must be auto or a'),
        ({"SYSTEM_PROMPT": "word " * 2000}, '"SYSTEM_PROMPT" is not valid: The system prompt'),
        ({"MAX_NEW_TOKENS": "2040"}, '"MAX_NEW_TOKENS" leaves no space for a prompt'),
        ({"MODEL_HEADERS": "X-Key"}, '"MODEL_HEADERS" is not valid: Not valid JSON.'),
        ({"MODEL_HEADERS": '{"Host": "a"}'}, '"MODEL_HEADERS" is not valid: The header "Host"'),
        ({"MODEL_HEADERS": '{"a b": "c"}'}, '"MODEL_HEADERS" is not valid: A header of the model'),
        (
            {
                "MODEL_URL": "http://m/",
                "MODEL_HEADERS": '{"Authorization": "Basic eA=="}',
                "HUGGINGFACE_INFERENCE_TOKEN": "t",
            },
            '"MODEL_HEADERS" is not valid: An access token and the header Authorization',
        ),
        ({"DATABASE_URL": "nonsense"}, '"DATABASE_URL" is not valid: Not a valid database URL.'),
        ({"OTEL_TRACES_SAMPLER": "some"}, '"OTEL_TRACES_SAMPLER" is not valid: Must be one of'),
        ({"OTEL_TRACES_SAMPLER_ARG": "2"}, '"OTEL_TRACES_SAMPLER_ARG" is not valid: Must be'),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "a:1"}, '"OTEL_EXPORTER_OTLP_ENDPOINT" is not valid'),
        ({"MAX_NEW_TOKENS": "2048"}, '"MAX_NEW_TOKENS" must be below MODEL_CONTEXT_TOKENS'),
        ({"SITE_NAME": "x" * 41}, '"SITE_NAME" is not valid: Must have 1 to 40 characters.'),
        ({"SITE_NAME": "a\nb"}, '"SITE_NAME" is not valid: Must be one line without control'),
        ({"SITE_LOGO": "/none.png"}, '"SITE_LOGO" is not valid: Must name a readable file.'),
        ({"SITE_LOGO": __file__}, '"SITE_LOGO" is not valid: Must be a PNG, JPEG, WebP or SVG'),
        ({"SITE_ACCENT": "teal"}, '"SITE_ACCENT" is not valid: Must be a colour such as #2a6a5d.'),
        ({"SITE_ACCENT": "#ffcc00"}, "#ffcc00 has 1.31:1, #836900 would do."),
        ({"SITE_ACCENT_DARK": "#2a6a5d"}, '"SITE_ACCENT_DARK" is not valid: Must have a contrast'),
        ({"SITE_SUGGESTIONS": "Why?"}, '"SITE_SUGGESTIONS" is not valid: Not valid JSON.'),
        ({"SITE_SUGGESTIONS": '"Why?"'}, '"SITE_SUGGESTIONS" is not valid: Must be a JSON array'),
        ({"SITE_SUGGESTIONS": "[1]"}, '"SITE_SUGGESTIONS" is not valid: Must be a JSON array'),
        ({"SITE_BANNER_LEVEL": "fatal"}, '"SITE_BANNER_LEVEL" is not valid: Must be one of: info,'),
        ({"SITE_LINKS": '["/i"]'}, '"SITE_LINKS" is not valid: Must be a JSON object of labels'),
        ({"SITE_LINKS": '{"I": "http://a"}'}, '"SITE_LINKS" is not valid: Must have https:// URLs'),
        ({"SITE_LANGUAGE": "nl"}, '"SITE_LANGUAGE" is not valid: Must be one of: en, ar, de,'),
        ({"SESSION_TTL_S": "0"}, '"SESSION_TTL_S" is not valid: Must be greater than or equal'),
        ({"APP_ENV": "production"}, '"SECRET_KEY" not set'),
        (PRODUCTION | {"SECRET_KEY": ""}, '"SECRET_KEY" not set: production requires it'),
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
        (PRODUCTION | {"ALLOWED_HOSTS": ""}, '"ALLOWED_HOSTS" not set: production requires it'),
        (PRODUCTION | {"REDIS_URL": ""}, '"REDIS_URL" (or "REDIS_HOST") not set: production'),
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


@pytest.mark.parametrize("name", sorted(VARIABLES - {"DATA_DIR"}))
def test_an_empty_value_is_the_same_as_none(load_settings: LoadSettings, name: str) -> None:
    assert values(load_settings({name: ""})) == values(load_settings({}))


def test_the_data_folder_has_a_default_if_it_is_empty(
    load_settings: LoadSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    monkeypatch.setattr(secret_files, "create_private_folder", made.append)
    monkeypatch.setattr(secret_files, "read_or_create_secret", lambda path: "secret")
    load_settings({"DATA_DIR": "", "STATIC_ROOT": str(tmp_path)})
    assert made[0] == ROOT / "var"


def values(settings: dict[str, Any]) -> dict[str, str]:
    """Return all settings as text, without the addresses of functions."""
    return {
        name: re.sub(" at 0x[0-9a-f]+", "", repr(value))
        for name, value in settings.items()
        if name.isupper()
    }


def test_an_empty_variable_does_not_hide_that_of_the_env_file(
    load_settings: LoadSettings, tmp_path: Path
) -> None:
    file = tmp_path / "env"
    file.write_text("MODEL_NAME=from-the-file\nHISTORY_MESSAGES=\nSITE=\n")
    settings = load_settings({"ENV_FILE": str(file), "MODEL_NAME": ""})
    assert (settings["MODEL_NAME"], settings["HISTORY_MESSAGES"]) == ("from-the-file", 4)


SECRETS = {
    "SECRET_KEY": "0123456789abcdef" * 2,
    "REDIS_URL": "redis://:p@redis:6379/0",
    "CELERY_BROKER_URL": "redis://:p@broker:6379/0",
    "CHANNEL_REDIS_URL": "redis://:p@layer:6379/0",
    "HUGGINGFACE_INFERENCE_TOKEN": "hf_secret",
    "MODEL_PROXY": "http://user:p@proxy:3128",
}


def test_secrets_are_read_from_files(load_settings: LoadSettings, tmp_path: Path) -> None:
    secrets = SECRETS | {"DATABASE_URL": "postgres://chat:p@db/chat", "REDIS_PASSWORD": "unused"}
    for name, value in secrets.items():
        (tmp_path / name).write_text(f"{value}\n")
    files = {f"{name}_FILE": str(tmp_path / name) for name in secrets}
    settings = load_settings({"MODEL_URL": "http://model/"} | files)
    assert {name: settings[name] for name in SECRETS} == SECRETS
    assert settings["DATABASES"]["default"]["PASSWORD"] == "p"


def test_the_password_of_redis_is_read_from_a_file(
    load_settings: LoadSettings, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("p@ss\n")
    settings = load_settings(
        {"REDIS_HOST": "redis", "REDIS_PASSWORD_FILE": str(tmp_path / "password")}
    )
    assert settings["REDIS_URL"] == "redis://:p%40ss@redis:6379"


def test_a_variable_of_the_process_overrides_a_file_in_the_env_file(
    load_settings: LoadSettings, tmp_path: Path
) -> None:
    (tmp_path / "env").write_text("MODEL_NAME_FILE=/none\n")
    settings = load_settings({"ENV_FILE": str(tmp_path / "env"), "MODEL_NAME": "own"})
    assert settings["MODEL_NAME"] == "own"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"SECRET_KEY_FILE": "/none"}, '"SECRET_KEY_FILE" must name a readable file with text'),
        ({"SECRET_KEY_FILE": os.devnull}, '"SECRET_KEY_FILE" must name a readable file with text'),
        ({"SECRET_KEY_FILE": "/bin/sh"}, '"SECRET_KEY_FILE" must name a readable file with text'),
        (
            {"SECRET_KEY": "a", "SECRET_KEY_FILE": "/none"},
            '"SECRET_KEY" and "SECRET_KEY_FILE" are both set',
        ),
    ],
)
def test_an_unusable_file_of_a_secret_is_named(
    load_settings: LoadSettings, environment: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=re.escape(sentence)):
        load_settings(environment)


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


def test_no_error_and_no_setting_shows_the_value_of_a_header(load_settings: LoadSettings) -> None:
    secret = "s3cret-value"
    with pytest.raises(ImproperlyConfigured) as caught:
        load_settings(
            {"MODEL_URL": "http://m/", "MODEL_HEADERS": f'{{"X-Key": "{secret}\\u0001"}}'}
        )
    assert secret not in str(caught.value)
    loaded = load_settings({"MODEL_URL": "http://m/", "MODEL_HEADERS": f'{{"X-Key": "{secret}"}}'})
    assert loaded["MODELS"][0].endpoints[0].headers == {"X-Key": secret}
    assert not [name for name, value in values(loaded).items() if secret in value]


def test_the_window_can_be_as_large_as_the_context(load_settings: LoadSettings) -> None:
    assert load_settings({"HISTORY_MESSAGES": "auto"})["HISTORY_MESSAGES"] == 200
