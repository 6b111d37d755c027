"""Connection pools: of one server, or of the primary that Sentinels name.

redis-py has no form of URL for Sentinels. This one is common among other projects:

    redis+sentinel://[user:password@]host[:port][,host[:port]…]/service[/database][?option=value]

`rediss+sentinel` encrypts the connections to the servers and to the Sentinels. User and password
are those of the servers; the Sentinels' are the options `sentinel_username` and
`sentinel_password`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.asyncio.sentinel import SentinelConnectionPool as AsyncSentinelConnectionPool
from redis.asyncio.sentinel import SentinelManagedConnection as AsyncSentinelManagedConnection
from redis.asyncio.sentinel import SentinelManagedSSLConnection as AsyncSentinelManagedSSLConnection
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.retry import Retry
from redis.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

Tls = Mapping[str, str | bool]
SENTINEL_SCHEMES = ("redis+sentinel", "rediss+sentinel")
DEFAULT_PORT = 26379
# A Sentinel that does not respond delays every new connection by this time, until another one
# that responds is the first to be asked.
SENTINEL_TIMEOUT_S = 0.5
LACKS_REPLICAS = "The primary has too few replicas"
HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(:(?P<port>\d{1,5}))?")
URL = re.compile(
    r"(?P<scheme>rediss?\+sentinel)://"
    r"((?P<username>[^\s:@/?#]*)(:(?P<password>[^\s@/?#]*))?@)?"
    r"(?P<hosts>[^\s@/?#]+)"
    r"(/(?P<service>[^\s@/?#]*))?(/(?P<database>[^\s@?#]*))?(\?(?P<options>[^\s@#]*))?"
)


@dataclass(frozen=True)
class SentinelUrl:
    """The parts of a URL that names Sentinels; raises ValueError with the reason in words."""

    url: str = field(repr=False)
    hosts: tuple[tuple[str, int], ...]
    service: str
    database: int
    is_encrypted: bool
    username: str = ""
    password: str = field(default="", repr=False)
    sentinel_username: str = ""
    sentinel_password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Return the parts; raises ValueError whose text follows the name of a variable."""
        parts = URL.fullmatch(url)
        if not parts:
            raise ValueError("is not a valid address: percent-encode the password")
        hosts = tuple(map(_host_and_port, parts["hosts"].split(",")))
        if not parts["service"]:
            raise ValueError("must name the Sentinels' service after the hosts, such as /mymaster")
        if not re.fullmatch(r"\d*", parts["database"] or ""):
            raise ValueError("must end with a database number")
        options = dict(parse_qsl(parts["options"] or "", keep_blank_values=True))
        if options.keys() - {"sentinel_username", "sentinel_password"}:
            raise ValueError("may have only the options sentinel_username and sentinel_password")
        return cls(
            url,
            hosts,
            unquote(parts["service"]),
            int(parts["database"] or 0),
            parts["scheme"] == "rediss+sentinel",
            unquote(parts["username"] or ""),
            unquote(parts["password"] or ""),
            **options,
        )

    @property
    def credentials(self) -> dict[str, str]:
        """Return redis-py's options for user and password of the servers."""
        return _given(username=self.username, password=self.password)

    def sentinel_kwargs(self, options: Mapping[str, Any], retry: object) -> dict[str, Any]:
        """Return redis-py's options of the connections to the Sentinels.

        Of `options`, those of TLS apply. `retry` is redis-py's, blocking or for the event loop.
        """
        tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
        return {
            **_given(username=self.sentinel_username, password=self.sentinel_password),
            **({"ssl": True, **tls} if self.is_encrypted else {}),
            "retry": retry,
            "protocol": 2,
            "socket_timeout": SENTINEL_TIMEOUT_S,
            "socket_connect_timeout": SENTINEL_TIMEOUT_S,
        }

    def server_options(self) -> dict[str, Any]:
        """Return redis-py's options of the connections to the primary, without the TLS files."""
        return {
            **self.credentials,
            **({"ssl": True} if self.is_encrypted else {}),
            "db": self.database,
        }

    def kombu_url(self) -> str:
        """Return the URL of kombu's transport, which names each Sentinel with the credentials."""
        user = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@"
        credentials = user if self.username or self.password else ""
        hosts = (
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts
        )
        return ";".join(f"sentinel://{credentials}{host}/{self.database}" for host in hosts)


def is_sentinel_url(url: str) -> bool:
    """Return whether the URL names Sentinels and not a server."""
    return url.partition("://")[0] in SENTINEL_SCHEMES


def blocking_pool(url: str, **options: Any) -> redis.BlockingConnectionPool:
    """Return a pool whose connections are waited for; `options` are redis-py's."""
    pool = SentinelPool if is_sentinel_url(url) else redis.BlockingConnectionPool
    return pool.from_url(url, **options)


def async_pool(url: str, **options: Any) -> redis.asyncio.BlockingConnectionPool:
    """Return the same for the event loop."""
    pool = AsyncSentinelPool if is_sentinel_url(url) else redis.asyncio.BlockingConnectionPool
    return pool.from_url(url, **options)


class SentinelOrder:
    """Which Sentinel is asked first.

    redis-py prefers the one that responded last. If that one and the primary are cut off from the
    others, it goes on naming a primary that they have replaced.
    """

    sentinels: list[Any]

    @cached_property
    def _all(self) -> Sequence[Any]:
        return tuple(self.sentinels)

    def ask_another(self) -> None:
        """Ask the one after the preferred one first from now on."""
        after = self._all.index(self.sentinels[0]) + 1
        self.sentinels = [*self._all[after:], *self._all[:after]]


class Sentinels(SentinelOrder, Sentinel):
    """The Sentinels of a blocking pool."""


class AsyncSentinels(SentinelOrder, AsyncSentinel):
    """The same for the event loop."""


class PrimaryConnection(SentinelManagedConnection):
    """A connection that is closed if the primary refuses writes for want of replicas.

    They may have left it for another primary: the next connection asks another Sentinel. redis-py
    asks the same one if the server is a replica meanwhile.
    """

    connection_pool: Any

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        """Return the next reply; raises ConnectionError for a refused write."""
        try:
            return super().read_response(*arguments, **options)
        except ResponseError as error:
            if not lacks_replicas(error):
                raise
            self.disconnect()  # type: ignore[no-untyped-call]
            self.connection_pool.sentinel_manager.ask_another()
            raise RedisConnectionError(LACKS_REPLICAS) from error


class PrimaryTlsConnection(PrimaryConnection, SentinelManagedSSLConnection):
    """The same, encrypted."""


class AsyncPrimaryConnection(AsyncSentinelManagedConnection):
    """The same for the event loop."""

    connection_pool: Any

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        """Return the next reply; raises ConnectionError for a refused write."""
        try:
            return await super().read_response(*arguments, **options)
        except ResponseError as error:
            if not lacks_replicas(error):
                raise
            await self.disconnect()
            self.connection_pool.sentinel_manager.ask_another()
            raise RedisConnectionError(LACKS_REPLICAS) from error


class AsyncPrimaryTlsConnection(AsyncPrimaryConnection, AsyncSentinelManagedSSLConnection):
    """The same, encrypted."""


class SentinelPool(SentinelConnectionPool, redis.BlockingConnectionPool):
    """Connections to the primary of a service, at most `max_connections`."""

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Return a pool for the servers behind the Sentinels of a URL."""
        parsed = SentinelUrl.parse(url)
        retry = Retry(NoBackoff(), 0)
        sentinel_kwargs = parsed.sentinel_kwargs(options, retry)
        sentinels = Sentinels(parsed.hosts, sentinel_kwargs=sentinel_kwargs)  # type: ignore[no-untyped-call]
        connection = PrimaryTlsConnection if parsed.is_encrypted else PrimaryConnection
        settings = options | parsed.credentials | {"db": parsed.database}
        return cls(parsed.service, sentinels, connection_class=connection, **settings)

    def owns_connection(self, connection: Any) -> int:
        """Return whether this process made it; the address is compared by `release`."""
        return redis.BlockingConnectionPool.owns_connection(self, connection)

    def release(self, connection: Any) -> None:
        """Take a connection back, and close it if the primary is another server meanwhile."""
        if (connection.host, connection.port) != self.master_address:
            connection.disconnect()
        super().release(connection)  # type: ignore[no-untyped-call]

    def disconnect(self, inuse_connections: bool = True) -> None:
        """Close the connections; also those to the Sentinels, if it is the end of the pool."""
        super().disconnect(inuse_connections)
        if inuse_connections:
            self.sentinel_manager.close()


class AsyncSentinelPool(AsyncSentinelConnectionPool, redis.asyncio.BlockingConnectionPool):
    """The same for the event loop."""

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Return a pool for the servers behind the Sentinels of a URL."""
        parsed = SentinelUrl.parse(url)
        retry = AsyncRetry(NoBackoff(), 0)
        sentinel_kwargs = parsed.sentinel_kwargs(options, retry)
        sentinels = AsyncSentinels(parsed.hosts, sentinel_kwargs=sentinel_kwargs)  # type: ignore[no-untyped-call]
        connection = AsyncPrimaryTlsConnection if parsed.is_encrypted else AsyncPrimaryConnection
        settings = options | parsed.credentials | {"db": parsed.database}
        return cls(parsed.service, sentinels, connection_class=connection, **settings)

    async def release(self, connection: Any) -> None:
        """Take a connection back, and close it if the primary is another server meanwhile."""
        if (connection.host, connection.port) != self.master_address:
            await connection.disconnect()
        await super().release(connection)

    async def aclose(self) -> None:
        """Close all connections, also those to the Sentinels."""
        await super().aclose()
        await self.sentinel_manager.aclose()


def lacks_replicas(error: ResponseError) -> bool:
    """Return whether it is the error of a primary with fewer than `min-replicas-to-write`."""
    return str(error).startswith("NOREPLICAS")


def _host_and_port(text: str) -> tuple[str, int]:
    parts = HOST.fullmatch(text)
    port = int(parts["port"] or DEFAULT_PORT) if parts else 0
    if not parts or not 0 < port < 65536:
        raise ValueError("is not a valid address: hosts are host:port, separated by commas")
    return parts["host"].strip("[]"), port


def _given(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
