"""Checks of the site as a visitor meets it, through whatever proxy is in front: HTTP."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import requests

from chat.cli.doctor.findings import Finding, failure, ok, warning

TIMEOUT_S = 10
NAME = "doctor"


def check_site(url: str) -> Iterator[Finding]:
    """Ask for the API, the page and its files."""
    try:
        answer = requests.get(f"{url}/test", timeout=TIMEOUT_S)
    except requests.RequestException as error:
        yield failure(
            f"Nothing answers at {url} ({type(error).__name__})",
            "Start the web process and the proxy, or name the site with --url.",
        )
        return
    if answer.status_code == 400:
        yield failure(
            f"{url} refuses its own name", f"Add {urlsplit(url).hostname} to ALLOWED_HOSTS."
        )
        return
    if answer.status_code in {502, 503, 504}:
        yield failure(
            f"The proxy at {url} reaches no web process ({answer.status_code})",
            "Start one, and compare the proxy's upstream with its address.",
        )
        return
    if not answer.ok or "API is Online" not in answer.text:
        yield failure(
            f"{url} answers {answer.status_code}, and it is not this application",
            "Name the site with --url.",
        )
        return
    yield ok(f"{url} answers in {answer.elapsed.total_seconds() * 1000:.0f} ms")
    yield from _check_security(url, answer)
    yield from _check_page(url)
    yield from _check_operators_pages(url)


def begin_session(url: str) -> tuple[str, Finding]:
    """Return a token, empty where none is given, and what was found."""
    try:
        answer = requests.post(f"{url}/token", params={"name": NAME}, timeout=TIMEOUT_S)
        token = str(answer.json()["token"]) if answer.ok else ""
    except (requests.RequestException, ValueError, KeyError) as error:
        return "", failure(f"No session could be begun ({type(error).__name__})", "See above.")
    if answer.status_code == 429:
        wait_s = answer.headers.get("Retry-After", "60")
        return "", warning(
            "This address has begun too many sessions just now", f"Try again in {wait_s} s."
        )
    if not token:
        return "", failure(
            f"No session could be begun ({answer.status_code})", "See the web process' log."
        )
    return token, ok("A session begins")


def end_session(url: str, token: str) -> Iterator[Finding]:
    """Erase the session again."""
    answer = requests.delete(f"{url}/token", params={"token": token}, timeout=TIMEOUT_S)
    if answer.status_code != 204:
        yield warning(
            f"The doctor's session was not erased ({answer.status_code})", "It ends by itself."
        )


def is_local(url: str) -> bool:
    """Return whether only this host reaches the address."""
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def _check_security(url: str, answer: requests.Response) -> Iterator[Finding]:
    if urlsplit(url).scheme != "https" and not is_local(url):
        yield warning(f"{url} is not encrypted", "End TLS in the proxy.")
    if urlsplit(url).scheme == "https" and "Strict-Transport-Security" not in answer.headers:
        yield warning(
            "The web does not know that visitors come by https",
            "Let the proxy send X-Forwarded-Proto, and set APP_ENV=production.",
        )


def _check_page(url: str) -> Iterator[Finding]:
    page = requests.get(f"{url}/", timeout=TIMEOUT_S)
    if not page.ok:
        yield failure(f"The page answers {page.status_code}", "See the web process' log.")
        return
    files = re.findall(r'(?:src|href)="([^"]*static/[^"]+)"', page.text)
    missing = [
        file for file in files if not requests.get(urljoin(f"{url}/", file), timeout=TIMEOUT_S).ok
    ]
    if missing:
        yield failure(
            f"{len(missing)} of the page's {len(files)} files are missing, {missing[0]} for one",
            "Run: python manage.py collectstatic --noinput",
        )
    else:
        yield ok(f"The page and its {len(files)} files are there")


def _check_operators_pages(url: str) -> Iterator[Finding]:
    ready = requests.get(f"{url}/readyz", timeout=TIMEOUT_S)
    if ready.status_code in {200, 503}:
        for part, state in ready.json()["checks"].items():
            if state != "ok":
                yield failure(f"The web says of {part}: {state}", "See the lines on that part.")
    if requests.get(f"{url}/metrics", timeout=TIMEOUT_S).ok and not is_local(url):
        yield warning(
            "Everybody can read /metrics", "Let the proxy refuse it: deploy/nginx.conf.template."
        )
