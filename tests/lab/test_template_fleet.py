"""Twelve devices of one template, from the simulator to the broker, and over a reload."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from brokers import Mosquitto, broker
from daemons import POINTS, Process, running, said, simulated, verified, wait_until, write_site

__all__ = ["broker"]

pytestmark = pytest.mark.lab

SITE = """\
config_version: 1
site: {id: sub7, gateway: gw1}
devices:
  - id: f${n}
    template: templates/feeder.yaml
    repeat: {count: 12, each: {host: {from: 11}}}
    with: {url: "tcp://10.0.0.${host}:502"}
  - id: m1
    driver: modbus
    zone: bay
    points: points/f1.csv
    scans: {fast: 0.5, normal: 0.5}
    modbus: {url: "tcp://10.0.0.80"}
defaults: {sensitivity: internal, max_age_s: 5}
policy: policy.yaml
"""
TEMPLATE = """\
config_version: 1
parameters: {url: {}}
device:
  driver: modbus
  zone: bay
  points: feeder.csv
  scans: {fast: 0.5, normal: 0.5}
  modbus:
    url: ${url}
    timeout_s: 0.4
"""
FEEDERS = {f"f{n}" for n in range(1, 13)}


@pytest.fixture
def site(tmp_path: Path, broker: Mosquitto) -> Path:
    folder = write_site(tmp_path / "site", broker.port)
    (folder / "templates").mkdir()
    (folder / "templates/feeder.yaml").write_text(TEMPLATE)
    (folder / "templates/feeder.csv").write_text(POINTS.replace("Current", "${id} current"))
    (folder / "site.yaml").write_text(SITE)
    return folder


@pytest.fixture
def gateway(site: Path) -> Iterator[Process]:
    with simulated(site) as endpoints, running(site, endpoints) as process:
        wait_until(lambda: good(site) == {*FEEDERS, "m1"}, process.log)
        yield process


def good(site: Path) -> set[str]:
    devices = said(site, "field").get("devices", {})
    return {name for name, one in devices.items() if one["state"] == "good"}


def begun(site: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-m", "otgate", "reload", str(site)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    line = next(one for one in done.stdout.splitlines() if one.startswith("devices begun"))
    return set(line.partition(": ")[2].replace(",", " ").split())


def edit(path: Path, old: str, new: str) -> None:
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))


def test_twelve_devices_of_a_template_arrive_and_a_reload_begins_those_that_changed(
    site: Path, gateway: Process, broker: Mosquitto
) -> None:
    assert said(site, "field")["conduits"]["analytics"]["crossing_points"] == 13 * 4
    code, told = verified(broker.url, 3)
    assert code == 0, told

    edit(site / "templates/feeder.csv", "0.1,A", "0.01,A")
    assert begun(site) == FEEDERS
    wait_until(lambda: good(site) == {*FEEDERS, "m1"}, gateway.log)

    edit(site / "points/f1.csv", "0.1,A", "0.01,A")
    assert begun(site) == {"m1"}
    assert "Traceback" not in gateway.log.read_text()
