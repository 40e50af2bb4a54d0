"""IEC 61850 devices of a site in a simulation: from SCL or points, driven by the plant."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from ieds import CID, Listener, listening
from otgate.errors import Refused
from otgate.model import Device, Kind, Point
from otgate_iec61850.mms.errors import AssociationLost
from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.rcb import interrogated
from otgate_iec61850.mms.values import Array, Bits, UtcTime
from otgate_iec61850.settings import Report
from otgate_sim.simulation import Settings, Simulation

CURRENT = Point(
    "ia", Kind.MEASUREMENT, "IED1LD0/MMXU1.A.phsA.cVal.mag.f [MX]", unit="A", eu_hi=400.0, eu_lo=0.0
)
BREAKER = Point("cb", Kind.STATUS, "IED1LD0/XCBR1.Pos.stVal [ST]", name="Breaker position")
TRIP = Point("trip", Kind.EVENT, "IED1PROT/PTOC1.Op.general [ST]", name="Overcurrent trip")
HARMONIC = Point("h3", Kind.MEASUREMENT, "IED1LD0/MHAI1.HA.phsAHar(3).mag.f [MX]", unit="A")
SERVED = (CURRENT, BREAKER, TRIP, HARMONIC)
IN_SCL = (
    Point("hz", Kind.MEASUREMENT, "F3Q1MEAS/MMXU1.Hz.mag.f [MX]", unit="Hz"),
    Point("pos", Kind.STATUS, "F3Q1CTRL/XCBR1.Pos.stVal [ST]", name="Breaker position"),
    Point("wh", Kind.COUNTER, "F3Q1MEAS/MMTR1.SupWh.actVal [ST]", unit="kWh"),
)


def device(*points: Point, **settings: Any) -> Device:
    block = {"url": "mms://10.0.0.9", "scl": None, "ied": None, "access_point": None, "reports": ()}
    return Device(
        id="q1",
        driver="iec61850",
        zone="bay",
        points=points,
        scans={"normal": 1.0},
        settings=SimpleNamespace(**block | settings),
    )


@asynccontextmanager
async def simulated(one: Device, **settings: Any) -> AsyncIterator[tuple[Simulation, Listener]]:
    simulation = Simulation([one], Settings(**settings))
    async with simulation.serving() as urls:
        assert urls == {"q1": f"mms://127.0.0.1:{simulation.ieds['q1'].port}"}
        async with listening(simulation.ieds["q1"]) as heard:
            yield simulation, heard


async def test_points_alone_make_a_server_with_quality_and_time_beside_each() -> None:
    async with simulated(device(*SERVED)) as (_, heard):
        assert await heard.client.domains() == ["IED1LD0", "IED1PROT"]
        current, breaker, trip = await heard.client.read(
            [
                Variable(Name("IED1LD0", "MMXU1$MX$A$phsA")),
                Variable(Name("IED1LD0", "XCBR1$ST$Pos")),
                Variable(Name("IED1PROT", "PTOC1$ST$Op")),
            ]
        )
        assert [type(each) for each in current] == [tuple, Bits, UtcTime]  # type: ignore[union-attr]
        assert breaker[0] in {Bits(2, 1), Bits(2, 2)}  # type: ignore[index]
        assert trip[:2] == (False, Bits(13, 0))  # type: ignore[index]


async def test_a_point_in_an_array_is_an_element_of_it() -> None:
    async with simulated(device(*SERVED)) as (_, heard):
        array, element = await heard.client.read(
            [
                Variable(Name("IED1LD0", "MHAI1$MX$HA$phsAHar")),
                Variable(Name("IED1LD0", "MHAI1$MX$HA$phsAHar"), 3, "mag$f"),
            ]
        )
        assert isinstance(array, Array)
        assert array[3] == ((element,),)


async def test_each_logical_device_reports_its_points_where_no_report_is_configured() -> None:
    async with simulated(device(*SERVED)) as (_, heard):
        await heard.enable(Name("IED1LD0", "LLN0$BR$brcb01"), ending=(interrogated(),))
        await heard.until(lambda: bool(heard.reports) and len(heard.reports[-1].members) == 3)


async def test_a_configured_report_has_the_data_set_and_revision_of_the_site() -> None:
    asked = Report(rcb="IED1LD0/LLN0.BR.mine01", data_set="IED1LD0/LLN0.all", conf_rev=7)
    async with simulated(device(CURRENT, BREAKER, reports=(asked,))) as (_, heard):
        block = await heard.block(Name("IED1LD0", "LLN0$BR$mine01"))
        assert (block.data_set, block.conf_rev) == ("IED1LD0/LLN0$all", 7)


async def test_the_plant_moves_what_scl_describes() -> None:
    async with simulated(device(*IN_SCL, scl=str(CID)), speed=20.0) as (simulation, heard):
        await heard.enable(Name("F3Q1MEAS", "LLN0$RP$urcbLoads01"))
        await heard.until(lambda: len(set(heard.of(4))) > 2)
        assert all(49.0 < value[1][0] < 51.0 for value in heard.of(4))
        assert simulation.ieds["q1"].leaf(IN_SCL[1].address).value in {Bits(2, 1), Bits(2, 2)}


async def test_a_burst_of_a_point_is_as_many_reports() -> None:
    async with simulated(device(*IN_SCL, scl=str(CID))) as (simulation, heard):
        await heard.enable(Name("F3Q1CTRL", "LLN0$BR$brcbPositions01"))
        asked = {"verb": "burst", "device": "q1", "point": "pos", "count": 200, "step_ms": 2}
        simulation.answer(asked)
        await heard.until(lambda: len(heard.of(0)) >= 200)
        told = simulation.answer({"verb": "status"})["devices"]["q1"]
        assert told["blocks"]["F3Q1CTRL/LLN0.BR.brcbPositions01"]["sent"] >= 200


async def test_a_fault_is_shown_when_told() -> None:
    async with simulated(device(*SERVED)) as (simulation, heard):
        simulation.answer({"verb": "fault", "device": "q1", "kind": "abort"})
        with pytest.raises(AssociationLost):
            await heard.client.identify()
        with pytest.raises(Refused, match="wrong-invoke-id"):
            simulation.answer({"verb": "fault", "device": "q1", "kind": "wrong-tid"})


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (device(Point("x", Kind.STATUS, "hr 1")), "point x"),
        (device(Point("x", Kind.STATUS, "F3Q1LD0/GGIO9.Ind.stVal [ST]"), scl=str(CID)), "has no"),
        (device(scl="none.cid"), r"none\.cid"),
        (device(scl=str(CID), ied="OTHER"), "no IED"),
    ],
)
def test_what_cannot_be_simulated_is_refused(one: Device, why: str) -> None:
    with pytest.raises(Refused, match=why):
        Simulation([one])
