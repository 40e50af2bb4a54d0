"""The simulated solar plant: what we browse and poll is what pysunspec2 reads, and the plant."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

from otgate.browser import Browsed
from otgate.config.site import Site, load_site
from otgate.driver import Link, installed
from otgate.importer import ImportedDevice
from otgate.model import Device
from otgate.testing.collected import Collected
from otgate.testing.contract import Remembered
from otgate_modbus.sunspec.browse import ModbusBrowser
from otgate_sim.faults import Fault
from otgate_sim.simulation import Simulation

SOLAR = Path(__file__).parents[2] / "config" / "sunspec" / "site.yaml"
DEVICES = ("inverter-1", "meter-1", "battery-1")
NOON_NS = 1_767_268_800 * 10**9


class Stopped:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_ns = NOON_NS

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
async def simulation() -> AsyncIterator[Simulation]:
    loaded = load_site(SOLAR, installed())
    assert loaded.site is not None, loaded.diagnostics
    running = Simulation(loaded.site.devices, clock=Stopped())
    async with running.serving():
        yield running


def pointed(simulation: Simulation) -> Site:
    overrides = {device: {"url": url} for device, url in simulation.urls.items()}
    site = load_site(SOLAR, installed(), overrides=overrides).site
    assert site is not None
    return site


async def scanned(device: Device) -> dict[str, tuple[Any, int]]:
    driver = installed()["modbus"]
    plan = driver.plan(device)
    found = Collected()
    link = Link([device], {device.id: plan}, {device.id: Remembered()})
    async with driver.connect(link) as sessions:
        for scan in plan:
            await sessions[device.id].scan(scan, found)
    return found.samples(device)


async def browsed(simulation: Simulation, device: str) -> Browsed:
    return await asyncio.to_thread(ModbusBrowser().browse, simulation.urls[device], 5.0)


def imported(browsed: Browsed) -> ImportedDevice:
    assert browsed.device is not None
    return browsed.device


def points_of(browsed: Browsed) -> Iterator[dict[str, Any]]:
    for model in browsed.document["sunspec"]["models"]:
        yield from model["points"]


def peer_values(url: str) -> dict[int, Any]:
    """Return what pysunspec2 reads, by register."""
    where = urlsplit(url)
    device = SunSpecModbusClientDeviceTCP(ipaddr=where.hostname, ipport=where.port, timeout=5)
    try:
        device.scan()
        return {
            model.model_addr + point.offset: point.cvalue
            for model in device.model_list
            for group in groups_of(model)
            for point in group.points.values()
        }
    finally:
        device.close()


def groups_of(group: Any) -> Iterator[Any]:
    yield group
    for inner in group.groups.values():
        for each in inner if isinstance(inner, list) else [inner]:
            yield from groups_of(each)


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, float):
        return ours is not None and math.isclose(ours, theirs, rel_tol=1e-9)
    return ours == theirs or (ours, theirs) == (None, "")


@pytest.mark.parametrize("device", DEVICES)
async def test_the_peer_reads_the_same_chain_and_values(
    simulation: Simulation, device: str
) -> None:
    found = await browsed(simulation, device)
    theirs = await asyncio.to_thread(peer_values, simulation.urls[device])
    assert not found.shortfall
    ours = {point["address"]: point["value"] for point in points_of(found)}
    assert len(ours) > 40
    different = {at: (ours[at], theirs[at]) for at in ours if not same(ours[at], theirs[at])}
    assert not different


@pytest.mark.parametrize("device", DEVICES)
async def test_the_site_was_browsed_from_such_a_device(simulation: Simulation, device: str) -> None:
    found = imported(await browsed(simulation, device))
    site = pointed(simulation)
    asked = next(each for each in site.devices if each.id == device)
    assert found.settings["sunspec"] == asked.settings.sunspec.model_dump(mode="json") | {
        "models": list(asked.settings.sunspec.models)
    }
    written = {point.id: (point.address, point.type, point.sf) for point in asked.points}
    browsed_points = {point.id: (point.address, point.type, point.sf) for point in found.points}
    assert browsed_points.items() <= written.items()


@pytest.mark.parametrize("device", DEVICES)
async def test_the_driver_reads_what_was_browsed(simulation: Simulation, device: str) -> None:
    asked = next(each for each in pointed(simulation).devices if each.id == device)
    seen = await scanned(asked)
    shown = {point["id"]: point["value"] for point in points_of(await browsed(simulation, device))}
    assert len(seen) == len(asked.points)
    for point in asked.points:
        value, quality = seen[point.id]
        assert (quality, value) == (0, shown[point.id]), point.id


async def test_the_numbers_are_those_of_the_plant(simulation: Simulation) -> None:
    asked = next(each for each in pointed(simulation).devices if each.id == "inverter-1")
    seen = await scanned(asked)
    reads = dict(
        zip((each.id for each in asked.points), simulation.reads["inverter-1"], strict=True)
    )
    for name, step in {"m103_a": 0.01, "m103_w": 10, "m103_hz": 0.001, "m103_phvpha": 0.01}.items():
        assert seen[name][0] == pytest.approx(reads[name](), abs=step), name


async def test_other_scale_factors_give_the_same_values(simulation: Simulation) -> None:
    asked = next(each for each in pointed(simulation).devices if each.id == "inverter-1")
    before = await scanned(asked)
    simulation.troubles["inverter-1"].begin(Fault.RESCALE)
    assert isinstance(simulation.clock, Stopped)
    simulation.clock.now_ns += 50_000_000  # registers are encoded anew, the plant takes no step
    after = await scanned(asked)
    for name, digits in {"m103_a": 1, "m103_aphb": 1, "m103_phvpha": 1}.items():
        assert after[name][0] == pytest.approx(before[name][0], abs=0.51 * 10**-digits), name
        assert after[name] != before[name], name
        assert after[name][0] == round(after[name][0], digits), name
