"""`manage.py chat` in a pseudo-terminal and in a pipe."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.model_stub import Behaviour, ModelStub, failing
from tests.processes import ROOT, Stack

TIMEOUT_S = 60
COMMAND = [sys.executable, "manage.py", "chat"]


def run(stack: Stack, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "--url", stack.url, *options],
        cwd=ROOT,
        env=stack.environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )


class Screen:
    """A pseudo-terminal: types lines and collects the output."""

    def __init__(self, descriptor: int, process: subprocess.Popen[bytes]) -> None:
        self._descriptor = descriptor
        self.process = process
        self.shown = ""
        self._position = 0

    def type(self, line: str) -> None:
        os.write(self._descriptor, f"{line}\n".encode())

    def wait_for(self, text: str) -> None:
        """Wait until `text` appears after the previously awaited text."""
        deadline = time.monotonic() + TIMEOUT_S
        while (found := self.shown.find(text, self._position)) < 0:
            assert time.monotonic() < deadline, f"no {text!r} in {self.shown!r}"
            self._read()
        self._position = found + len(text)

    def _read(self) -> None:
        os.set_blocking(self._descriptor, False)
        try:
            self.shown += os.read(self._descriptor, 65_536).decode()
        except BlockingIOError:
            time.sleep(0.01)


@contextmanager
def screen(stack: Stack, *options: str) -> Iterator[Screen]:
    terminal, child_terminal = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "--url", stack.url, *options],
        cwd=ROOT,
        env=stack.environment | {"TERM": "xterm"},
        stdin=child_terminal,
        stdout=child_terminal,
        stderr=child_terminal,
        start_new_session=True,
    )
    os.close(child_terminal)
    try:
        yield Screen(terminal, process)
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def test_a_pipe_gets_a_reply_to_every_line_in_order(stack: Stack, model_stub: ModelStub) -> None:
    result = run(stack, "hello\n\nhow are you\nbye")

    assert result.stdout == "You said: hello\nYou said: how are you\nYou said: bye\n"
    assert (result.stderr, result.returncode) == ("", 0)


def test_the_command_fails_if_a_reply_fails(stack: Stack, model_stub: ModelStub) -> None:
    model_stub.script(failing(400))
    result = run(stack, "hello\nagain")

    assert (result.returncode, result.stdout) == (1, "You said: again\n")
    assert "The model did not accept the request." in result.stderr
    assert "Messages without a reply: 1." in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_a_wrong_address_or_token_is_reported_in_one_line(stack: Stack) -> None:
    unreachable = subprocess.run(
        [*COMMAND, "--url", "http://127.0.0.1:9"],
        cwd=ROOT,
        env=stack.environment,
        input="hello",
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    unknown = run(stack, "hello", "--token", "0")

    assert unreachable.returncode == unknown.returncode == 1
    assert unreachable.stderr.startswith(
        "CommandError: No chat server responds at http://127.0.0.1:9."
    )
    assert unknown.stderr == "CommandError: Session expired or does not exist\n"


def test_a_user_sees_the_reply_stream_stops_it_and_regenerates_it(
    stack: Stack, model_stub: ModelStub
) -> None:
    with screen(stack, "--name", "Ada") as terminal:
        terminal.wait_for("Hi Ada")
        terminal.wait_for("> ")
        model_stub.script(Behaviour(pieces=("tick ",), endless=True, piece_delay_s=0.1))
        terminal.type("count")
        terminal.wait_for("bot: ")
        terminal.wait_for("tick tick")
        terminal.type("/stop")
        terminal.wait_for("Stopped.")
        terminal.type("/retry")
        terminal.wait_for("You said: count")
        terminal.wait_for("> ")
        terminal.process.send_signal(signal.SIGINT)
        terminal.wait_for("To continue this conversation: python manage.py chat")

        last_line = terminal.shown.splitlines()[-1]
        assert "\x1b[" in terminal.shown
        assert "\x1b[" not in last_line, "not an error"
        assert terminal.process.wait(TIMEOUT_S) == 0


@pytest.mark.slow
def test_a_message_is_edited_and_brought_back(stack: Stack, model_stub: ModelStub) -> None:
    with screen(stack, "--name", "Ada") as terminal:
        terminal.wait_for("> ")
        terminal.type("hello")
        terminal.wait_for("You said: hello")
        terminal.type("/edit good day")
        terminal.wait_for("You said: good day")
        terminal.type("/versions")
        terminal.wait_for("1. question: hello")
        terminal.wait_for("2. question (current): good day")
        terminal.type("/choose 1")
        terminal.wait_for("This replaces the earlier message and what followed it:")
        terminal.wait_for("hello")
        terminal.wait_for("You said: hello")
