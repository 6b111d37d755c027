"""Drive Autobahn's cases against a WebSocket: `python -m tests.conformance.autobahn URL [CASES]`.

A process of its own, because the driver's native threads may abort the interpreter they live in
when it ends. Prints one JSON object, case number → verdict.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence

from kosoku import FailureError, run_fuzzingclient

CONCURRENCY = 4


async def verdicts(url: str, cases: Sequence[str]) -> dict[str, str]:
    """Return what each case found: OK, NON-STRICT, INFORMATIONAL, UNIMPLEMENTED, FAILED or ERROR.

    `cases` are numbers or patterns such as `7.*`. A case whose messages are right but whose close
    is not counts as FAILED.
    """
    try:
        results = await run_fuzzingclient(url, cases, concurrency=CONCURRENCY)
    except FailureError as failure:
        results = failure.results
    return {
        result.case_id: "FAILED"
        if result.behavior.value == "OK" and not result.passed
        else result.behavior.value
        for result in results
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(verdicts(sys.argv[1], sys.argv[2:] or ["*"]))))  # noqa: T201 its output is for a program
    sys.stdout.flush()
    os._exit(0)
