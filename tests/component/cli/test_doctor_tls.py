"""The doctor names what is wrong with a server's certificate, whichever library found it."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme
from django.conf import settings
from django.test import override_settings

from chat.cli.doctor import model_server, redis_servers, site
from chat.cli.doctor.conversation import check_socket
from chat.cli.doctor.findings import Finding, Level
from chat.cli.doctor.tls import find_tls_problem

PAST = datetime(2020, 1, 1, tzinfo=UTC)
EXPIRED, OTHER = "its certificate has expired", "its certificate is for another host name"
UNKNOWN = "its certificate is signed by an unknown authority"
NO_TLS = "it does not use TLS at this port"


class NotFound(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serve(certificate: trustme.LeafCert | None) -> Iterator[int]:
    """Serve HTTPS, or HTTP without a certificate, and return the port."""
    server = HTTPServer(("127.0.0.1", 0), NotFound)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients hang up
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that this process trusts."""
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "ca.pem")
    for variable in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(variable, str(tmp_path / "ca.pem"))
    return made


@pytest.fixture(params=[EXPIRED, OTHER, UNKNOWN, NO_TLS])
def broken(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[tuple[int, str]]:
    """The port of a server, and what is wrong with it."""
    certificates: dict[str, Callable[[], trustme.LeafCert | None]] = {
        EXPIRED: lambda: authority.issue_cert("127.0.0.1", not_after=PAST),
        OTHER: lambda: authority.issue_cert("other.example"),
        UNKNOWN: lambda: trustme.CA().issue_cert("127.0.0.1"),
        NO_TLS: lambda: None,
    }
    with serve(certificates[request.param]()) as port:
        yield port, request.param


def only(findings: Iterator[Finding]) -> Finding:
    [finding] = [each for each in findings if each.level is not Level.OK]
    assert finding.level is Level.FAILURE
    return finding


def test_the_site(broken: tuple[int, str]) -> None:
    port, problem = broken
    url = f"https://127.0.0.1:{port}"
    finding = only(site.check_site(url))
    assert finding.text == f"{url}: {problem}"
    if problem == UNKNOWN:
        assert "REQUESTS_CA_BUNDLE" in finding.advice


def test_redis(broken: tuple[int, str], tmp_path: Path) -> None:
    port, problem = broken
    url = f"rediss://:secret@127.0.0.1:{port}/0"
    tls = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    with override_settings(REDIS_TLS={url: tls | {"ssl_ca_certs": str(tmp_path / "ca.pem")}}):
        finding = only(redis_servers.check_server(url, ["REDIS_URL"]))
    assert finding.text == f"REDIS_URL: {problem}"
    if problem == UNKNOWN:
        assert "REDIS_CA_FILE" in finding.advice


def test_the_model_server(broken: tuple[int, str], tmp_path: Path) -> None:
    port, problem = broken
    [model] = settings.MODELS
    endpoint = replace(
        model.endpoints[0],
        api="completions",
        url=f"https://127.0.0.1:{port}/v1/completions",
        ca_file=str(tmp_path / "ca.pem"),
    )
    with override_settings(MODELS=(replace(model, endpoints=(endpoint,)),)):
        finding = only(model_server.check_model_server())
    assert finding.text == f"The model server: {problem}"
    if problem == UNKNOWN:
        assert "MODEL_CA_FILE" in finding.advice


def test_a_certificate_that_is_trusted_is_no_problem(authority: trustme.CA) -> None:
    with serve(authority.issue_cert("127.0.0.1")) as port:
        [finding, *_] = site.check_site(f"https://127.0.0.1:{port}")
        assert finding.text.endswith("is another application (status 404)")
        [refused] = check_socket(f"https://127.0.0.1:{port}", "token", 0)
        assert refused.text == "The WebSocket does not open (status 404)"


def test_other_errors_are_no_tls_problem() -> None:
    assert find_tls_problem(ConnectionResetError()) is None
    loop = OSError("a")
    loop.__cause__ = ValueError(loop)
    assert find_tls_problem(loop) is None
