"""Read-only links: what they show to whom, and what an attacker tries with them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
import requests

from chat.schemas import session_id
from chat.store import leases, sessions
from chat.store.client import Store
from chat.store.shares import share_id
from tests.client import create_session
from tests.component.conftest import LIMITS, new_reply, send_message, store_reply, take_message
from tests.processes import HIGH_LIMITS, Stack, wait_for

TIMEOUT_S = 10
MARKUP = "</script><img src=x onerror=alert(1)>\u2028 \\ \" 'x'\n{{ 7 }}"


@pytest.fixture(scope="module")
def site(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A site with low limits of shares, and without a worker, so that no message is answered."""
    environment = HIGH_LIMITS | {
        "SHARES_PER_SESSION": "3",
        "MAX_SHARED_BYTES": "200000",
        "UNKNOWN_TOKENS_PER_MINUTE_PER_IP": "60",
        "MODEL_URL": "http://127.0.0.1:9/",
        "REDIS_URL": redis_url,
    }
    with Stack(tmp_path_factory.mktemp("site"), environment) as stack:
        stack.start_web()
        yield stack


@pytest.fixture
def store(redis_url: str) -> Iterator[Store]:
    store = Store(redis_url, connections=1)
    yield store
    store.redis.close()


class Author:
    """A visitor with a session, over HTTP."""

    def __init__(self, url: str, name: str = "Ada") -> None:
        self.url = url
        self.token = create_session(url, name)
        self.session = session_id(self.token)
        self.headers = {"Authorization": f"Bearer {self.token}"}

    def share(self, **wanted: object) -> requests.Response:
        return requests.post(
            f"{self.url}/share", json=wanted, headers=self.headers, timeout=TIMEOUT_S
        )

    def links(self) -> list[dict[str, object]]:
        response = requests.get(f"{self.url}/share", headers=self.headers, timeout=TIMEOUT_S)
        return list(response.json()["shares"])

    def revoke(self, share: str) -> int:
        response = requests.delete(
            f"{self.url}/share/{share}", headers=self.headers, timeout=TIMEOUT_S
        )
        return response.status_code


@pytest.fixture
def author(site: Stack, store: Store) -> Author:
    author = Author(site.url)
    send_message(store, author.session, MARKUP)
    store_reply(store, author.session, "<b>bold</b> & more")
    return author


def read(url: str, suffix: str = ".json", **request: object) -> requests.Response:
    return requests.get(url + suffix, timeout=TIMEOUT_S, **request)  # type: ignore[arg-type]


def test_a_link_shows_the_messages_up_to_now_to_anybody(author: Author, store: Store) -> None:
    created = author.share()
    send_message(store, author.session, "a later secret")

    shown = read(created.json()["url"])

    assert created.status_code == 201
    assert shown.json()["name"] is None
    messages = shown.json()["messages"]
    assert [(each["source"], each["msg"]) for each in messages] == [
        ("human", MARKUP),
        ("bot", "<b>bold</b> & more"),
    ]
    assert messages[1]["reply_to"] == messages[0]["id"]
    for secret in (author.token, author.session, "Ada", "a later secret"):
        assert secret not in shown.text


def test_failed_and_replaced_replies_are_left_out(author: Author, store: Store) -> None:
    last = store.run(sessions.load(author.session)).messages[0].id
    store.run(sessions.regenerate(author.session, last, address="x", limits=LIMITS))
    store_reply(store, author.session, "a better reply")
    send_message(store, author.session, "and this?")
    taken = take_message(store, author.session)
    error = {"code": "model.timeout", "detail": "No.", "retryable": True}
    failed = new_reply(taken.message.id, "half of", finish_reason=None, error=error)
    store.run(leases.commit(author.session, taken.lease, failed, ttl_s=600))

    shown = read(author.share().json()["url"]).json()

    assert [each["msg"] for each in shown["messages"]] == [MARKUP, "a better reply", "and this?"]


def test_the_name_is_shown_only_on_request(author: Author) -> None:
    named = author.share(show_name=True).json()

    assert named["show_name"] is True
    assert read(named["url"]).json()["name"] == "Ada"


def test_the_address_is_in_no_other_response_and_does_not_follow_from_any(author: Author) -> None:
    first, second = author.share().json(), author.share().json()
    secrets = [link["url"].rpartition("/")[2] for link in (first, second)]

    assert secrets[0] != secrets[1]
    assert {first["id"], second["id"]} == {share_id(secret) for secret in secrets}
    listed = json.dumps(author.links())
    for secret in secrets:
        assert UUID(secret)
        assert secret not in listed
        assert secret not in author.token


@pytest.mark.parametrize("suffix", ["", ".json"])
def test_nobody_keeps_indexes_or_passes_on_a_link(author: Author, suffix: str) -> None:
    response = read(author.share().json()["url"], suffix)

    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Set-Cookie" not in response.headers
    if not suffix:
        assert '<meta name="robots" content="noindex, nofollow">' in response.text
        assert "sandbox allow-scripts" in response.headers["Content-Security-Policy"]
        assert "allow-same-origin" not in response.headers["Content-Security-Policy"]


def test_a_revoked_link_is_gone_for_everybody(author: Author) -> None:
    link = author.share().json()

    assert author.revoke(link["id"]) == 204

    assert author.links() == []
    assert author.revoke(link["id"]) == 404
    assert read(link["url"]).status_code == 404
    page = read(link["url"], "")
    assert page.status_code == 404
    assert "This conversation is no longer shared" in page.text
    assert page.headers["X-Robots-Tag"] == "noindex, nofollow"


def test_a_link_ends_at_its_time(author: Author) -> None:
    link = author.share(ttl_s=1).json()

    assert link["ends"] == link["expires_at"]
    wait_for(lambda: read(link["url"]).status_code == 404, "the link to end", 5)
    assert author.links() == []


def test_links_end_with_the_deleted_session(author: Author) -> None:
    link = author.share(ttl_s=86_400).json()

    requests.delete(f"{author.url}/token", headers=author.headers, timeout=TIMEOUT_S)

    assert read(link["url"]).status_code == 404
    assert author.share().status_code == 400


def test_another_session_neither_sees_nor_revokes_a_link(author: Author) -> None:
    link = author.share().json()
    other = Author(author.url)

    assert other.links() == []
    assert other.revoke(link["id"]) == 404
    assert read(link["url"]).status_code == 200


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_links_need_a_token(author: Author, method: str) -> None:
    for headers in ({}, {"Authorization": f"Bearer {uuid4()}"}, {"Authorization": "Bearer x"}):
        response = requests.request(
            method, f"{author.url}/share", headers=headers, timeout=TIMEOUT_S
        )
        assert response.status_code == 400


@pytest.mark.parametrize(
    "body",
    [{"ttl_s": 0}, {"ttl_s": -5}, {"ttl_s": 1e12}, {"ttl_s": "soon"}, {"show_name": [1]}, [1]],
)
def test_an_invalid_wish_is_rejected(author: Author, body: object) -> None:
    response = requests.post(
        f"{author.url}/share", json=body, headers=author.headers, timeout=TIMEOUT_S
    )
    assert response.status_code == 400
    assert author.links() == []


def test_a_body_that_cannot_be_parsed_is_rejected(author: Author) -> None:
    headers = author.headers | {"Content-Type": "application/json"}
    for body in ("{", "[" * 50_000, b"\xff\xfe", '{"ttl_s": NaN}', '{"ttl_s": Infinity}'):
        response = requests.post(
            f"{author.url}/share", data=body, headers=headers, timeout=TIMEOUT_S
        )
        assert response.status_code == 400, body


def test_a_link_has_one_spelling(author: Author) -> None:
    url = author.share().json()["url"]
    start, _, secret = url.rpartition("/")
    for spelling in (
        secret.upper() if secret.upper() != secret else f"{secret}x",
        secret.replace("-", ""),
        f"{{{secret}}}",
        f"{secret}/",
        f"{secret[:-1]}",
        share_id(secret),
    ):
        assert read(f"{start}/{spelling}").status_code == 404
        assert read(f"{start}/{spelling}", "").status_code == 404


def test_an_empty_session_cannot_be_shared(site: Stack) -> None:
    response = Author(site.url).share()

    assert (response.status_code, response.json()["reason"]) == (409, "empty")


def test_other_origins_cannot_use_a_session_for_links(author: Author) -> None:
    preflight = requests.options(
        f"{author.url}/share",
        headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"},
        timeout=TIMEOUT_S,
    )
    assert "Access-Control-Allow-Origin" not in preflight.headers
    cookies = {"chat_session": author.token, "session": author.token}
    forged = requests.post(f"{author.url}/share", cookies=cookies, timeout=TIMEOUT_S)
    assert forged.status_code == 400, "a cookie alone creates nothing"


def test_a_large_session_is_sent_in_parts_and_a_huge_one_is_refused(
    author: Author, store: Store
) -> None:
    limits = replace(LIMITS, pending=100)

    def send_messages(count: int) -> None:
        for number in range(count):
            text = f"{number} " + "ü" * 4_000
            command = sessions.accept(author.session, uuid4(), text, address="x", limits=limits)
            store.run(command)

    send_messages(20)
    link = author.share().json()
    shown = read(link["url"]).json()["messages"]
    snapshot: dict[str, str] = store.redis.hgetall(f"chat:{{{link['id']}}}:snapshot")  # type: ignore[assignment]
    sizes = [len(text.encode()) for name, text in snapshot.items() if name.isdecimal()]
    assert [each["msg"].split()[0] for each in shown[2:]] == list(map(str, range(20)))
    assert len(sizes) > 1
    assert max(sizes) <= 64 * 1024

    assert author.share().json()["reason"] == "too_large", "both together"
    author.revoke(link["id"])
    send_messages(10)
    assert author.share().json()["reason"] == "too_large"


def test_links_of_a_session_are_limited(author: Author) -> None:
    assert [author.share().status_code for _ in range(4)] == [201, 201, 201, 409]
    assert author.share().json()["reason"] == "too_many"


@pytest.mark.slow
def test_nothing_is_shared_where_the_operator_forbids_it(author: Author, site: Stack) -> None:
    web = site.start_web(SHARES_PER_SESSION="0")
    author.url = f"http://127.0.0.1:{web.port}"

    assert author.share().status_code == 409
    assert '"sharing": false' in requests.get(author.url, timeout=TIMEOUT_S).text


def test_guessing_ends_after_a_few_attempts(author: Author) -> None:
    """The last test here: it exhausts its address."""
    link = author.share().json()["url"]
    start = link.rpartition("/")[0]

    guesses = [(f"{start}/{uuid4()}", suffix) for _ in range(40) for suffix in ("", ".json")]
    statuses = [read(*guess).status_code for guess in guesses]

    assert set(statuses) == {404, 429}
    assert statuses[-1] == 429
    limited = read(link, "")
    assert (limited.status_code, "right now" in limited.text) == (429, True)
    assert read(link).headers["Retry-After"]
