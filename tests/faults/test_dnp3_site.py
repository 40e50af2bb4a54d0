"""DNP3 devices of a site: bound to the plant, served beside Modbus ones, told what to do."""

from types import SimpleNamespace
from typing import Any

import pytest

from otgate.errors import Refused
from otgate.model import Deadband, Device, Kind, Point
from otgate_dnp3.stack.points import PointType
from otgate_sim.control import answered
from otgate_sim.dnp3.options import Options
from otgate_sim.simulation import Settings, Simulation
from outstations import AI, BI, CLASSES, CTR, DBI, FCTR, wired
from simulated import Ticking
from simulated import device as modbus_device
from simulated import point as modbus_point

BREAKER = {0: "intermediate", 1: "open", 2: "closed", 3: "faulty"}


def point(point_id: str, address: str, kind: Kind = Kind.MEASUREMENT, **cells: Any) -> Point:
    return Point(id=point_id, address=address, kind=kind, **cells)


FEEDER = (
    point("cb", "dbi 0", Kind.STATUS, states=BREAKER),
    point("trip", "bi 0", Kind.EVENT),
    point("ia", "ai 0", unit="A", eu_hi=600.0, eu_lo=0.0, deadband=Deadband(10.0, percent=True)),
    point("p", "ai 1", unit="kW", type="i16", scale=0.5),
    point("e", "ctr 0", Kind.COUNTER, unit="kWh"),
    point("e_frozen", "fctr 0", Kind.COUNTER, unit="kWh"),
    point("serial", "oct 0", Kind.TEXT),
    point("remote", "bo 0", Kind.STATUS),
)


def device(
    name: str = "rtu1",
    *points: Point,
    url: str = "tcp://10.0.0.5:20000",
    outstation: int = 10,
) -> Device:
    settings = SimpleNamespace(url=url, outstation=outstation, master=1)
    return Device(name, "dnp3", "bay", points or FEEDER, {}, settings)


def test_points_are_held_as_their_map_says() -> None:
    made = Simulation([device()], clock=Ticking()).dnp3["rtu1"]
    held = made.database
    assert held.of(DBI)[0].value == 2
    assert held.of(PointType.OCTET_STRING)[0].value == b"RTU1 SERIAL"
    assert [held.of(AI)[at].static_variation for at in (0, 1)] == [5, 2]
    assert held.of(AI)[0].deadband == 6.0  # a tenth of 10 % of 600 A
    assert held.of(FCTR)[0].value == held.of(CTR)[0].value
    assert [each.event_class for each in held] == [1, 1, 1, 3, 3, 2, 2, 2]
    assert made.rtu.buffer.made == 0


def test_what_the_plant_does_becomes_events_with_the_outstation_s_time() -> None:
    clock = Ticking()
    simulation = Simulation([device()], clock=clock)
    driven = simulation.dnp3.driven["rtu1"]
    simulation.plant.bays["rtu1"].breaker.operate()
    clock.forward(0.5)
    driven.look()
    events = {(e.point_type, e.index): e for e in driven.outstation.rtu.buffer.in_order()}
    assert events[DBI, 0].value == 1
    assert events[BI, 0].value == 1
    assert events[DBI, 0].time_ms == clock.now_ns // 1_000_000
    assert events[AI, 0].value < 20.0


@pytest.mark.parametrize("address", ["hr 0", "ai", "ai -1", "ai 65536", "xx 1"])
def test_an_address_of_another_protocol_is_refused(address: str) -> None:
    with pytest.raises(Refused, match="no address such as `ai 12`"):
        Simulation([device("rtu1", point("x", address))])


def test_two_points_of_one_address_are_refused() -> None:
    with pytest.raises(Refused, match="two points of rtu1 are ai 1"):
        Simulation([device("rtu1", point("x", "ai 1"), point("y", "ai 1"))])


async def test_both_protocols_are_served_and_outstations_share_a_channel() -> None:
    meter = modbus_device("m1", modbus_point("ia", unit="A"))
    devices = [device("rtu1"), device("rtu2", outstation=11), meter]
    async with Simulation(devices, Settings()).serving() as urls:
        assert urls["rtu1"] == urls["rtu2"] != urls["m1"]
        port = int(urls["rtu1"].rsplit(":", 1)[1])
        for remote in (10, 11):
            async with wired(port, remote) as wire:
                assert (await wire.receive())[3:5] == "82"


async def test_two_outstations_of_one_address_on_a_channel_are_refused() -> None:
    with pytest.raises(Refused, match="same outstation address"):
        async with Simulation([device("rtu1"), device("rtu2")]).serving():
            pass


async def test_a_control_request_makes_a_burst_and_counts_what_became_of_it() -> None:
    options = {"rtu1": Options(unsolicited=False)}
    simulation = Simulation([device()], Settings(outstations=options))
    async with simulation.serving() as urls:
        asked = {"verb": "burst", "device": "rtu1", "point": "cb", "count": 200, "start_ms": 5000}
        assert simulation.answer(asked)["count"] == 200
        async with wired(int(urls["rtu1"].rsplit(":", 1)[1])) as wire:
            sequence, control = 0, 0
            answer = await wire.ask("c0 01 3c 02 06")
            while not (control := int(answer[:2], 16)) & 0x40:
                wire.send(f"c{control & 0xF:x} 00")
                answer = await wire.receive()
            sequence = control & 0xF
            wire.send(f"c{sequence:x} 00")
            await wire.ask(f"c{(sequence + 1) % 16:x} 17")
        told = simulation.answer({"verb": "status"})["devices"]["rtu1"]
    assert told["confirmed"] >= 200
    times = [e.time_ms for e in simulation.dnp3["rtu1"].confirmed if e.point_type is DBI]
    assert times == list(range(5000, 5200))


@pytest.mark.parametrize(
    "asked",
    [
        {"device": "x", "point": "cb", "count": 1},
        {"device": "rtu1", "point": "x", "count": 1},
        {"device": "rtu1", "point": "cb", "count": 0},
        {"device": "rtu1", "point": "cb", "count": "many"},
        {"device": "rtu1", "point": "cb", "count": 1, "step_ms": -1},
        {"device": ["rtu1"], "point": "cb", "count": 1},
    ],
)
def test_an_impossible_burst_is_refused(asked: dict[str, Any]) -> None:
    simulation = Simulation([device()])
    with pytest.raises(Refused):
        simulation.answer({"verb": "burst"} | asked)


def test_faults_are_those_of_the_device_s_protocol() -> None:
    simulation = Simulation([device(), modbus_device("m1", modbus_point("ia"))])
    for name, kind, is_known in (
        ("rtu1", "forged-address", True),
        ("rtu1", "exception", False),
        ("m1", "exception", True),
        ("m1", "forged-address", False),
    ):
        line = f'{{"verb": "fault", "device": "{name}", "kind": "{kind}"}}'
        assert ("error" not in answered(line.encode(), simulation.answer)) is is_known


async def test_the_restart_fault_happens_once() -> None:
    simulation = Simulation([device()], Settings(outstations={"rtu1": Options(unsolicited=False)}))
    async with simulation.serving() as urls:
        made = simulation.dnp3["rtu1"]
        made.rtu.restarted = False
        async with wired(int(urls["rtu1"].rsplit(":", 1)[1])) as wire:
            assert (await wire.ask("c0 17")).startswith("c0 81 10 00")
            simulation.answer({"verb": "fault", "device": "rtu1", "kind": "restart"})
            with pytest.raises(ConnectionError):
                await wire.receive()
        async with wired(int(urls["rtu1"].rsplit(":", 1)[1])) as wire:
            assert (await wire.ask(f"c0 01 {CLASSES}")).startswith("c0 81 90 00")
