"""Tokens and ids have one spelling: one token is not many, and an id that is echoed matches."""

import json
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
import requests
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.acceptance.attacks.conftest import Target

TIMEOUT_S = 10
SPELLINGS = ["{upper}", "{{{token}}}", "urn:uuid:{token}", "{digits}", " {token}", "{token}\n"]


def respell(spelling: str, token: str) -> str:
    return spelling.format(token=token, upper=token.upper(), digits=token.replace("-", ""))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_another_spelling_of_a_token_is_no_token(target: Target, spelling: str) -> None:
    token = target.create_session()
    wrong = respell(spelling, token)
    for method, path in (("GET", "/refresh_token"), ("DELETE", "/token")):
        response = requests.request(
            method, target.url + path, params={"token": wrong}, timeout=TIMEOUT_S
        )
        assert response.status_code == 400
    with (
        pytest.raises(InvalidStatus) as rejected,
        connect(f"{target.ws_url}?{urlencode({'token': wrong})}"),
    ):
        pass
    assert rejected.value.response.status_code == 403
    url = f"{target.url}/refresh_token"
    assert requests.get(url, params={"token": token}, timeout=TIMEOUT_S).status_code == 200


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_another_spelling_of_an_id_is_an_error_that_names_it(target: Target, spelling: str) -> None:
    """Such a client would wait for an id that the server spells differently, and send for ever."""
    protocols: Any = ["chat.v1", f"token.{target.create_session()}"]
    wrong = respell(spelling, str(uuid4()))
    with connect(target.ws_url, subprotocols=protocols) as client:
        client.recv(TIMEOUT_S)
        client.send(json.dumps({"type": "message.send", "id": wrong, "msg": "hello"}))
        error = json.loads(client.recv(TIMEOUT_S))
        assert (error["code"], error["ref"]) == ("message.invalid", wrong)
        assert error["detail"] == "The field id must be a UUID in lower case with hyphens."
