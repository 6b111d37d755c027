"""The dashboard and the alert rules use metrics, labels and codes that exist."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.metrics import MetricWrapperBase

from chat.errors import ErrorCode
from chat.observability import metrics
from chat.observability.exporter import ClusterCollector
from chat.store.cluster import ClusterState

OPERATIONS = Path(__file__).parent.parent.parent / "docs" / "operations"
DASHBOARD: dict[str, Any] = json.loads((OPERATIONS / "grafana-dashboard.json").read_text())
RULES: list[dict[str, Any]] = yaml.safe_load((OPERATIONS / "alerts.yml").read_text())["groups"][0][
    "rules"
]
EXPRESSIONS = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
]


def recorded() -> dict[str, set[str]]:
    """Return the labels of every series name the processes write."""
    found: dict[str, set[str]] = {}
    for one in vars(metrics).values():
        if isinstance(one, MetricWrapperBase):
            name, labels = one._name, set(one._labelnames)
            if isinstance(one, Histogram):
                found |= {f"{name}_bucket": labels | {"le"}}
                found |= {f"{name}_{part}": labels for part in ("count", "sum")}
            else:
                found[f"{name}_total" if one._type == "counter" else name] = labels
    return found


def told_by_the_web() -> dict[str, set[str]]:
    service = ClusterState(waiting=0, overdue_s=0, swept_ago_s=0, workers={})
    registry = CollectorRegistry()
    registry.register(ClusterCollector(service, 0))
    return {family.name: set() for family in registry.collect()}


SERIES = recorded() | told_by_the_web()


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
def test_every_code_is_one_of_the_protocol(expression: str) -> None:
    for code in re.findall(r'code="([^"]*)"', expression):
        assert code in {one.value for one in ErrorCode}


def test_every_series_is_on_the_dashboard() -> None:
    shown = {
        name for expression in EXPRESSIONS for name in re.findall(r"\bchat_[a-z_]+", expression)
    }
    parts = ("_count", "_sum")
    assert {name for name in SERIES if not name.endswith(parts)} - shown == set()


def test_legends_name_labels_of_their_expression() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert label in target["expr"], panel["title"]


def test_each_alert_says_what_happens_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES) > 8
    for rule in RULES:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert {"summary", "description"} <= rule["annotations"].keys()
