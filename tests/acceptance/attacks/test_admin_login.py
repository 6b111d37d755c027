"""Guessing passwords of the admin, over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import requests

from tests.acceptance.attacks.conftest import Target
from tests.operator_user import PASSWORD, create_operator
from tests.processes import START_TIMEOUT_S, Stack

TIMEOUT_S = 60
GUESSES = 30


def log_in(target: Target, name: str, password: str) -> requests.Response:
    browser = requests.Session()
    login = f"{target.url}/admin/login/?next=/admin/"
    browser.get(login, timeout=TIMEOUT_S)
    form = {
        "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        "username": name,
        "password": password,
    }
    return browser.post(login, form, timeout=TIMEOUT_S, allow_redirects=False)


@pytest.fixture
def operator(attacked_stack: Stack) -> str:
    return create_operator(attacked_stack)


def test_guesses_at_the_same_time_are_locked_out(
    target: Target, attacked_stack: Stack, operator: str
) -> None:
    """Neither parallel attempts nor a second web process give more guesses."""
    with ThreadPoolExecutor(GUESSES) as pool:
        responses = list(pool.map(lambda _: log_in(target, operator, uuid4().hex), range(GUESSES)))
    checked = [response for response in responses if response.status_code == 200]
    limit = int(target.web.environment["ADMIN_LOGIN_ATTEMPTS"])
    assert len(checked) < limit
    assert {response.status_code for response in responses} <= {200, 429, 503}
    assert log_in(target, operator, PASSWORD).status_code == 429

    unlock = attacked_stack.run("unlock", f"python manage.py unlock_login --user {operator}", {})
    assert unlock.process.wait(START_TIMEOUT_S) == 0
    unlock = attacked_stack.run("unlock", "python manage.py unlock_login --address 127.0.0.1", {})
    assert unlock.process.wait(START_TIMEOUT_S) == 0
    assert log_in(target, operator, PASSWORD).status_code == 302

    log = target.web.output()
    assert "Admin log-in locked" in log
    assert f"user={operator} address=127.0.0.1" in log
    assert PASSWORD not in log
