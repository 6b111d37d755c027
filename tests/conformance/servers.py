"""Start both web servers with the chat's application or with the echoing one."""

import json
import subprocess
import sys
from collections.abc import Sequence

import requests

from tests.processes import ROOT, WEB_SERVERS, Process, Stack

ECHO = "tests.conformance.echo:application"
MAX_CASE_BYTES = 16 * 1024 * 1024  # the largest message of Autobahn's cases
CHAT = "chatproject.asgi:application"
GROUPS = {
    1: "messages",
    2: "ping and pong",
    3: "reserved bits",
    4: "opcodes",
    5: "fragments",
    6: "UTF-8",
    7: "closing",
    9: "size and speed",
    10: "automatic fragments",
    12: "compression",
    13: "compression with options",
}
# daphne cannot send the empty frames that these cases expect; the chat sends none.
# uvicorn answers a close frame inside a fragmented message with another close code.
KNOWN_FAILURES = {"daphne": {"1.1.1", "1.2.1", "6.1.1", "6.1.2"}, "uvicorn": {"7.1.5"}}


def start(stack: Stack, server: str, application: str) -> Process:
    """Start `server` with the project's command line, but no size limit; does not wait for it."""
    command = (
        WEB_SERVERS[server].replace(CHAT, application).replace(" 262144", f" {MAX_CASE_BYTES}")
    )
    return stack.run(server, command, {})


def is_serving(web: Process) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{web.port}/test", timeout=5).ok
    except requests.RequestException:
        return False


def results(url: str, cases: Sequence[str], timeout_s: float, at_a_time: int = 4) -> dict[str, str]:
    """Return case → result; `cases` are numbers or patterns."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.conformance.autobahn", url, str(at_a_time), *cases],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout))


def failures(found: dict[str, str]) -> set[str]:
    return {case for case, result in found.items() if result in {"FAILED", "ERROR"}}
