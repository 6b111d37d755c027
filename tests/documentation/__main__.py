"""`python -m tests.documentation [JOURNEY]...`: follow the documentation on a fresh machine.

Prints what a new operator sees, with times, and which blocks were not run and why. The exit status
is 1 if a command fails or shows something else than the page says.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from tests.documentation.blocks import Block, blocks_of, commands_of  # noqa: E402
from tests.documentation.images import build_stand_ins, use_stand_ins  # noqa: E402
from tests.documentation.journeys import JOURNEYS, NEW_VERSION, Journey  # noqa: E402
from tests.documentation.machine import Machine, fresh_machine  # noqa: E402
from tests.documentation.terminal import Terminal  # noqa: E402
from tests.processes import ROOT  # noqa: E402

ORIGIN = "/srv/chat"
SLOW_S = 1.0
POLL_S = 1.0


class BlockFailed(Exception):
    """A block did not do what its page says."""


@dataclass
class Reader:
    """Follows the blocks of one journey in terminals of the machine."""

    machine: Machine
    journey: Journey
    terminals: list[Terminal] = field(default_factory=list)
    command: str = ""
    output: str = ""

    def follow(self, block: Block) -> None:
        """Do what a reader does with a block; BlockFailed if it does not work."""
        text = self.filled_in(block)
        match block.action:
            case "run":
                for command in commands_of(text):
                    self.run(command)
            case "until":
                *first, last = commands_of(text)
                for command in first:
                    self.run(command)
                self.start(last, block.argument)
            case "output":
                self.compare(text, block.argument)
            case "file" | "append":
                self.write(block.argument, text, append=block.action == "append")
            case "type":
                *first, last = commands_of(text)
                for command in first:
                    self.run(command)
                self.type(last, block.argument.split(" | "))
            case "settings":
                show(text)
                self.run(f"ENV_FILE=<(cat <<'END'\n{text}END\n) .venv/bin/python manage.py check")
            case "skip":
                show(f"(not run: {block.argument})")

    def filled_in(self, block: Block) -> str:
        """Return the text with the operator's own values in the place of the examples."""
        text = block.text
        for example, value in self.journey.values.items():
            text = text.replace(example, value)
        if "…" in text and block.action in {"run", "until", "type", "append"}:
            raise BlockFailed("the journey has no value for the example in this block")
        return text

    def run(self, command: str) -> None:
        if "git pull" in command:
            self.machine.release(NEW_VERSION)
        show(f"$ {command}")
        started = time.monotonic()
        self.command = command
        status, self.output = self.idle_terminal().run(command)
        show(self.output)
        show_time(started)
        if status:
            raise BlockFailed(f"status {status}")

    def start(self, command: str, text: str) -> None:
        show(f"$ {command}")
        started = time.monotonic()
        shown, self.output = self.idle_terminal().start(command, text)
        show(self.output)
        show_time(started)
        if not shown:
            raise BlockFailed(f"it did not show {text!r}")

    def type(self, command: str, typed: list[str]) -> None:
        """Run a command that reads lines; `typed` has each line and a pattern of its answer."""
        show(f"$ {command}")
        terminal = self.idle_terminal()
        terminal.shell.sendline(command)
        self.output = terminal.type(typed[0::2], typed[1::2])
        show(self.output)
        status, _ = terminal.end_of_input()
        if status:
            raise BlockFailed(f"status {status}")

    def compare(self, text: str, limit: str) -> None:
        """Compare each line with what the last command showed; repeat it for "up to N s"."""
        deadline = time.monotonic() + float(re.sub(r"\D", "", limit) or 0)
        while (line := self.missing_line(text)) and time.monotonic() < deadline:
            _, self.output = self.idle_terminal().run(self.command)
            time.sleep(POLL_S)
        show(f"(it shows)\n{text}")
        if line:
            raise BlockFailed(f"the last command did not show {line!r}, but\n{self.output}")

    def missing_line(self, text: str) -> str | None:
        """Return the first line that the last command did not show; "…" stands for anything."""
        for line in filter(None, map(str.strip, text.splitlines())):
            if not re.search(".*".join(map(re.escape, line.split("…"))), self.output):
                return line
        return None

    def write(self, name: str, text: str, *, append: bool) -> None:
        show(f"({'adds to' if append else 'writes'} {name})\n{text}")
        redirect = f"{'>>' if append else '>'} {name}"
        status, output = self.idle_terminal().run(
            f"mkdir -p $(dirname {name}) && cat {redirect} <<'END-OF-FILE'\n{text}\nEND-OF-FILE"
        )
        if status:
            raise BlockFailed(output)

    def idle_terminal(self) -> Terminal:
        """Return the last terminal, or a new one if a command is running in it."""
        if not self.terminals or self.terminals[-1].busy:
            terminal = self.machine.terminal(self.journey.user)
            self.terminals.append(terminal)
            status, output = terminal.run(
                f"cd ~/chat 2>/dev/null || git clone --quiet {ORIGIN} ~/chat && cd ~/chat"
            )
            if status:
                raise BlockFailed(output)
        return self.terminals[-1]

    def stop(self) -> None:
        """Stop what is running with Ctrl-C, and close the terminals."""
        for terminal in self.terminals:
            if terminal.busy:
                show("(Ctrl-C)")
                started = time.monotonic()
                terminal.interrupt()
                show_time(started)
            terminal.close()


def blocks_of_journey(journey: Journey) -> Iterator[Block]:
    for section in journey.sections:
        page, _, wanted = section.partition("#")
        for block in blocks_of(ROOT, page):
            if wanted in ("", block.section):
                yield block


def follow(machine: Machine, journey: Journey) -> list[str]:
    """Follow a journey; return what did not work."""
    show(f"\n## {journey.name}\n")
    machine.run(f"rm -rf /home/*/chat; git -C {ORIGIN} reset --quiet --hard v0.1.0")
    journey.given(machine)
    reader = Reader(machine, journey)
    failures = []
    started = time.monotonic()
    for block in blocks_of_journey(journey):
        show(f"\n### {block.place} {block.section}\n")
        try:
            reader.follow(block)
        except Exception as error:  # noqa: BLE001 a report names every block that failed
            failures.append(f"{block.place} {block.section}: {error}")
            show(f"FAILED: {error}")
    reader.stop()
    show(f"\n{journey.name}: {time.monotonic() - started:.0f} s, {len(failures)} failures")
    return failures


def publish(machine: Machine) -> None:
    """Put the last commit where the machine clones it, with images that the machine has."""
    target = machine.root / ORIGIN.lstrip("/")
    subprocess.run(["git", "clone", "--quiet", ROOT, target], check=True)
    for name in ("compose.yaml", "Dockerfile"):
        path = target / name
        path.write_text(use_stand_ins(path.read_text()))
    git = ["git", "-C", str(target), "-c", "user.name=Chat", "-c", "user.email=chat@chat.example"]
    subprocess.run([*git, "commit", "--quiet", "-am", "Use the images of this machine"], check=True)
    subprocess.run([*git, "tag", "--force", "v0.1.0"], check=True)
    machine.run(f"git config --system --add safe.directory '*'; chmod -R a+rX {ORIGIN}")


def show(text: str) -> None:
    if text:
        print(text, flush=True)


def show_time(started: float) -> None:
    if (passed := time.monotonic() - started) > SLOW_S:
        print(f"[{passed:.0f} s]", flush=True)


def main(names: list[str]) -> int:
    journeys = [each for each in JOURNEYS if not names or each.name in names]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.umask(0o022)  # the settings make files private
    started, failures = time.monotonic(), []
    with fresh_machine() as machine:
        show(f"The machine is up after {time.monotonic() - started:.0f} s.")
        publish(machine)
        machine.serve_name()
        if any(journey.containers for journey in journeys):
            build_stand_ins(machine)
            show(f"Its images are built after {time.monotonic() - started:.0f} s.")
        for journey in journeys:
            failures += follow(machine, journey)
    skipped = [
        block for each in journeys for block in blocks_of_journey(each) if block.action == "skip"
    ]
    show("\n## Not run\n")
    for block in skipped:
        show(f"{block.place} {block.section}: {block.argument}")
    show(f"\n## {len(failures)} failures in {time.monotonic() - started:.0f} s\n")
    show("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
