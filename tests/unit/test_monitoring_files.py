"""The dashboard and the alert rules use metrics, labels and codes that exist."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Histogram
from prometheus_client.metrics import MetricWrapperBase

from chat.errors import ErrorCode
from chat.observability import metrics
from chat.observability.exporter import ClusterCollector
from chat.store.operation.cluster import ClusterState
from chat.store.operation.memory import Memory

ROOT = Path(__file__).parent.parent.parent
MONITORING = ROOT / "deploy" / "monitoring"
DASHBOARD: dict[str, Any] = json.loads((MONITORING / "grafana-dashboard.json").read_text())
RULES: list[dict[str, Any]] = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0][
    "rules"
]
EXPRESSIONS = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
]
RECORDED = {
    name: metric for name, metric in vars(metrics).items() if isinstance(metric, MetricWrapperBase)
}
CLUSTER = ClusterCollector(
    ClusterState(waiting=0, overdue_s=0, swept_ago_s=0, workers={}, memory=Memory(1, 2)), 0
)


def series() -> dict[str, set[str]]:
    """Return the labels of every series by its name."""
    found: dict[str, set[str]] = {family.name: set() for family in CLUSTER.collect()}
    for metric in RECORDED.values():
        name, labels = metric._name, set(metric._labelnames)
        if isinstance(metric, Histogram):
            found[f"{name}_bucket"] = labels | {"le"}
            found |= {f"{name}_{part}": labels for part in ("count", "sum")}
        else:
            found[f"{name}_total" if metric._type == "counter" else name] = labels
    return found


SERIES = series()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_series_and_label_exists(expression: str) -> None:
    names = re.findall(r"\bchat_[a-z_]+", expression)
    assert names
    assert set(names) <= SERIES.keys()
    labels = set(re.findall(r"by \(([^)]*)\)", expression))
    used = {label.strip() for group in labels for label in group.split(",")}
    used |= set(re.findall(r"\{([a-z]+)=", expression))
    assert used <= set().union(*(SERIES[name] for name in names))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_error_code_exists(expression: str) -> None:
    for code in re.findall(r'code="([^"]*)"', expression):
        assert code in {each.value for each in ErrorCode}


def test_every_series_is_on_the_dashboard() -> None:
    shown = set(re.findall(r"\bchat_[a-z_]+", " ".join(EXPRESSIONS)))
    assert {name for name in SERIES if not name.endswith(("_count", "_sum"))} - shown == set()


def test_legends_name_labels_of_their_expression() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert label in target["expr"], panel["title"]


def test_each_alert_describes_effect_and_action() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES) > 8
    for rule in RULES:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert {"summary", "description"} <= rule["annotations"].keys()


@pytest.mark.parametrize("name", RECORDED)
def test_every_metric_is_recorded_and_named_after_its_unit(name: str) -> None:
    code = "".join(path.read_text() for path in (ROOT / "chat").rglob("*.py"))
    assert len(re.findall(rf"\b{name}\.(?:labels|inc|set|observe|time|track)", code)) >= 1
    metric = RECORDED[name]
    assert metric._name.startswith("chat_")
    assert metric._documentation.endswith(".")
    assert metric._name.endswith("_seconds") == isinstance(metric, Histogram)


def test_gauges_of_the_cluster_are_named_and_documented() -> None:
    for family in CLUSTER.collect():
        assert family.name.startswith("chat_")
        assert family.documentation.endswith(".")
