"""Log lines at LOG_LEVEL=DEBUG name session and message, and contain no text."""

import json
from uuid import uuid4

import requests
from websockets.sync.client import connect

from chat.schemas import session_id
from tests.acceptance.service.conftest import MODEL_TOKEN, Site, converse, create_session
from tests.conftest import NewStack
from tests.model_stub import Behaviour, failing
from tests.ports import free_port
from tests.processes import WEB_SERVERS, wait_for


def written(site: Site) -> str:
    return "\n".join(process.output() for process in site.stack.processes)


def test_no_process_writes_a_token_a_text_or_a_password(site: Site) -> None:
    question, reply, name = (f"{what}{uuid4().hex}" for what in ("said", "answered", "name"))
    site.model.script(failing(503, error=reply), Behaviour(text=reply), failing(400, error=reply))
    token, daphne = create_session(site.stack.url, name), site.stack.running("web")[0].port
    for port in (daphne, site.uvicorn.port):
        converse(port, token, question)
        url = f"http://127.0.0.1:{port}"
        requests.get(f"{url}/refresh_token", params={"token": token}, timeout=5)
        requests.get(f"{url}/refresh_token", params={"token": f"{token}x"}, timeout=5)
        requests.get(f"{url}/nowhere", params={"token": token}, timeout=5)
        with connect(f"ws://127.0.0.1:{port}/chat?token={token}") as plain:
            plain.send(question)
            plain.send(f'{{"msg": "{question}')
            assert plain.recv(10)
    requests.delete(f"{site.stack.url}/token", params={"token": token}, timeout=5)
    wait_for(lambda: session_id(token) in written(site), "lines about the session")

    text = written(site)
    password = site.stack.redis_url.partition(":")[2].partition(":")[2].partition("@")[0]
    for secret in (token, question, reply, name, MODEL_TOKEN, password):
        assert len(secret) > 20
        assert secret not in text


def test_one_message_is_followed_by_its_id_from_the_socket_to_the_model(site: Site) -> None:
    token = create_session(site.stack.url)
    site.model.clear_requests()
    frames = converse(site.uvicorn.port, token, "hello")
    message = frames[-1]["message"]["reply_to"]

    def lines() -> list[dict[str, str]]:
        found = [json.loads(line) for line in written(site).splitlines() if message in line]
        return [line for line in found if line["message"] == message]

    wait_for(lambda: {"Reply stored"} <= {line["text"] for line in lines()}, "the last line")
    received = lines()
    assert {line["session"] for line in received} == {session_id(token)}
    assert {line["text"] for line in received} >= {
        "Message accepted",
        "Message taken",
        "Calling the model",
        "Reply stored",
    }
    assert len({line["process"] for line in received}) == 2
    assert site.model.requests[0].headers["x-request-id"] == message


def test_every_line_of_every_process_is_json(site: Site) -> None:
    for process in site.stack.processes:
        if process.name != "redis":
            for line in process.output().splitlines():
                assert json.loads(line)["text"], line


def test_servers_that_refuse_do_not_make_passwords_public(new_stack: NewStack) -> None:
    """Redis is not there: every library that connects has something to say about the address."""
    secret = f"secret{uuid4().hex}"
    url = f"redis://someone:{secret}@127.0.0.1:{free_port()}/0"
    stack = new_stack(REDIS_URL=url, LOG_LEVEL="DEBUG", MODEL_URL="http://127.0.0.1:9/")
    worker = stack.run("worker", "celery --quiet -A chatproject worker", {})
    beat = stack.run("beat", "celery --quiet -A chatproject beat -S celery.beat.Scheduler", {})
    web = stack.run("web", WEB_SERVERS["uvicorn"], {})
    address = f"http://127.0.0.1:{web.port}"

    def refused() -> bool:
        try:
            return requests.get(f"{address}/readyz", timeout=10).status_code == 503
        except requests.ConnectionError:
            return False

    web.wait_until(refused, "to say that it is not ready")
    requests.post(f"{address}/token", params={"name": "Ada"}, timeout=10)
    requests.get(f"{address}/metrics", timeout=10)
    worker.wait_until(lambda: "Cannot connect" in worker.output(), "to complain")
    beat.wait_until(lambda: "onnection" in beat.output(), "to complain")
    for process in (worker, beat, web):
        assert secret not in process.output()


def test_a_bad_address_is_refused_without_showing_it(new_stack: NewStack) -> None:
    secret = f"se/cret{uuid4().hex}"
    for variable in ("REDIS_URL", "CELERY_BROKER_URL", "CHANNEL_REDIS_URL"):
        stack = new_stack(**{variable: f"redis://:{secret}@127.0.0.1:6379/0"})
        process = stack.run("check", "python manage.py check", {})
        assert process.process.wait(30) != 0
        assert variable in process.output()
        assert secret.partition("/")[2] not in process.output()
