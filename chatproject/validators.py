"""Validators of settings. What they raise becomes the sentence that stops the start."""

import os
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from environs import ValidationError, validate

is_port = validate.Range(1, 65535)
is_url = validate.Regexp(r"https?://.+$", error="Must be an http:// or https:// address.")
is_host_and_port = validate.Regexp(r".*:\d+$", error="Must be host:port.")
is_size = validate.Regexp(r"(?i)\d+([kmg]b?)?$", error="Must be a size, such as 512mb or 1gb.")
# Those of OpenTelemetry's SDK: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
SAMPLERS: Final = ("always_on", "always_off", "traceidratio")
is_sampler = validate.OneOf([*SAMPLERS, *(f"parentbased_{name}" for name in SAMPLERS)])


def at_least(minimum: float) -> validate.Range:
    return validate.Range(min=minimum)


def follows(rule: Callable[[Any], object]) -> Callable[[Any], None]:
    """Return a validator for a rule that raises ValueError with a sentence."""

    def check(value: Any) -> None:
        try:
            rule(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None

    return check


def is_readable(path: str) -> None:
    if not (os.path.isfile(path) and os.access(path, os.R_OK)):
        raise ValidationError("Must name a readable file.")


def is_proxy_url(url: str) -> None:
    parts = urlsplit(url)
    try:
        is_complete = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_complete = False
    # The value may contain a password, so no error shows it.
    if not is_complete or parts.path.strip("/") or parts.query:
        raise ValidationError(
            "Must be an address such as http://user:password@host:port, percent-encoded."
        )


def is_long_enough(secret: str) -> None:
    # What is shorter, or has few different characters, can be guessed.
    if len(secret) < 32 or len(set(secret)) < 5 or secret.startswith("django-insecure-"):
        raise ValidationError("Must be random and have 32 characters or more in production.")


def is_off(value: bool) -> None:
    if value:
        raise ValidationError("Must be off in production: error pages show settings and code.")


def has_no_wildcard(hosts: list[str]) -> None:
    if "*" in hosts:
        raise ValidationError("Must name the hosts in production.")


def has_only_https(origins: list[str]) -> None:
    if not all(urlsplit(origin).scheme == "https" for origin in origins):
        raise ValidationError("Must list https:// origins in production.")


def are_origins(origins: list[str]) -> None:
    if not all("://" in origin for origin in origins):
        raise ValidationError("Must list origins such as https://chat.example.")
