"""Verbs that look at devices, on sites that calculate some of theirs."""

import json
from pathlib import Path

import pytest

from otgate.cli import main

SITE = """\
config_version: 1
site: {id: NAME, gateway: gw1}
devices:
  - id: f1
    driver: modbus
    zone: bay
    points: points.csv
    modbus: {url: "tcp://127.0.0.1:1", timeout_s: 0.1}
calc:
  - device: c
    points:
      - {id: twice, formula: f1/p * 2}
      - {of: f1/p, aggregates: [mean], every_s: 60}
defaults: {sensitivity: internal}
policy: policy.yaml
"""
POLICY = """\
config_version: 1
policy: {name: egress, version: 1}
zones: {bay: {purdue: 1}, it: {purdue: 4}}
conduits:
  analytics: {from: [bay], to: it, ceiling: internal}
rules:
  - {name: all, effect: allow, match: {kind: [measurement]}, why: a test}
"""


def written(folder: Path, name: str) -> Path:
    folder.mkdir()
    (folder / "site.yaml").write_text(SITE.replace("NAME", name))
    (folder / "points.csv").write_text("id,kind,address,type\np,measurement,hr 0,u16\n")
    (folder / "policy.yaml").write_text(POLICY)
    return folder / "site.yaml"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return written(tmp_path / "one", "sub7")


def test_a_plan_shows_how_points_are_calculated(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", str(site)]) == 0
    said = capsys.readouterr().out
    assert "c  (calculated, 2 points)" in said
    assert "mean of f1/p each 60 s" in said
    assert main(["plan", str(site), "--format", "json"]) == 0
    assert [one["device"] for one in json.loads(capsys.readouterr().out)] == ["f1"]


def test_two_sites_that_calculate_are_compared(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = written(tmp_path / "two", "sub8")
    assert main(["check", str(site), str(other)]) == 0
    assert "2 devices, 3 points" in capsys.readouterr().out


def test_what_is_calculated_has_no_point_map_to_export(site: Path, tmp_path: Path) -> None:
    assert main(["export", str(site), "--output", str(tmp_path / "out")]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["f1.csv"]


def test_a_live_check_asks_real_devices_alone(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["check", str(site), "--live"])
    assert "c/" not in capsys.readouterr().out


def test_a_policy_is_explained_for_what_is_calculated(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["policy", "explain", str(site), "c/twice"]) == 0
    assert "analytics: crosses" in capsys.readouterr().out
