"""The Caddyfile of compose.yaml: TLS in front of a web process."""

import json
import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from socket import create_connection
from typing import Any
from uuid import uuid4

import pytest
import requests
import urllib3
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.acceptance.service.production import HOST, ORIGIN, PROCFILE, Deployment, is_listening
from tests.ports import free_port
from tests.processes import ROOT, Process

pytestmark = pytest.mark.slow

CHAT_V1: Any = ["chat.v1"]


class Caddy:
    """A running Caddy, and clients that trust its certificate."""

    def __init__(self, deployment: Deployment, folder: Path) -> None:
        self.deployment = deployment
        self.http_port, self.https_port = free_port(), free_port()
        self.web = self.start_web(free_port())
        self.certificate = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        configuration = (ROOT / "deploy" / "Caddyfile").read_text()
        for old, new in {
            "http_port 8080": f"http_port {self.http_port}",
            "https_port 8443": f"https_port {self.https_port}",
            "dynamic a web 3500": f"dynamic a localhost {self.web.port}",
        }.items():
            assert old in configuration
            configuration = configuration.replace(old, new)
        (folder / "Caddyfile").write_text(configuration)
        environment = {
            "SITE_ADDRESS": HOST,
            "CADDY_OPTIONS": "local_certs\nskip_install_trust",
            "XDG_DATA_HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder),
        }
        command = f"caddy run --config {folder}/Caddyfile --adapter caddyfile"
        self.process: Process = deployment.stack.run("caddy", command, environment)
        self.process.wait_until(
            lambda: is_listening(self.https_port) and self.certificate.exists(), "to serve"
        )

    def start_web(self, port: int) -> Process:
        """Start a web process that trusts its proxy's headers, as in compose.yaml."""
        environment = {"PORT": str(port), "FORWARDED_ALLOW_IPS": "*"}
        web = self.deployment.stack.run("web", PROCFILE["web"], environment)
        self.deployment.wait_until_ready(web)
        return web

    def request(
        self,
        method: str,
        path: str,
        address: str = "127.0.0.1",
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Send a request from a loopback address."""
        with urllib3.HTTPSConnectionPool(
            "127.0.0.1",
            self.https_port,
            server_hostname=HOST,
            assert_hostname=HOST,
            ca_certs=str(self.certificate),
            source_address=(address, 0),
            retries=False,
            timeout=20,
        ) as pool:
            return pool.request(method, path, headers={"Host": HOST} | dict(headers or {}))

    def open_socket(self, token: str) -> ClientConnection:
        return connect(
            f"wss://{HOST}/chat?token={token}",
            sock=create_connection(("127.0.0.1", self.https_port)),
            ssl=ssl.create_default_context(cafile=str(self.certificate)),
            subprotocols=CHAT_V1,
            origin=Origin(ORIGIN),
        )


@pytest.fixture(scope="module")
def caddy(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caddy]:
    caddy = Caddy(deployment, tmp_path_factory.mktemp("caddy"))
    yield caddy
    caddy.process.stop()
    caddy.web.stop()


def unused_address() -> str:
    """Return a loopback address that no other test uses."""
    numbers = uuid4().bytes
    return f"127.{numbers[0]}.{numbers[1]}.{numbers[2] or 1}"


def new_token(caddy: Caddy) -> str:
    response = caddy.request("POST", "/token?name=Ada", unused_address())
    assert response.status == 200, response.data
    token: str = response.json()["token"]
    return token


def test_http_is_redirected_to_https(caddy: Caddy) -> None:
    url = f"http://127.0.0.1:{caddy.http_port}/?a=b"
    response = requests.get(url, headers={"Host": HOST}, allow_redirects=False, timeout=10)
    assert response.status_code == 308
    assert response.headers["Location"] == f"{ORIGIN}/?a=b"


def test_the_page_is_served_over_https(caddy: Caddy) -> None:
    page = caddy.request("GET", "/")
    assert page.status == 200
    assert "Strict-Transport-Security" in page.headers, "the site knows that this is https"
    (file, *_) = re.findall(r'src="(/static/[^"]+)"', page.data.decode())
    assert caddy.request("GET", file).status == 200


def test_a_conversation_goes_through(caddy: Caddy) -> None:
    with caddy.open_socket(new_token(caddy)) as socket:
        assert json.loads(socket.recv(5))["type"] == "session.ready"
        socket.send(json.dumps({"type": "message.send", "id": str(uuid4()), "msg": "hello"}))
        frames = [json.loads(socket.recv(20))]
        while frames[-1]["type"] not in {"reply.completed", "reply.failed", "error"}:
            frames.append(json.loads(socket.recv(20)))
    assert frames[-1]["type"] == "reply.completed"


def test_a_client_cannot_choose_its_address(caddy: Caddy) -> None:
    address = unused_address()
    codes = [
        caddy.request(
            "POST", "/token?name=Ada", address, headers={"X-Forwarded-For": f"203.0.113.{number}"}
        ).status
        for number in range(7)
    ]
    assert codes == [200] * 6 + [429]


def test_each_client_has_limits_of_its_own(caddy: Caddy) -> None:
    codes = [caddy.request("POST", "/token?name=Ada", unused_address()).status for _ in range(7)]
    assert codes == [200] * 7


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/%6detrics", "//metrics", "/metrics/"])
def test_operator_routes_are_not_reachable(caddy: Caddy, path: str) -> None:
    assert caddy.request("GET", path).status == 404


def test_the_log_contains_no_token_when_the_web_process_is_away(caddy: Caddy) -> None:
    token = new_token(caddy)
    with caddy.open_socket(token) as socket:
        socket.recv(5)
        caddy.web.kill()
        response = caddy.request("GET", f"/refresh_token?token={token}")
    caddy.web = caddy.start_web(caddy.web.port)
    assert response.status == 502
    caddy.process.wait_until(lambda: "refused" in caddy.process.output(), "to log the failure")
    assert token not in caddy.process.output()
    assert caddy.request("GET", "/test").status == 200
