"""`make conformance`: run every Autobahn case against both servers and print tables.

It takes about ten minutes. Arguments: daphne, uvicorn or both; without arguments, both. The exit
status is 1 if a case of the protocol's rules fails that is not in KNOWN_FAILURES.
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.conformance.servers import (
    ECHO,
    GROUPS,
    KNOWN_FAILURES,
    failures,
    is_serving,
    results,
    start,
)
from tests.processes import WEB_SERVERS, Stack, wait_for

TIMEOUT_S = 1200
PERFORMANCE_GROUPS = {9, 12, 13}
RULES = [f"{number}.*" for number in GROUPS if number not in PERFORMANCE_GROUPS]
HEAVY = [f"{number}.*" for number in sorted(PERFORMANCE_GROUPS)]


def group(case: str) -> int:
    return int(case.partition(".")[0])


def run(server: str) -> dict[str, str]:
    """Return the result of every case."""
    with Stack(Path(tempfile.mkdtemp()), {}) as stack:
        stack.start_redis()
        web = start(stack, server, ECHO)
        wait_for(lambda: is_serving(web), f"{server} to serve")
        url = f"ws://127.0.0.1:{web.port}/chat"
        # One heavy case at a time: several at once run into the server's ping timeout.
        return results(url, RULES, TIMEOUT_S) | results(url, HEAVY, TIMEOUT_S, at_a_time=1)


def show(server: str, found: dict[str, str]) -> None:
    print(f"\n{server}\n\n| group | cases | passed | not offered | failed |\n|---|---|---|---|---|")
    for number, title in GROUPS.items():
        cases = {case: result for case, result in found.items() if group(case) == number}
        counts = Counter(cases.values())
        failed = sorted(failures(cases), key=lambda case: [int(part) for part in case.split(".")])
        passed = len(cases) - len(failed) - counts["UNIMPLEMENTED"]
        print(
            f"| {number} {title} | {len(cases)} | {passed} | {counts['UNIMPLEMENTED']} "
            f"| {', '.join(failed)} |"
        )


def unknown_failures(server: str, found: dict[str, str]) -> set[str]:
    rules = {case for case in failures(found) if group(case) not in PERFORMANCE_GROUPS}
    return rules - KNOWN_FAILURES[server]


def main(servers: list[str]) -> int:
    unknown: set[str] = set()
    for server in servers or list(WEB_SERVERS):
        found = run(server)
        show(server, found)
        unknown |= unknown_failures(server, found)
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
