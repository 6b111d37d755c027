"""Production as compose.yaml runs it: nginx in front of two web processes, APP_ENV=production."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from socket import create_connection
from typing import Any
from uuid import uuid4

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from chat.store.shares import new_secret
from tests.acceptance.service.production import HOST, ORIGIN, TEMPLATE, Deployment, settings
from tests.conftest import NewStack
from tests.ports import free_port

CHAT_V1: Any = ["chat.v1"]
# The headers that a TLS proxy adds.
HTTPS = {"Host": HOST, "X-Forwarded-Proto": "https"}


def unused_address() -> str:
    """Return an IP address that no other test uses."""
    numbers = uuid4().bytes
    return f"203.{numbers[0]}.{numbers[1]}.{numbers[2]}"


def post_token(deployment: Deployment, address: str) -> requests.Response:
    headers = HTTPS | {"X-Forwarded-For": address}
    return requests.post(
        f"{deployment.url}/token", params={"name": "Ada"}, headers=headers, timeout=10
    )


def open_socket(
    deployment: Deployment, token: str, address: str, origin: str = ORIGIN
) -> ClientConnection:
    return connect(
        f"ws://{HOST}/chat?token={token}",
        sock=create_connection(("127.0.0.1", deployment.port)),
        subprotocols=CHAT_V1,
        origin=Origin(origin),
        additional_headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": address},
    )


def test_a_conversation_works_through_the_proxy(deployment: Deployment) -> None:
    address = unused_address()
    token = post_token(deployment, address).json()["token"]
    with open_socket(deployment, token, address) as socket:
        assert json.loads(socket.recv(5))["type"] == "session.ready"
        frame = {"type": "message.send", "id": str(uuid4()), "msg": "hello"}
        socket.send(json.dumps(frame))
        kinds = []
        while "reply.completed" not in kinds:
            kinds.append(json.loads(socket.recv(10))["type"])
    assert kinds[0] == "message.accepted"
    assert "reply.delta" in kinds


def test_an_idle_socket_stays_open_beyond_the_proxys_timeouts(deployment: Deployment) -> None:
    address = unused_address()
    token = post_token(deployment, address).json()["token"]
    with open_socket(deployment, token, address) as socket:
        socket.recv(5)
        with pytest.raises(TimeoutError):
            socket.recv(5)  # nginx waits 3 s here
        socket.send(json.dumps({"type": "session.sync"}))
        assert json.loads(socket.recv(5))["type"] == "session.ready"


def test_the_shipped_timeouts_are_longer_than_three_ping_intervals() -> None:
    timeouts_s = re.findall(r"proxy_(?:read|send)_timeout (\d+)s", TEMPLATE.read_text())
    ping_interval_s = 20  # uvicorn's default
    assert [int(timeout) > 3 * ping_interval_s for timeout in timeouts_s] == [True, True]


def test_limits_apply_to_the_clients_address_not_the_proxys(deployment: Deployment) -> None:
    one, another = unused_address(), unused_address()
    codes = [post_token(deployment, one).status_code for _ in range(7)]
    assert codes == [200] * 6 + [429]
    assert post_token(deployment, another).status_code == 200


def test_sockets_are_limited_by_address_over_all_web_processes(deployment: Deployment) -> None:
    address = unused_address()
    tokens = [post_token(deployment, address).json()["token"] for _ in range(3)]
    with ExitStack() as opened:
        sockets = [
            opened.enter_context(open_socket(deployment, token, address)) for token in tokens
        ]
        first = [json.loads(socket.recv(5)) for socket in sockets]
        with pytest.raises(ConnectionClosed):
            sockets[2].recv(5)
    assert [frame["type"] for frame in first] == ["session.ready", "session.ready", "error"]
    assert first[2]["code"] == "rate.limited"


def test_a_client_cannot_choose_its_address(deployment: Deployment) -> None:
    """Addresses before the one that the trusted proxy added come from the client."""
    real = unused_address()
    codes = [post_token(deployment, f"{unused_address()}, {real}").status_code for _ in range(7)]
    assert codes == [200] * 6 + [429]


def test_without_a_declared_proxy_the_header_is_ignored(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment, "port", free_port())
    monkeypatch.setattr(deployment, "trusted_proxies", "")
    nginx = deployment.start_nginx({})
    codes = [post_token(deployment, unused_address()).status_code for _ in range(7)]
    nginx.stop()
    assert codes == [200] * 6 + [429]


def test_one_address_cannot_send_requests_without_limit(deployment: Deployment) -> None:
    headers = HTTPS | {"X-Forwarded-For": unused_address()}

    def get(_: int) -> int:
        return requests.get(f"{deployment.url}/test", headers=headers, timeout=10).status_code

    with ThreadPoolExecutor(16) as pool:
        codes = list(pool.map(get, range(600)))
    assert set(codes) == {200, 429}


def test_a_socket_from_another_origin_is_rejected(deployment: Deployment) -> None:
    token = post_token(deployment, address := unused_address()).json()["token"]
    with pytest.raises(InvalidStatus) as rejected:
        open_socket(deployment, token, address, origin="https://evil.example")
    assert rejected.value.response.status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", f"{HOST}.evil.example", f"a@{HOST}"])
def test_a_socket_to_another_host_is_rejected(deployment: Deployment, host: str) -> None:
    """DNS rebinding: a page of the host itself may connect, so the host must be the site's."""
    token = post_token(deployment, unused_address()).json()["token"]
    for port in (deployment.port, deployment.webs[0].port):
        with pytest.raises(InvalidStatus) as rejected:
            connect(
                f"ws://127.0.0.1/chat?token={token}",
                sock=create_connection(("127.0.0.1", port)),
                subprotocols=CHAT_V1,
                origin=Origin(f"http://{host}"),
                additional_headers={"Host": host},
            )
        assert rejected.value.response.status_code in {400, 403}


def test_the_page_and_its_files_are_served(deployment: Deployment) -> None:
    page = requests.get(deployment.url, headers=HTTPS, timeout=10)
    assert page.status_code == 200
    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
    assert files
    for file in files:
        response = requests.get(f"{deployment.url}{file}", headers=HTTPS, timeout=10)
        assert response.status_code == 200, file
    assert requests.get(f"{deployment.url}/static/admin/css/base.css", headers=HTTPS, timeout=10).ok


def test_the_admin_works_behind_https(deployment: Deployment) -> None:
    session = requests.Session()
    page = session.get(f"{deployment.url}/admin/login/", headers=HTTPS, timeout=10)
    assert page.status_code == 200
    assert "Strict-Transport-Security" in page.headers
    assert all(cookie.secure for cookie in session.cookies)


def test_an_unknown_host_name_is_rejected(deployment: Deployment) -> None:
    response = requests.get(deployment.url, headers={"Host": "evil.example"}, timeout=10)
    assert response.status_code == 400
    assert "Traceback" not in response.text


def test_operator_routes_are_not_reachable_through_the_proxy(deployment: Deployment) -> None:
    for path in ("/metrics", "/readyz"):
        assert requests.get(f"{deployment.url}{path}", headers=HTTPS, timeout=10).status_code == 404
        inside = f"http://127.0.0.1:{deployment.webs[0].port}{path}"
        assert requests.get(inside, timeout=10).status_code == 200


def test_the_proxy_skips_a_web_process_that_died(deployment: Deployment) -> None:
    deployment.webs[0].kill()
    token = post_token(deployment, address := unused_address()).json()["token"]
    for _ in range(4):
        with open_socket(deployment, token, address) as socket:
            assert json.loads(socket.recv(5))["type"] == "session.ready"
    deployment.webs[0] = deployment.start_web(deployment.webs[0].port)


def test_the_proxys_log_contains_no_token(deployment: Deployment) -> None:
    token = post_token(deployment, address := unused_address()).json()["token"]
    with open_socket(deployment, token, address) as socket:
        socket.recv(5)
    log = deployment.stack.running("nginx")[0]
    log.wait_until(lambda: f"{address} GET /chat 101" in log.output(), "to log the socket")
    link = new_secret("a session")
    for path in (f"/s/{link}", f"/s/{link}.json", f"//s/{link}", f"/%73/{link}", f"/x/{link}/y"):
        assert requests.get(deployment.url + path, headers=HTTPS, timeout=10).status_code == 404
    log.wait_until(lambda: log.output().count("GET /s/*** 404") == 4, "to log the links")
    assert log.output().count("GET *** 404") == 1
    for process in deployment.stack.processes:
        assert token not in process.output()
        assert link not in process.output()


@pytest.mark.parametrize(
    "variable", ["SECRET_KEY", "ALLOWED_HOSTS", "CORS_ALLOWED_ORIGINS", "REDIS_URL"]
)
def test_production_does_not_start_without_a_required_setting(
    new_stack: NewStack, variable: str
) -> None:
    process = new_stack(**settings() | {variable: ""}).run("check", "python manage.py check", {})
    assert process.process.wait(30) != 0
    assert variable in process.output()
