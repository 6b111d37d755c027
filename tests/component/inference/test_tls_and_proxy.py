"""A model's server with a certificate of an own authority, and behind a proxy."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from inference.model_client import HttpModelClient, ModelSettings, Turn
from inference.model_errors import ModelError
from tests.component.inference.conftest import BuildClient
from tests.component.inference.connect_proxy import ForwardProxy
from tests.component.inference.test_cancel import Reader, cancel_and_join, is_disconnected
from tests.model_stub import PATHS, Behaviour, ModelStub
from tests.processes import wait_for

TURNS = [Turn("human", "Hello")]
CREDENTIALS = "ada:p@ss"
IN_URL = "ada:p%40ss@"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def tls_stub(tls: ssl.SSLContext) -> Iterator[ModelStub]:
    with ModelStub(tls=tls) as running:
        yield running


def generate_text(client: HttpModelClient) -> str:
    with client.generate(TURNS) as generation:
        return "".join(generation)


def error_of(client: HttpModelClient) -> ModelError:
    with pytest.raises(ModelError) as caught:
        generate_text(client)
    return caught.value


@pytest.mark.parametrize("api", PATHS)
def test_the_servers_authority_can_be_given(
    build: BuildClient, tls_stub: ModelStub, ca_file: str, api: str
) -> None:
    client = build(api, url=tls_stub.endpoint(api), ca_file=ca_file)
    assert generate_text(client) == "You said: Hello"


def test_a_server_of_an_unknown_authority_gets_no_request(
    build: BuildClient, tls_stub: ModelStub
) -> None:
    error = error_of(build(url=tls_stub.endpoint("huggingface")))
    assert (error.code, error.permanent) == ("model.unavailable", False)
    assert error.reason == "TLS: unable to get local issuer certificate"
    assert tls_stub.requests == []


def test_a_certificate_for_another_name_is_refused(
    build: BuildClient, tls_stub: ModelStub, ca_file: str
) -> None:
    url = tls_stub.endpoint("huggingface").replace("127.0.0.1", "localhost")
    error = error_of(build(url=url, ca_file=ca_file))
    assert error.code == "model.unavailable"
    assert error.reason.startswith("TLS: Hostname mismatch")


def test_a_server_without_tls_is_named(
    build: BuildClient, raw_server: Callable[[bytes], str]
) -> None:
    url = raw_server(b"HTTP/1.1 400 Bad Request\r\n\r\n").replace("http:", "https:")
    error = error_of(build(url=url))
    assert error.code == "model.unavailable"
    assert error.reason in {"TLS: WRONG_VERSION_NUMBER", "TLS: RECORD_LAYER_FAILURE"}


def test_a_file_of_authorities_that_was_deleted_is_an_error_of_the_model(
    build: BuildClient, tls_stub: ModelStub
) -> None:
    error = error_of(build(url=tls_stub.endpoint("huggingface"), ca_file="/none"))
    assert error.code == "model.unavailable"


def test_a_refused_connection_has_a_reason(build: BuildClient) -> None:
    assert error_of(build(url="http://127.0.0.1:9/")).reason == "Connection refused"


class Route:
    """A model's server, the proxy before it, and a client for both."""

    def __init__(self, stub: ModelStub, proxy: ForwardProxy, client: HttpModelClient) -> None:
        self.stub = stub
        self.proxy = proxy
        self.client = client


@pytest.fixture(
    params=[("http", "http"), ("http", "https"), ("https", "http"), ("https", "https")],
    ids="{0[0]} proxy, {0[1]} server".format,
)
def route(
    request: pytest.FixtureRequest, build: BuildClient, tls: ssl.SSLContext, ca_file: str
) -> Iterator[Route]:
    proxy_scheme, scheme = request.param
    with ExitStack() as stack:
        stub = stack.enter_context(ModelStub(tls=tls if scheme == "https" else None))
        proxy = stack.enter_context(
            ForwardProxy(credentials=CREDENTIALS, tls=tls if proxy_scheme == "https" else None)
        )
        client = build(
            url=stub.endpoint("huggingface"),
            ca_file=ca_file,
            proxy=f"{proxy_scheme}://{IN_URL}127.0.0.1:{proxy.port}",
        )
        yield Route(stub, proxy, client)


def test_requests_go_through_the_proxy_and_reuse_its_connection(route: Route) -> None:
    for _ in range(3):
        assert generate_text(route.client) == "You said: Hello"
    is_tunnel = route.stub.url.startswith("https:")
    assert len(route.proxy.requests) == (1 if is_tunnel else 3)
    assert route.proxy.requests[0].startswith("CONNECT 127.0.0.1:" if is_tunnel else "POST http://")
    assert not is_tunnel or "proxy-authorization" not in route.stub.requests[0].headers


def test_a_kept_connection_that_breaks_is_replaced_through_the_proxy(route: Route) -> None:
    generate_text(route.client)
    route.stub.script(Behaviour(reset_after=0))
    assert generate_text(route.client) == "You said: Hello"
    assert len(route.stub.requests) == 3
    assert len(route.proxy.requests) == (2 if route.stub.url.startswith("https:") else 3)


@pytest.mark.parametrize(
    "behaviour", [Behaviour(hang_after=0), Behaviour(hang_after=1)], ids=["headers", "pieces"]
)
def test_a_call_through_the_proxy_is_cancelled(route: Route, behaviour: Behaviour) -> None:
    route.stub.script(behaviour)
    generation = route.client.generate(TURNS)
    reader = Reader(generation)
    route.stub.wait_for(lambda requests: len(requests) == 1)
    if behaviour.hang_after:
        assert reader.has_piece.wait(5)
    cancel_and_join(generation, reader)
    route.stub.wait_for(is_disconnected)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_of_an_unknown_authority_gets_no_request(
    build: BuildClient, tls: ssl.SSLContext, scheme: str
) -> None:
    with ForwardProxy(tls=tls) as proxy:
        client = build(url=f"{scheme}://model.invalid/", proxy=f"https://127.0.0.1:{proxy.port}")
        error = error_of(client)
    assert (error.code, proxy.requests) == ("model.unavailable", [])
    assert error.reason == "TLS: unable to get local issuer certificate"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_call_is_cancelled_while_the_proxy_does_not_respond(
    build: BuildClient, scheme: str
) -> None:
    with ForwardProxy(hangs=True) as proxy:
        client = build(url=f"{scheme}://model.invalid/", proxy=f"http://127.0.0.1:{proxy.port}")
        generation = client.generate(TURNS)
        reader = Reader(generation)
        wait_for(lambda: proxy.requests, "the request to the proxy")
        cancel_and_join(generation, reader)


def test_a_proxy_that_does_not_respond_is_a_timeout(build: BuildClient) -> None:
    with ForwardProxy(hangs=True) as proxy:
        client = build(
            url="https://model.invalid/", proxy=f"http://127.0.0.1:{proxy.port}", timeout_s=0.2
        )
        assert error_of(client).code == "model.timeout"


def test_a_proxy_that_requires_a_password_is_named(build: BuildClient) -> None:
    with ForwardProxy(credentials=CREDENTIALS) as proxy:
        client = build(url="https://model.invalid/", proxy=f"http://127.0.0.1:{proxy.port}")
        error = error_of(client)
    assert (error.code, error.reason) == ("model.unavailable", "proxy: 407")


def test_a_proxy_that_is_away_has_a_reason_without_its_password(build: BuildClient) -> None:
    error = error_of(build(url="https://model.invalid/", proxy=f"http://{IN_URL}127.0.0.1:9"))
    assert (error.code, error.reason) == ("model.unavailable", "Connection refused")


def test_the_proxys_password_is_not_in_the_settings_text() -> None:
    settings = ModelSettings(
        api="chat",
        url="http://model/",
        name="",
        token=None,
        context_tokens=2048,
        max_new_tokens=25,
        timeout_s=1,
        proxy=f"http://{IN_URL}proxy:3128",
    )
    assert "p%40ss" not in repr(settings)
