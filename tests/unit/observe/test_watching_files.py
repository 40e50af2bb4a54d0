"""Alert rules and the dashboard speak of metrics and labels that there are."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from otgate.app.bus_metrics import HOPS
from otgate.observe.exposition import Metric
from otgate.observe.metrics import BUS, FIELD
from otgate.spool.items import GapReason
from otgate.supervisor.status import State

CONFIG = Path(__file__).parents[3] / "config"
ALERTS = CONFIG / "prometheus" / "alerts.yaml"
DASHBOARD = CONFIG / "grafana" / "otgate.json"
SERIES = {name: metric for metric in (*FIELD, *BUS) for name in metric.told_as}
SELECTED = re.compile(r"\b((?:otgate|process)_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!=|=)\s*"([^"]*)"')
LEGEND = re.compile(r"\{\{ ?\$?(?:labels\.)?(\w+)")
SCRAPED = {"instance", "job", "le"}
"""Labels that Prometheus adds."""
WORDS = {"state": set(State), "reason": {*GapReason, "denied"}, "hop": set(HOPS)}


def rules() -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        yield from group["rules"]


def panels() -> Iterator[dict[str, Any]]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        if panel["type"] != "row":
            yield panel


QUERIES = [
    *(rule["expr"] for rule in rules()),
    *(target["expr"] for panel in panels() for target in panel["targets"]),
]


def selected(query: str) -> Iterator[tuple[Metric, str]]:
    for name, braces in SELECTED.findall(query):
        assert name in SERIES, f"there is no {name}"
        yield SERIES[name], braces


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_metrics_and_labels_that_there_are(query: str) -> None:
    for metric, braces in selected(query):
        for label, value in MATCHER.findall(braces):
            assert label in {*metric.labels, *SCRAPED}
            if label in WORDS:
                assert set(value.split("|")) <= WORDS[label]


@pytest.mark.parametrize("query", QUERIES)
def test_a_counter_is_looked_at_by_its_rate_alone(query: str) -> None:
    for metric, _ in selected(query):
        if metric.kind != "gauge":
            assert re.search(rf"(rate|increase)\({metric.name}\w*(\{{[^}}]*\}})?\[", query)


@pytest.mark.parametrize("rule", list(rules()), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_of_which_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    told = rule["annotations"]
    assert told.keys() == {"summary", "do"}
    labels = {label for metric, _ in selected(rule["expr"]) for label in metric.labels}
    assert set(LEGEND.findall(told["summary"])) <= {*labels, *SCRAPED, "value"}


def test_every_metric_that_can_be_wrong_has_an_alert() -> None:
    watched = {metric.name for rule in rules() for metric, _ in selected(rule["expr"])}
    bad = ("_failing", "_dropped_samples_total", "_connected", "_saved", "_healthy", "_alive")
    assert {metric.name for metric in (*FIELD, *BUS) if metric.name.endswith(bad)} <= watched


def test_panels_lie_beside_each_other_and_have_numbers_of_their_own() -> None:
    found = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in found}) == len(found)
    cells = [
        (x, y)
        for panel in found
        for at in [panel["gridPos"]]
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_promtool_takes_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    done = subprocess.run(
        [promtool, "check", "rules", ALERTS], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
