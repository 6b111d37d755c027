"""Every misbehaviour of a server promptly raises a ModelError that repeats none of its text."""

import socket
from collections.abc import Callable

import pytest

from inference import generation
from inference.model_client import HttpModelClient, Turn
from inference.model_errors import ModelError, ModelLoading
from tests.component.inference.conftest import BuildClient
from tests.model_stub import Behaviour, ModelStub, failing, loading, overloaded

TURNS = [Turn("human", "Hello")]
DEEP = "[" * 100_000


def read_until_error(client: HttpModelClient) -> tuple[ModelError, str]:
    """Read a reply until it fails; return the error and the text before it."""
    text = ""
    with client.generate(TURNS) as reply:
        try:
            for piece in reply:
                text += piece
        except ModelError as error:
            return error, text
    raise AssertionError(f"no error after {text!r}")


MISBEHAVIOUR: list[tuple[str, Behaviour, str]] = [
    ("loading", loading(), "model.loading"),
    ("overloaded", overloaded(), "model.overloaded"),
    ("error as a list", Behaviour(status=503, error=["a", "b"]), "model.unavailable"),
    ("error as an object", failing(500, {"message": "x"}), "model.unavailable"),
    ("server error", failing(500), "model.unavailable"),
    ("bad gateway, no JSON", Behaviour(status=502, raw="<html>"), "model.unavailable"),
    ("unauthorized", failing(401), "model.unauthorized"),
    ("forbidden", failing(403), "model.unauthorized"),
    *((f"status {n}", failing(n), "model.rejected") for n in (400, 404, 410, 413, 422)),
    ("error with status 200", Behaviour(error="CUDA out of memory"), "model.unavailable"),
    ("error in mid-stream", Behaviour(error="CUDA", error_after=1), "model.unavailable"),
    (
        "overload in mid-stream",
        Behaviour(error="x", error_fields={"error_type": "overloaded"}, error_after=1),
        "model.overloaded",
    ),
    ("reset before", Behaviour(reset_after=0), "model.unavailable"),
    ("reset in mid-stream", Behaviour(reset_after=1), "model.unavailable"),
    ("closed before", Behaviour(close_after=0), "model.unavailable"),
    ("closed in mid-stream", Behaviour(close_after=1), "model.bad_reply"),
    ("no end of stream", Behaviour(finish_reason=None, done=False), "model.bad_reply"),
    ("truncated stream", Behaviour(truncate=True), "model.bad_reply"),
    ("truncated JSON", Behaviour(shape="object", truncate=True), "model.bad_reply"),
    ("no JSON", Behaviour(raw="<html>hello</html>"), "model.bad_reply"),
    ("no JSON in an event", Behaviour(raw="data: hello\n\n"), "model.bad_reply"),
    ("deep JSON", Behaviour(raw=DEEP), "model.bad_reply"),
    ("deep JSON in an event", Behaviour(raw=f"data: {DEEP}\n\n"), "model.bad_reply"),
    ("no body", Behaviour(raw=""), "model.bad_reply"),
    ("no content", Behaviour(status=204, raw=""), "model.bad_reply"),
    ("unknown JSON object", Behaviour(raw='{"hello": 1}'), "model.bad_reply"),
    ("a number", Behaviour(raw="data: 3\n\n"), "model.bad_reply"),
    ("an empty array", Behaviour(raw="[]"), "model.bad_reply"),
    ("empty text", Behaviour(text="", shape="object"), "model.bad_reply"),
    ("empty stream", Behaviour(pieces=()), "model.bad_reply"),
    ("only white space", Behaviour(pieces=(" ", "\n")), "model.bad_reply"),
    ("endless text", Behaviour(pieces=("word ",) * 50, endless=True), "model.bad_reply"),
    ("100 MB", Behaviour(filler_bytes=100_000_000), "model.bad_reply"),
    ("100 MB of an error", Behaviour(status=500, filler_bytes=100_000_000), "model.unavailable"),
    (
        "100 MB of a redirect",
        Behaviour(status=302, headers={"Location": "/x"}, filler_bytes=100_000_000),
        "model.rejected",
    ),
]


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [case[1:] for case in MISBEHAVIOUR],
    ids=[case[0] for case in MISBEHAVIOUR],
)
def test_each_misbehaviour_raises_the_error_with_its_code(
    client: HttpModelClient, stub: ModelStub, behaviour: Behaviour, code: str
) -> None:
    stub.script(behaviour)
    error, _ = read_until_error(client)
    assert error.code == code
    assert len(stub.requests) == 1


@pytest.mark.parametrize(
    "behaviour",
    [Behaviour(reset_after=2), Behaviour(close_after=2), Behaviour(error="x", error_after=2)],
)
def test_text_before_the_error_is_yielded(
    client: HttpModelClient, stub: ModelStub, behaviour: Behaviour
) -> None:
    stub.script(behaviour)
    assert read_until_error(client)[1] == "You said:"


def test_the_client_works_after_any_error(client: HttpModelClient, stub: ModelStub) -> None:
    stub.script(*(behaviour for _, behaviour, _ in MISBEHAVIOUR))
    for _ in MISBEHAVIOUR:
        read_until_error(client)
    with client.generate(TURNS) as reply:
        assert "".join(reply) == "You said: Hello"


def test_a_loading_error_has_the_estimated_time(client: HttpModelClient, stub: ModelStub) -> None:
    stub.script(loading(12.5))
    error, _ = read_until_error(client)
    assert isinstance(error, ModelLoading)
    assert error.estimated_time_s == 12.5


def test_an_overload_error_has_the_retry_after_time(
    client: HttpModelClient, stub: ModelStub
) -> None:
    stub.script(overloaded(retry_after_s=7))
    assert read_until_error(client)[0].retry_after_s == 7.0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(client: HttpModelClient, stub: ModelStub, status: int) -> None:
    for location in ("/generate", "http://[", "http://elsewhere.invalid/"):
        stub.script(Behaviour(status=status, headers={"Location": location}, raw=""))
        assert read_until_error(client)[0].code == "model.rejected"
    assert len(stub.requests) == 3


@pytest.mark.parametrize(
    "behaviour",
    [Behaviour(hang_after=0), Behaviour(hang_after=1), Behaviour(status=200, delay_s=30)],
)
def test_a_silent_server_is_a_timeout(
    build: BuildClient, stub: ModelStub, api: str, behaviour: Behaviour
) -> None:
    stub.script(behaviour)
    assert read_until_error(build(api, timeout_s=0.2))[0].code == "model.timeout"
    stub.wait_for(lambda requests: requests[0].disconnected_at_s is not None)


def test_a_slow_error_body_is_not_read_to_its_end(
    build: BuildClient, stub: ModelStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generation, "FAILURE_BODY_TIMEOUT_S", 0.2)
    # The headers take a second; the body would take five.
    stub.script(Behaviour(status=500, error="x" * 400, byte_delay_s=0.01))
    assert read_until_error(build())[0].code == "model.unavailable"
    (request,) = stub.wait_for(lambda requests: requests[0].disconnected_at_s is not None)
    assert request.disconnected_at_s is not None
    assert request.disconnected_at_s - request.received_at_s < 3


def test_a_server_that_keeps_the_stream_open_does_not_delay_the_end_of_a_reply(
    client: HttpModelClient, stub: ModelStub
) -> None:
    stub.script(Behaviour(hang_at_end=True))
    with client.generate(TURNS) as reply:
        assert "".join(reply) == "You said: Hello"
    (request,) = stub.wait_for(lambda requests: requests[0].disconnected_at_s is not None)
    assert request.disconnected_at_s is not None
    assert request.disconnected_at_s - request.received_at_s < 2


def test_a_refused_connection_is_unavailable(build: BuildClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    client = build(url=f"http://127.0.0.1:{port}/generate")
    assert read_until_error(client)[0].code == "model.unavailable"


def test_an_unknown_host_is_unavailable(build: BuildClient) -> None:
    assert read_until_error(build(url="http://model.invalid/"))[0].code == "model.unavailable"


def test_a_server_that_accepts_no_connection_is_a_timeout(
    build: BuildClient, full_server: str
) -> None:
    assert read_until_error(build(url=full_server, timeout_s=0.2))[0].code == "model.timeout"


def test_plain_http_on_a_tls_address_is_unavailable(
    build: BuildClient, raw_server: Callable[[bytes], str]
) -> None:
    url = raw_server(b"HTTP/1.1 400 Bad Request\r\n\r\n").replace("http:", "https:")
    assert read_until_error(build(url=url))[0].code == "model.unavailable"


def test_a_response_that_is_not_http_is_a_bad_reply(
    build: BuildClient, raw_server: Callable[[bytes], str]
) -> None:
    client = build(url=raw_server(b"SSH-2.0-OpenSSH_9.2\r\n"))
    assert read_until_error(client)[0].code == "model.bad_reply"


def test_an_error_contains_no_text_from_the_server_or_the_library(
    client: HttpModelClient, stub: ModelStub
) -> None:
    stub.script(failing(500, f"secret at {stub.url}"))
    error, _ = read_until_error(client)
    assert "secret" not in f"{error} {error.detail} {error!r}"
    assert "127.0.0.1" not in f"{error} {error.detail} {error!r}"


@pytest.mark.parametrize(
    "changes", [{"url": "127.0.0.1:80"}, {"url": "http://"}, {"token": "hf_secret\nX: y"}]
)
def test_an_invalid_url_or_token_is_rejected_when_the_client_is_built(
    build: BuildClient, changes: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="address or access token") as caught:
        build(**changes)
    assert "hf_secret" not in str(caught.value)
