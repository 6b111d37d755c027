"""`manage.py chat` as a person and as a pipe uses it."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.client import create_session
from tests.conftest import NewStack
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
    """A pseudo-terminal: what is typed, and everything that was shown."""

    def __init__(self, descriptor: int, process: subprocess.Popen[bytes]) -> None:
        self._descriptor = descriptor
        self.process = process
        self.shown = ""
        self._seen = 0

    def type(self, line: str) -> None:
        os.write(self._descriptor, f"{line}\n".encode())

    def wait_for(self, text: str) -> None:
        """Wait until it is shown after what was waited for before."""
        give_up_at = time.monotonic() + TIMEOUT_S
        while (found := self.shown.find(text, self._seen)) < 0:
            assert time.monotonic() < give_up_at, f"no {text!r} in {self.shown!r}"
            self._read()
        self._seen = found + len(text)

    def _read(self) -> None:
        os.set_blocking(self._descriptor, False)
        try:
            self.shown += os.read(self._descriptor, 65_536).decode()
        except BlockingIOError:
            time.sleep(0.01)


@contextmanager
def screen(stack: Stack, *options: str) -> Iterator[Screen]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "--url", stack.url, *options],
        cwd=ROOT,
        env=stack.environment | {"TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Screen(ours, process)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_a_pipe_gets_a_reply_for_every_line_in_order(stack: Stack, model_stub: ModelStub) -> None:
    result = run(stack, "hello\n\nhow are you\nbye")

    assert result.stdout == "You said: hello\nYou said: how are you\nYou said: bye\n"
    assert (result.stderr, result.returncode) == ("", 0)


def test_a_pipe_goes_on_with_a_session_and_prints_only_its_own(
    stack: Stack, model_stub: ModelStub
) -> None:
    token = create_session(stack.url)
    run(stack, "first", "--token", token)
    assert run(stack, "second", "--token", token).stdout == "You said: second\n"


def test_no_colour_and_nothing_that_steers_a_terminal_leaves_a_pipe(
    stack: Stack, model_stub: ModelStub
) -> None:
    model_stub.script(Behaviour(text="\x1b]0;owned\x07 red \x1b[31m\u009b31m"))
    assert run(stack, "hello").stdout == "]0;owned red [31m31m\n"


def test_a_failed_reply_fails_the_command(stack: Stack, model_stub: ModelStub) -> None:
    model_stub.script(failing(400))
    result = run(stack, "hello\nagain")

    assert (result.returncode, result.stdout) == (1, "You said: again\n")
    assert "The model did not accept the request." in result.stderr
    assert "1 of the messages got no reply" in result.stderr
    assert "Traceback" not in result.stderr


def test_what_is_wrong_with_the_address_or_token_is_one_sentence(stack: Stack) -> None:
    nobody = subprocess.run(
        [*COMMAND, "--url", "http://127.0.0.1:9"],
        cwd=ROOT,
        env=stack.environment,
        input="hello",
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    unknown = run(stack, "hello", "--token", "0")

    assert nobody.returncode == unknown.returncode == 1
    assert nobody.stderr.startswith("CommandError: No chat server answers at http://127.0.0.1:9.")
    assert unknown.stderr == "CommandError: Session expired or does not exist\n"


def test_a_person_sees_the_reply_stream_stops_it_and_asks_again(
    stack: Stack, model_stub: ModelStub
) -> None:
    with screen(stack, "--name", "Ada") as terminal:
        terminal.wait_for("Hello Ada.")
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
        terminal.wait_for("Go on with: python manage.py chat")

        assert "\x1b[" in terminal.shown
        assert terminal.process.wait(TIMEOUT_S) == 0


def test_a_person_who_comes_back_sees_the_history(stack: Stack, model_stub: ModelStub) -> None:
    token = create_session(stack.url)
    run(stack, "hello", "--token", token)
    with screen(stack, "--token", token, "--no-color") as terminal:
        terminal.wait_for("> hello")
        terminal.wait_for("bot: You said: hello")
        terminal.type("/quit")
        assert terminal.process.wait(TIMEOUT_S) == 0
    assert "\x1b[" not in terminal.shown


def test_a_reply_goes_on_where_it_was_after_the_web_was_replaced(
    new_stack: NewStack, model_stub: ModelStub
) -> None:
    words = tuple(f" word{number}" for number in range(40))
    model_stub.script(Behaviour(pieces=words, piece_delay_s=0.2))
    stack = new_stack()
    stack.start()
    with screen(stack, "--no-color") as terminal:
        terminal.wait_for("> ")
        terminal.type("tell me")
        terminal.wait_for("word3")
        stack.of("web")[0].kill()
        terminal.wait_for("Connection lost.")
        stack.start_web()
        terminal.wait_for("Connected again.")
        terminal.wait_for("word39")
        terminal.wait_for("> ")

    shown = [word for word in terminal.shown.split() if word.startswith("word")]
    assert shown == [word.strip() for word in words]
