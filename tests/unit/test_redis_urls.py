"""The Redis URL, completed from the environment."""

import pytest

from chat.store.connections import SentinelUrl
from chat.store.redis_cluster.nodes import node_urls
from chatproject.redis_urls import (
    broker_options,
    broker_url,
    complete_redis_url,
    layer_host,
    other_server,
    tls_options,
)

SENTINELS = "redis+sentinel://u:p%40@a,[::1]:5/my%20chat/2?sentinel_password=s%3F"


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
        ({"url": "rediss+cluster://u:p@a:1,b/0"}, "rediss+cluster://u:p@a:1,b/0"),
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
        *("redis+sentinel://", "redis+sentinel://a", "redis+sentinel://a:0/m"),
        *("redis+sentinel://a:b/m", "redis+sentinel://a,,b/m", "redis+sentinel://:p@/m"),
        *("redis+sentinel://:p/w@a/m", "redis+sentinel://:12/w@a/m", "redis+sentinel://a/m/name"),
        *("redis+sentinel://a/m?db=1", "redis+sentinel://:12/m?p/w@a/m", "sentinel://a/m"),
        *("redis+cluster://", "redis+cluster://a,", "redis+cluster://a:b,c", "redis+cluster://a/1"),
        *("redis+cluster://:p/w@a", "redis+cluster://a,b/name", "unix+cluster://a"),
        *("redis://:p/w@a:1", "redis://:12/w@a:1", "redis://a:1/name", "a:1/name"),
    ],
)
def test_an_invalid_url_is_reported_with_its_variable(url: str) -> None:
    with pytest.raises(ValueError, match='variable "REDIS_URL"') as caught:
        complete(url)
    assert "w@a" not in str(caught.value), "a part of the password"


def test_a_url_names_nodes_of_a_cluster_with_one_password() -> None:
    assert node_urls("redis+cluster://u:p%40@a:1,b/") == ["redis://u:p%40@a:1", "redis://u:p%40@b"]
    assert node_urls("rediss+cluster://a") == ["rediss://a"]
    assert tls_options("rediss+cluster://a", ca_file="", certificate_file="", key_file="")


def test_other_roles_need_a_server_of_their_own_with_a_cluster() -> None:
    assert other_server("CELERY_BROKER_URL", "", "redis://a") == "redis://a"
    assert other_server("CELERY_BROKER_URL", "redis://b", "redis+cluster://a") == "redis://b"
    with pytest.raises(ValueError, match='"CELERY_BROKER_URL" must be set, because REDIS_URL'):
        other_server("CELERY_BROKER_URL", "", "redis+cluster://a")


def test_a_url_names_sentinels_their_service_and_both_passwords() -> None:
    parts = SentinelUrl.parse(SENTINELS)
    assert parts.hosts == (("a", 26379), ("::1", 5))
    assert (parts.service, parts.database, parts.is_encrypted) == ("my chat", 2, False)
    assert parts.credentials == {"username": "u", "password": "p@"}
    assert parts.sentinel_kwargs({}, None)["password"] == "s?"
    assert SentinelUrl.parse("rediss+sentinel://a/m").is_encrypted
    for secret in ("p@", "p%40", "s?", "s%3F"):
        assert secret not in repr(parts)


def test_the_broker_asks_each_sentinel_with_the_credentials_of_the_servers() -> None:
    assert broker_url("redis://a:1") == "redis://a:1"
    assert broker_options("redis://a:1", {}) == {}
    assert broker_url(SENTINELS) == "sentinel://u:p%40@a:26379/2;sentinel://u:p%40@[::1]:5/2"
    assert broker_options(SENTINELS, {})["master_name"] == "my chat"


def test_tls_is_for_the_servers_and_the_sentinels() -> None:
    tls = {"ssl_ca_certs": "/ca.pem"}
    url = SENTINELS.replace("redis+", "rediss+")
    assert broker_options(url, tls)["sentinel_kwargs"].items() >= {"ssl": True, **tls}.items()
    host = layer_host(url, tls)
    assert host.items() >= {"ssl": True, **tls}.items()
    assert host["sentinel_kwargs"].items() >= {"ssl": True, **tls}.items()
    assert "ssl" not in layer_host(SENTINELS, {})
