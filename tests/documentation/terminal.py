"""A shell in a pseudo-terminal, as a person uses it."""

import re

import pexpect

PROMPT = re.compile(r"<status (\d+)>")
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\(B)")
START_TIMEOUT_S = 60
# What programs ask for while they run, and what the operator types.
ANSWERS = {
    r"Do you want to continue\? \[Y/n\] $": "y",
    r"Username[^\n]*: $": "ada",
    r"Email address: $": "ada@chat.example",
    r"Password[^\n]*: $": "correct horse battery",
}


class Terminal:
    """One shell; `busy` while a command of `start` is running in it."""

    def __init__(self, command: list[str]) -> None:
        self.shell = pexpect.spawn(
            command[0], command[1:], encoding="utf-8", codec_errors="replace", dimensions=(50, 160)
        )
        self.busy = False
        self.run("PS1= PS2= PROMPT_COMMAND= exec bash --norc --noediting", prompts=False)
        self.shell.sendline("stty -echo; PS2= PS1='<status $?>'")
        self._wait_for_prompt(START_TIMEOUT_S)

    def run(self, command: str, timeout_s: float = 900, *, prompts: bool = True) -> tuple[int, str]:
        """Run a command and return its status and output; answer what it asks."""
        self.shell.sendline(command)
        return self._wait_for_prompt(timeout_s) if prompts else (0, "")

    def start(self, command: str, text: str, timeout_s: float = 300) -> tuple[bool, str]:
        """Run a command until it shows a text; return whether it did, and its output."""
        self.shell.sendline(command)
        found = self.shell.expect([re.escape(text), PROMPT, pexpect.TIMEOUT], timeout_s)
        self.busy = found == 0
        return self.busy, clean(self.shell.before + (text if self.busy else ""))

    def type(self, lines: list[str], expected: list[str], timeout_s: float = 60) -> str:
        """Type lines into the running command, each followed by a text that it must show."""
        shown = ""
        for line, text in zip(lines, expected, strict=True):
            self.shell.sendline(line)
            self.shell.expect(text, timeout_s)
            shown += clean(self.shell.before + self.shell.after)
        return shown

    def end_of_input(self) -> tuple[int, str]:
        """Type Ctrl-D; return the command's status."""
        self.shell.sendeof()
        return self._wait_for_prompt(START_TIMEOUT_S)

    def interrupt(self) -> tuple[int, str]:
        """Type Ctrl-C; return the command's status."""
        self.shell.sendintr()
        self.busy = False
        return self._wait_for_prompt(START_TIMEOUT_S)

    def close(self) -> None:
        self.shell.close(force=True)

    def _wait_for_prompt(self, timeout_s: float) -> tuple[int, str]:
        output = ""
        questions = [PROMPT, *map(re.compile, ANSWERS)]
        while (found := self.shell.expect(questions, timeout_s)) > 0:
            output += self.shell.before + self.shell.after
            self.shell.sendline(list(ANSWERS.values())[found - 1])
        return int(self.shell.match[1]), clean(output + self.shell.before)


def clean(output: str) -> str:
    """Return the output as the terminal shows it at the end, without colours."""
    lines = ESCAPES.sub("", output).replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines).strip("\n")
