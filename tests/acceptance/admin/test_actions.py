"""Actions in the admin take effect on open sockets and on the worker."""

import json
from collections.abc import Iterator

import pytest
import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from chat.schemas import session_id
from tests.acceptance.sockets import TIMEOUT_S
from tests.client import create_session
from tests.model_stub import Behaviour, ModelStub, failing
from tests.operator_user import PASSWORD, create_operator
from tests.processes import Stack


class Operator:
    """A user logged in to the admin of a site."""

    def __init__(self, stack: Stack, user: str) -> None:
        self.list = f"{stack.url}/admin/chat/session/"
        self.http = requests.Session()
        login = f"{stack.url}/admin/login/?next=/admin/"
        self.http.get(login, timeout=TIMEOUT_S)
        response = self._post(login, username=user, password=PASSWORD)
        assert response.url.endswith("/admin/"), response.text

    def apply(self, action: str, token: str) -> str:
        """Apply an action to a session, confirmed; return the HTML of the next page."""
        fields = {"action": action, "_selected_action": session_id(token), "confirmed": "yes"}
        response = self._post(self.list, **fields)
        assert response.status_code == 200, response.text
        return response.text

    def _post(self, address: str, **fields: str) -> requests.Response:
        fields["csrfmiddlewaretoken"] = self.http.cookies["csrftoken"]
        return self.http.post(address, fields, timeout=TIMEOUT_S)


@pytest.fixture(scope="module")
def user(shared_stack: Stack) -> str:
    return create_operator(shared_stack)


@pytest.fixture
def operator(stack: Stack, user: str) -> Operator:
    return Operator(stack, user)


@pytest.fixture
def token(stack: Stack) -> str:
    return create_session(stack.url)


@pytest.fixture
def visitor(stack: Stack, token: str) -> Iterator[ClientConnection]:
    """A visitor's open plain socket."""
    with connect(f"{stack.ws_url}?token={token}") as socket:
        yield socket


def receive(visitor: ClientConnection) -> dict[str, str]:
    return dict(json.loads(visitor.recv(timeout=TIMEOUT_S)))


@pytest.mark.parametrize("action", ["expire", "delete"])
def test_ending_a_session_closes_its_sockets(
    operator: Operator, visitor: ClientConnection, token: str, action: str
) -> None:
    visitor.send("hello")
    assert receive(visitor)["msg"] == "You said: hello"
    assert "1 session." in operator.apply(action, token)
    with pytest.raises(ConnectionClosed) as closed:
        receive(visitor)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_a_failed_reply_that_is_queued_again_is_regenerated(
    operator: Operator, visitor: ClientConnection, token: str, model_stub: ModelStub
) -> None:
    model_stub.script(failing(400))
    visitor.send("hello")
    assert receive(visitor)["error"] == "model.rejected"
    assert "Queued again: 1 session." in operator.apply("requeue", token)
    assert receive(visitor)["msg"] == "You said: hello"


def test_stopping_a_hanging_reply_lets_the_next_one_start(
    operator: Operator, visitor: ClientConnection, token: str, model_stub: ModelStub
) -> None:
    model_stub.script(Behaviour(pieces=("first ", "second"), hang_after=1))
    visitor.send("one")
    visitor.send("two")
    model_stub.wait_for(lambda requests: len(requests) == 1)
    assert "Stopped the reply: 1 session." in operator.apply("stop", token)
    assert "first ".startswith(receive(visitor)["msg"])
    assert receive(visitor)["msg"] == "You said: two"
