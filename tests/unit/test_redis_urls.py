"""The Redis URL, completed from the environment."""

import pytest

from chatproject.redis_urls import complete_redis_url


def complete(url: str | None = None, host: str | None = None, **others: str | None) -> str | None:
    values = {"user": None, "password": None} | others
    return complete_redis_url(
        url, host=host, port=6379, user=values["user"], password=values["password"]
    )


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, None),
        ({"url": "redis://a:1/2"}, "redis://a:1/2"),
        ({"url": "rediss://u:p@a:1"}, "rediss://u:p@a:1"),
        ({"url": "a:1"}, "redis://a:1"),
        ({"url": "a:1", "user": "u", "password": "p@:"}, "redis://u:p%40%3A@a:1"),
        ({"url": "a:1", "password": "p"}, "redis://:p@a:1"),
        ({"host": "a"}, "redis://a:6379"),
        ({"host": "a", "user": "u", "password": "p"}, "redis://u:p@a:6379"),
    ],
)
def test_a_url_is_completed(environment: dict[str, str], url: str | None) -> None:
    assert complete(**environment) == url


@pytest.mark.parametrize("url", ["http://a:1", "a", "a:b", "ftp://x"])
def test_an_invalid_url_is_reported_with_its_variable(url: str) -> None:
    with pytest.raises(ValueError, match="REDIS_URL"):
        complete(url)
