"""Scans that read no points of their own, and slow ones that fail: what they say of a device."""

import asyncio
from dataclasses import replace

import pytest

from otgate.driver import Emit
from otgate.model import Device, Scan
from otgate.supervisor import State
from puppet import Puppet, Session, answer, device, running, silence

pytestmark = pytest.mark.virtual_time


def polled(**periods: float) -> Device:
    """A device whose scan ``events`` has no points."""
    made = device("a", **periods)
    return replace(made, points=[point for point in made.points if point.scan != "events"])


async def only_events_answer(session: Session, scan: Scan, emit: Emit) -> None:
    await (answer if scan.name == "events" else silence)(session, scan, emit)


async def only_events_fail(session: Session, scan: Scan, emit: Emit) -> None:
    await (silence if scan.name == "events" else answer)(session, scan, emit)


async def test_a_poll_without_events_leaves_a_good_device_good() -> None:
    async with running(Puppet(), [polled(slow=600.0, events=2.0)]) as run:
        await asyncio.sleep(100)
        assert run.states() == {"a": State.GOOD}


async def test_a_poll_without_events_makes_no_device_good() -> None:
    driver = Puppet()
    driver.deeds["a"] = only_events_answer
    async with running(driver, [polled(slow=600.0, events=2.0)]) as run:
        await asyncio.sleep(0.2)
        assert run.states() == {"a": State.STARTING}


async def test_an_event_poll_that_failed_once_is_made_good_by_the_next() -> None:
    driver = Puppet()
    async with running(driver, [polled(slow=600.0, events=2.0)]) as run:
        await asyncio.sleep(3)
        driver.deeds["a"] = only_events_fail
        await asyncio.sleep(2)
        assert run.states() == {"a": State.FAILING}
        driver.deeds["a"] = answer
        await asyncio.sleep(2)
        assert run.states() == {"a": State.GOOD}
        assert len(driver.times("a", "slow")) == 1


async def test_a_lost_device_is_probed_by_a_scan_that_reads_points() -> None:
    driver = Puppet(shared=True)
    devices = [polled(slow=600.0, events=2.0), replace(polled(slow=600.0), id="b")]
    async with running(driver, devices) as run:
        await asyncio.sleep(3)
        driver.deeds["a"] = only_events_fail
        await asyncio.sleep(60)
        assert run.states()["b"] is State.GOOD
        assert len(driver.times("a", "slow")) > 1


async def test_a_slow_scan_that_failed_is_tried_again_long_before_its_next_slot() -> None:
    driver = Puppet()
    driver.deeds["a"] = silence
    async with running(driver, [device("a", slow=3600.0)]) as run:
        await asyncio.sleep(2)
        driver.deeds["a"] = answer
        await asyncio.sleep(60)
        assert run.states() == {"a": State.GOOD}
    begun = driver.times("a", "slow")
    assert begun[1] - begun[0] < 10.0


async def test_a_slow_scan_that_failed_keeps_its_grid() -> None:
    driver = Puppet()
    driver.deeds["a"] = silence
    async with running(driver, [device("a", slow=600.0)]) as run:
        await asyncio.sleep(0.2)
        driver.deeds["a"] = answer
        await asyncio.sleep(1300)
    assert driver.times("a", "slow")[-2:] == pytest.approx(
        [run.start_s + 600.0, run.start_s + 1200.0]
    )
