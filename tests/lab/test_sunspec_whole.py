"""A simulated inverter as its user meets it: browsed, checked, run, watched; its models move."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from brokers import Mosquitto, broker
from daemons import Process, events, said, simulated, spoil, wait_until
from otgate.cli import main

__all__ = ["broker"]

pytestmark = [pytest.mark.lab, pytest.mark.slow]

SOLAR = Path(__file__).parents[2] / "config" / "sunspec"
BUS = 'config_version: 1\nconduit: operations\nbrokers: ["mqtt://127.0.0.1:{port}"]\n'


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Path]:
    folder = Path(copytree(SOLAR, tmp_path / "plant"))
    with simulated(folder) as endpoints:
        yield endpoints


@pytest.fixture
def site(plant: Path, tmp_path: Path, broker: Mosquitto) -> Path:
    """Browse the inverter into a site of its own."""
    url = json.loads(plant.read_text())["inverter-1"]["url"]
    folder = tmp_path / "site"
    assert main(["browse", url, "--output", str(folder), "--id", "inv1", "--site", "pv"]) == 0
    text = (folder / "site.yaml").read_text().replace("normal: 2.0", "normal: 0.2")
    defaults = "defaults: {sensitivity: internal}\nspool: {directory: spool, size_mb: 16}\npolicy:"
    (folder / "site.yaml").write_text(text.replace("policy:", defaults))
    (folder / "bus").mkdir()
    (folder / "bus" / "operations.yaml").write_text(BUS.format(port=broker.port))
    return folder


def run(site: Path) -> Process:
    return Process(site / "run.log", "run", site, "--log", "json")


def state(site: Path) -> str:
    return str(said(site, "field").get("devices", {}).get("inv1", {}).get("state"))


def watched(url: str) -> dict[str, dict[str, Any]]:
    """Return the newest sample of each point."""
    command = [sys.executable, "-m", "otgate", "watch", url, "--json", "--for", "2"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    return {
        told["point"]: told for told in map(json.loads, done.stdout.splitlines()) if "point" in told
    }


def test_what_was_browsed_arrives_with_its_values(
    site: Path, plant: Path, broker: Mosquitto
) -> None:
    assert main(["check", str(site)]) == 0
    with run(site) as gateway:
        wait_until(lambda: state(site) == "good", gateway.log)
        wait_until(lambda: said(site, "bus-operations").get("samples", 0) > 40, gateway.log)
        points = watched(broker.url)
        assert 49 < points["m103_hz"]["value"] < 51
        assert 200 < points["m103_phvpha"]["value"] < 260
        assert points["m103_a"]["quality"] == ["good"]
        spoil(plant.parent, "inverter-1", "rescale")
        wait_until(lambda: coarse(watched(broker.url).get("m103_phvpha")), gateway.log)
        assert state(site) == "good"


def coarse(sample: dict[str, Any] | None) -> bool:
    return sample is not None and round(sample["value"], 1) == sample["value"]


def test_models_that_have_moved_are_said_and_not_read(
    site: Path, plant: Path, broker: Mosquitto
) -> None:
    text = (site / "site.yaml").read_text()
    (site / "site.yaml").write_text(text.replace('"103/50"', '"111/60"'))
    with run(site) as gateway:
        wait_until(lambda: "have moved: at hr 40070 there is model 103/50" in told(gateway.log))
        assert state(site) != "good"
        assert all(each.get("event") != "side_died" for each in events(gateway.log))


def told(log: Path) -> str:
    return " ".join(str(each.get("error", "")) for each in events(log))
