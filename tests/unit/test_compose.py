"""compose.yaml and the Dockerfile are valid and run the commands of the Procfile."""

import json
import re
import shlex
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from chat.cli.processes import procfile_commands
from tests.settings import VARIABLES

ROOT = Path(__file__).parent.parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
GPU = {"model": "gpu", "model-tgi": "gpu-tgi"}
APP_SERVICES = ("web", "worker", "beat", "migrate")
DOCKERFILE = (ROOT / "Dockerfile").read_text()
NOT_PASSED_ON = {
    # The image determines them.
    *("PORT", "DATA_DIR", "STATIC_ROOT"),
    # Containers use no embedded servers.
    *("EMBEDDED_REDIS_PORT", "EMBEDDED_MODEL_PORT", "EMBEDDED_MODEL_SLOTS"),
    *("EMBEDDED_MODEL_THREADS", "MODEL_FILE"),
    # REDIS_URL contains these, or they are for the server.
    *("REDIS_HOST", "REDIS_PORT", "REDIS_USER", "REDIS_PASSWORD", "REDIS_MAXMEMORY"),
    # Only workers have it.
    "WORKER_METRICS_ADDRESS",
}
SECRET_FILES = {
    *("SECRET_KEY_FILE", "REDIS_URL_FILE", "CELERY_BROKER_URL_FILE", "CHANNEL_REDIS_URL_FILE"),
    *("DATABASE_URL_FILE", "HUGGINGFACE_INFERENCE_TOKEN_FILE", "MODEL_PROXY_FILE"),
    "MODEL_HEADERS_FILE",
}
# Variables of nginx, PostgreSQL and compose itself.
OTHER_VARIABLES = {
    *("CHAT_TRUSTED_PROXIES", "CHAT_VERSION", "POSTGRES_PASSWORD", "HTTP_PORT", "TGI_IMAGE"),
    *("SITE_ADDRESS", "CADDY_OPTIONS"),
}


def procfile_command(name: str) -> list[str]:
    """Return a command of the production Procfile as a container runs it."""
    words = shlex.split(procfile_commands(ROOT / "Procfile.production")[name])
    inside = {"127.0.0.1": "0.0.0.0", "$PORT": "3500", "worker-$$@%h": "worker@%h"}  # noqa: S104
    return [inside.get(word, word) for word in words]


def test_compose_follows_the_specification() -> None:
    schema = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema.validate(COMPOSE, json.loads(schema.read_text()))


@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_containers_run_the_commands_of_the_production_procfile(name: str) -> None:
    assert SERVICES[name]["command"] == procfile_command(name)


def test_the_production_procfile_differs_from_the_development_one_in_the_web_server_only() -> None:
    development = procfile_commands(ROOT / "Procfile")
    production = procfile_commands(ROOT / "Procfile.production")
    assert production.keys() == {"web", "worker", "beat"}
    assert production["worker"] == development["worker"]
    assert production["beat"] == development["beat"]


def test_the_image_runs_the_web_server_by_default() -> None:
    last = re.findall(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)[-1]
    assert json.loads(last) == SERVICES["web"]["command"]


def test_the_image_does_not_run_as_root_and_copies_only_listed_files() -> None:
    assert DOCKERFILE.count("\nFROM ") >= 1
    (user,) = re.findall(r"^USER (\d+:\d+)$", DOCKERFILE, re.MULTILINE)
    assert user == "10001:10001"
    assert "--uid 10001 --gid 10001" in DOCKERFILE
    assert "HEALTHCHECK" in DOCKERFILE
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?:--chmod=\d+ )?(?!--)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    assert sources == {line[1:] for line in ignored if line.startswith("!")}
    assert all((ROOT / source).exists() for source in sources)


@pytest.mark.parametrize("name", SERVICES)
def test_no_container_has_capabilities_or_a_writable_file_system(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    # Caddy's program is marked to need this capability.
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "caddy" else [])
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert any(mount.partition(":")[0] == "/tmp" for mount in service["tmpfs"])  # noqa: S108


@pytest.mark.parametrize("name", APP_SERVICES)
def test_a_container_can_be_stopped_while_it_starts(name: str) -> None:
    assert SERVICES[name]["init"] is True


@pytest.mark.parametrize(
    ("name", "user"), [("redis", "redis"), ("postgres", "postgres"), ("caddy", "10002:10002")]
)
def test_servers_whose_images_start_as_root_do_not(name: str, user: str) -> None:
    assert SERVICES[name]["user"] == user


@pytest.mark.parametrize("name", APP_SERVICES)
def test_every_setting_reaches_the_containers(name: str) -> None:
    own = {"WORKER_METRICS_ADDRESS"} if name == "worker" else set()
    assert SERVICES[name]["environment"].keys() & VARIABLES == VARIABLES - NOT_PASSED_ON | own


def test_settings_without_a_value_of_compose_keep_their_defaults() -> None:
    values = SERVICES["web"]["environment"]
    assert {
        name for name, value in values.items() if value is None
    } == SECRET_FILES | VARIABLES - NOT_PASSED_ON - {
        "APP_ENV",
        "SECRET_KEY",
        "ALLOWED_HOSTS",
        "CORS_ALLOWED_ORIGINS",
        "REDIS_URL",
        "DATABASE_URL",
        "MODEL_API",
        "MODEL_URL",
    }


def test_the_parts_of_the_redis_url_reach_the_containers() -> None:
    used = set(re.findall(r"\$\{(REDIS_\w+)", SERVICES["web"]["environment"]["REDIS_URL"]))
    assert used == {"REDIS_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_USER", "REDIS_PASSWORD"}


@pytest.mark.parametrize("name", APP_SERVICES)
def test_containers_set_only_known_variables(name: str) -> None:
    environment = SERVICES[name]["environment"].keys()
    assert environment - VARIABLES == {"FORWARDED_ALLOW_IPS"} | SECRET_FILES
    assert {"SECRET_KEY", "ALLOWED_HOSTS", "CORS_ALLOWED_ORIGINS", "REDIS_URL"} <= environment


def test_compose_reads_only_known_variables() -> None:
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "compose.yaml").read_text()))
    assert used - VARIABLES == OTHER_VARIABLES


@pytest.mark.parametrize("name", ["web", "worker", "redis", "postgres", *GPU])
def test_each_server_has_a_health_check(name: str) -> None:
    own = SERVICES[name].get("healthcheck", {})
    assert "test" in own or (name == "web" and "/healthz" in DOCKERFILE)


def test_only_the_proxies_are_reachable_from_the_network() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["nginx", "caddy"]
    assert SERVICES["caddy"]["profiles"] == ["tls"]
    caddyfile = (ROOT / "deploy" / "Caddyfile").read_text()
    inside = [port.partition(":")[2] for port in SERVICES["caddy"]["ports"]]
    assert inside == re.findall(r"https?_port (\d+)", caddyfile)
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for name in ("web", "beat", "redis", "postgres"):
        assert SERVICES[name]["networks"] == ["inside"]


def test_redis_is_durable_and_never_evicts() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert "--save  --" in command, "snapshots would keep deleted texts"
    assert SERVICES["redis"]["image"].startswith("redis:8.")
    assert SERVICES["redis"]["volumes"] == ["redis:/data"]


@pytest.mark.parametrize(("name", "profile"), GPU.items())
def test_models_run_only_in_their_profile_and_in_half_precision(name: str, profile: str) -> None:
    service = SERVICES[name]
    assert service["profiles"] == [profile]
    words = service["command"]
    assert words[words.index("--revision") + 1] == words[words.index("--dtype") + 1] == "float16"
    assert [each["capabilities"] for each in devices(service)] == [["gpu"]]


def devices(service: dict[str, Any]) -> list[dict[str, Any]]:
    return list(service["deploy"]["resources"]["reservations"]["devices"])


def test_every_model_has_the_address_of_the_default_settings() -> None:
    assert "http://model:8000/" in SERVICES["worker"]["environment"]["MODEL_URL"]
    assert SERVICES["model-tgi"]["networks"]["inside"] == {"aliases": ["model"]}
    words = SERVICES["model-tgi"]["command"]
    assert words[words.index("--port") + 1] == "8000"


def test_images_of_others_are_named_by_digest() -> None:
    images = [service["image"] for service in SERVICES.values() if "image" in service]
    images += re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    others = [image for image in images if not image.startswith("chat:")]
    others.remove("${TGI_IMAGE:-text-generation-inference:3.3.7}")  # the operator names it
    assert len(others) == 7
    assert all(re.search(r":[\w.-]+@sha256:[0-9a-f]{64}$", image) for image in others), others


def test_the_logs_of_every_container_are_limited() -> None:
    for service in SERVICES.values():
        assert service["logging"]["driver"] == "local"
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}
