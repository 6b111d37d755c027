"""Log lines at LOG_LEVEL=DEBUG contain the ids of session and message, and no secrets."""

import json
from uuid import uuid4

import pytest
import requests
from websockets.sync.client import connect

from chat.schemas import session_id
from tests.acceptance.service.conftest import MODEL_TOKEN, Site, send_and_receive
from tests.client import create_session
from tests.conftest import NewStack
from tests.model_stub import Behaviour, failing
from tests.ports import free_port
from tests.processes import WEB_SERVERS, wait_for


def logged(site: Site) -> str:
    return "\n".join(process.output() for process in site.stack.processes)


def test_no_process_logs_a_token_a_text_or_a_password(site: Site) -> None:
    question, reply, name = (f"{what}{uuid4().hex}" for what in ("question", "reply", "name"))
    site.model.script(failing(503, error=reply), Behaviour(text=reply), failing(400, error=reply))
    token, daphne = create_session(site.stack.url, name), site.stack.running("web")[0].port
    for port in (daphne, site.uvicorn.port):
        send_and_receive(port, token, question)
        url = f"http://127.0.0.1:{port}"
        requests.get(f"{url}/refresh_token", params={"token": token}, timeout=5)
        requests.get(f"{url}/refresh_token", params={"token": f"{token}x"}, timeout=5)
        requests.get(f"{url}/nowhere", params={"token": token}, timeout=5)
        with connect(f"ws://127.0.0.1:{port}/chat?token={token}") as plain:
            plain.send(question)
            plain.send(f'{{"msg": "{question}')
            assert plain.recv(10)
    requests.delete(f"{site.stack.url}/token", params={"token": token}, timeout=5)
    wait_for(lambda: session_id(token) in logged(site), "lines about the session")

    text = logged(site)
    password = site.stack.redis_url.partition(":")[2].partition(":")[2].partition("@")[0]
    for secret in (token, question, reply, name, MODEL_TOKEN, password):
        assert len(secret) > 20
        assert secret not in text


def test_the_id_of_a_message_is_logged_from_the_socket_to_the_model_call(site: Site) -> None:
    token = create_session(site.stack.url)
    site.model.clear_requests()
    frames = send_and_receive(site.uvicorn.port, token, "hello")
    message = frames[-1]["message"]["reply_to"]

    def lines() -> list[dict[str, str]]:
        found = [json.loads(line) for line in logged(site).splitlines() if message in line]
        return [line for line in found if line["message"] == message]

    wait_for(lambda: {"Reply stored"} <= {line["text"] for line in lines()}, "the last line")
    message_lines = lines()
    assert {line["session"] for line in message_lines} == {session_id(token)}
    assert {line["text"] for line in message_lines} >= {
        "Message accepted",
        "Message taken",
        "Calling the model",
        "Reply stored",
    }
    assert len({line["process"] for line in message_lines}) == 2
    assert site.model.requests[0].headers["x-request-id"] == message


def test_every_line_of_every_process_is_json(site: Site) -> None:
    for process in site.stack.processes:
        if process.name != "redis":
            for line in process.output().splitlines():
                assert json.loads(line)["text"], line


@pytest.mark.slow
def test_failed_connections_do_not_log_passwords(new_stack: NewStack) -> None:
    """Without Redis, every library that connects to it logs errors about the URL."""
    secret = f"secret{uuid4().hex}"
    url = f"redis://someone:{secret}@127.0.0.1:{free_port()}/0"
    stack = new_stack(REDIS_URL=url, LOG_LEVEL="DEBUG", MODEL_URL="http://127.0.0.1:9/")
    worker = stack.run("worker", "celery --quiet -A chatproject worker", {})
    beat = stack.run("beat", "celery --quiet -A chatproject beat -S celery.beat.Scheduler", {})
    web = stack.run("web", WEB_SERVERS["uvicorn"], {})
    address = f"http://127.0.0.1:{web.port}"

    def is_unavailable() -> bool:
        try:
            return requests.get(f"{address}/readyz", timeout=10).status_code == 503
        except requests.ConnectionError:
            return False

    web.wait_until(is_unavailable, "to be unavailable")
    requests.post(f"{address}/token", params={"name": "Ada"}, timeout=10)
    requests.get(f"{address}/metrics", timeout=10)
    worker.wait_until(lambda: "Cannot connect" in worker.output(), "to log the error")
    beat.wait_until(lambda: "onnection" in beat.output(), "to log the error")
    for process in (worker, beat, web):
        assert secret not in process.output()


def test_an_invalid_url_is_reported_without_its_password(new_stack: NewStack) -> None:
    secret = f"se/cret{uuid4().hex}"
    for variable in ("REDIS_URL", "CELERY_BROKER_URL", "CHANNEL_REDIS_URL"):
        stack = new_stack(**{variable: f"redis://:{secret}@127.0.0.1:6379/0"})
        process = stack.run("check", "python manage.py check", {})
        assert process.process.wait(30) != 0
        assert variable in process.output()
        assert secret.partition("/")[2] not in process.output()
