"""Start both web servers, with the chat's route or with a route that echoes."""

import json
import subprocess
import sys
from collections.abc import Sequence

import requests

from tests.processes import ROOT, WEB_SERVERS, Running, Stack

ECHO = "tests.conformance.echo:application"
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
# daphne cannot send an empty frame, which these cases expect back; the chat sends none.
# uvicorn responds to a close frame in the middle of a message with another close code.
KNOWN_FAILURES = {"daphne": {"1.1.1", "1.2.1", "6.1.1", "6.1.2"}, "uvicorn": {"7.1.5"}}


def start(stack: Stack, server: str, application: str) -> Running:
    """Start `server` with the Procfile's command; does not wait until it serves."""
    return stack.run(server, WEB_SERVERS[server].replace(CHAT, application), {})


def is_serving(web: Running) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{web.port}/test", timeout=5).ok
    except requests.RequestException:
        return False


def run_cases(
    url: str, cases: Sequence[str], timeout_s: float, concurrency: int = 4
) -> dict[str, str]:
    """Run cases in a separate process; return case → result. `cases` are numbers or patterns."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.conformance.autobahn", url, str(concurrency), *cases],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout))


def failures(results: dict[str, str]) -> set[str]:
    return {case for case, result in results.items() if result in {"FAILED", "ERROR"}}
