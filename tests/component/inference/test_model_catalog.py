"""Endpoints share the load, one that is down is left out, and a fallback replies instead."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from inference import model_catalog, model_pool
from inference.model_catalog import ModelCatalog, Route, build_catalog, probe_pauses
from inference.model_client import Turn
from inference.model_errors import ModelError
from inference.model_settings import ModelSettings, ServedModel
from tests.model_stub import Behaviour, ModelStub, failing
from tests.ports import free_port
from tests.processes import wait_for

TURNS = [Turn("human", "Hello")]
BuildCatalog = Callable[..., ModelCatalog]


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_pool, "RECOVERY_S", 1)
    monkeypatch.setattr(model_catalog, "PROBE_INTERVAL_S", 0.02)
    monkeypatch.setattr(model_catalog, "probe_pauses", lambda: itertools.repeat(0.0))


@pytest.fixture
def other() -> Iterator[ModelStub]:
    with ModelStub() as running:
        yield running


def model(name: str, *urls: str, **fields: Any) -> ServedModel:
    endpoints = tuple(
        ModelSettings(
            api="chat",
            url=url,
            name=f"served-{name}",
            token=None,
            context_tokens=2048,
            max_new_tokens=25,
            timeout_s=5,
        )
        for url in urls
    )
    return ServedModel(name, name.title(), endpoints, **fields)


def ask(route: Route) -> str:
    """Ask endpoint after endpoint, as a worker does within a round."""
    while True:
        try:
            with route.call() as client, client.generate(TURNS) as generation:
                return "".join(generation)
        except ModelError as error:
            if not route.can_fail_over(error):
                raise


def reply_of(catalog: ModelCatalog, name: str | None = None) -> str:
    with catalog.route(name) as route:
        assert route.reserve()
        return ask(route)


def test_requests_go_to_the_endpoint_with_the_fewest(stub: ModelStub, other: ModelStub) -> None:
    catalog = build_catalog([model("one", stub.endpoint("chat"), other.endpoint("chat"))], 8)
    with catalog.route(None) as slow, slow.call():
        for _ in range(4):
            assert reply_of(catalog) == "You said: Hello"
        assert [state.outstanding for state in catalog.states()] == [1, 0]
    assert [state.outstanding for state in catalog.states()] == [0, 0]
    assert len(other.requests) == 4


def test_idle_endpoints_take_turns(stub: ModelStub, other: ModelStub) -> None:
    catalog = build_catalog([model("one", stub.endpoint("chat"), other.endpoint("chat"))], 8)
    for _ in range(6):
        reply_of(catalog)
    assert (len(stub.requests), len(other.requests)) == (3, 3)


def test_an_endpoint_that_is_down_is_not_asked_and_comes_back(
    stub: ModelStub, other: ModelStub
) -> None:
    catalog = build_catalog([model("one", stub.endpoint("chat"), other.endpoint("chat"))], 8)
    stub.always(failing(500))
    for _ in range(12):
        assert reply_of(catalog) == "You said: Hello"
    assert len(stub.requests) == model_pool.FAILURES_TO_OPEN
    assert [state.is_up for state in catalog.states()] == [False, True]
    # A probe fails first, then one succeeds. Neither is a visitor's message.
    stub.wait_for(lambda requests: len(requests) == 4)
    stub.always(Behaviour(times=None))
    wait_for(lambda: all(state.is_up for state in catalog.states()), "recovery", timeout_s=10)
    assert {request.payload["max_tokens"] for request in stub.requests[3:]} == {8}
    for _ in range(4):
        reply_of(catalog)
    assert sum(request.payload["max_tokens"] == 25 for request in stub.requests) == 5


def test_a_server_that_stays_down_is_probed_ever_more_rarely(
    stub: ModelStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = itertools.count()
    monkeypatch.setattr(model_pool, "RECOVERY_S", 0.1)
    monkeypatch.setattr(model_catalog, "probe_pauses", lambda: (0.0 * each for each in drawn))
    catalog = build_catalog([model("one", stub.endpoint("chat"))], 8)
    stub.always(failing(401))
    for _ in range(model_pool.FAILURES_TO_OPEN):
        with pytest.raises(ModelError):
            reply_of(catalog)
    stub.wait_for(lambda requests: len(requests) == model_pool.FAILURES_TO_OPEN + 2)
    stub.always(Behaviour(times=None))
    wait_for(lambda: catalog.states()[0].is_up, "recovery", timeout_s=10)
    assert next(drawn) >= 2


def test_pauses_between_probes_double_up_to_a_minute() -> None:
    pauses = itertools.islice(probe_pauses(), 6)
    assert list(pauses) == [10, 20, 40, 60, 60, 60]


def test_the_fallback_replies_if_no_endpoint_does(stub: ModelStub) -> None:
    gone = f"http://127.0.0.1:{free_port()}/v1/chat/completions"
    catalog = build_catalog(
        [model("main", gone, gone, fallback="spare"), model("spare", stub.endpoint("chat"))], 8
    )
    with catalog.route("main") as route:
        assert ask(route) == "You said: Hello"
        assert route.model == "spare"
    assert stub.requests[0].payload["model"] == "served-spare"


def test_without_another_endpoint_one_that_is_down_is_asked(stub: ModelStub) -> None:
    catalog = build_catalog([model("one", stub.endpoint("chat"))], 8)
    stub.script(failing(500), failing(500), failing(500))
    for _ in range(3):
        with pytest.raises(ModelError):
            reply_of(catalog)
    assert reply_of(catalog) == "You said: Hello"
    assert catalog.states()[0].is_up


def test_a_rejected_request_does_not_count_against_the_endpoint(
    stub: ModelStub, other: ModelStub
) -> None:
    catalog = build_catalog([model("one", stub.endpoint("chat"), other.endpoint("chat"))], 8)
    stub.always(failing(422))
    for _ in range(8):
        assert reply_of(catalog) == "You said: Hello"
    assert all(state.is_up for state in catalog.states())


def test_a_model_at_its_limit_has_no_place(stub: ModelStub) -> None:
    catalog = build_catalog([model("one", stub.endpoint("chat"), concurrency=2)], 8)
    with catalog.route(None) as first, catalog.route(None) as second, catalog.route(None) as third:
        assert (first.reserve(), second.reserve(), third.reserve()) == (True, True, False)
        assert catalog.full_models() == ["one"]
    assert catalog.full_models() == []


def test_a_fallback_at_its_limit_is_not_asked(stub: ModelStub) -> None:
    gone = f"http://127.0.0.1:{free_port()}/v1/chat/completions"
    spare = model("spare", stub.endpoint("chat"), concurrency=1)
    catalog = build_catalog([model("main", gone, fallback="spare", concurrency=1), spare], 8)
    with catalog.route("spare") as busy:
        assert busy.reserve()
        with catalog.route("main") as route:
            assert route.reserve()
            with pytest.raises(ModelError):
                ask(route)
    # The place at the first model is given back when the fallback takes over.
    with catalog.route("main") as route:
        assert route.reserve()
        ask(route)
        assert catalog.full_models() == ["spare"]
    assert catalog.full_models() == []


def test_fallbacks_in_a_circle_end(stub: ModelStub) -> None:
    gone = f"http://127.0.0.1:{free_port()}/v1/chat/completions"
    catalog = build_catalog([model("a", gone, fallback="b"), model("b", gone, fallback="a")], 8)
    with pytest.raises(ModelError):
        reply_of(catalog, "b")
