"""The admin's first user, which `make run` creates in development."""

import re

import pytest
import requests
from django.contrib.auth.models import User
from django.test import override_settings

from chat.cli.first_user import create_first_user
from tests.conftest import NewStack


@pytest.mark.slow
def test_the_first_start_prints_a_password_that_works(new_stack: NewStack) -> None:
    runner = new_stack().run("run", "python manage.py runall", {})
    runner.wait_until(lambda: "Press Ctrl-C" in runner.output(), "to print the password")
    site = f"http://127.0.0.1:{runner.port}"
    assert f"Admin: {site}/admin/" in runner.output()
    shown = re.search(r"Log in to the admin as (\S+) with the password (\S+) ", runner.output())
    assert shown

    browser = requests.Session()
    login = f"{site}/admin/login/?next=/admin/chat/session/dashboard/"
    browser.get(login, timeout=20)
    form = {
        "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        "username": shown[1],
        "password": shown[2],
    }
    response = browser.post(login, form, timeout=20)
    assert response.url.endswith("/dashboard/")
    assert "Messages per minute" in response.text


@pytest.mark.django_db
def test_no_second_user_is_created() -> None:
    assert create_first_user()
    assert create_first_user() is None
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_no_user_is_created_in_production() -> None:
    with override_settings(APP_ENV="production"):
        assert create_first_user() is None
    assert not User.objects.exists()
