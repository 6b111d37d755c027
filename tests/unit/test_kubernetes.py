"""The Kubernetes manifests are valid, restricted, and run what compose.yaml runs."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from chat.middleware import PROBES
from tests.settings import VARIABLES
from tests.unit.test_compose import DOCKERFILE, NOT_PASSED_ON, SECRET_FILES, SERVICES

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
# The oldest version that is still maintained somewhere, and the newest that has schemas.
KUBERNETES_VERSIONS = ("1.31", "1.37")
# No resources of Kubernetes, or none of the base.
OTHER_FILES = {"kustomization.yaml", "prometheus-adapter.yaml", "secrets.example.yaml"}
Resource = dict[str, Any]


def load(name: str) -> list[Resource]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


KUSTOMIZATION = load("kustomization.yaml")[0]
RESOURCES = {
    f"{one['kind']}/{one['metadata']['name']}": one
    for name in KUSTOMIZATION["resources"]
    for one in load(name)
}
SECRET = load("secrets.example.yaml")[0]
COMPONENTS = {
    "web": RESOURCES["Deployment/chat-web"],
    "worker": RESOURCES["Deployment/chat-worker"],
    "beat": RESOURCES["Deployment/chat-beat"],
    "migrate": RESOURCES["Job/chat-migrate"],
}


def pod(component: str) -> Resource:
    return dict(COMPONENTS[component]["spec"]["template"]["spec"])


def container(component: str) -> Resource:
    (only,) = pod(component)["containers"]
    return dict(only)


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def test_the_base_contains_every_manifest() -> None:
    assert {path.name for path in FOLDER.glob("*.yaml")} - OTHER_FILES == set(
        KUSTOMIZATION["resources"]
    )


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_every_resource_follows_the_schemas_of_kubernetes(version: str) -> None:
    for resource in (*RESOURCES.values(), SECRET):
        kubernetes_validate.validate(resource, version, strict=True)


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_container_runs_the_command_of_compose_in_the_same_image(component: str) -> None:
    assert container(component)["command"] == SERVICES[component]["command"]
    name = container(component)["image"]
    assert SERVICES[component]["image"].partition(":")[0] == name
    assert [image["name"] for image in KUSTOMIZATION["images"]] == [name]


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_setting_can_be_set(component: str) -> None:
    sources = container(component)["envFrom"]
    assert sources == [
        {"configMapRef": {"name": RESOURCES["ConfigMap/chat-settings"]["metadata"]["name"]}},
        {"secretRef": {"name": SECRET["metadata"]["name"]}},
    ]
    # These would have precedence over the ConfigMap.
    fixed = {variable["name"] for variable in container(component).get("env", [])}
    assert fixed == ({"WORKER_METRICS_ADDRESS"} if component == "worker" else set())
    # Kubernetes would set a variable for each Service, such as REDIS_PORT.
    assert pod(component)["enableServiceLinks"] is False


def test_the_examples_set_only_known_variables() -> None:
    settings, secrets = RESOURCES["ConfigMap/chat-settings"]["data"], SECRET["stringData"]
    known = VARIABLES - NOT_PASSED_ON | {"FORWARDED_ALLOW_IPS"}
    assert settings.keys() | secrets.keys() <= known
    assert not settings.keys() & secrets.keys()
    assert secrets.keys() <= {name.removesuffix("_FILE") for name in SECRET_FILES}
    required = {"APP_ENV", "SECRET_KEY", "ALLOWED_HOSTS", "CORS_ALLOWED_ORIGINS", "REDIS_URL"}
    assert required <= settings.keys() | secrets.keys()


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_pod_is_restricted(component: str) -> None:
    (user,) = re.findall(r"^USER (\d+):\d+$", DOCKERFILE, re.MULTILINE)
    context = pod(component)["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == context["runAsGroup"] == int(user)
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(component)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod(component)["automountServiceAccountToken"] is False
    (volume,) = pod(component)["volumes"]
    assert volume["emptyDir"]["sizeLimit"]
    mounts = [mount["mountPath"] for mount in container(component)["volumeMounts"]]
    assert mounts == SERVICES[component]["tmpfs"]
    assert container(component)["resources"]["requests"].keys() == {"cpu", "memory"}
    assert container(component)["resources"]["limits"].keys() == {"memory"}


def test_probes_request_pages_that_respond_to_them() -> None:
    ports = {"http": "3500", "metrics": container("worker")["env"][0]["value"].split(":")[1]}
    for component in ("web", "worker"):
        (port,) = container(component)["ports"]
        assert str(port["containerPort"]) == ports[port["name"]]
        probes = [container(component)[f"{kind}Probe"] for kind in ("startup", "liveness")]
        probes += [container(component)["readinessProbe"]]
        for probe in probes:
            if "httpGet" in probe:
                assert probe["httpGet"]["path"].partition("?")[0] in PROBES
                assert probe["httpGet"]["port"] == port["name"]
                assert probe["timeoutSeconds"] < 20
    assert container("web")["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container("web")["readinessProbe"]["httpGet"]["path"] == "/readyz?for=web"
    assert f'"http://127.0.0.1:{ports["http"]}/healthz"' in DOCKERFILE.replace("'", '"')
    checked = SERVICES["worker"]["healthcheck"]
    probe = container("worker")["readinessProbe"]
    assert probe["exec"]["command"] == checked["test"][1:]
    assert probe["timeoutSeconds"] == seconds(checked["timeout"])


def test_processes_have_the_time_to_end_that_compose_gives_them() -> None:
    stop = container("web")["lifecycle"]["preStop"]["exec"]["command"]
    assert stop[0] == "sleep"
    times = {name: pod(name)["terminationGracePeriodSeconds"] for name in ("web", "worker")}
    assert times["web"] - int(stop[1]) == seconds(SERVICES["web"]["stop_grace_period"])
    assert times["worker"] == seconds(SERVICES["worker"]["stop_grace_period"])
    assert all(pod(name)["shareProcessNamespace"] for name in ("web", "worker", "beat"))


@pytest.mark.parametrize("component", ["web", "worker", "beat"])
def test_selectors_find_the_pods(component: str) -> None:
    labels = COMPONENTS[component]["spec"]["template"]["metadata"]["labels"]
    assert COMPONENTS[component]["spec"]["selector"]["matchLabels"] == labels
    for resource in RESOURCES.values():
        if resource["metadata"]["name"] != f"chat-{component}":
            continue
        for key in ("selector", "podSelector"):
            selector = resource["spec"].get(key, labels)
            assert selector.get("matchLabels", selector) == labels


@pytest.mark.parametrize("component", ["web", "worker"])
def test_an_autoscaler_decides_how_many_pods_run(component: str) -> None:
    scaler = RESOURCES[f"HorizontalPodAutoscaler/chat-{component}"]["spec"]
    assert scaler["scaleTargetRef"]["name"] == COMPONENTS[component]["metadata"]["name"]
    assert scaler["minReplicas"] >= 2
    assert "replicas" not in COMPONENTS[component]["spec"], "each apply would reset it"
    budget = RESOURCES[f"PodDisruptionBudget/chat-{component}"]["spec"]
    assert budget["maxUnavailable"] < scaler["minReplicas"]


def test_the_autoscaler_of_workers_reads_the_metric_of_the_adapter() -> None:
    (rule,) = load("prometheus-adapter.yaml")[0]["rules"]["external"]
    (metric,) = RESOURCES["HorizontalPodAutoscaler/chat-worker"]["spec"]["metrics"]
    assert metric["external"]["metric"]["name"] == rule["name"]["as"]
    assert rule["seriesQuery"] in rule["metricsQuery"]


def test_the_web_is_reachable_from_the_ingress_only_and_what_operators_need_is_hidden() -> None:
    (rule,) = RESOURCES["NetworkPolicy/chat-web"]["spec"]["ingress"]
    assert rule["ports"] == [{"port": container("web")["ports"][0]["containerPort"]}]
    assert all(source.keys() == {"namespaceSelector"} for source in rule["from"])
    paths = RESOURCES["Ingress/chat"]["spec"]["rules"][0]["http"]["paths"]
    services = {path["path"]: path["backend"]["service"]["name"] for path in paths}
    assert services == {"/": "chat-web", "/metrics": "chat-nobody", "/readyz": "chat-nobody"}
    assert "selector" not in RESOURCES["Service/chat-nobody"]["spec"]
    assert all(f"Service/{name}" in RESOURCES for name in services.values())
