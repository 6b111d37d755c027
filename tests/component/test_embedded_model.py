"""`manage.py runmodel`: the embedded model serves OpenAI's chat API."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from inference.model_client import ModelSettings, Turn, build_client
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


@dataclass(frozen=True)
class Server:
    """The embedded model's address, and the headers with its key."""

    url: str
    headers: dict[str, str]


@pytest.fixture(scope="module")
def server(model: Process) -> Server:
    url = f"http://127.0.0.1:{model.environment['EMBEDDED_MODEL_PORT']}"
    key = Path(model.environment["DATA_DIR"], "model_key").read_text()
    return Server(url, {"Authorization": f"Bearer {key}"})


def complete(server: Server, messages: list[dict[str, str]], **options: Any) -> requests.Response:
    payload = {"messages": messages, "stream": True, "max_tokens": 1000, **options}
    url = f"{server.url}/v1/chat/completions"
    return requests.post(url, json=payload, headers=server.headers, stream=True, timeout=60)


def pieces(response: requests.Response) -> Iterator[str]:
    """Yield the pieces of a streamed response as they arrive."""
    for line in response.iter_lines():
        data = line.removeprefix(b"data: ")
        if data.startswith(b"{"):
            yield json.loads(data)["choices"][0]["delta"].get("content") or ""


def load_slots(server: Server) -> list[dict[str, Any]]:
    slots: list[dict[str, Any]] = requests.get(
        f"{server.url}/slots", headers=server.headers, timeout=10
    ).json()
    return slots


def busy_slots(server: Server) -> int:
    slots = load_slots(server)
    return sum(slot["is_processing"] for slot in slots)


def test_a_reply_is_streamed(server: Server) -> None:
    question = [{"role": "user", "content": "What is the capital of France?"}]
    with complete(server, question, temperature=0) as response:
        texts = list(pieces(response))
    assert len(texts) > 3
    assert "Paris" in "".join(texts)


def test_a_reply_is_continued_where_it_ended(server: Server) -> None:
    """The last message of the assistant is its beginning, and is not sent again."""
    client = build_client(
        ModelSettings(
            api="chat",
            url=f"{server.url}/v1/chat/completions",
            name="embedded",
            token=server.headers["Authorization"].removeprefix("Bearer "),
            context_tokens=2048,
            max_new_tokens=8,
            timeout_s=60,
        )
    )
    question = Turn("human", "Say the numbers from one to ten as words, with commas.")
    with client.generate([question, Turn("bot", "One, two, three, four, five,")]) as generation:
        text = "".join(generation)
    client.close()
    assert text.startswith(" six,")


def test_every_slot_has_the_full_context_size(server: Server) -> None:
    assert [slot["n_ctx"] for slot in load_slots(server)] == [2048, 2048]


def test_sessions_stream_at_the_same_time(server: Server) -> None:
    with (
        complete(server, LONG, ignore_eos=True) as one,
        complete(server, LONG, ignore_eos=True) as two,
    ):
        streams = pieces(one), pieces(two)
        assert all(next(stream) is not None for stream in streams)
        assert busy_slots(server) == 2
        assert all(next(stream) is not None for stream in streams)
    wait_for(lambda: busy_slots(server) == 0, "the slots to be free")


def test_closing_the_connection_frees_the_slot(server: Server) -> None:
    response = complete(server, LONG, max_tokens=100_000, ignore_eos=True)
    # An unreferenced generator would be closed, and the connection with it.
    stream = pieces(response)
    next(stream)
    assert busy_slots(server) == 1
    response.close()
    wait_for(lambda: busy_slots(server) == 0, "the slot to be free", timeout_s=5)


def test_messages_and_replies_are_not_logged(model: Process, server: Server) -> None:
    with complete(server, LONG, max_tokens=20) as response:
        text = "".join(pieces(response))
    assert text
    assert MARK not in model.output()
    assert text not in model.output()


def test_web_pages_cannot_read_its_responses(server: Server) -> None:
    response = requests.get(
        f"{server.url}/v1/models",
        headers=server.headers | {"Origin": "http://elsewhere.example"},
        timeout=10,
    )
    assert response.ok
    assert response.headers.get("Access-Control-Allow-Origin", "") == ""


def test_a_client_without_the_key_is_rejected(server: Server) -> None:
    for headers in ({}, {"Authorization": "Bearer guessed"}):
        without = Server(server.url, headers)
        with complete(without, LONG) as response:
            assert response.status_code == 401
        assert requests.get(f"{server.url}/slots", headers=headers, timeout=10).status_code == 401


def test_the_key_is_not_in_the_log_and_readable_by_its_owner_only(model: Process) -> None:
    file = Path(model.environment["DATA_DIR"], "model_key")
    assert file.read_text() not in model.output()
    assert file.stat().st_mode & 0o077 == 0


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
