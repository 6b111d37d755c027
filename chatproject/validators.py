"""Validators of settings. What they raise becomes the sentence that stops the start."""

import os
from urllib.parse import urlsplit

from environs import ValidationError, validate

is_port = validate.Range(1, 65535)
is_url = validate.Regexp(r"(https?://.+)?$", error="Must be an http:// or https:// address.")
is_host_and_port = validate.Regexp(r"(.*:\d+)?$", error="Must be host:port.")
is_size = validate.Regexp(r"(?i)\d+([kmg]b?)?$", error="Must be a size, such as 512mb or 1gb.")
is_set = validate.Length(min=1, error="Must be set in production.")


def at_least(minimum: float) -> validate.Range:
    return validate.Range(min=minimum)


def is_readable(path: str) -> None:
    if path and not os.access(path, os.R_OK):
        raise ValidationError("Must name a readable file.")


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
