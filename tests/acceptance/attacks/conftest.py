"""One site with both web servers, which every attack meets in turn."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.client import create_session
from tests.model_stub import ModelStub
from tests.processes import HIGH_LIMITS, WEB_SERVERS, Process, Stack


@dataclass(frozen=True)
class Target:
    """A web process under attack."""

    web: Process
    redis_url: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.web.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.web.port}/chat"

    def create_session(self, name: str = "Ada") -> str:
        """Create a session and return its token."""
        return create_session(self.url, name)


@pytest.fixture(scope="package")
def attacked_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with ModelStub() as model:
        environment = HIGH_LIMITS | {
            "MODEL_URL": model.endpoint("huggingface"),
            "MESSAGES_PER_MINUTE": "20",
            "ADMIN_LOGIN_ATTEMPTS": "5",
        }
        with Stack(tmp_path_factory.mktemp("attacks"), environment) as stack:
            stack.start()
            yield stack


def start_targets(stack: Stack) -> dict[str, Target]:
    """Start both web servers on a running site."""
    webs = stack.start_both_servers()
    return {name: Target(web, stack.redis_url) for name, web in webs.items()}


@pytest.fixture(scope="package")
def servers(attacked_stack: Stack) -> dict[str, Target]:
    return start_targets(attacked_stack)


@pytest.fixture(params=list(WEB_SERVERS))
def target(servers: dict[str, Target], request: pytest.FixtureRequest) -> Target:
    return servers[request.param]
