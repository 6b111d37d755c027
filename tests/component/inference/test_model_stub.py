"""The model stub as a separate process, scripted over HTTP."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

PAYLOAD = {"inputs": "Human: hi\nBot:", "stream": True}


@pytest.fixture
def url() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.model_stub", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()
        assert process.wait(timeout=5) == 0


def test_each_scripted_behaviour_is_used_once_before_the_default(url: str) -> None:
    script = [{"status": 500, "error": "x"}, {"text": "twice", "times": 2, "shape": "object"}]
    assert requests.put(f"{url}/script", json=script, timeout=5).status_code == 200
    responses = [requests.post(f"{url}/generate", json=PAYLOAD, timeout=5) for _ in range(4)]
    assert [response.status_code for response in responses] == [500, 200, 200, 200]
    assert responses[2].json() == {"generated_text": "twice"}
    assert '"text": " hi"' in responses[3].text


def test_recorded_requests_can_be_read_and_cleared(url: str) -> None:
    requests.post(f"{url}/generate", json=PAYLOAD, timeout=5)
    (request,) = requests.get(f"{url}/requests", timeout=5).json()
    assert request["payload"] == PAYLOAD
    assert request["finished_at_s"] >= request["received_at_s"]
    assert request["disconnected_at_s"] is None
    requests.delete(f"{url}/requests", timeout=5)
    assert requests.get(f"{url}/requests", timeout=5).json() == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("script", '[{"tetx": "typo"}]', 400),
        ("script", "{", 400),
        ("generate", '{"prompt": "of another dialect"}', 422),
        ("elsewhere", "{}", 404),
    ],
)
def test_an_invalid_request_gets_an_error_response(
    url: str, path: str, body: str, status: int
) -> None:
    method = "PUT" if path == "script" else "POST"
    response = requests.request(method, f"{url}/{path}", data=body, timeout=5)
    assert response.status_code == status
    assert response.json()["error"]
