"""Devices that come, go and change while others are read."""

import asyncio
from dataclasses import replace
from pathlib import Path

from otgate.model import Device, Origin
from puppet import Puppet, device, running, until


def plans(driver: Puppet, devices: list[Device]) -> dict[str, object]:
    return {each.id: driver.plan(each) for each in devices}


async def test_a_device_that_is_the_same_keeps_its_connection() -> None:
    driver = Puppet()
    one, two = device("d1", fast=0.05), device("d2", fast=0.05)
    async with running(driver, [one, two]) as now:
        await until(lambda: len(driver.times("d1", "fast")) > 2)
        later = [one, replace(two, scans={"fast": 0.1})]
        planned = plans(driver, later)
        await now.supervisor.retire(later, planned)
        begun = await now.supervisor.adopt(later, planned)
        seen = len(driver.times("d1", "fast"))
        await until(lambda: len(driver.times("d1", "fast")) > seen + 2)
        assert begun == ["d2"]
        assert len(driver.connected) == 3  # d1 once, d2 twice


async def test_a_device_that_goes_is_read_and_told_of_no_more() -> None:
    driver = Puppet()
    one, two = device("d1", fast=0.05), device("d2", fast=0.05)
    async with running(driver, [one, two]) as now:
        await until(lambda: driver.times("d2", "fast"))
        await now.supervisor.retire([one], plans(driver, [one]))
        now.got.batches.clear()
        scanned = len(driver.times("d2", "fast"))
        seen = len(driver.times("d1", "fast"))
        assert await now.supervisor.adopt([one], plans(driver, [one])) == []
        await until(lambda: len(driver.times("d1", "fast")) > seen + 3)
        assert len(driver.times("d2", "fast")) == scanned
        assert list(now.states()) == ["d1"]
        assert {batch.device for batch in now.got.batches} <= {"d1"}


async def test_a_device_that_comes_is_read_with_what_was_kept_of_it(tmp_path: Path) -> None:
    (tmp_path / "d2.json").write_text('{"learned": 7}')
    driver = Puppet()
    one, two = device("d1", fast=0.05), device("d2", fast=0.05)
    async with running(driver, [one], states=tmp_path) as now:
        await until(lambda: driver.times("d1", "fast"))
        both = [one, two]
        await now.supervisor.retire(both, plans(driver, both))
        assert await now.supervisor.adopt(both, plans(driver, both)) == ["d2"]
        await until(lambda: driver.times("d2", "fast"))
        assert driver.link.state["d2"].get("learned") == 7


async def test_a_link_that_does_not_close_passes_nothing_on() -> None:
    driver = Puppet()
    one = device("d1", fast=0.05)
    async with running(driver, [one]) as now:
        await until(lambda: driver.times("d1", "fast"))
        watch = now.supervisor._watches["d1"]
        await now.supervisor.retire([], {})
        now.got.batches.clear()
        watch.refresh()
        await asyncio.sleep(0)
        assert now.got.batches == []


async def test_a_refresh_sends_every_value_again() -> None:
    driver = Puppet()
    one = device("d1", fast=0.05)
    async with running(driver, [one]) as now:
        await until(lambda: now.got.batches)
        now.got.batches.clear()
        now.supervisor.refresh(["d1", "unknown"])
        refreshed = [batch for batch in now.got.batches if batch.origin is Origin.REFRESH]
        assert sum(len(batch) for batch in refreshed) == 2
