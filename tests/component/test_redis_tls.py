"""Store, broker and channel layer verify a rediss:// server before they send the password."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import kombu
import pytest
import redis
import trustme
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.conf import settings
from django.core.cache.backends.redis import RedisCache

from chat.errors import StoreUnavailable
from chat.store.client import Store
from chat.store.operation import cluster
from chatproject.redis_urls import tls_options
from tests.ports import free_port

REFUSED = "CERTIFICATE_VERIFY_FAILED"


class TlsServer:
    """Decrypts connections to the tests' Redis, and records whether a client sent anything.

    A client's certificate and key are in `certificate_file`.
    """

    def __init__(self, redis_url: str, folder: Path, *, requires_certificate: bool = False) -> None:
        parts = urlsplit(redis_url)
        self._redis = (parts.hostname, parts.port)
        self.port = free_port()
        self.url = f"rediss://:{parts.password or ''}@127.0.0.1:{self.port}/0"
        self.received = False
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(self._context)
        self.certificate_file = folder / "client.pem"
        authority.issue_cert("client.example").private_key_and_cert_chain_pem.write_to_path(
            self.certificate_file
        )
        if requires_certificate:
            authority.configure_trust(self._context)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            client = self._context.wrap_socket(connection, server_side=True)
        except OSError:
            return
        with client, socket.create_connection(self._redis) as server:
            threading.Thread(target=self._copy, args=[server, client], daemon=True).start()
            self._copy(client, server)

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self.received = self.received or isinstance(source, ssl.SSLSocket)
                target.sendall(data)
        except OSError:
            return


@pytest.fixture
def server(redis_url: str, tmp_path: Path) -> Iterator[TlsServer]:
    server = TlsServer(redis_url, tmp_path)
    yield server
    server.close()


@pytest.fixture(params=["trusted", "unknown"])
def ca_file(server: TlsServer, request: pytest.FixtureRequest) -> str:
    """The file of the server's authority, or none: then the system's do not know it."""
    return str(server.ca_file) if request.param == "trusted" else ""


def options(server: TlsServer, ca_file: str) -> dict[str, str | bool]:
    return tls_options(server.url, ca_file=ca_file, certificate_file="", key_file="")


def test_the_store_verifies_the_server(server: TlsServer, ca_file: str) -> None:
    store = Store(server.url, 1, options(server, ca_file))
    if ca_file:
        store.run(cluster.check_writable())
    else:
        with pytest.raises(StoreUnavailable):
            store.run(cluster.check_writable())
    assert server.received == bool(ca_file)
    store.redis.close()


def test_the_broker_verifies_the_server(server: TlsServer, ca_file: str) -> None:
    tls = options(server, ca_file)
    with kombu.Connection(server.url, ssl=tls) as connection:
        if ca_file:
            connection.ensure_connection(max_retries=1, timeout=5)
        else:
            with pytest.raises(
                kombu.exceptions.OperationalError, match="CERTIFICATE_VERIFY_FAILED"
            ):
                connection.ensure_connection(max_retries=1, timeout=5)
    assert server.received == bool(ca_file)


async def test_the_channel_layer_verifies_the_server(server: TlsServer, ca_file: str) -> None:
    config: Any = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    host = config["hosts"][0] | {"address": server.url} | options(server, ca_file)
    layer = RedisPubSubChannelLayer(hosts=[host])
    if ca_file:
        channel = await layer.new_channel()
        await layer.send(channel, {"type": "probe"})
        assert await layer.receive(channel) == {"type": "probe"}
        await layer.flush()
    else:
        with pytest.raises(redis.exceptions.ConnectionError, match=REFUSED):
            await layer.new_channel()
    assert server.received == bool(ca_file)


def test_a_server_without_tls_needs_no_options() -> None:
    assert tls_options("redis://a:1", ca_file="ca", certificate_file="", key_file="") == {}


def test_the_counts_of_log_ins_verify_the_server(server: TlsServer, ca_file: str) -> None:
    config: Any = settings.CACHES["default"]
    parameters = {"OPTIONS": config["OPTIONS"] | options(server, ca_file)}
    cache = RedisCache(server.url, parameters)
    if ca_file:
        cache.set("probe", 7, timeout=5)
        assert cache.get("probe") == 7
    else:
        with pytest.raises(redis.exceptions.ConnectionError, match=REFUSED):
            cache.get("probe")
    assert server.received == bool(ca_file)
    cache._cache.get_client().connection_pool.disconnect()


@pytest.fixture
def strict_server(redis_url: str, tmp_path: Path) -> Iterator[TlsServer]:
    server = TlsServer(redis_url, tmp_path, requires_certificate=True)
    yield server
    server.close()


@pytest.mark.parametrize("has_certificate", [True, False])
async def test_a_client_certificate_is_presented_in_all_roles(
    strict_server: TlsServer, *, has_certificate: bool
) -> None:
    file = str(strict_server.certificate_file) if has_certificate else ""
    tls = tls_options(
        strict_server.url,
        ca_file=str(strict_server.ca_file),
        certificate_file=file,
        key_file=file,
    )
    config: Any = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    layer = RedisPubSubChannelLayer(
        hosts=[config["hosts"][0] | {"address": strict_server.url} | tls]
    )
    store = Store(strict_server.url, 1, tls)
    if has_certificate:
        store.run(cluster.check_writable())
        with kombu.Connection(strict_server.url, ssl=tls) as broker:
            broker.ensure_connection(max_retries=1, timeout=5)
        assert await layer.new_channel()
        await layer.flush()
    else:
        with pytest.raises(StoreUnavailable):
            store.run(cluster.check_writable())
        with (
            kombu.Connection(strict_server.url, ssl=tls) as broker,
            pytest.raises(kombu.exceptions.OperationalError),
        ):
            broker.ensure_connection(max_retries=1, timeout=5)
        with pytest.raises(redis.exceptions.ConnectionError):
            await layer.new_channel()
    store.redis.close()
