"""Devices that are calculated, beside those that are read."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from calculating import known, window
from otgate.calc.calculation import CALC, Calculations, Definition, Formula
from otgate.calc.meaning import Known, meaning
from otgate.calc.parse import parse
from otgate.driver import Emit
from otgate.errors import LinkLost
from otgate.model import Batch, Deadband, Device, Kind, Origin, Point, Reporting, Scan, ValueType
from otgate.quality import Quality
from otgate.supervisor import State
from otgate.supervisor.calculating import Together
from puppet import (
    START_NS,
    Puppet,
    Running,
    Session,
    device,
    now_s,
    raising,
    running,
    silence,
    until,
)

POINTS = known()
POINTS.known.update({f"d{n}/fast{m}": Known(ValueType.F64) for n in (1, 2) for m in (1, 2)})


def formula(text: str) -> Formula:
    return Formula(meaning(parse(text), POINTS).term)


def calculated(
    definitions: dict[str, Definition | str],
    reporting: Reporting | None = None,
    deadband: float = 0.0,
) -> Device:
    made = [formula(one) if isinstance(one, str) else one for one in definitions.values()]
    band = Deadband(deadband) if deadband else None
    points = [Point(id_, Kind.MEASUREMENT, scan=CALC, deadband=band) for id_ in definitions]
    settings = Calculations(tuple(made))
    return Device("c", CALC, "", points, {CALC: 1.0}, settings, reporting or Reporting())


def told(now: Running) -> list[tuple[float, int, Origin]]:
    """Return value, quality and origin of everything that the calculated device said."""
    return [
        (value, quality, batch.origin)
        for batch in now.got.batches
        if batch.device == "c"
        for value, quality in zip(batch.values.tolist(), batch.quality.tolist(), strict=True)
    ]


async def counted(session: Session, scan: Scan, emit: Emit) -> None:
    """Read the number of the reading, and its double, in two batches."""
    session.driver.readings += 1
    for at, value in enumerate((session.driver.readings, 2 * session.driver.readings)):
        emit(read(session.device.id, at, float(value), Origin.POLL))


def read(name: str, number: int, value: float, origin: Origin) -> Batch:
    received_ns = START_NS + round(now_s() * 1e9)
    index = np.array([number], np.int32)
    quality = np.zeros(1, np.uint32)
    return Batch(name, ValueType.F64, origin, index, np.array([value]), quality, received_ns)


async def change(now: Running, driver: Puppet, devices: Sequence[Device]) -> list[str]:
    planned = {each.id: driver.plan(each) for each in devices}
    await now.supervisor.retire(devices, planned)
    return await now.supervisor.adopt(devices, planned)


async def test_a_formula_sees_a_scan_as_a_whole() -> None:
    driver = Puppet()
    driver.deeds["d1"] = counted
    calc = calculated({"x": "d1/fast2 - 2 * d1/fast1"})
    async with running(driver, [device("d1", fast=0.05), calc]) as now:
        await until(lambda: len(driver.times("d1", "fast")) > 3)
        assert told(now) == [(0.0, 0, Origin.CALCULATED)]
        assert now.states()["c"] is State.GOOD


async def test_a_formula_is_reported_by_exception_and_its_deadband() -> None:
    driver = Puppet()
    calc = calculated({"x": "d1/fast1"}, deadband=2.5)
    async with running(driver, [device("d1", fast=0.05), calc]) as now:
        await until(lambda: len(told(now)) >= 3)
        values = [value for value, _, _ in told(now)]
    assert values[0] == 1.0
    assert all(after - before >= 2.5 for before, after in pairwise(values))


async def test_a_device_that_is_lost_takes_along_what_is_calculated_from_it() -> None:
    driver = Puppet()
    calc = calculated({"x": "d1/fast1 + 1"})
    async with running(driver, [device("d1", fast=0.05), calc]) as now:
        await until(lambda: told(now))
        driver.deeds["d1"] = raising(LinkLost("gone"))
        await until(lambda: told(now)[-1][1] & Quality.COMM_LOST)
        lost = told(now)[-1]
        driver.deeds.clear()
        await until(lambda: told(now)[-1][1] == 0)
    assert lost[1] == Quality.INVALID | Quality.COMM_LOST
    assert lost[2] is Origin.CALCULATED


async def test_a_scan_that_fails_is_failed_in_what_follows_from_it() -> None:
    driver = Puppet(timeout_s=0.02)
    calc = calculated({"x": "d1/fast1 + 1"})
    async with running(driver, [device("d1", fast=0.1), calc]) as now:
        await until(lambda: told(now))
        driver.deeds["d1"] = silence
        await until(lambda: told(now)[-1][1] & Quality.FAILURE)


async def test_what_a_session_hears_is_calculated_at_once() -> None:
    driver = Puppet()

    async def hears(session: Session, emit: Emit) -> None:
        for value in (5.0, 7.0):
            emit(read("d1", 0, value, Origin.POLL))
            emit(read("d1", 1, value, Origin.UNSOLICITED))
        await asyncio.get_running_loop().create_future()

    driver.listens = hears
    driver.deeds["d1"] = silence
    calc = calculated({"x": "d1/fast1 + d1/fast2"})
    async with running(driver, [device("d1", fast=5), calc]) as now:
        await until(lambda: len(told(now)) >= 3)
        assert next(value for value, quality, _ in told(now) if not quality) == 10.0
        assert 14.0 in [value for value, _, _ in told(now)]


async def test_windows_come_by_the_clock_alone() -> None:
    driver = Puppet()
    calc = calculated({"m": window("d1/fast1", ValueType.F64, "count", 1)})
    async with running(driver, [device("d1", fast=0.1), calc]) as now:
        await until(lambda: now.qualities("c"))
        (batch, *_) = [one for one in now.got.batches if one.device == "c"]
    assert batch.source_ns is not None
    assert int(batch.source_ns[0]) % 1_000_000_000 == 0


@pytest.mark.slow
async def test_equal_windows_are_all_sent() -> None:
    driver = Puppet()
    calc = calculated({"late": window("d1/fast1", ValueType.F64, "late", 1)})
    async with running(driver, [device("d1", fast=0.1), calc]) as now:
        await until(lambda: len(told(now)) >= 2)
        assert {value for value, _, _ in told(now)} == {0}


async def test_a_formula_that_changes_begins_at_once_with_what_is_known() -> None:
    driver = Puppet()
    slow, calc = device("d1", fast=30), calculated({"x": "d1/fast1 + 1"})
    async with running(driver, [slow, calc]) as now:
        await until(lambda: told(now))
        begun = await change(
            now, driver, [slow, calculated({"x": "d1/fast1 + 10", "y": "d1/fast2"})]
        )
        assert begun == ["c"]
        assert [value for value, _, _ in told(now)] == [2.0, 11.0, 1.0]
        assert len(driver.times("d1", "fast")) == 1


async def test_a_calculated_device_that_is_the_same_goes_on() -> None:
    driver = Puppet()
    one, two = device("d1", fast=30), device("d2", fast=0.05)
    calc = calculated({"x": "d1/fast1 + 1"})
    async with running(driver, [one, two, calc]) as now:
        await until(lambda: told(now))
        later = [one, replace(two, scans={"fast": 0.1}), calc]
        assert await change(now, driver, later) == ["d2"]
        assert len(told(now)) == 1


async def test_calculated_devices_come_and_go() -> None:
    driver = Puppet()
    one, calc = device("d1", fast=0.05), calculated({"x": "d1/fast1"})
    async with running(driver, [one]) as now:
        await until(lambda: driver.times("d1", "fast"))
        assert await change(now, driver, [one, calc]) == ["c"]
        await until(lambda: told(now))
        await change(now, driver, [one])
        now.got.clear()
        seen = len(driver.times("d1", "fast"))
        await until(lambda: len(driver.times("d1", "fast")) > seen + 2)
        assert not told(now)
        assert "c" not in now.states()


async def test_what_is_refreshed_is_sent_again_with_its_values() -> None:
    driver = Puppet()
    calc = calculated({"x": "d1/fast1 + 1"})
    async with running(driver, [device("d1", fast=30), calc]) as now:
        await until(lambda: told(now))
        now.supervisor.refresh(["c"])
        assert told(now) == [(2.0, 0, Origin.CALCULATED), (2.0, 0, Origin.REFRESH)]


async def test_a_receipt_waits_for_what_was_calculated_too() -> None:
    waited = []

    class Slow:
        async def durable(self, limit_s: float = 5.0) -> None:
            waited.append(limit_s)

    await Together((Slow(), Slow())).durable(2.0)
    assert waited == [2.0, 2.0]
