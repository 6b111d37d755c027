"""Build and check Redis URLs from environment variables."""

from urllib.parse import quote, urlsplit


def complete_redis_url(
    url: str | None, *, host: str | None, port: int, user: str | None, password: str | None
) -> str | None:
    """Return a `redis://` URL, or None if no server is configured.

    `url` is complete or `host:port`; user and password are added to the latter. Raises ValueError
    if it is neither.
    """
    if url and "://" in url:
        if urlsplit(url).scheme not in {"redis", "rediss", "unix"}:
            raise ValueError(
                'Environment variable "REDIS_URL" must be redis://, rediss://, unix:// or host:port'
            )
        return url
    address = url or (f"{host}:{port}" if host else None)
    if address is None:
        return None
    if not address.rpartition(":")[2].partition("/")[0].isdigit():
        raise ValueError('Environment variable "REDIS_URL" must be a redis:// URL or host:port')
    return f"redis://{_credentials(user, password)}{address}"


def checked_redis_url(variable: str, url: str) -> str:
    """Return `url`; raises ValueError if its port is invalid.

    Redis clients raise an error, too, but later, and with a part of the password in its message.
    """
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise ValueError(
            f'Environment variable "{variable}" is not a valid URL: percent-encode its password'
        ) from None
    return url


def _credentials(user: str | None, password: str | None) -> str:
    if not (user or password):
        return ""
    return f"{quote(user or '', safe='')}:{quote(password or '', safe='')}@"
