"""Masters that others wrote against the simulated outstation, and what tshark says of it all."""

from pathlib import Path

import pytest
from dnp3.master.config import MasterConfig
from dnp3.master.handler import DefaultSOEHandler
from dnp3.master.master import Master as OtherMaster
from dnp3.master.tcp_runner import MasterTcpRunner
from py1815.decode import PointType as Theirs
from py1815.master import Exchange, Outcome
from py1815.master import Outstation as Association

from captures import capture, fields
from dnp3_dissected import DNP3_PORT, MALFORMED
from otgate_sim.dnp3.database import Entry
from otgate_sim.dnp3.faults import Dnp3Fault
from otgate_sim.dnp3.outstation import Outstation
from otgate_sim.dnp3.server import Way
from outstations import (
    AI,
    AOS,
    BI,
    BO,
    CLEAR_RESTART,
    CTR,
    DBI,
    FCTR,
    INTEGRITY,
    OCT,
    Wire,
    listening,
    outstation,
    wired,
)

WITHIN_S = 5.0


def station(**options: float) -> Outstation:
    """Return an outstation with some points of each type but octet strings, which peers reject."""
    return outstation(
        *(Entry(BI, index, event_class=1, value=index & 1) for index in range(300)),
        *(Entry(BO, index) for index in range(3)),
        *(Entry(CTR, index, event_class=3, value=100 + index) for index in range(3)),
        *(Entry(FCTR, index) for index in range(3)),
        *(Entry(AI, index, event_class=2, value=index * 10) for index in range(50)),
        *(Entry(AI, 50 + index, 2, 5, 7, value=index + 0.5) for index in range(50)),
        *(Entry(AOS, index, value=-index) for index in range(3)),
        **options,
    )


def plain(port: int) -> Association:
    return Association(
        "rtu", host="127.0.0.1", port=port, outstation_address=10, manual=True, confirm=True
    )


def complete(exchange: Exchange) -> Exchange:
    assert exchange.outcome is Outcome.COMPLETE
    assert not exchange.undecoded
    return exchange


async def test_py1815_reads_what_the_outstation_holds() -> None:
    made = station(unsolicited=False, fragment=300)
    async with listening(made) as endpoint:
        rtu = plain(endpoint.port)
        await rtu.connect()
        read = complete(await rtu.integrity_poll())
        values = {(p.point, p.index): p.value for p in read.objects}
        await rtu.close()
    assert len(read.fragments) > 3
    assert [values[Theirs.BINARY_INPUT, at] for at in range(300)] == [
        bool(at & 1) for at in range(300)
    ]
    assert values[Theirs.ANALOG_INPUT, 7] == 70
    assert values[Theirs.ANALOG_INPUT, 57] == 7.5
    assert values[Theirs.COUNTER, 2] == 102
    assert values[Theirs.ANALOG_OUTPUT, 2] == -2


async def test_py1815_reads_events_and_confirms_them() -> None:
    made = station(unsolicited=False)
    async with listening(made) as endpoint:
        rtu = plain(endpoint.port)
        await rtu.connect()
        made.burst(BI, 299, 500, start_ms=1_700_000_000_000)
        made.burst(AI, 3, 20)
        complete(await rtu.scan("events"))
        complete(await rtu.clear_restart())
        events = rtu.store.events_since(0)
        await rtu.close()
    assert [each.time_ms for each in events[:500]] == list(
        range(1_700_000_000_000, 1_700_000_000_500)
    )
    assert [each.value for each in events[500:]] == list(range(31, 51))
    assert [event.serial for event in made.confirmed] == list(range(1, 521))


async def test_py1815_sets_the_time_operates_and_freezes() -> None:
    made = station(unsolicited=False)
    async with listening(made) as endpoint:
        rtu = plain(endpoint.port)
        await rtu.connect()
        assert made.rtu.needs_time
        assert (await rtu.synchronize_time("lan")).accepted
        assert not made.rtu.needs_time
        assert (await rtu.synchronize_time("non_lan")).accepted
        operated = await rtu.operate(binary_outputs={1: True}, mode="select")
        assert operated.accepted
        assert made.database.of(BO)[1].value == 1
        assert (await rtu.operate(analog_outputs={2: 1.5})).accepted
        assert not (await rtu.operate(binary_outputs={9: True})).accepted
        complete(await rtu.freeze(clear=True))
        frozen = complete(await rtu.read(frozen_counters="all"))
        await rtu.close()
    assert made.database.of(AOS)[2].value == 1.5
    assert [each.value for each in frozen.objects] == [100, 101, 102]
    assert made.database.of(CTR)[0].value == 0


async def test_py1815_is_told_unasked_after_its_own_start_up() -> None:
    made = station(hold_s=0.01)
    async with listening(made) as endpoint:
        rtu = Association("rtu", host="127.0.0.1", port=endpoint.port, outstation_address=10)
        await rtu.connect()
        assert await rtu.wait_for(lambda _: not made.rtu.restarted, WITHIN_S)
        complete(await rtu.enable_unsolicited(1, 2, 3))
        made.burst(BI, 0, 1000)
        assert await rtu.wait_for(lambda store: store.events_received >= 1000, WITHIN_S)
        complete(await rtu.scan("class1"))
        await rtu.close()
    assert len(made.confirmed) == 1000


async def test_dnp3py_reads_statics_events_and_double_bits() -> None:
    made = station(unsolicited=False)
    made.database.add(Entry(DBI, 0, event_class=1, value=2))
    made.database.add(Entry(BI, 300, event_class=1, event_variation=3))
    handler = DefaultSOEHandler()
    async with listening(made) as endpoint:
        config = MasterConfig(address=1, outstation_address=10)
        runner = MasterTcpRunner(OtherMaster(config=config, handler=handler), port=endpoint.port)
        async with runner:
            made.burst(BI, 300, 3, start_ms=1_700_000_000_000)
            made.burst(DBI, 0, 1, start_ms=1_700_000_000_500)
            infos = await runner.integrity_poll()
    assert len(infos) >= 1
    assert len(handler.binary_inputs) == 301
    assert handler.analog_inputs[57].value == 7.5
    double = handler.get_double_bit_input(0)
    assert double is not None
    assert double.state == 1
    assert len(made.confirmed) == 4


async def walked(wire: Wire, sequence: int, objects: str) -> int:
    """Read with every confirm that is asked for; return the next sequence number."""
    control = 0
    answer = await wire.ask(f"c{sequence:x} 01 {objects}")
    while (control := int(answer[:2], 16)) & 0x20:
        sequence = control & 0xF
        wire.send(f"c{sequence:x} 00")
        if control & 0x40:
            break
        answer = await wire.receive()
    return (sequence + 1) % 16


async def test_tshark_finds_no_malformed_frame_in_a_session_of_everything(tmp_path: Path) -> None:
    recording: list[tuple[bool, bytes]] = []
    made = station(fragment=600, unsolicited=False)
    made.database.add(Entry(DBI, 0, event_class=1), Entry(OCT, 1, event_class=3, value=b"serial"))
    made.database.add(Entry(BI, 300, event_class=1, event_variation=3))
    async with listening(made) as endpoint, wired(endpoint.port) as wire:
        endpoint.tap = lambda way, octets: recording.append((way is Way.FROM_MASTER, octets))
        wire.writer.write(wire.station.request_link_status())
        await wire.ask(f"c0 02 {CLEAR_RESTART}")
        await wire.ask("c1 18")
        await wire.ask("c2 02 32 03 07 01 00 10 20 30 40 01")
        for point_type, index in ((BI, 0), (BI, 300), (DBI, 0), (AI, 0), (AI, 50), (CTR, 0)):
            made.burst(point_type, index, 40)
        made.set(OCT, 1, b"number")
        at = await walked(wire, 3, INTEGRITY)
        for group in ("01 01", "01 02", "1e 01", "1e 02", "1e 03", "1e 04", "1e 05", "1e 06"):
            at = await walked(wire, at, f"{group} 06")
        for group in ("14 01", "14 02", "14 05", "14 06", "15 01", "15 05", "28 01", "28 03"):
            at = await walked(wire, at, f"{group} 06")
        for group in ("03 01", "0a 01", "22 01", "22 02", "22 03", "32 01", "50 01", "6e 00"):
            at = await walked(wire, at, f"{group} 06")
        for variation in range(1, 9):
            made.burst(AI, 1, 3)
            at = await walked(wire, at, f"20 {variation:02x} 06")
        await wire.ask(f"c{at:x} 05 0c 01 17 01 00 41 01 64000000 00000000 00")
        await wire.ask(f"c{(at + 1) % 16:x} 17")
    capture(tmp_path / "session.pcap", recording, DNP3_PORT)
    bad = fields(tmp_path / "session.pcap", "frame.number", "_ws.expert.message", only=MALFORMED)
    assert bad == []
    functions = fields(tmp_path / "session.pcap", "dnp3.al.func", only="dnp3.al.func")
    assert len(functions) > 60


@pytest.mark.parametrize("fault", [Dnp3Fault.CORRUPT, Dnp3Fault.GARBAGE, Dnp3Fault.CORRUPT_BODY])
async def test_tshark_finds_what_a_fault_has_spoilt(tmp_path: Path, fault: Dnp3Fault) -> None:
    recording: list[tuple[bool, bytes]] = []
    made = station(unsolicited=False)
    async with listening(made) as endpoint, wired(endpoint.port) as wire:
        endpoint.tap = lambda way, octets: recording.append((way is Way.FROM_MASTER, octets))
        made.trouble.begin(fault)
        wire.send("c0 01 3c 01 06")
        await wire.is_silent()
    capture(tmp_path / "spoilt.pcap", recording, DNP3_PORT)
    assert fields(tmp_path / "spoilt.pcap", "frame.number", only=MALFORMED)
