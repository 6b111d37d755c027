"""Checks of the site over HTTP, as a visitor reaches it through the proxy."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import requests

from chat.cli.doctor.findings import Finding, count, failure, ok, warning
from chat.cli.doctor.tls import check_tls

TIMEOUT_S = 10
NAME = "doctor"
SEE_LOG = "See the web process's log."
AUTHORITY = (
    "Let the proxy send the whole chain of certificates. For an authority of your own, run doctor"
    " with its file in REQUESTS_CA_BUNDLE and in SSL_CERT_FILE."
)


def check_site(url: str) -> Iterator[Finding]:
    """Check the API, the page with its files, and the operator's pages."""
    try:
        response = requests.get(f"{url}/test", timeout=TIMEOUT_S)
    except requests.RequestException as error:
        yield check_tls(url, error, AUTHORITY) or failure(
            f"{url} does not respond ({type(error).__name__})",
            "Start the web process and the proxy, or set --url.",
        )
        return
    status = response.status_code
    if status == 400:
        yield failure(
            f"{url} rejects its own host name", f"Add {urlsplit(url).hostname} to ALLOWED_HOSTS."
        )
    elif status in {502, 503, 504}:
        yield failure(
            f"The proxy at {url} cannot reach a web process ({status})",
            "Start one, and check the address of the proxy's upstream.",
        )
    elif not response.ok or "API is Online" not in response.text:
        yield failure(f"{url} is another application (status {status})", "Correct --url.")
    else:
        yield ok(f"{url} responds in {response.elapsed.total_seconds() * 1000:.0f} ms")
        yield from check_encryption(url, response)
        yield from _check_page(url)
        yield from _check_operator_pages(url)


def create_session(url: str) -> tuple[str, Finding]:
    """Return the token of a new session, or an empty string, and the finding."""
    try:
        response = requests.post(f"{url}/token", params={"name": NAME}, timeout=TIMEOUT_S)
        token = str(response.json()["token"]) if response.ok else ""
    except (requests.RequestException, ValueError, KeyError) as error:
        return "", failure(
            f"No session could be created ({type(error).__name__})",
            "Fix the problems reported above first.",
        )
    if response.status_code == 429:
        wait_s = response.headers.get("Retry-After", "60")
        return "", warning(
            "This address has created too many sessions in the last minute",
            f"Try again in {wait_s} s.",
        )
    if not token:
        return "", failure(f"No session could be created (status {response.status_code})", SEE_LOG)
    return token, ok("A session was created")


def delete_session(url: str, token: str) -> Iterator[Finding]:
    response = requests.delete(f"{url}/token", params={"token": token}, timeout=TIMEOUT_S)
    if response.status_code != 204:
        yield warning(
            f"The doctor's session was not deleted (status {response.status_code})",
            "Nothing to do: it expires on its own.",
        )


def is_local(url: str) -> bool:
    """Return whether the address is reachable from this host only."""
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def check_encryption(url: str, response: requests.Response) -> Iterator[Finding]:
    is_encrypted = urlsplit(url).scheme == "https"
    if not is_encrypted and not is_local(url):
        yield warning(f"{url} does not use HTTPS", "Terminate TLS in the proxy.")
    if is_encrypted and "Strict-Transport-Security" not in response.headers:
        yield warning(
            "The web process does not know that visitors use HTTPS",
            "Let the proxy send X-Forwarded-Proto, and set APP_ENV=production.",
        )


def _check_page(url: str) -> Iterator[Finding]:
    page = requests.get(f"{url}/", timeout=TIMEOUT_S)
    if not page.ok:
        yield failure(f"The chat page fails (status {page.status_code})", SEE_LOG)
        return
    files = re.findall(r'(?:src|href)="([^"]*static/[^"]+)"', page.text)
    missing = [
        file for file in files if not requests.get(urljoin(f"{url}/", file), timeout=TIMEOUT_S).ok
    ]
    if missing:
        yield failure(
            f"{len(missing)} of the chat page's {len(files)} files cannot be loaded,"
            f" for example {missing[0]}",
            "Run: python manage.py collectstatic --noinput",
        )
    else:
        yield ok(f"The chat page and its {count(len(files), 'file')} can be loaded")


def _check_operator_pages(url: str) -> Iterator[Finding]:
    ready = requests.get(f"{url}/readyz", timeout=TIMEOUT_S)
    if ready.status_code in {200, 503}:
        for part, state in ready.json()["checks"].items():
            if state != "ok":
                yield failure(f"/readyz reports {part}: {state}", f"See the lines about {part}.")
    if requests.get(f"{url}/metrics", timeout=TIMEOUT_S).ok and not is_local(url):
        yield warning(
            "/metrics is open to everyone",
            "Block it in the proxy: see deploy/nginx.conf.template.",
        )
