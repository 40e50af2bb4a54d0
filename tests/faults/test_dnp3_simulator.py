"""The simulated outstation on real sockets: who is served, and its faults one by one."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from otgate_dnp3.stack.link import FrameReader, Primary, frame
from otgate_dnp3.stack.points import PointType
from otgate_sim.dnp3.database import Entry
from otgate_sim.dnp3.faults import Dnp3Fault
from otgate_sim.dnp3.outstation import Outstation
from otgate_sim.dnp3.server import Endpoint
from outstations import AI, BI, CLASSES, CLEAR_RESTART, Wire, listening, outstation, spaced, wired

NULL = spaced("c0 81 80 00 34 02 07 01 0000")


def plain(**options: float) -> Outstation:
    """Return an outstation that only answers."""
    entries = (Entry(BI, 0, event_class=1, event_variation=1), Entry(AI, 0, value=5))
    quiet = {"unsolicited": False, "needs_time": False}
    return outstation(*entries, **(quiet | options))


@asynccontextmanager
async def talking(
    **options: float,
) -> AsyncIterator[tuple[Outstation, Endpoint, Wire]]:
    made = plain(**options)
    async with listening(made) as endpoint, wired(endpoint.port) as wire:
        yield made, endpoint, wire


async def delay(wire: Wire, sequence: int) -> str:
    return await wire.ask(f"c{sequence:x} 17")


async def test_an_outstation_answers_on_its_port() -> None:
    async with talking() as (_, _, wire):
        assert await delay(wire, 0) == NULL


async def test_link_requests_are_answered() -> None:
    async with talking() as (made, _, wire):
        wire.writer.write(wire.station.request_link_status())
        await delay(wire, 0)
        assert wire.station.counts.link_status == 1
        assert made.station.counts.taken == 2


async def test_two_outstations_share_a_port_by_address_and_a_broadcast_reaches_both() -> None:
    one, two = plain(), plain(outstation=11)
    async with listening(one, two) as endpoint, wired(endpoint.port, remote=11) as wire:
        assert await delay(wire, 0) == NULL
        segment = bytes.fromhex(f"c1 c1 02 {CLEAR_RESTART}")
        wire.writer.write(frame(0xC4, 0xFFFF, 1, segment))
        assert (await delay(wire, 2)).startswith("c2 81 01 00")
    assert not one.rtu.restarted
    assert one.station.counts.taken == 1


async def test_another_master_is_not_answered() -> None:
    async with listening(plain()) as endpoint, wired(endpoint.port, local=7) as wire:
        wire.send("c0 17")
        assert await wire.is_silent()


async def test_the_newest_connection_is_the_one_that_is_served() -> None:
    async with talking() as (_, endpoint, old):
        await delay(old, 0)
        async with wired(endpoint.port) as new:
            assert await delay(new, 0) == NULL
            with pytest.raises(ConnectionError):
                await old.receive()


async def test_what_was_not_confirmed_is_sent_again_on_the_next_connection() -> None:
    made = plain()
    async with listening(made) as endpoint:
        made.burst(BI, 0, 3)
        async with wired(endpoint.port) as wire:
            first = await wire.ask(f"c0 01 {CLASSES}")
        async with wired(endpoint.port) as wire:
            assert await wire.ask(f"c0 01 {CLASSES}") == first
            wire.send("c0 00")
            assert (await delay(wire, 1)).startswith("c1 81 80")
    assert [event.serial for event in made.confirmed] == [1, 2, 3]


async def test_a_link_that_is_cut_lets_events_wait_again() -> None:
    async with talking() as (made, endpoint, wire):
        made.burst(BI, 0, 3)
        await wire.ask(f"c0 01 {CLASSES}")
        endpoint.hang_up()
        with pytest.raises(ConnectionError):
            await wire.receive()
        assert made.rtu.buffer.count((1,)) == 3


async def test_events_are_reported_unasked_as_they_are_made() -> None:
    async with talking(unsolicited=True, hold_s=0.0) as (made, _, wire):
        assert await wire.receive() == spaced("f0 82 80 00")
        wire.send("d0 00")
        await wire.ask("c0 14 3c 02 06")
        serials = made.burst(BI, 0, 2, start_ms=1000)
        assert await wire.receive() == spaced("f1 82 80 00 02 01 17 02 00 81 00 01")
        wire.send("d1 00")
        await delay(wire, 1)
        assert [event.serial for event in made.confirmed] == list(serials)
        assert [event.time_ms for event in made.confirmed] == [1000, 1001]


async def test_an_outstation_dials_a_master_that_listens() -> None:
    made = plain()
    answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def master(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answered.set_result(await Wire(reader, writer, 10, 1).ask("c0 17"))
        writer.close()

    server = await asyncio.start_server(master, "127.0.0.1", 0)
    endpoint = Endpoint([made])
    await endpoint.dial("127.0.0.1", server.sockets[0].getsockname()[1])
    async with asyncio.timeout(3):
        assert await answered == NULL
    await endpoint.stop()
    server.close()


async def test_datagrams_are_answered_where_they_came_from() -> None:
    made = plain()
    endpoint = Endpoint([made])
    port = await endpoint.start_udp()
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as master:
        master.settimeout(0)
        await loop.sock_connect(master, ("127.0.0.1", port))
        await loop.sock_sendall(master, frame(0x40 | 0x80 | Primary.REQUEST_LINK_STATUS, 10, 1))
        async with asyncio.timeout(3):
            (answer,) = FrameReader().feed(await loop.sock_recv(master, 300))
    await endpoint.stop()
    assert (answer.control, answer.destination) == (0x0B, 1)


@pytest.mark.parametrize("restart", ["0d", "0e"])
async def test_a_restart_is_answered_and_ends_the_connection(restart: str) -> None:
    async with talking() as (made, endpoint, wire):
        await wire.ask(f"c0 02 {CLEAR_RESTART}")
        assert await wire.ask(f"c1 {restart}") == spaced("c1 81 00 00 34 02 07 01 f401")
        with pytest.raises(ConnectionError):
            await wire.receive()
        assert made.rtu.restarted
        async with wired(endpoint.port) as again:
            assert await delay(again, 0) == NULL


@pytest.mark.parametrize(
    "fault", [Dnp3Fault.SILENT, Dnp3Fault.DROP, Dnp3Fault.CORRUPT, Dnp3Fault.GARBAGE]
)
async def test_a_fault_that_loses_an_answer_ends_with_none(fault: Dnp3Fault) -> None:
    async with talking() as (made, _, wire):
        made.trouble.begin(fault)
        wire.send("c0 17")
        assert await wire.is_silent()
        assert made.trouble.spoilt == 1
        made.trouble.begin(Dnp3Fault.NONE)
        wire.frames.give_up()
        assert (await delay(wire, 1)).startswith("c1 81")


@pytest.mark.parametrize(("fault", "answers"), [(Dnp3Fault.SILENT, 0), (Dnp3Fault.DROP, 1)])
async def test_the_link_answers_unless_the_device_is_silent(fault: Dnp3Fault, answers: int) -> None:
    async with talking() as (made, _, wire):
        made.trouble.begin(fault)
        wire.writer.write(wire.station.request_link_status())
        assert await wire.is_silent()
        assert wire.station.counts.link_status == answers


async def test_a_dropped_response_is_had_by_asking_again() -> None:
    async with talking() as (made, _, wire):
        made.trouble.begin(Dnp3Fault.DROP)
        wire.send("c0 17")
        assert await wire.is_silent()
        assert await delay(wire, 0) == NULL


async def test_broken_objects_come_behind_right_crcs() -> None:
    async with talking() as (made, _, wire):
        good = await wire.ask("c0 01 3c 01 06")
        made.trouble.begin(Dnp3Fault.CORRUPT_BODY)
        spoilt = [await wire.ask(f"c{at} 01 3c 01 06") for at in range(1, 7)]
        assert all(each[3:11] == good[3:11] and each[11:] != good[11:] for each in spoilt)
        assert wire.frames.counts.bad_block == 0


async def test_a_late_answer_is_a_right_one() -> None:
    async with talking() as (made, _, wire):
        made.trouble.begin(Dnp3Fault.DELAY)
        before = asyncio.get_running_loop().time()
        assert await delay(wire, 0) == NULL
        assert asyncio.get_running_loop().time() - before >= 0.15


async def test_a_duplicate_is_the_same_fragment_again() -> None:
    async with talking() as (made, _, wire):
        made.trouble.begin(Dnp3Fault.DUPLICATE)
        assert await delay(wire, 0) == NULL
        assert await wire.receive() == NULL


async def test_a_stranger_speaks_first_from_another_address() -> None:
    async with talking() as (made, _, wire):
        made.trouble.begin(Dnp3Fault.FORGED_ADDRESS)
        assert await delay(wire, 0) == NULL
        assert wire.station.counts.foreign == 1


async def test_a_wrong_sequence_is_another_request_s() -> None:
    async with talking() as (made, _, wire):
        made.trouble.begin(Dnp3Fault.WRONG_SEQUENCE)
        assert (await delay(wire, 0)).startswith("c5 81")


async def test_confirms_that_are_not_taken_bring_events_back() -> None:
    async with talking() as (made, _, wire):
        made.trouble.begin(Dnp3Fault.NO_CONFIRM)
        made.burst(BI, 0, 1)
        first = await wire.ask(f"c0 01 {CLASSES}")
        wire.send("c0 00")
        assert (await wire.ask(f"c1 01 {CLASSES}"))[3:] == first[3:]
        assert made.confirmed == []


async def test_an_overflow_is_shown_as_long_as_the_fault_lasts() -> None:
    async with talking() as (made, _, wire):
        made.trouble.begin(Dnp3Fault.OVERFLOW)
        assert (await delay(wire, 0)).startswith("c0 81 80 08")
        made.trouble.begin(Dnp3Fault.NONE)
        assert (await delay(wire, 1)).startswith("c1 81 80 00")


async def test_a_fault_can_close_the_connection_on_each_request() -> None:
    async with talking() as (made, _, wire):
        made.trouble.begin(Dnp3Fault.CLOSE)
        wire.send("c0 17")
        with pytest.raises(ConnectionError):
            await wire.receive()


@pytest.mark.parametrize("point_type", [BI, AI, PointType.DOUBLE_BIT_INPUT])
def test_a_burst_changes_the_point_with_every_event(point_type: PointType) -> None:
    made = outstation(Entry(point_type, 0, event_class=1))
    made.burst(point_type, 0, 4)
    values = [event.value for event in made.rtu.buffer.in_order()]
    assert all(one != other for one, other in pairwise(values))
