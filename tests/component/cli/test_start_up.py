"""The checks of `runall` and the embedded servers before they start."""

import os
import socket
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from chat.cli import processes
from chat.management.commands import runall
from inference.management.commands import runmodel
from inference.management.embedded import bundled_file
from tests.ports import free_port


@pytest.fixture(autouse=True)
def nothing_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Fail instead of starting a server; the settings name free ports and a new folder."""

    def fail(*arguments: object) -> NoReturn:
        pytest.fail(f"started {arguments}")

    monkeypatch.setattr(os, "execv", fail)
    monkeypatch.setattr(processes.Runner, "loop", fail)
    ports = {name: free_port() for name in ("PORT", "EMBEDDED_REDIS_PORT", "EMBEDDED_MODEL_PORT")}
    with override_settings(
        EMBEDDED_REDIS=True,
        EMBEDDED_REDIS_PASSWORD="secret",
        EMBEDDED_MODEL=True,
        MODEL_FILE="",
        DATA_DIR=tmp_path,
        **ports,
    ):
        yield


@pytest.mark.parametrize(
    ("command", "variable", "purpose"),
    [
        ("runall", "PORT", "the web server"),
        ("runall", "EMBEDDED_REDIS_PORT", "the embedded Redis"),
        ("runall", "EMBEDDED_MODEL_PORT", "the embedded model"),
        ("runredis", "EMBEDDED_REDIS_PORT", "the embedded Redis"),
        ("runmodel", "EMBEDDED_MODEL_PORT", "the embedded model"),
    ],
)
def test_a_used_port_is_named_with_its_purpose_and_variable(
    command: str, variable: str, purpose: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with (
            override_settings(**{variable: port}),
            pytest.raises(
                CommandError,
                match=rf"^Cannot listen on port {port} for {purpose}: Address already in use\."
                rf" Set {variable} to another port\.$",
            ),
        ):
            call_command(command)


@pytest.mark.parametrize("command", ["runall", "runredis", "runmodel"])
def test_a_missing_package_is_named_with_the_alternative(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "files", lambda package: None)
    variable = "MODEL_URL" if command == "runmodel" else "REDIS_URL"
    with pytest.raises(CommandError, match=rf"is not installed\. .*set {variable}"):
        call_command(command)


def test_a_package_that_is_unknown_is_not_installed() -> None:
    with pytest.raises(CommandError, match=r"^The package no-such-package is not installed\. Do"):
        bundled_file("no-such-package", "*", advice="Do something.")


@pytest.mark.parametrize(
    ("command", "setting", "variable"),
    [("runredis", "EMBEDDED_REDIS", "REDIS_URL"), ("runmodel", "EMBEDDED_MODEL", "MODEL_URL")],
)
def test_an_embedded_server_does_not_start_beside_a_configured_one(
    command: str, setting: str, variable: str
) -> None:
    with override_settings(**{setting: False}), pytest.raises(CommandError, match=variable):
        call_command(command)


@pytest.mark.parametrize(
    ("content", "error"), [(None, "cannot be read: No such file"), (b"text", "is not a GGUF file")]
)
def test_an_unusable_model_file_is_named(content: bytes | None, error: str, tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    if content:
        file.write_bytes(content)
    with (
        override_settings(MODEL_FILE=str(file)),
        pytest.raises(CommandError, match=f"^MODEL_FILE {file} {error}"),
    ):
        call_command("runmodel")


@pytest.mark.parametrize("command", ["runall", "runmodel"])
def test_a_missing_library_of_the_system_is_named_with_its_package(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runmodel, "OPENMP", "libmissing.so.1")
    with pytest.raises(
        CommandError, match=r"^The embedded model needs libmissing\.so\.1\. .*apt install libgomp1"
    ):
        call_command(command)


@pytest.mark.parametrize(
    ("embedded", "expected"),
    [
        ({}, {"redis", "model", "worker", "beat", "web"}),
        ({"EMBEDDED_REDIS": False}, {"model", "worker", "beat", "web"}),
        ({"EMBEDDED_MODEL": False}, {"redis", "worker", "beat", "web"}),
    ],
)
def test_only_the_required_processes_are_started(embedded: Any, expected: set[str]) -> None:
    with override_settings(**embedded):
        assert runall.commands().keys() == expected
