"""The Redis URL, completed from the environment."""

import pytest

from chatproject.redis_urls import complete_redis_url


def complete(url: str = "", host: str = "", user: str = "", password: str = "") -> str:
    return complete_redis_url(url, host=host, port=6379, user=user, password=password)


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({}, ""),
        ({"url": "redis://a:1/2"}, "redis://a:1/2"),
        ({"url": "rediss://u:p@a:1"}, "rediss://u:p@a:1"),
        ({"url": "a:1"}, "redis://a:1"),
        ({"url": "a:1", "user": "u", "password": "p@:"}, "redis://u:p%40%3A@a:1"),
        ({"url": "a:1", "password": "p"}, "redis://:p@a:1"),
        ({"host": "a"}, "redis://a:6379"),
        ({"host": "a", "user": "u", "password": "p"}, "redis://u:p@a:6379"),
    ],
)
def test_a_url_is_completed(environment: dict[str, str], url: str) -> None:
    assert complete(**environment) == url


@pytest.mark.parametrize(
    "url",
    [
        *("http://a:1", "ftp://x", "REDIS://a:1", "redis:a"),
        *("a", "a:b", "a:99999", "redis://", "redis://:p@", "redis://a:b", "redis://[::1"),
        *("redis://:p/w@a:1", "redis://:12/w@a:1", "redis://a:1/name", "a:1/name"),
    ],
)
def test_an_invalid_url_is_reported_with_its_variable(url: str) -> None:
    with pytest.raises(ValueError, match='variable "REDIS_URL"') as caught:
        complete(url)
    assert "w@a" not in str(caught.value), "a part of the password"
