"""Where the other servers are, worked out from what the environment gives."""

from urllib.parse import quote, urlsplit


def complete_redis_url(
    url: str | None, *, host: str | None, port: int, user: str | None, password: str | None
) -> str | None:
    """Return a whole `redis://` URL, or None where the environment names no server.

    `url` may be whole, or only `host:port`, then user and password are taken from the others.
    Raises ValueError for an address that is neither.
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
    """Return `url`; ValueError where its port cannot be read.

    The libraries would say so later and show a part of the password.
    """
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise ValueError(
            f'Environment variable "{variable}" is no address: percent-encode its password'
        ) from None
    return url


def _credentials(user: str | None, password: str | None) -> str:
    if not (user or password):
        return ""
    return f"{quote(user or '', safe='')}:{quote(password or '', safe='')}@"
