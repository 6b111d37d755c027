"""What another visitor notices of an attack, and what it costs the web process in memory.

One visitor sends messages while one attack runs. Attacker, visitor and site share this machine's
cores, so compare with the first line, `nothing`.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import redis
import requests

from bench._attackers import ATTACKS
from bench._load import site, spread
from tests.client import Client
from tests.processes import WEB_SERVERS, Stack

# The defaults, but for the visitor's own messages.
LIMITS = {
    "MESSAGES_PER_MINUTE": "600",
    "MESSAGES_PER_MINUTE_PER_IP": "10000",
    "BYTES_PER_MINUTE_PER_IP": "10000000",
    "READS_PER_MINUTE": "60",
    "READS_PER_MINUTE_PER_IP": "240",
    "UNKNOWN_TOKENS_PER_MINUTE_PER_IP": "120",
    "SOCKETS_PER_IP": "20",
}
MESSAGES = 60
SAMPLES = 5
PAUSE_S = 0.12
LONG_MESSAGES = 2_250
LONG_TEXT = "a" * 2_000


def run() -> Iterator[str]:
    """Run every attack on each web server."""
    for server in WEB_SERVERS:
        for attack in ATTACKS:
            with site(server, **LIMITS) as (stack, _):
                yield f"{server:8} {attack:17} {asyncio.run(_measure(stack, attack))}"


async def _measure(stack: Stack, attack: str) -> str:
    token, visitor = _create_session(stack), _create_session(stack)
    _fill(stack, token)
    async with Client(stack.ws_url, visitor) as client:
        await _round_trips_ms(client, 10)
        command = [sys.executable, "-m", "bench._attackers", attack, stack.url, token]
        curve = [_memory_mb(stack)]
        with subprocess.Popen(command) as attacker:  # noqa: ASYNC220 it starts at once
            try:
                await asyncio.sleep(1)
                took_ms = []
                for _ in range(SAMPLES):
                    took_ms += await _round_trips_ms(client, MESSAGES // SAMPLES)
                    curve.append(_memory_mb(stack))
            finally:
                attacker.kill()
    return (
        f"{spread(took_ms)}, max {max(took_ms):.0f} ms; web process {' '.join(map(str, curve))} MB"
    )


async def _round_trips_ms(client: Client, count: int) -> list[float]:
    took_ms = []
    for _ in range(count):
        await asyncio.sleep(PAUSE_S)
        start = time.perf_counter()
        await client.wait_for_reply(await client.send_message("hello"))
        took_ms.append((time.perf_counter() - start) * 1000)
    return took_ms


def _create_session(stack: Stack) -> str:
    response = requests.post(f"{stack.url}/token", params={"name": "Ada"}, timeout=10)
    return str(response.json()["token"])


def _fill(stack: Stack, token: str) -> None:
    """Write 4.5 MB of messages into a session's document, as a visitor could have sent them."""
    session = sha256(token.encode()).hexdigest()[:32]
    now = round(time.time() * 1000)
    messages = [
        {
            "id": str(uuid4()),
            "seq": seq,
            "source": "human",
            "msg": LONG_TEXT,
            "reply_to": None,
            "timestamp": now,
        }
        for seq in range(1, LONG_MESSAGES + 1)
    ]
    with redis.Redis.from_url(stack.redis_url) as client:
        key = f"chat:{{{session}}}:document"
        client.execute_command("JSON.SET", key, "$.messages", json.dumps(messages))


def _memory_mb(stack: Stack) -> int:
    """Return the memory of the web process."""
    [web] = [process for process in stack.processes if process.name == "web"]
    status = Path(f"/proc/{web.pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(resident.split()[1]) // 1024
