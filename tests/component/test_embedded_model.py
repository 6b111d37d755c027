"""`manage.py runmodel`: the embedded model serves OpenAI's chat API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import NewStack
from tests.ports import free_port
from tests.processes import START_TIMEOUT_S, Process, Stack, wait_for

MARK = "xylophone"
LONG = [{"role": "user", "content": f"Tell me a long story about a {MARK}."}]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The embedded model with two slots."""
    environment = {"EMBEDDED_MODEL_PORT": str(free_port()), "EMBEDDED_MODEL_SLOTS": "2"}
    with Stack(tmp_path_factory.mktemp("model"), environment) as stack:
        process = stack.run("model", "python manage.py runmodel", {})
        process.wait_until(lambda: "Serving" in process.output(), "to load")
        yield process


@pytest.fixture(scope="module")
def address(model: Process) -> str:
    return f"http://127.0.0.1:{model.environment['EMBEDDED_MODEL_PORT']}"


def complete(address: str, messages: list[dict[str, str]], **options: Any) -> requests.Response:
    payload = {"messages": messages, "stream": True, "max_tokens": 1000, **options}
    return requests.post(f"{address}/v1/chat/completions", json=payload, stream=True, timeout=60)


def pieces(response: requests.Response) -> Iterator[str]:
    """Yield the pieces of a streamed response as they arrive."""
    for line in response.iter_lines():
        data = line.removeprefix(b"data: ")
        if data.startswith(b"{"):
            yield json.loads(data)["choices"][0]["delta"].get("content") or ""


def busy_slots(address: str) -> int:
    slots = requests.get(f"{address}/slots", timeout=10).json()
    return sum(slot["is_processing"] for slot in slots)


def test_a_reply_is_streamed(address: str) -> None:
    question = [{"role": "user", "content": "What is the capital of France?"}]
    with complete(address, question, temperature=0) as response:
        texts = list(pieces(response))
    assert len(texts) > 3
    assert "Paris" in "".join(texts)


def test_every_slot_has_the_full_context_size(address: str) -> None:
    slots = requests.get(f"{address}/slots", timeout=10).json()
    assert [slot["n_ctx"] for slot in slots] == [2048, 2048]


def test_sessions_stream_at_the_same_time(address: str) -> None:
    with (
        complete(address, LONG, ignore_eos=True) as one,
        complete(address, LONG, ignore_eos=True) as two,
    ):
        streams = pieces(one), pieces(two)
        assert all(next(stream) is not None for stream in streams)
        assert busy_slots(address) == 2
        assert all(next(stream) is not None for stream in streams)
    wait_for(lambda: busy_slots(address) == 0, "the slots to be free")


def test_closing_the_connection_frees_the_slot(address: str) -> None:
    response = complete(address, LONG, max_tokens=100_000, ignore_eos=True)
    # An unreferenced generator would be closed, and the connection with it.
    stream = pieces(response)
    next(stream)
    assert busy_slots(address) == 1
    response.close()
    wait_for(lambda: busy_slots(address) == 0, "the slot to be free", timeout_s=5)


def test_messages_and_replies_are_not_logged(model: Process, address: str) -> None:
    with complete(address, LONG, max_tokens=20) as response:
        text = "".join(pieces(response))
    assert text
    assert MARK not in model.output()
    assert text not in model.output()


def test_web_pages_cannot_read_its_responses(address: str) -> None:
    response = requests.get(
        f"{address}/v1/models", headers={"Origin": "http://elsewhere.example"}, timeout=10
    )
    assert response.headers.get("Access-Control-Allow-Origin", "") == ""


def output_of_failed_start(stack: Stack, **environment: str) -> str:
    """Run runmodel, which must fail without a traceback; return its output."""
    process = stack.run("failed", "python manage.py runmodel", environment)
    assert process.process.wait(START_TIMEOUT_S) == 1
    assert "Traceback" not in process.output()
    return process.output()


def test_a_broken_model_file_is_reported(new_stack: NewStack, tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF" + bytes(100))
    assert "could not be loaded" in output_of_failed_start(
        new_stack(MODEL_URL=""), MODEL_FILE=str(tmp_path / "model.gguf")
    )
