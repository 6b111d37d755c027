"""Random HTTP requests to both web servers: what /openapi.json describes, and anything else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.conftest import TIMEOUT_S, Server, exchange
from tests.fuzz.strategies import ID

pytestmark = pytest.mark.slow

EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "15")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def test_every_documented_operation_responds_as_documented(server: Server, tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"),
        *("--checks", ",".join(CHECKS), "--max-examples", EXAMPLES, "--mode", "all"),
        *(
            "--phases",
            "examples,coverage,fuzzing",
            "--request-timeout",
            str(TIMEOUT_S),
            "--no-color",
        ),
    ]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=3600)
    assert run.returncode == 0, run.stdout[-5000:] + run.stderr[-2000:]
    server.check()


PATHS = (
    *("/", "/test", "/token", "/refresh_token", "/healthz", "/readyz", "/metrics", "/openapi.json"),
    *(
        "/share",
        "/share/x",
        f"/share/{ID}",
        f"/s/{ID}",
        f"/s/{ID}.json",
        "/s/%00",
        "/s/.json",
        "/s/",
    ),
    *("/asyncapi.json", "/docs", "/docs/websocket", "/chat", "/admin/", "/admin/login/"),
    *("/admin/chat/session/", "/static/chat/app.js", "/static/../settings.py", "/i18n/setlang/"),
    *("//", "/%00", "/%ff", "*", "http://[/", "/\x80", "/..%2f..%2fetc/passwd", "/?" + "a&" * 2000),
)
HEADERS = (
    *("Origin", "Host", "Cookie", "Authorization", "Content-Type", "Content-Length", "Accept"),
    *(
        "Accept-Language",
        "Accept-Encoding",
        "If-Modified-Since",
        "If-None-Match",
        "Range",
        "Upgrade",
    ),
    *("Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol"),
    *("X-Forwarded-For", "X-Forwarded-Proto", "X-CSRFToken", "Referer", "traceparent", "Expect"),
)
VALUES = (
    *(
        "http://[",
        "http://a:b",
        "null",
        f"Bearer {ID}",
        "Bearer",
        f"chat_token={ID}",
        "csrftoken=x",
    ),
    *("application/json", "application/json; charset=nonsense", "multipart/form-data"),
    *("multipart/form-data; boundary=", "multipart/form-data; boundary=x", "text/plain; charset=x"),
    *("application/x-www-form-urlencoded; charset=utf-16", "bytes=9-1", "-1", "99999999999"),
    *("websocket", "Upgrade", "13", "chat.v1, token.x", "de;q=x", "*", "gzip;q=9", "\xff\xfe", ""),
    *("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "100-continue", "a" * 5000),
    "application/openmetrics-text; version=1.0.0",
)
BODIES = (
    *(
        b"{}",
        b"[]",
        b'{"name": null}',
        b'{"name": "\\ud800"}',
        b"[" * 20_000,
        b"name=%ff&name=%00",
    ),
    *(b"name=", b"--x\r\n\r\n--x--", b"\xff\xfe", b"--x\r\nContent-Disposition: form-data; name="),
    b"&".join(b"a%d=" % number for number in range(1100)),
)
queries = st.one_of(
    st.sampled_from(["", f"?token={ID}", "?token=x", "?name=Ada", "?name=%00", "?name=%ed%a0%80"]),
    st.text(st.characters(max_codepoint=255), max_size=20).map("?{}".format),
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Return a request, with a body of the length that it declares, mostly."""
    method = draw(
        st.sampled_from(["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "TRACE", "X Y"])
    )
    path = draw(st.sampled_from(PATHS)) + draw(queries)
    names = draw(st.lists(st.sampled_from(HEADERS), max_size=4))
    lines = [f"{name}: {draw(st.sampled_from(VALUES))}" for name in names]
    body = draw(st.one_of(st.just(b""), st.sampled_from(BODIES), st.binary(max_size=50)))
    if "Content-Length" not in names and method in ("POST", "PUT", "DELETE"):
        lines.append(f"Content-Length: {len(body)}")
    if "Host" not in names:
        lines.append("Host: 127.0.0.1")
    head = "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "Connection: close", "", ""])
    return head.encode("latin-1") + body


@given(sent=requests())
@settings(
    max_examples=int(EXAMPLES) * 10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_request_is_a_server_error(server: Server, sent: bytes) -> None:
    response = exchange(server.web.port, sent)
    status = response.split(b" ", 2)[1] if response.startswith(b"HTTP/1.1 ") else b""
    # /readyz is 503 if there is a reason.
    assert not status.startswith(b"5") or b"GET /readyz" in sent, response[:2000]
    server.check()
