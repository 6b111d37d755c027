"""`make conformance`: run every Autobahn case against both web servers; takes ten minutes.

`python -m tests.conformance [daphne|uvicorn …]` selects servers. Prints one table per server. The
exit status is 1 if a case of RFC 6455 fails that is not a known failure.
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
BEYOND_CONFORMANCE = {9, 12, 13}
CONFORMANCE = [f"{number}.*" for number in GROUPS if number not in BEYOND_CONFORMANCE]
PERFORMANCE = [f"{number}.*" for number in sorted(BEYOND_CONFORMANCE)]


def group(case: str) -> int:
    return int(case.partition(".")[0])


def run(server: str) -> dict[str, str]:
    """Run all cases against a server; return case → result."""
    with Stack(Path(tempfile.mkdtemp()), {}) as stack:
        stack.start_redis()
        web = start(stack, server, ECHO)
        wait_for(lambda: is_serving(web), f"{server} to serve")
        url = f"ws://127.0.0.1:{web.port}/chat"
        # One heavy case at a time: beside others it would last until the server's ping times out.
        return results(url, RULES, TIMEOUT_S) | results(url, HEAVY, TIMEOUT_S, at_a_time=1)


def print_table(server: str, results: dict[str, str]) -> None:
    print(f"\n{server}\n\n| group | cases | passed | unimplemented | failed |")
    print("|---|---|---|---|---|")
    for number, title in GROUPS.items():
        cases = {case: result for case, result in found.items() if group(case) == number}
        counts = Counter(cases.values())
        failed = sorted(failures(cases), key=lambda case: [int(part) for part in case.split(".")])
        passed = len(cases) - len(failed) - counts["UNIMPLEMENTED"]
        print(
            f"| {number} {title} | {len(cases)} | {passed} | {counts['UNIMPLEMENTED']} "
            f"| {', '.join(failed)} |"
        )


def unknown_failures(server: str, results: dict[str, str]) -> set[str]:
    failed = {case for case in failures(results) if group(case) not in BEYOND_CONFORMANCE}
    return failed - KNOWN_FAILURES[server]


def main(servers: list[str]) -> int:
    unknown: set[str] = set()
    for server in servers or list(WEB_SERVERS):
        results = run(server)
        print_table(server, results)
        unknown |= unknown_failures(server, results)
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
