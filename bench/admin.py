"""Measure the admin with many sessions: its pages, and the cost of its search index per message.

`python -m bench.admin [sessions]` fills an embedded Redis of its own and requests pages through
Django's test client, which runs everything except the socket.
"""

import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

SESSIONS = 100_000
TIMES = 15
BATCH = 500
HOUR_MS = 3_600_000
CODES = ("model.timeout", "model.unavailable", "model.overloaded", "reply.deadline")
NAMES = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Margaret", "Tony", "Frances")


def run(count: int = SESSIONS) -> Iterator[str]:
    """Yield one line for each measurement.

    It runs in a separate process, since it uses the tests' settings.
    """
    command = [sys.executable, "-m", "bench.admin", str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield from (line.rstrip() for line in process.stdout or ())
    if process.returncode:
        yield f"exited with status {process.returncode}"


def measure(count: int) -> Iterator[str]:
    """Measure in this process."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from django.conf import settings

    from tests.processes import Stack

    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        environment = {
            "DATA_DIR": str(settings.DATA_DIR),
            "EMBEDDED_REDIS_PORT": str(settings.EMBEDDED_REDIS_PORT),
        }
        with Stack(Path(folder), environment) as stack:
            stack.start_redis()
            yield from _measure(count)


def fill(count: int, spread_ms: int = 23 * HOUR_MS) -> None:
    """Write sessions in the format of the scripts, started in the last `spread_ms`."""
    from chat.container import store

    now_ms = int(time.time() * 1000)
    chance = random.Random(7)  # noqa: S311 the same sessions in every run
    ids = [f"{chance.getrandbits(128):032x}" for _ in range(count)]
    for start in range(0, count, BATCH):
        with store().redis.pipeline(transaction=False) as pipeline:
            for session in ids[start : start + BATCH]:
                document = _document(chance, session, now_ms - chance.randrange(spread_ms))
                key = f"chat:{{{session}}}:document"
                pipeline.execute_command("JSON.SET", key, "$", json.dumps(document))
                pipeline.pexpireat(key, now_ms + 24 * HOUR_MS)
            pipeline.execute()


def _document(chance: random.Random, session: str, started_ms: int) -> dict[str, Any]:
    at_ms, messages = started_ms, []
    for turn in range(chance.randint(0, 6)):
        human = {
            "seq": 2 * turn + 1,
            "timestamp": at_ms,
            "id": str(uuid4()),
            "source": "human",
            "msg": _text(chance, 12),
            "reply_to": None,
        }
        total_ms = round(chance.lognormvariate(7.5, 0.8))
        at_ms += total_ms
        messages += [human, _reply(chance, human, at_ms, total_ms)]
        at_ms += chance.randrange(60_000)
    return {
        "session_start": started_ms,
        "id": session,
        "name": f"{chance.choice(NAMES)} {_text(chance, 1).capitalize()}",
        "messages": messages,
    }


def _reply(
    chance: random.Random, human: dict[str, Any], at_ms: int, total_ms: int
) -> dict[str, Any]:
    reply = {
        "seq": human["seq"] + 1,
        "timestamp": at_ms,
        "id": str(uuid4()),
        "source": "bot",
        "msg": _text(chance, 30),
        "reply_to": human["id"],
        "finish_reason": "stop",
        "pieces": 40,
        "usage": {"prompt_tokens": 50, "completion_tokens": 40},
        "timings": {
            "queued_ms": total_ms // 20,
            "first_token_ms": total_ms // 4,
            "total_ms": total_ms,
        },
        "record": {"attempts": 1, "worker": "host:1", "model": "EleutherAI/gpt-j-6b"},
    }
    if chance.random() < 0.02:
        code = chance.choice(CODES)
        reply["error"] = {"code": code, "detail": "The model did not answer.", "retryable": True}
        del reply["finish_reason"]
    return reply


def _text(chance: random.Random, words: int) -> str:
    return " ".join(_word(chance) for _ in range(words))


def _word(chance: random.Random) -> str:
    """Return a random word; as in a language, few words are frequent and many are rare."""
    number = int(chance.paretovariate(0.6)) % 40_000
    syllables = []
    for _ in range(4):
        number, syllable = divmod(number, 20)
        syllables.append("bacodufegihojukolamenopaquresitovuwaxeyozuchasthe"[syllable * 2 :][:2])
        if not number:
            break
    return "".join(syllables)


def _measure(count: int) -> Iterator[str]:
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    client = Client()
    client.force_login(User.objects.create_superuser("bench"))
    before_ms = _exchange_ms(20), _exchange_ms(200)
    started = time.perf_counter()
    fill(count)
    yield f"{count:,} sessions written in {time.perf_counter() - started:.0f} s"
    yield f"index built in {_index_s(client):.0f} s"
    for length, before, after in zip(
        (40, 400), before_ms, (_exchange_ms(20), _exchange_ms(200)), strict=True
    ):
        yield (
            f"a message and its reply stored, in a session that grows to {length} messages:"
            f" {before:.2f} ms without the index, {after:.2f} ms with it"
        )
    yield _memory()
    words = Counter(_word(random.Random(n)) for n in range(2_000))  # noqa: S311
    frequent, _ = words.most_common(2)[1]
    rare = min(words, key=lambda word: (words[word], -len(word)))
    first = _first_id(client)
    for name, query in PAGES.items():
        filled = query.format(
            last=min(count // 50, 100), frequent=frequent, rare=rare, id=first[:6]
        )
        yield _timed(name, partial(client.get, f"/admin/chat/session/{filled}"))
    session = _first_id(client, "?failures=yes")
    yield _timed("a session's page", lambda: client.get(f"/admin/chat/session/{session}/change/"))
    yield _timed("dashboard", lambda: client.get("/admin/chat/session/dashboard/"))


PAGES = {
    "first page": "",
    "last page": "?p={last}",
    "sorted by name": "?o=1",
    "search: a frequent word": "?q={frequent}",
    "search: two words": "?q={frequent}+{rare}",
    "search: a rare word": "?q={rare}",
    "search: beginning of a session ID": "?q={id}",
    "filter: failed": "?state=failed",
    "filter: idle": "?state=idle",
    "filter: any failure": "?failures=yes",
    "filter: slow replies": "?slow=15",
    "filter: around a time": "?around=09:10",
    "search and filters with counts": "?q={frequent}&failures=yes&_facets=True",
}


def _timed(name: str, ask: Callable[[], Any]) -> str:
    times_ms, process_ms = [], []
    for _ in range(TIMES):
        started, started_own = time.perf_counter(), time.process_time()
        response = ask()
        process_ms.append((time.process_time() - started_own) * 1000)
        times_ms.append((time.perf_counter() - started) * 1000)
        assert response.status_code == 200, response  # noqa: S101
    counted = re.search(r'class="paginator".*?(\d+) session', response.content.decode(), re.DOTALL)
    results = f", {int(counted[1]):,} found" if counted else ""
    return (
        f"{name}: median {statistics.median(times_ms):.0f} ms,"
        f" {min(times_ms):.0f} to {max(times_ms):.0f} ms,"
        f" {statistics.median(process_ms):.0f} ms of it in this process{results}"
    )


def _first_id(client: Any, query: str = "") -> str:
    page = client.get(f"/admin/chat/session/{query}").content.decode()
    found = re.search(r"/admin/chat/session/(\w{32})/change/", page)
    assert found, page  # noqa: S101
    return found[1]


def _index_s(client: Any) -> float:
    started = time.perf_counter()
    while "being built" in client.get("/admin/chat/session/").content.decode():
        time.sleep(0.2)
    return time.perf_counter() - started


def _memory() -> str:
    from chat.container import store

    used = store().redis.info("memory")["used_memory_human"]
    return f"Redis uses {used}, index included"


def _exchange_ms(rounds: int) -> float:
    """Return how long storing a message and its reply takes, with this many in one session."""
    from chat.container import limits, store
    from chat.schemas import NewReply, Record, Timings
    from chat.store import leases, sessions

    session, times_ms, chance = uuid4().hex, [], random.Random(1)  # noqa: S311
    redis = store()
    allowed = replace(
        limits(),
        messages_per_minute=10_000,
        messages_per_minute_per_ip=10_000,
        bytes_per_minute_per_ip=100_000_000,
    )
    redis.run(sessions.create(session, "Ada", address=session, limits=limits()))
    for _ in range(rounds):
        message, reply = uuid4(), uuid4()
        started = time.perf_counter()
        text = _text(chance, 12)
        redis.run(sessions.accept(session, message, text, address=session, limits=allowed))
        redis.run(leases.take(session, "bench", reply, history=4))
        outcome = NewReply(
            id=reply,
            msg=_text(chance, 30),
            reply_to=message,
            finish_reason="stop",
            pieces=30,
            usage=None,
            timings=Timings(queued_ms=1, first_token_ms=2, total_ms=3),
            error=None,
            replaces=None,
            record=Record(attempts=1, worker="bench", model="bench"),
        )
        redis.run(leases.commit(session, "bench", outcome, ttl_s=60))
        times_ms.append((time.perf_counter() - started) * 1000)
    return statistics.median(times_ms)


if __name__ == "__main__":
    for line in measure(int(sys.argv[1]) if len(sys.argv) > 1 else SESSIONS):
        print(line, flush=True)  # noqa: T201
