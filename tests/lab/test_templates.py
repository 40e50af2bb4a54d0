"""Every device template is one that `otgate check` takes, and is read right from the simulator."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from shutil import copy
from typing import Any

import jsonschema
import pytest
import yaml

from otgate.cli import main
from otgate.config.schema import file_schemas
from otgate.config.site import load_site
from otgate.driver import Link, installed
from otgate.model import Device, Kind, Point
from otgate.testing.collected import Collected
from otgate.testing.contract import Remembered
from otgate_sim.simulation import Simulation
from simulated import Ticking

FOLDER = Path(__file__).parents[2] / "config" / "templates" / "modbus"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
GUIDE = (FOLDER.parents[2] / "docs" / "guide" / "modbus.md").read_text()

SITE = """\
config_version: 1
site: {{id: s, gateway: g}}
devices:
  - {{id: d1, template: templates/{name}.yaml, with: {{url: "tcp://192.0.2.1:502"}}}}
defaults: {{sensitivity: internal, max_age_s: 0}}
policy: policy.yaml
"""
POLICY = """\
config_version: 1
policy: {name: p, version: 1}
zones: {bay: {purdue: 1}, out: {purdue: 4}}
conduits: {c: {from: [bay], to: out, ceiling: internal}}
rules:
  - {name: all, effect: allow, match: {kind: [measurement, status, counter, text]}, why: tests}
"""


@pytest.fixture(params=NAMES)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Put a template into a site, as somebody would who copies its two files."""
    (tmp_path / "templates").mkdir()
    for suffix in ("csv", "yaml"):
        copy(FOLDER / f"{request.param}.{suffix}", tmp_path / "templates")
    (tmp_path / "site.yaml").write_text(SITE.format(name=request.param))
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path / "site.yaml"


def device_of(site: Path) -> Device:
    found = load_site(site, installed()).site
    assert found is not None
    (device,) = found.devices
    return device


@asynccontextmanager
async def simulated(site: Path) -> AsyncIterator[tuple[Device, Simulation]]:
    simulation = Simulation([device_of(site)], clock=Ticking())
    async with simulation.serving() as urls:
        overrides = {device: {"url": url} for device, url in urls.items()}
        found = load_site(site, installed(), overrides=overrides).site
        assert found is not None
        yield found.devices[0], simulation


async def scanned(device: Device) -> dict[str, tuple[Any, int]]:
    driver = installed()["modbus"]
    plan = driver.plan(device)
    found = Collected()
    link = Link([device], {device.id: plan}, {device.id: Remembered()})
    async with driver.connect(link) as sessions:
        for scan in plan:
            await sessions[device.id].scan(scan, found)
    return found.samples(device)


def test_every_map_has_an_entry_and_the_guide_lists_it() -> None:
    assert len(NAMES) >= 6
    assert all(f"`{name}`" in GUIDE for name in NAMES)
    assert sorted(path.stem for path in FOLDER.glob("*.csv")) == NAMES


def test_it_is_one_that_check_takes(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--strict", str(site)]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_it_cites_its_document_and_says_what_was_confirmed(name: str) -> None:
    text = (FOLDER / f"{name}.yaml").read_text()
    assert "# From: " in text
    assert "# Confirmed there: " in text
    assert "page" in text
    template = yaml.safe_load(text)
    assert template["device"]["points"] == f"{name}.csv"
    assert list(template["parameters"]) == ["url", "unit", "zone"]
    assert text.startswith(f"# {template['about']}")


@pytest.mark.parametrize("name", NAMES)
def test_editors_know_its_form(name: str) -> None:
    schema = file_schemas(installed())["template"]
    jsonschema.validate(yaml.safe_load((FOLDER / f"{name}.yaml").read_text()), schema)


async def test_every_point_is_read_as_the_plant_has_it(site: Path) -> None:
    async with simulated(site) as (device, simulation):
        seen = await scanned(device)
        for point, read in zip(device.points, simulation.reads[device.id], strict=True):
            value, quality = seen[point.id]
            assert quality == 0, point.id
            truth = read()
            if point.kind is Kind.MEASUREMENT:
                assert value == pytest.approx(truth, rel=1e-4, abs=step(point)), point.id


def step(point: Point) -> float:
    """Return what one raw count is, or what a plant moves meanwhile."""
    return max(point.scale if not point.type.startswith("f") else 0.0, 0.01)


async def test_no_request_is_longer_than_the_device_takes(site: Path) -> None:
    device = device_of(site)
    for scan in installed()["modbus"].plan(device):
        for request in scan.requests:
            assert request.used + request.wasted <= device.settings.max_registers
