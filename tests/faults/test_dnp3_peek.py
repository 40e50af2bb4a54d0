"""An outstation read beside the gateway that it serves: every point, and no event."""

import asyncio

import pytest

from otgate.driver import Peeking, installed
from otgate.live.reading import Look, look
from otgate.model import Device, Kind, Point
from otgate.quality import Quality
from otgate_dnp3 import Dnp3
from otgate_dnp3.settings import Settings
from otgate_sim.dnp3.database import Entry
from otgate_sim.dnp3.faults import Dnp3Fault
from otgate_sim.dnp3.outstation import Outstation
from outstations import AI, BI, listening, outstation

POINTS = (
    *(Point(f"a{index}", Kind.MEASUREMENT, f"ai {index}") for index in range(200)),
    Point("b3", Kind.STATUS, "bi 3"),
    Point("absent", Kind.STATUS, "bi 9"),
)


def rtu() -> Outstation:
    made = outstation(
        *(Entry(AI, index, 2, 5, 7, value=1.5) for index in range(200)),
        Entry(BI, 3, 1, value=1),
        fragment=500,
        unsolicited=False,
    )
    made.burst(BI, 3, 100)
    return made


async def peeked(port: int, **settings: object) -> Look:
    block = Settings(url=f"tcp://127.0.0.1:{port}", outstation=10, **settings)  # type: ignore[arg-type]
    return await look(Device("rtu", "dnp3", "bay", POINTS, {"integrity": 3600.0}, block), Dnp3())


async def test_every_point_is_read_and_no_event_taken() -> None:
    made = rtu()
    async with listening(made) as endpoint:
        seen = await peeked(endpoint.port)
        await asyncio.sleep(0.05)
        assert not made.confirmed
        assert {name for name, count in made.session.counts.items() if count} == {"READ"}
    assert not seen.failure
    assert [value.value for value in seen.values[:200]] == [1.5] * 200
    assert seen.values[200].quality == Quality.GOOD
    assert seen.values[201].quality & Quality.ILLEGAL_ADDRESS


@pytest.mark.parametrize("fault", [Dnp3Fault.SILENT, Dnp3Fault.CLOSE])
async def test_an_outstation_that_says_nothing_is_said(fault: Dnp3Fault) -> None:
    made = rtu()
    made.trouble.begin(fault)
    async with listening(made) as endpoint:
        seen = await peeked(endpoint.port, timeout_s=0.3)
    assert seen.failure
    assert not any(value.readable for value in seen.values)


@pytest.mark.parametrize("name", ["dnp3", "iec61850", "modbus"])
def test_every_driver_can_read_beside_the_gateway(name: str) -> None:
    assert isinstance(installed()[name], Peeking)
