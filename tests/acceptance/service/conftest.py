"""A site with two web servers, a worker and beat, for tests of what operators see."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from websockets.sync.client import connect

from tests.acceptance.service.collector import Collector
from tests.acceptance.service.production import HOST, Deployment
from tests.model_stub import ModelStub
from tests.ports import free_port
from tests.processes import HIGH_LIMITS, WEB_SERVERS, Process, Stack, is_serving, wait_for

MODEL_TOKEN = f"hf_{uuid4().hex}"


@dataclass(frozen=True)
class Site:
    """A running site with its model, and the addresses that tests observe."""

    stack: Stack
    model: ModelStub
    uvicorn: Process
    worker_metrics: str
    traces: Collector

    @property
    def metrics(self) -> str:
        return f"{self.stack.url}/metrics"


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    port = free_port()
    with ModelStub() as model, Collector() as traces:
        environment = HIGH_LIMITS | {
            "MODEL_URL": model.endpoint("huggingface"),
            "HUGGINGFACE_INFERENCE_TOKEN": MODEL_TOKEN,
            "LOG_LEVEL": "DEBUG",
            "LOG_FORMAT": "json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": traces.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_SERVICE_NAME": "chat-under-test",
            "WORKER_METRICS_ADDRESS": f"127.0.0.1:{port}",
        }
        with Stack(tmp_path_factory.mktemp("service"), environment) as stack:
            stack.start()
            uvicorn = stack.run("web", WEB_SERVERS["uvicorn"], {"PORT": str(free_port())})
            wait_for(
                lambda: is_serving(f"http://127.0.0.1:{uvicorn.port}/healthz"), "uvicorn to serve"
            )
            wait_for(lambda: is_serving(f"{stack.url}/readyz"), "readiness")
            yield Site(stack, model, uvicorn, f"http://127.0.0.1:{port}/metrics", traces)


@pytest.fixture(scope="package")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A production deployment whose limits per address are low enough to test."""
    with ModelStub() as model:
        environment = {
            "ALLOWED_HOSTS": f"{HOST},127.0.0.1",
            "MODEL_URL": model.endpoint("huggingface"),
            "SOCKETS_PER_IP": "2",
            "TOKENS_PER_MINUTE_PER_IP": "6",
        }
        deployment = Deployment(tmp_path_factory.mktemp("production"), environment, model)
        with deployment.stack:
            deployment.start()
            yield deployment


def send_and_receive(port: int, token: str, text: str) -> list[dict[str, Any]]:
    """Send a chat.v1 message and return all frames up to the end of its reply."""
    protocols: Any = ["chat.v1", f"token.{token}"]
    frames: list[dict[str, Any]] = []
    with connect(f"ws://127.0.0.1:{port}/chat", subprotocols=protocols) as socket:
        frames.append(json.loads(socket.recv(5)))
        socket.send(json.dumps({"type": "message.send", "id": str(uuid4()), "msg": text}))
        while frames[-1]["type"] not in {"reply.completed", "reply.failed", "error"}:
            frames.append(json.loads(socket.recv(10)))
    return frames
