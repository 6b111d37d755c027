"""What one visitor and one address may cost, with the limits that a new site has."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
import requests
from websockets.sync.client import ClientConnection

from tests.acceptance.attacks.conftest import Target, start_targets
from tests.acceptance.attacks.test_websocket_floods import TIMEOUT_S, open_socket
from tests.model_stub import ModelStub
from tests.processes import WEB_SERVERS, Stack

READS_PER_MINUTE = 60
# More than two windows allow, because one may end in the middle of a test.
TOO_MANY_READS = 2 * READS_PER_MINUTE + 1
TOO_MANY_UNKNOWN_TOKENS = 2 * 120 + 1


@pytest.fixture(scope="module")
def default_targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Target]]:
    """Both web servers with default limits, but for conversations that are soon full."""
    with ModelStub() as model:
        environment = {
            "MODEL_URL": model.endpoint("huggingface"),
            "MAX_SESSION_MESSAGES": "4",
            "TOKENS_PER_MINUTE_PER_IP": "1000",
        }
        with Stack(tmp_path_factory.mktemp("budgets"), environment) as stack:
            stack.start()
            yield start_targets(stack)


@pytest.fixture(params=list(WEB_SERVERS))
def site(default_targets: dict[str, Target], request: pytest.FixtureRequest) -> Target:
    return default_targets[request.param]


def receive(client: ClientConnection, *types: str) -> dict[str, Any]:
    while (frame := json.loads(client.recv(TIMEOUT_S)))["type"] not in types:
        pass
    return dict(frame)


def test_reading_the_history_again_and_again_is_refused(site: Target) -> None:
    url = f"{site.url}/refresh_token?token={site.create_session()}"
    with ThreadPoolExecutor(8) as pool:
        attempts = range(TOO_MANY_READS)
        found = list(pool.map(lambda _: requests.get(url, timeout=TIMEOUT_S), attempts))
    statuses = [response.status_code for response in found]
    assert set(statuses) == {200, 429}
    assert READS_PER_MINUTE <= statuses.count(200) <= 2 * READS_PER_MINUTE
    refused = next(response for response in found if response.status_code == 429)
    assert 1 <= int(refused.headers["Retry-After"]) <= 60


def test_a_socket_that_loops_over_its_history_is_refused_and_stays_open(site: Target) -> None:
    with open_socket(site, site.create_session()) as client:
        reads, frame = 0, {"type": "session.ready"}
        while reads < TOO_MANY_READS and frame["type"] != "error":
            client.send(json.dumps({"type": "session.sync", "after": 0}))
            frame, reads = receive(client, "session.ready", "error"), reads + 1
        assert frame["code"] == "rate.limited"
        assert reads >= READS_PER_MINUTE
        client.send(json.dumps({"type": "message.send", "id": str(uuid4()), "msg": "hello"}))
        assert receive(client, "message.accepted")


def test_a_full_conversation_says_so_and_another_one_works(site: Target) -> None:
    with open_socket(site, site.create_session()) as client:
        for _ in range(2):
            client.send(json.dumps({"type": "message.send", "id": str(uuid4()), "msg": "hello"}))
            assert receive(client, "reply.completed", "reply.failed")
        client.send(json.dumps({"type": "message.send", "id": str(uuid4()), "msg": "hello"}))
        error = receive(client, "error")
    assert error["code"] == "session.full"
    with open_socket(site, site.create_session()) as client:
        assert receive(client, "session.ready")


def test_unknown_tokens_are_refused_without_asking_redis(site: Target) -> None:
    def reject_address() -> None:
        """Use unknown tokens until the address is refused."""
        with requests.Session() as client:
            url = f"{site.url}/refresh_token"
            for _ in range(TOO_MANY_UNKNOWN_TOKENS):
                response = client.get(url, params={"token": str(uuid4())}, timeout=TIMEOUT_S)
                if response.status_code == 429:
                    return
                assert response.status_code == 400
        pytest.fail("The address was never refused.")

    def connect() -> str:
        with open_socket(site, str(uuid4())) as socket:
            return str(receive(socket, "error")["code"])

    reject_address()
    # A window that ends here allows the next token.
    if (code := connect()) == "session.unknown":
        reject_address()
        code = connect()
    assert code == "rate.limited"
