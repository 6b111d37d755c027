"""Guessing passwords and codes of the admin, over HTTP."""

import hmac
import re
import struct
import time
from base64 import b32decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import requests

from tests.acceptance.attacks.conftest import Target
from tests.operator_user import PASSWORD, create_operator
from tests.ports import free_port
from tests.processes import START_TIMEOUT_S, WEB_SERVERS, Stack, is_serving, wait_for

TIMEOUT_S = 60
GUESSES = 30


def log_in(
    target: Target,
    name: str,
    password: str,
    *,
    browser: requests.Session | None = None,
    **fields: str,
) -> requests.Response:
    browser = browser or requests.Session()
    login = f"{target.url}/admin/login/?next=/admin/"
    browser.get(login, timeout=TIMEOUT_S)
    form = {
        "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        "username": name,
        "password": password,
        **fields,
    }
    return browser.post(login, form, timeout=TIMEOUT_S, allow_redirects=False)


def manage(stack: Stack, command: str) -> str:
    process = stack.run("manage", f"python manage.py {command}", {})
    assert process.process.wait(START_TIMEOUT_S) == 0, process.output()
    return process.output()


def totp(secret: str) -> str:
    """Return the code that an authenticator app shows now, by RFC 6238."""
    counter = struct.pack(">Q", int(time.time()) // 30)
    digest = hmac.digest(b32decode(secret), counter, "sha1")
    start = digest[-1] & 15
    number: int = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


@pytest.fixture
def operator(attacked_stack: Stack) -> str:
    return create_operator(attacked_stack)


def test_guesses_at_the_same_time_are_locked_out(
    target: Target, attacked_stack: Stack, operator: str
) -> None:
    """Neither parallel attempts nor a second web process give more guesses."""
    with ThreadPoolExecutor(GUESSES) as pool:
        responses = list(pool.map(lambda _: log_in(target, operator, uuid4().hex), range(GUESSES)))
    while responses[-1].status_code != 429:
        responses.append(log_in(target, operator, uuid4().hex))
    codes = [response.status_code for response in responses]
    limit = int(target.web.environment["ADMIN_LOGIN_ATTEMPTS"])
    assert codes.count(200) < limit
    assert set(codes) <= {200, 429, 503}
    assert log_in(target, operator, PASSWORD).status_code == 429

    manage(attacked_stack, f"unlock_login --user {operator}")
    manage(attacked_stack, "unlock_login --address 127.0.0.1")
    assert log_in(target, operator, PASSWORD).status_code == 302

    log = target.web.output()
    assert "Admin log-in locked" in log
    assert f"user={operator} address=127.0.0.1" in log
    assert PASSWORD not in log


@pytest.fixture(params=[pytest.param("daphne", marks=pytest.mark.slow), "uvicorn"])
def otp_target(attacked_stack: Stack, request: pytest.FixtureRequest) -> Iterator[Target]:
    """A web process that asks for a second factor."""
    environment = {"PORT": str(free_port()), "ADMIN_REQUIRE_OTP": "true"}
    web = attacked_stack.run("web", WEB_SERVERS[request.param], environment)
    target = Target(web, attacked_stack.redis_url)
    wait_for(lambda: is_serving(f"{target.url}/healthz"), "the server to serve")
    yield target
    target.web.stop()


@pytest.mark.slow
def test_a_password_without_a_code_opens_nothing(
    otp_target: Target, servers: dict[str, Target], attacked_stack: Stack, operator: str
) -> None:
    output = manage(attacked_stack, f"enroll_otp {operator}")
    found = re.search(r"Secret: (\w+)", output)
    assert found
    pages = ["/admin/", "/admin/chat/session/", "/admin/chat/session/dashboard/live/"]

    # Logged in where no code is required: a cookie of before the setting was changed.
    browser = requests.Session()
    assert log_in(servers["uvicorn"], operator, PASSWORD, browser=browser).status_code == 302
    for page in pages:
        url = otp_target.url + page
        assert browser.get(url, timeout=TIMEOUT_S, allow_redirects=False).status_code == 302

    for code in ("", "000000", totp("AAAAAAAA")):
        assert log_in(otp_target, operator, PASSWORD, code=code).status_code == 200
    manage(attacked_stack, f"unlock_login --user {operator}")
    manage(attacked_stack, "unlock_login --address 127.0.0.1")
    # A new device, because django-otp locks one for some seconds after failures.
    found = re.search(r"Secret: (\w+)", manage(attacked_stack, f"enroll_otp {operator}"))
    assert found

    browser = requests.Session()
    code = totp(found[1])
    assert log_in(otp_target, operator, PASSWORD, browser=browser, code=code).status_code == 302
    for page in pages:
        url = otp_target.url + page
        assert browser.get(url, timeout=TIMEOUT_S, allow_redirects=False).status_code == 200
    assert log_in(otp_target, operator, PASSWORD, code=code).status_code == 200, "a code works once"
    for secret in (found[1], PASSWORD):
        assert secret not in otp_target.web.output()
    manage(attacked_stack, f"unlock_login --user {operator}")
    manage(attacked_stack, "unlock_login --address 127.0.0.1")
