"""Tokens and passwords are redacted from log lines, however they are spelled."""

import json
import logging
import time
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from chat.observability.logs import JsonFormatter, TextFormatter, redact
from chat.schemas import session_id

TOKEN = "5f4dcc3b-5aa7-45d6-9d83-27deb882cf99"
DIGITS = TOKEN.replace("-", "")


def quote_all(text: str) -> str:
    return "".join(f"%{ord(each):02X}" for each in text)


SPELLINGS = {
    "plain": TOKEN,
    "upper": TOKEN.upper(),
    "digits": DIGITS,
    "braces": f"{{{TOKEN}}}",
    "urn": f"urn:uuid:{TOKEN}",
    "odd hyphens": f"{DIGITS[:3]}-{DIGITS[3:20]}--{DIGITS[20:]}",
    "quoted": quote_all(TOKEN),
    "quoted digits": quote_all(DIGITS),
    "quoted braces": quote(f"{{{TOKEN}}}", safe=""),
    "quoted urn": quote(f"urn:uuid:{TOKEN}", safe=""),
    "quoted twice": quote_all(quote_all(TOKEN)),
    "quoted hyphens": TOKEN.replace("-", "%2d"),
    "one digit quoted": f"%35{TOKEN[1:]}",
}
PLACES = [
    "/refresh_token?token={}",
    "/refresh_token?%74oken={}",
    "Not Found: /{}",
    "Not Found: /a/{}/b",
    "Not Found: /xyz{}xyz",
    '127.0.0.1:1 - "WebSocket /chat?x=1&tok%65n={}" [accepted]',
    "Authorization: Bearer {}",
    "Invalid HTTP_HOST header: '{}'.",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_token_is_redacted(spelling: str, place: str) -> None:
    line = redact(place.format(SPELLINGS[spelling]))
    assert "***" in line
    for start in range(0, 32, 8):
        assert DIGITS[start : start + 8] not in line.lower().replace("-", "")
    assert quote_all(TOKEN[:8]) not in line


def test_the_password_of_sentinels_is_redacted() -> None:
    line = "redis+sentinel://u:pass@a,b:1/m?sentinel_password=secret&x=1"
    assert redact(line) == "redis+sentinel://***@a,b:1/m?sentinel_password=***&x=1"


def test_other_text_is_unchanged() -> None:
    for line in (
        "GET /static/a%20b.css",
        "Not Found: /100%",
        "Session 01234567 has 12 messages",
        "sha256 " + "0123456789abcdef" * 4,
        f"session {session_id('x')}",
    ):
        assert redact(line) == line


def test_an_unquoted_line_imitates_no_other() -> None:
    assert "\n" not in redact(f"Not Found: /{TOKEN}%0a2026-01-01 ERROR")


def test_the_ids_of_the_log_context_stay() -> None:
    """Session ids look like tokens without hyphens; some even have the bits of a random UUID."""
    record = logging.LogRecord("chat", logging.INFO, "", 0, f"{TOKEN} {uuid4()}", None, None)
    message, session = str(uuid4()), UUID(TOKEN).hex
    vars(record).update(session=session, message_id=message, facts={"name": TOKEN, "seq": 1})
    line = json.loads(JsonFormatter().format(record))
    assert (line["session"], line["message"], line["seq"]) == (session, message, 1)
    assert (line["text"], line["name"]) == ("*** ***", "***")
    text = TextFormatter().format(record)
    assert f"[{session[:8]}/{message[:8]}]" in text
    assert TOKEN not in text


def test_redaction_takes_linear_time() -> None:
    started_at = time.perf_counter()
    for text in ("0-", "%2d", "0", "token=", "://a:", "a://", "{-"):
        redact(text * (60_000 // len(text)))
    assert time.perf_counter() - started_at < 10
