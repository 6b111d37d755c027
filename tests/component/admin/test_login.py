"""Log-in to the admin: limits, the second factor and the audit log."""

import logging
import threading
import time
from collections.abc import Iterator
from io import StringIO
from random import randrange
from typing import Any
from uuid import uuid4

import pytest
from axes.handlers.proxy import AxesProxyHandler
from django.contrib.admin import site
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.core.cache import caches
from django.core.management import call_command
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django import Settings
from redis.exceptions import ConnectionError as RedisConnectionError

from chat.accounts import second_factor, throttle

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_url")]

LOGIN = "/admin/login/"
PASSWORD = uuid4().hex
ATTEMPTS = 3


@pytest.fixture(autouse=True)
def limits(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.AXES_FAILURE_LIMIT = ATTEMPTS
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1)


@pytest.fixture
def user() -> User:
    return User.objects.create_superuser(f"user-{uuid4().hex}", password=PASSWORD)


@pytest.fixture
def address() -> str:
    return f"192.0.2.{uuid4().int % 256}-{uuid4().hex}"


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were hashed."""
    hashed = []
    encode = PBKDF2PasswordHasher.encode

    def record(self: PBKDF2PasswordHasher, password: str, salt: str, *args: Any) -> str:
        hashed.append(password)
        return encode(self, password, salt, 1)

    monkeypatch.setattr(PBKDF2PasswordHasher, "encode", record)
    return hashed


def attempt(name: str, password: str, address: str, **fields: str) -> Any:
    data = {"username": name, "password": password, **fields}
    return Client().post(f"{LOGIN}?next=/admin/", data, REMOTE_ADDR=address)


def test_an_address_is_locked_out_whatever_the_user(
    user: User, address: str, hashes: list[str]
) -> None:
    codes = [attempt(uuid4().hex, "wrong", address).status_code for _ in range(ATTEMPTS)]
    assert codes == [200] * (ATTEMPTS - 1) + [429]
    hashes.clear()
    refused = attempt(user.username, PASSWORD, address)
    assert refused.status_code == 429
    assert refused["Retry-After"] == "900"
    assert not hashes


@pytest.mark.parametrize("is_known", [True, False])
def test_a_user_is_locked_out_whatever_the_address(
    user: User, address: str, hashes: list[str], is_known: bool
) -> None:
    """A lockout does not show whether the user exists."""
    name = user.username if is_known else uuid4().hex
    codes = [attempt(name, "wrong", f"{address}-{n}").status_code for n in range(ATTEMPTS)]
    assert codes == [200] * (ATTEMPTS - 1) + [429]
    hashes.clear()
    assert attempt(name, PASSWORD, f"{address}-other").status_code == 429
    assert not hashes


def test_a_user_named_like_an_address_does_not_lock_out_the_address(
    user: User, address: str
) -> None:
    for number in range(ATTEMPTS):
        attempt(address, "wrong", f"other-{number}-{address}")
    assert attempt(user.username, PASSWORD, address).status_code == 302


def test_a_header_does_not_choose_the_address(user: User, address: str) -> None:
    for number in range(ATTEMPTS):
        data = {"username": uuid4().hex, "password": "wrong"}
        headers = {"X-Forwarded-For": f"203.0.113.{number}", "X-Real-IP": f"203.0.113.{number}"}
        Client().post(LOGIN, data, REMOTE_ADDR=address, headers=headers)
    assert attempt(user.username, PASSWORD, address).status_code == 429


def test_an_ipv6_network_counts_as_one_address(user: User) -> None:
    network = f"2001:db8:{randrange(1, 2**16):x}:1"
    for number in range(1, ATTEMPTS + 1):
        attempt(uuid4().hex, "wrong", f"{network}::{number:x}")
    assert attempt(user.username, PASSWORD, f"{network}:ffff::1").status_code == 429


def test_an_unknown_user_costs_one_hash_like_a_known_one(
    user: User, address: str, hashes: list[str]
) -> None:
    known = attempt(user.username, "wrong", address)
    known_hashes = len(hashes)
    unknown = attempt(uuid4().hex, "wrong", address)
    assert (known_hashes, len(hashes)) == (1, 2)
    assert known.context["form"].errors == unknown.context["form"].errors


def test_unlocking_allows_the_next_attempt(user: User, address: str) -> None:
    for _ in range(ATTEMPTS):
        attempt(user.username, "wrong", address)
    call_command("unlock_login", "--user", user.username, stdout=StringIO())
    assert attempt(user.username, PASSWORD, address).status_code == 429
    call_command("unlock_login", "--address", address, stdout=StringIO())
    assert attempt(user.username, PASSWORD, address).status_code == 302


def test_a_lockout_ends(user: User, address: str, settings: Settings) -> None:
    settings.AXES_COOLOFF_TIME = settings.AXES_COOLOFF_TIME / 900
    for _ in range(ATTEMPTS):
        attempt(uuid4().hex, "wrong", address)
    deadline = time.monotonic() + 10
    while attempt(user.username, PASSWORD, address).status_code == 429:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_counts_are_never_unpickled() -> None:
    cache = caches["default"]
    key = cache.make_key(uuid4().hex)
    cache._cache.get_client().set(key, b"cposix\nsystem\n(S'true'\ntR.")  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="invalid literal"):
        cache.get(key.rpartition(":")[2])


def test_nobody_logs_in_while_failures_cannot_be_counted(
    user: User, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*args: object) -> bool:
        raise RedisConnectionError

    monkeypatch.setattr(AxesProxyHandler, "is_allowed", unavailable)
    assert attempt(user.username, PASSWORD, address).status_code == 503


def test_passwords_are_hashed_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "WAIT_S", 0.01)
    outcomes: list[str] = []

    def check() -> None:
        try:
            with throttle.hashing_slot():
                outcomes.append("hashed")
        except throttle.TooManyLogins:
            outcomes.append("refused")

    with throttle.hashing_slot():
        threads = [threading.Thread(target=check) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert outcomes == ["refused"] * 20
    check()
    assert outcomes[-1] == "hashed"


def test_log_ins_are_logged_without_passwords(
    user: User, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    typed_as_name = uuid4().hex
    assert attempt(user.username, PASSWORD, address).status_code == 302
    for name in (user.username, typed_as_name, typed_as_name, typed_as_name):
        attempt(name, "a wrong password", address)
    lines = [
        (record.message, record.facts.get("user"), record.facts["address"])  # type: ignore[attr-defined]
        for record in caplog.records
        if record.name == "chat.accounts.audit"
    ]
    assert lines == [
        ("Admin log-in", user.username, address),
        ("Admin log-in failed", user.username, address),
        ("Admin log-in failed", "unknown", address),
        ("Admin log-in locked", "unknown", address),
        ("Admin log-in failed", "unknown", address),
        ("Admin log-in refused", None, address),
    ]
    for secret in (PASSWORD, "a wrong password", typed_as_name):
        assert secret not in caplog.text
        assert all(secret not in str(vars(record)) for record in caplog.records)


class TestSecondFactor:
    """With ADMIN_REQUIRE_OTP."""

    @pytest.fixture(autouse=True)
    def required(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        settings.ADMIN_REQUIRE_OTP = True
        monkeypatch.setattr(site, "login_form", second_factor.SecondFactorForm)
        yield
        monkeypatch.undo()

    @pytest.fixture
    def device(self, user: User) -> TOTPDevice:
        return second_factor.enroll(user)

    def test_password_and_code_log_in(self, user: User, device: TOTPDevice, address: str) -> None:
        client = Client()
        data = {"username": user.username, "password": PASSWORD, "code": code_of(device)}
        response = client.post(f"{LOGIN}?next=/admin/", data, REMOTE_ADDR=address)
        assert response.status_code == 302
        assert client.get("/admin/").status_code == 200

    def test_what_is_wrong_is_not_said(self, user: User, device: TOTPDevice, address: str) -> None:
        right = code_of(device)
        tries = [("wrong", right), (PASSWORD, "000000"), (PASSWORD, "")]
        errors = []
        for number, (password, code) in enumerate(tries):
            throttle.unlock(user=user.username)
            response = attempt(user.username, password, f"{address}-{number}", code=code)
            errors.append(response.context["form"].errors)
        assert errors[0]
        assert errors[0] == errors[1] == errors[2]

    def test_a_wrong_code_counts_as_a_failure(
        self, user: User, device: TOTPDevice, address: str
    ) -> None:
        codes = [
            attempt(user.username, PASSWORD, f"{address}-{n}", code="000000").status_code
            for n in range(ATTEMPTS)
        ]
        assert codes == [200] * (ATTEMPTS - 1) + [429]

    def test_a_code_is_valid_once(self, user: User, device: TOTPDevice, address: str) -> None:
        code = code_of(device)
        assert attempt(user.username, PASSWORD, address, code=code).status_code == 302
        assert attempt(user.username, PASSWORD, address, code=code).status_code == 200

    def test_another_users_code_is_wrong(
        self, user: User, device: TOTPDevice, address: str
    ) -> None:
        other = User.objects.create_superuser(uuid4().hex, password=PASSWORD)
        second_factor.enroll(other)
        response = attempt(other.username, PASSWORD, address, code=code_of(device))
        assert response.status_code == 200

    def test_a_session_without_second_factor_sees_nothing(self, user: User) -> None:
        client = Client()
        client.force_login(user)
        assert client.get("/admin/").status_code == 302
        assert client.get("/admin/chat/session/dashboard/live/").status_code == 302

    def test_the_command_prints_a_secret_that_works(self, user: User, address: str) -> None:
        output = StringIO()
        call_command("enroll_otp", user.username, stdout=output)
        assert f"otpauth://totp/Chat%20administration%3A{user.username}?" in output.getvalue()
        code = code_of(TOTPDevice.objects.get(user=user))
        assert attempt(user.username, PASSWORD, address, code=code).status_code == 302
        call_command("enroll_otp", user.username, "--remove", stdout=output)
        assert not TOTPDevice.objects.filter(user=user).exists()


def code_of(device: TOTPDevice) -> str:
    totp = TOTP(device.bin_key)
    totp.time = time.time()
    return f"{totp.token():06}"
