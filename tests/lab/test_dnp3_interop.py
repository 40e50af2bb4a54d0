"""Our master against the outstations of two independent implementations, over TCP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from dnp3.database import point
from dnp3.database.database import Database
from dnp3.outstation.config import OutstationConfig
from dnp3.outstation.outstation import Outstation
from dnp3.outstation.tcp_runner import OutstationTcpRunner
from py1815 import objects as peer
from py1815.events import EventClass

from dnp3_peers import ANALOGS, HERE, Peer, peering
from dnp3_talks import Talk, talking
from otgate_dnp3.channel.tcp import open_tcp
from otgate_dnp3.stack.points import PointType, TimeQuality
from otgate_dnp3.stack.steps import TimeSync

ALL = frozenset({1, 2, 3})


async def connected(made: Peer) -> "contextlib.AbstractAsyncContextManager[Talk]":
    return talking(await open_tcp(HERE, made.server.port), unsolicited=ALL)


async def test_everything_that_py1815_serves_is_read_by_the_start_up() -> None:
    async with peering() as made, await connected(made) as talk:
        analogs = talk.values(PointType.ANALOG_INPUT, event=False)
        assert analogs == [(at, at - 100) for at in range(ANALOGS)]
        binaries = talk.values(PointType.BINARY_INPUT, event=False)
        assert binaries == [(at, at % 3 == 0) for at in range(10)]
        (frozen,) = (c for c in talk.columns() if c.point_type is PointType.FROZEN_COUNTER)
        assert (list(frozen.values), frozen.time_ms) == ([7], [1_700_000_000_000])
        assert not made.session.restart_indication


async def test_unsolicited_events_of_py1815_arrive_with_their_times() -> None:
    async with peering() as made, await connected(made) as talk:
        await talk.until(lambda: made.session.unsolicited_classes)
        made.changes(3, 50)
        made.server.notify()
        await talk.until(lambda: made.events.total == 0)
        events = [c for c in talk.columns() if c.event]
        values = [value for each in events for value in each.values]
        times = [time for each in events for time in each.time_ms or ()]
        assert values == [1, 0] * 25
        assert times == [1_700_000_000_000 + at for at in range(50)]
        assert {each.time_quality for each in events} <= {
            TimeQuality.GIVEN,
            TimeQuality.SYNCHRONISED,
        }


async def test_events_that_are_not_confirmed_stay_with_py1815_and_come_again() -> None:
    async with peering(unsolicited_confirm_timeout=0.2) as made, await connected(made) as talk:
        await talk.until(lambda: made.session.unsolicited_classes)
        talk.confirms = False
        made.changes(3, 5)
        made.server.notify()
        await talk.until(lambda: len(talk.deliveries) > 1)
        await asyncio.sleep(0.5)
        assert made.events.total == 5
        kept = talk.deliveries[-1]
        assert kept.token is not None
        talk.conversation.abandon(kept.token)
        talk.confirms = True
        await talk.until(lambda: made.events.total == 0)
        assert [list(c.values) for c in talk.columns() if c.event][-1][-1] == 1


async def test_ten_cuts_under_load_lose_none_of_the_events_of_py1815() -> None:
    cuts, stamps = 10, [1_700_000_000_000 + at for at in range(1000)]
    kept: list[int] = []
    async with peering(unsolicited_confirm_timeout=0.5) as made:

        async def changing() -> None:
            for at, stamp in enumerate(stamps):
                point_ = peer.BinaryPoint(at % 2 == 0)
                made.events.record_binary(
                    3, point_, event_class=EventClass.CLASS_1, timestamp_ms=stamp
                )
                made.server.notify()
                await asyncio.sleep(0.001)

        load = asyncio.ensure_future(changing())
        for at in range(cuts + 1):
            async with await connected(made) as talk:
                if at < cuts:
                    await asyncio.sleep(0.08)
                else:
                    await load
                    await talk.until(lambda: made.events.total == 0)
                kept += [time for c in talk.columns() if c.event for time in c.time_ms or ()]
    assert list(dict.fromkeys(kept)) == stamps


async def test_py1815_is_polled_for_events() -> None:
    async with peering() as made:
        line = await open_tcp(HERE, made.server.port)
        async with talking(line) as talk:
            made.changes(3, 400)
            await talk.conversation.poll_classes({1})
            await talk.until(lambda: made.events.total == 0)
            assert len(talk.values(PointType.BINARY_INPUT, event=True)) == 400


@pytest.mark.parametrize("procedure", [TimeSync.LAN, TimeSync.NON_LAN, TimeSync.PLAIN])
async def test_py1815_is_given_the_time_it_asks_for(procedure: TimeSync) -> None:
    async with peering(need_time=True) as made:
        line = await open_tcp(HERE, made.server.port)
        async with talking(line, time_sync=procedure) as talk:
            await talk.until(lambda: made.times)
            assert not made.session.need_time


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[tuple[Outstation, int]]:
    """A dnp3py outstation."""
    database = Database()
    for at in range(20):
        database.add_analog_input(at, point.AnalogInputConfig(point.EventClass.CLASS_2))
        database.add_binary_input(at, point.BinaryInputConfig(point.EventClass.CLASS_1))
        database.add_counter(at)
        database.update_analog_input(at, at * 2)
    database.clear_events()
    outstation = Outstation(OutstationConfig(address=10, master_address=1), database)
    runner = OutstationTcpRunner(outstation, HERE, 0)
    running = asyncio.ensure_future(runner.run())
    try:
        while not runner.is_running:  # noqa: ASYNC110  it has no event to wait for
            await asyncio.sleep(0.005)
        address = runner.local_address
        assert address is not None
        yield outstation, address[1]
    finally:
        await runner.stop()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def test_dnp3py_is_read_and_polled_for_events() -> None:
    async with serving() as (outstation, port), talking(await open_tcp(HERE, port)) as talk:
        analogs = talk.values(PointType.ANALOG_INPUT, event=False)
        assert analogs == [(at, at * 2) for at in range(20)]
        outstation.database.update_analog_input(3, 1234)
        outstation.database.update_binary_input(4, value=True)
        await talk.conversation.poll_classes({1, 2, 3})
        assert talk.values(PointType.ANALOG_INPUT, event=True) == [(3, 1234)]
        assert talk.values(PointType.BINARY_INPUT, event=True) == [(4, 1)]


async def test_dnp3py_is_given_the_time() -> None:
    async with serving() as (outstation, port):
        given: list[object] = []
        outstation.time_handler = given.append
        async with talking(await open_tcp(HERE, port), time_sync=TimeSync.LAN) as talk:
            await talk.until(lambda: given)
