"""The driver on a serial line with a server that others wrote in C: libmodbus."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

import libmodbus
from modbus_peers import Bench, point, sessions
from otgate.model import Device, Point
from otgate.quality import Quality
from otgate_modbus import Modbus
from rtu_peers import joined

pytestmark = pytest.mark.lab

TABLES = {
    "co": [at % 3 == 0 for at in range(1000)],
    "di": [at % 2 == 1 for at in range(1000)],
    "hr": list(range(1000)),
    "ir": [65535 - at for at in range(1000)],
}


def on(path: str, *points: Point, baud: int = 115_200, unit: int = libmodbus.UNIT) -> Device:
    url = f"serial://{path}?baud={baud}&parity=N"
    block = Modbus.settings(url=url, unit=unit, timeout_s=0.5)
    return Device(f"u{unit}", "modbus", "bay", points, {"normal": 10.0}, block)


@asynccontextmanager
async def reading(*points: Point, baud: int = 115_200) -> AsyncIterator[Bench]:
    async with joined(baud) as (server, path):
        with libmodbus.serving("rtu", server, str(baud), str(libmodbus.UNIT)):
            async with sessions(on(path, *points, baud=baud)) as (bench,):
                yield bench


@pytest.mark.parametrize("table", TABLES)
async def test_every_address_of_a_table_is_read_right(table: str) -> None:
    async with reading(*(point(f"p{at}", f"{table} {at}") for at in range(1000))) as bench:
        assert list((await bench.values()).values()) == TABLES[table]
        assert (bench.counts.retries, bench.counts.stray) == (0, 0)


@pytest.mark.parametrize("baud", [9600, 19200])
async def test_a_slow_line_is_read_without_a_retry(baud: int) -> None:
    points = [point(f"p{at}", f"hr {at}") for at in range(125)]
    async with reading(*points, baud=baud) as bench:
        for _ in range(3):
            assert list((await bench.values()).values()) == list(range(125))
        assert bench.counts.retries == 0


async def test_points_beyond_its_tables_are_refused_and_the_others_are_read() -> None:
    async with reading(point("in", "hr 999"), point("out", "hr 1000")) as bench:
        for _ in range(3):
            samples = await bench.scan()
    assert samples["in"] == (999, 0)
    assert samples["out"][1] & Quality.ILLEGAL_ADDRESS


async def test_a_unit_that_is_not_there_costs_the_other_nothing() -> None:
    one = point("a", "hr 7")
    async with joined() as (server, path):
        with libmodbus.serving("rtu", server, "115200", str(libmodbus.UNIT)):
            async with sessions(on(path, one), on(path, one, unit=3)) as (there, absent):
                for _ in range(3):
                    with pytest.raises(TimeoutError):
                        async with asyncio.timeout(1):
                            await absent.scan()
                    assert await there.values() == {"a": 7}
