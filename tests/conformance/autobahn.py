"""Run Autobahn's cases against a WebSocket: `python -m tests.conformance.autobahn URL N CASE…`.

It runs in a process of its own, because the native threads of the client may abort the interpreter
at exit. N cases run at a time. Prints one JSON object, case number → result.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence

from kosoku import FailureError, run_fuzzingclient


async def results(url: str, at_a_time: int, cases: Sequence[str]) -> dict[str, str]:
    """Return each case's result: OK, NON-STRICT, INFORMATIONAL, UNIMPLEMENTED, FAILED or ERROR.

    `cases` are numbers or patterns such as `7.*`. A case whose messages are right but whose close
    is not counts as FAILED.
    """
    try:
        results = await run_fuzzingclient(url, cases, concurrency=at_a_time)
    except FailureError as failure:
        results = failure.results
    return {
        result.case_id: "FAILED"
        if result.behavior.value == "OK" and not result.passed
        else result.behavior.value
        for result in results
    }


if __name__ == "__main__":
    found = asyncio.run(results(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
    print(json.dumps(found))  # noqa: T201 the caller parses it
    sys.stdout.flush()
    os._exit(0)
