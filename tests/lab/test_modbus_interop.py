"""The driver against a server that others wrote in C: libmodbus."""

from collections.abc import Iterator

import pytest

import libmodbus
from modbus_peers import point, session
from otgate.errors import LinkLost
from otgate.quality import Quality
from otgate.testing.contract import Remembered
from otgate_modbus.pipelining import CALM, TRIALS
from sunspec_devices import browsed

pytestmark = pytest.mark.lab

TABLES = {
    "co": [at % 3 == 0 for at in range(1000)],
    "di": [at % 2 == 1 for at in range(1000)],
    "hr": list(range(1000)),
    "ir": [65535 - at for at in range(1000)],
}


@pytest.fixture
def port() -> Iterator[int]:
    with libmodbus.serving("tcp", "0") as where:
        yield int(where)


@pytest.mark.parametrize("table", TABLES)
async def test_every_address_of_a_table_is_read_right(port: int, table: str) -> None:
    points = [point(f"p{at}", f"{table} {at}") for at in range(1000)]
    async with session(*points, port=port) as bench:
        assert list((await bench.values()).values()) == TABLES[table]


async def test_wide_values_are_read_right(port: int) -> None:
    points = (
        point("big", "hr 1", "u64", order="ABCDEFGH"),
        point("mixed", "hr 5", "u32", order="CDAB"),
        point("half", "hr 258", "u8_high"),
        point("bits", "co 3-9"),
    )
    async with session(*points, port=port) as bench:
        assert await bench.values() == {
            "big": 0x0001_0002_0003_0004,
            "mixed": 0x0006_0005,
            "half": 1,
            "bits": 0b1001001,
        }


async def test_points_beyond_its_tables_are_refused_and_the_others_are_read(port: int) -> None:
    points = [point(f"p{at}", f"hr {at}") for at in range(980, 1020)]
    async with session(*points, port=port) as bench:
        for _ in range(4):
            samples = await bench.scan()
    good = {name: value for name, (value, quality) in samples.items() if not quality}
    assert good == {f"p{at}": at for at in range(980, 1000)}
    assert all(samples[f"p{at}"][1] & Quality.ILLEGAL_ADDRESS for at in range(1000, 1020))


async def test_eight_requests_at_once_are_proved_on_it(port: int) -> None:
    points = [point(f"p{at}", f"hr {at}") for at in range(0, 1000, 60)]
    state = Remembered()
    async with session(*points, port=port, state=state) as bench:
        for _ in range(CALM + 3 * TRIALS + 2):
            assert await bench.values() == {f"p{at}": at for at in range(0, 1000, 60)}
        assert bench.counts.late == bench.counts.mismatched == bench.counts.retries == 0
    kept = state.get("pipeline")
    assert isinstance(kept, dict)
    assert kept["proved"] == 8


async def test_a_browser_reads_that_it_is_no_sunspec_device(port: int) -> None:
    found = await browsed(("127.0.0.1", port))
    assert found.shortfall.startswith("the device speaks no SunSpec")


async def test_it_is_lost_when_it_ends_and_read_by_a_new_connection() -> None:
    points = (point("a", "hr 7"),)
    with libmodbus.serving("tcp", "0") as where:
        async with session(*points, port=int(where)) as bench:
            assert await bench.values() == {"a": 7}
    with pytest.raises(LinkLost, match="Connection refused"):
        async with session(*points, port=int(where)):
            pass
    with libmodbus.serving("tcp", where):
        async with session(*points, port=int(where)) as bench:
            assert await bench.values() == {"a": 7}
