"""The driver against the bundled simulator, which reads point maps and serves faults by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from modbus_peers import LOOPBACK, Bench, device, point, sessions
from otgate.errors import LinkLost
from otgate.model import Kind
from otgate.quality import Quality
from otgate_sim.faults import Fault, Trouble
from simulated import served

TYPES = ("u16", "u32", "i32", "u64", "f32", "f64", "bcd32", "mod10000")
WORD_ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
EIGHT_ORDERS = ("ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA", "CDABGHEF", "DCBAHGFE")
SPELLINGS = [
    (type_, order)
    for type_ in TYPES
    for order in (EIGHT_ORDERS if type_.endswith("64") else WORD_ORDERS)
]
FREQUENCIES = [
    point(
        f"f{at}",
        f"hr {10 * at}",
        type_,
        order=order,
        unit="Hz",
        scale=1.0 if type_.startswith("f") else 0.001,
    )
    for at, (type_, order) in enumerate(SPELLINGS)
]
MAP = (
    point("ia", "hr 100", "u16", unit="A", eu_hi=600.0, scale=0.1),
    point("cb", "di 3", "bool", kind=Kind.STATUS),
)


@asynccontextmanager
async def simulated(late_s: float = 0.2) -> AsyncIterator[tuple[Bench, Trouble]]:
    """Serve one device and connect to it."""
    asked = device(*MAP, name="f1", timeout_s=0.15)
    async with served(asked, late_s=late_s) as (simulation, ports):
        there = device(*MAP, name="f1", host=LOOPBACK, port=ports["f1"], timeout_s=0.15)
        async with sessions(there) as (bench,):
            yield bench, simulation.troubles["f1"]


async def test_simulator_and_driver_spell_numbers_alike() -> None:
    async with served(device(*FREQUENCIES)) as (simulation, ports):
        there = device(*FREQUENCIES, host=LOOPBACK, port=ports["f1"], gap=0)
        async with sessions(there) as (bench,):
            samples = await bench.scan()
        hertz = simulation.plant.bays["f1"].busbar.frequency_hz
    assert {quality for _, quality in samples.values()} == {Quality.GOOD}
    values = {each.id: samples[each.id][0] for each in FREQUENCIES}
    assert len(values) == len(SPELLINGS) == 6 * 4 + 2 * 6
    assert values == pytest.approx(dict.fromkeys(values, hertz), abs=0.05)


@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.WRONG_TID])
async def test_a_device_without_answers_is_a_timeout(fault: Fault) -> None:
    async with simulated() as (bench, trouble):
        trouble.begin(fault)
        with pytest.raises(TimeoutError):
            await bench.scan()
        trouble.begin(Fault.NONE)
        assert (await bench.scan())["cb"] == (True, Quality.GOOD)


@pytest.mark.parametrize("fault", [Fault.CLOSE, Fault.GARBAGE])
async def test_a_closed_or_broken_connection_is_lost(fault: Fault) -> None:
    async with simulated() as (bench, trouble):
        trouble.begin(fault)
        with pytest.raises(LinkLost):
            await bench.scan()


async def test_an_exception_marks_every_point() -> None:
    async with simulated() as (bench, trouble):
        trouble.begin(Fault.EXCEPTION)
        qualities = {quality for _, quality in (await bench.scan()).values()}
    assert qualities == {Quality.INVALID | Quality.FAILURE | Quality.NO_VALUE}


async def test_late_replies_are_counted_and_given_to_nobody() -> None:
    async with simulated() as (bench, trouble):
        trouble.begin(Fault.LATE)
        with pytest.raises(TimeoutError):
            await bench.scan()
        trouble.begin(Fault.NONE)
        async with asyncio.timeout(5):
            while not bench.counts.late:
                with suppress(TimeoutError):
                    assert (await bench.scan())["cb"] == (True, Quality.GOOD)
