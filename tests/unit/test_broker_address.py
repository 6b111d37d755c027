"""The broker's address and its options."""

import ssl

import pytest

from chatproject.broker.address import check_broker_url
from chatproject.broker.options import broker_tls, transport_options
from chatproject.redis_urls import tls_options


@pytest.mark.parametrize(
    "url",
    [
        *("redis://:p@a:6379/0", "rediss://a:6379", "redis+socket:///run/redis"),
        *("amqp://a", "amqp://u:p%2Fw@a:5672/chat", "amqps://u:p@[::1]:5671/%2F"),
        "amqp://u:p@a:5672/chat;amqp://u:p@b:5672/chat",
    ],
)
def test_addresses_of_both_servers_are_accepted(url: str) -> None:
    check_broker_url(url)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("kafka://a", "or amqp:// or amqps://"),
        ("amqp://", "is not a valid address"),
        ("amqp://u:p/w@a:5672", "percent-encode the password and the virtual host"),
        ("amqp://u:p#w@a:5672", "percent-encode the password and the virtual host"),
        ("amqp://a:0", "is not a valid address"),
        ("amqp://a:x", "is not a valid address"),
        ("amqp://a/one/two", "is not a valid address"),
        ("amqp://a?heartbeat=1", "is not a valid address"),
        ("amqps://a;amqps://b", "with amqps://, use a host name for all nodes"),
        ("amqp://a;redis://b", "may have several addresses with amqp:// only"),
        ("amqp://a;", "may have several addresses with amqp:// only"),
    ],
)
def test_an_invalid_address_is_reported_without_its_password(url: str, sentence: str) -> None:
    with pytest.raises(ValueError, match='variable "CELERY_BROKER_URL"') as caught:
        check_broker_url(url)
    assert sentence in str(caught.value)
    assert "w@a" not in str(caught.value), "a part of the password"


def test_an_encrypted_connection_verifies_the_server() -> None:
    url = "amqps://u:p@rabbit-1:5671/chat"
    files = tls_options(url, ca_file="/ca", certificate_file="/client", key_file="/key")
    assert broker_tls(url, files) == {
        "cert_reqs": ssl.CERT_REQUIRED,
        "server_hostname": None,
        "ca_certs": "/ca",
        "certfile": "/client",
        "keyfile": "/key",
    }
    assert broker_tls("rediss://a", files) == files
    assert broker_tls("amqp://a", {}) == {}


def test_publishing_waits_for_the_confirmation_of_rabbitmq() -> None:
    assert transport_options("amqp://a", {}, connections=1)["confirm_publish"] is True
    assert transport_options("redis://a", {}, connections=7)["max_connections"] == 7
