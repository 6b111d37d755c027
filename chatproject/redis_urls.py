"""Redis addresses, completed and checked, and the options of encrypted connections."""

from collections.abc import Collection
from urllib.parse import quote, urlsplit


def complete_redis_url(
    url: str | None, *, host: str | None, port: int, user: str | None, password: str | None
) -> str | None:
    """Return a complete `redis://` URL, or None if neither `url` nor `host` is given.

    `url` may be complete, or `host:port`, to which user and password are added.
    Raises ValueError if it is neither.
    """
    if url and "://" in url:
        check_redis_url("REDIS_URL", url, ("redis", "rediss", "unix"))
        return url
    address = url or (f"{host}:{port}" if host else None)
    if address is None:
        return None
    if not address.rpartition(":")[2].partition("/")[0].isdigit():
        raise ValueError('Environment variable "REDIS_URL" must be a redis:// URL or host:port')
    return f"redis://{_credentials(user, password)}{address}"


def check_redis_url(variable: str, url: str, schemes: Collection[str]) -> None:
    """Raise ValueError if the scheme is not one of `schemes` or the port is not a number.

    The libraries would raise a later error that contains a part of the password.
    """
    parts = urlsplit(url)
    if parts.scheme not in schemes:
        allowed = " or ".join(f"{scheme}://" for scheme in schemes)
        raise ValueError(f'Environment variable "{variable}" must be {allowed}')
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(
            f'Environment variable "{variable}" is not a valid address: percent-encode the password'
        ) from None


def tls_options(
    url: str, *, ca_file: str, certificate_file: str, key_file: str
) -> dict[str, str | bool]:
    """Return redis-py's options that verify the server's certificate and name; {} without TLS.

    `ca_file` is empty for the system's certificate authorities. The certificate and its key are
    this client's own, and empty if the server requires none.
    """
    if urlsplit(url).scheme != "rediss":
        return {}
    files = {
        "ssl_ca_certs": ca_file,
        "ssl_certfile": certificate_file,
        "ssl_keyfile": key_file,
    }
    required: dict[str, str | bool] = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    return required | {name: file for name, file in files.items() if file}


def _credentials(user: str | None, password: str | None) -> str:
    if not (user or password):
        return ""
    return f"{quote(user or '', safe='')}:{quote(password or '', safe='')}@"
