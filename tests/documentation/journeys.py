"""Which pages an operator follows, in which order, and what is there before."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.documentation.machine import CERTIFICATES, Machine

Given = Callable[[Machine], None]


@dataclass(frozen=True)
class Journey:
    """Sections that one operator follows in a fresh clone: `page` or `page#section`.

    `values` replaces the examples of the text that everybody has to replace. `containers` says that
    it needs images. A `git pull` brings the version `NEW_VERSION`.
    """

    name: str
    sections: tuple[str, ...]
    user: str = "ada"
    containers: bool = False
    given: Given = lambda machine: None
    values: Mapping[str, str] = field(default_factory=dict)


def redis_with_json(machine: Machine) -> None:
    """Provide Redis and a model server, and free the ports of containers."""
    machine.serve_model()
    machine.run("docker ps -q | xargs -r docker stop")
    machine.serve_redis(REDIS_PASSWORD)


NEW_VERSION = "0.2.0"
REDIS_PASSWORD = secrets.token_hex(16)
SITE_VALUES = {
    "https://your-git.example/chat.git": "/srv/chat",
    "redis://:…@": f"redis://:{REDIS_PASSWORD}@",
    "SECRET_KEY=…": f"SECRET_KEY={secrets.token_urlsafe(48)}",
    "REDIS_PASSWORD=…": f"REDIS_PASSWORD={REDIS_PASSWORD}",
    "POSTGRES_PASSWORD=…": f"POSTGRES_PASSWORD={secrets.token_hex(16)}",
    "https://your-endpoint.example/": "http://192.0.2.2:8500/generate",
    "hf_…": "hf_token",
}

JOURNEYS = (
    Journey("Start it", ("README.md",)),
    Journey(
        "Try it",
        (
            "docs/quickstart.md",
            "docs/clients/README.md",
            "docs/reference/websocket-api.md",
            "docs/how-to/use-the-admin.md",
            "docs/how-to/connect-a-model.md",
            "docs/how-to/change-the-models-behaviour.md",
            "docs/how-to/use-several-models.md",
            "docs/how-to/customise-the-site.md",
            "docs/how-to/embed-the-chat.md",
        ),
        values={"/etc/chat/model-ca.pem": str(CERTIFICATES)},
    ),
    Journey(
        "Deploy with containers",
        (
            "docs/how-to/deploy.md#with-containers",
            "docs/how-to/monitor.md",
            "docs/how-to/upgrade.md#with-containers",
            "docs/how-to/restrict-redis-users.md",
            "docs/how-to/upgrade.md#go-back",
        ),
        containers=True,
        given=Machine.serve_model,
        values=SITE_VALUES,
    ),
    Journey(
        "Deploy without containers",
        (
            "docs/how-to/deploy.md#without-containers",
            "docs/how-to/upgrade.md#without-containers",
        ),
        user="root",
        given=redis_with_json,
        values=SITE_VALUES,
    ),
    Journey("Change the code", ("CONTRIBUTING.md", "docs/explanation/chat-page.md")),
)
