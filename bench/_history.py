"""Write sessions into Redis in the format of the scripts, faster than by sending messages."""

import json
import random
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from redis import Redis

from chat.schemas import session_id
from chat.store.keys import session_key, session_keys

WORDS = 4_000
BATCH = 500
CODES = ("model.timeout", "model.unavailable")


def fill_session(redis: Redis, session: str, count: int) -> None:
    """Give an existing session this many messages: turns of a question and a reply."""
    chance = random.Random(count)  # noqa: S311 the same texts in every run
    messages: list[dict[str, Any]] = []
    ids: dict[str, str | int] = {}
    for _ in range(count // 2):
        question, reply = _question(chance, len(messages) + 1), _reply(chance, len(messages) + 2)
        reply["reply_to"] = question["id"]
        messages += [question, reply]
        ids |= {
            f"human:{question['id']}": question["seq"],
            f"bot:{reply['id']}": reply["seq"],
            f"answer:{question['id']}": reply["id"],
            "last": reply["id"],
        }
    if not messages:
        return
    ids["bytes"] = sum(len(json.dumps(message)) for message in messages)
    document = session_key(session, "document")
    redis.execute_command("JSON.SET", document, "$.messages", json.dumps(messages))
    redis.hset(session_key(session, "ids"), mapping=ids)  # type: ignore[arg-type]
    redis.expireat(session_key(session, "ids"), redis.expiretime(document))  # type: ignore[arg-type]


def _question(chance: random.Random, seq: int) -> dict[str, Any]:
    return _message(seq) | {"source": "human", "msg": _text(chance, 12), "reply_to": None}


def _reply(chance: random.Random, seq: int) -> dict[str, Any]:
    total_ms = round(chance.lognormvariate(7.5, 0.8))
    reply = _message(seq) | {
        "source": "bot",
        "msg": _text(chance, 30),
        "finish_reason": "stop",
        "pieces": 40,
        "usage": {"prompt_tokens": 50, "completion_tokens": 40},
        "timings": {"queued_ms": 5, "first_token_ms": total_ms // 4, "total_ms": total_ms},
        "record": {"attempts": 1, "worker": "host:1", "model": "EleutherAI/gpt-j-6b"},
    }
    if chance.random() < 0.02:
        detail = "The model did not answer."
        reply["error"] = {"code": chance.choice(CODES), "detail": detail, "retryable": True}
        del reply["finish_reason"]
    return reply


def _message(seq: int) -> dict[str, Any]:
    return {"seq": seq, "timestamp": int(time.time() * 1000), "id": str(uuid4())}


def _text(chance: random.Random, words: int) -> str:
    return " ".join(f"word{int(chance.paretovariate(0.6)) % WORDS}" for _ in range(words))


def queue_sessions(redis: Redis, tokens: Sequence[str]) -> list[str]:
    """Create a session for each token, with one message that waits for a worker; return the ids.

    Each has waited a millisecond longer than the next one.
    """
    ids = [session_id(token) for token in tokens]
    first_ms = int(time.time() * 1000) - len(ids)
    for start in range(0, len(ids), BATCH):
        with redis.pipeline(transaction=False) as pipeline:
            for number, session in enumerate(ids[start : start + BATCH], start):
                _queue_session(pipeline, session, first_ms + number)
            pipeline.execute()
    return ids


def _queue_session(pipeline: Any, session: str, since_ms: int) -> None:
    keys = session_keys(session)
    question = {"seq": 1, "timestamp": since_ms, "id": str(uuid4()), "source": "human"}
    question |= {"msg": "Hello", "reply_to": None}
    document = {"session_start": since_ms, "id": session, "name": "Bench", "messages": [question]}
    pipeline.execute_command("JSON.SET", keys["document"], "$", json.dumps(document))
    pipeline.hset(keys["ids"], f"human:{question['id']}", 1)
    pipeline.rpush(keys["mailbox"], question["id"])
    pipeline.hset(keys["work"], f"due:{question['id']}", since_ms)
    for name in ("document", "ids", "mailbox", "work"):
        pipeline.expire(keys[name], 7200)
    pipeline.zadd(keys["due"], {session: since_ms + 1_500})
    pipeline.zadd(keys["waiting"], {session: since_ms})
