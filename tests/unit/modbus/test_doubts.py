"""Reads that are not answered, by silence or exception 4, of a device that answers others."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

import pytest

from modbus_peers import Asked, Bench, Server, point, serving, session
from otgate.errors import LinkLost
from otgate.model import Point
from otgate.quality import Quality
from otgate.testing.contract import Remembered
from otgate_modbus.address import Table
from otgate_modbus.bisection import MOST_APART
from otgate_modbus.doubts import CLOSED, SILENT_POLLS, TOLD_APART, TROUBLED_POLLS
from otgate_modbus.learned import Learned, Measure, recall

FAILED = Quality.INVALID | Quality.FAILURE | Quality.NO_VALUE
SILENCE = 0


def registers(addresses: Iterable[int]) -> list[Point]:
    return [point(f"r{at}", f"hr {at}") for at in addresses]


def mute(server: Server, *lacking: int, most: int = 125, code: int = SILENCE) -> None:
    """Say nothing, or that it failed, to long reads of registers and to what is lacking."""

    def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        span = range(asked.address, asked.address + asked.count)
        if asked.function == 3 and (asked.count > most or not set(span).isdisjoint(lacking)):
            if code:
                writer.write(asked.refusal(code))
        else:
            writer.write(asked.honest())

    server.answers = answer


async def good_after(bench: Bench, polls: int) -> set[str]:
    """Poll so often; return what was good in the last one. Silence asked first costs a poll."""
    samples: dict[str, tuple[object, int]] = {}
    for _ in range(polls):
        with suppress(TimeoutError):
            samples = await bench.scan()
    return {point_id for point_id, (_, quality) in samples.items() if not quality}


async def until_good(bench: Bench, count: int, learned: Learned) -> None:
    """Poll until so many are good and this is known, or for far longer than that takes."""
    for _ in range(80):
        if len(await good_after(bench, 1)) == count and recall(bench.state) == learned:
            return
    raise AssertionError(f"in vain: {recall(bench.state)}")


OTHER = point("other", "ir 0")
QUICK = {"timeout_s": 0.2}


async def test_a_read_that_is_silent_for_being_long_is_shortened() -> None:
    points = registers(range(50))
    async with serving() as server, session(*points, OTHER, port=server.port, **QUICK) as bench:
        mute(server, most=20)
        assert await good_after(bench, TROUBLED_POLLS - 1) == {"other"}
        await until_good(bench, 51, Learned(sizes={Measure.REGISTERS: 20}))


async def test_a_failure_upon_long_reads_is_their_length() -> None:
    async with serving() as server, session(*registers(range(100)), port=server.port) as bench:
        mute(server, most=40, code=4)
        assert await good_after(bench, TROUBLED_POLLS - 1) == set()
        assert len(await good_after(bench, 3)) == 100
        assert recall(bench.state) == Learned(sizes={Measure.REGISTERS: 40})


@pytest.mark.parametrize("code", [4, SILENCE])
async def test_one_register_that_is_not_answered_costs_one_point(code: int) -> None:
    points = registers(range(30))
    async with serving() as server, session(*points, OTHER, port=server.port, **QUICK) as bench:
        mute(server, 17, code=code)
        await until_good(bench, 30, Learned(apart={(Table.HR, 17, 1)}))
        samples = await bench.scan()
        assert samples["r17"] == (0, FAILED)


async def test_it_is_joined_again_once_it_is_answered() -> None:
    async with serving() as server, session(*registers(range(30)), port=server.port) as bench:
        mute(server, 17, code=4)
        await good_after(bench, 6)
        mute(server)
        assert len(await good_after(bench, 2)) == 30
        server.places()
        await bench.scan()
        assert server.places() == [(3, 0, 30)]
        assert not recall(bench.state)


async def test_what_is_always_silent_is_asked_ever_more_seldom() -> None:
    points = registers(range(4))
    async with serving() as server, session(*points, OTHER, port=server.port, **QUICK) as bench:
        mute(server, 2)
        await until_good(bench, 4, Learned(apart={(Table.HR, 2, 1)}))
        server.places()
        await good_after(bench, 30)
        asked = [place for place in server.places() if place == (3, 2, 1)]
        assert 1 <= len(asked) <= 8  # each twice: the retry


async def test_a_scan_of_nothing_else_goes_on_asking_for_it() -> None:
    async with serving() as server, session(*registers([2]), port=server.port, **QUICK) as bench:
        bench.session._bisection.learned.apart.add((Table.HR, 2, 1))
        bench.session._sheets.clear()
        mute(server, 2)
        for _ in range(4):
            server.places()
            await good_after(bench, 1)
            assert server.places()


async def test_a_device_with_one_long_read_is_not_lost_over_it() -> None:
    """Three silent polls lose the link; the next one begins with a knock, which is answered."""
    state, points = Remembered(), registers(range(50))
    async with serving() as server:
        mute(server, most=20)
        async with session(*points, port=server.port, state=state, **QUICK) as bench:
            for _ in range(SILENT_POLLS):
                with pytest.raises(TimeoutError):
                    await bench.scan()
        async with session(*points, port=server.port, state=state, **QUICK) as bench:
            server.places()
            assert await good_after(bench, 1) == set()
            assert server.places()[0] == (3, 0, 1)
            await until_good(bench, 50, Learned(sizes={Measure.REGISTERS: 20}))


async def test_troubles_that_are_not_in_a_row_teach_nothing() -> None:
    async with serving() as server, session(*registers(range(50)), port=server.port) as bench:
        for _ in range(TROUBLED_POLLS + 1):
            mute(server, most=20, code=4)
            await good_after(bench, TROUBLED_POLLS - 1)
            mute(server)
            assert len(await good_after(bench, 1)) == 50
        assert not bench.session._bisection.learned
        assert {count for _, _, count in server.places()} == {50}


@pytest.mark.parametrize("others", [(), (OTHER,)])
async def test_a_dead_device_teaches_nothing(others: tuple[Point, ...]) -> None:
    points = (*registers(range(50)), *others)
    async with serving() as server, session(*points, port=server.port, **QUICK) as bench:
        server.answers = lambda asked, writer: None
        for _ in range(8):
            with pytest.raises(TimeoutError):
                await bench.scan()
        assert not bench.session._bisection.learned
        mute(server)
        assert len(await good_after(bench, 2)) == len(points)
        server.places()
        await bench.scan()
        assert len(server.places()) == 1 + len(others)
        assert not recall(bench.state)


async def test_a_device_that_fails_as_a_whole_is_left_as_it_is() -> None:
    points = registers(range(60))
    async with serving() as server, session(*points, OTHER, port=server.port) as bench:
        mute(server, *range(60), code=4)
        await good_after(bench, 15)
        server.places()
        assert await good_after(bench, 3) == {"other"}
        assert server.places() == [(3, 0, 60), (4, 0, 1)] * 3
        mute(server)
        assert len(await good_after(bench, 1)) == 61
        mute(server, 17, code=4)
        assert len(await good_after(bench, 6)) == 60


async def test_as_many_places_are_read_apart_as_are_worth_it() -> None:
    lacking = range(0, 60, 60 // MOST_APART)[:MOST_APART]
    async with serving() as server, session(*registers(range(60)), port=server.port) as bench:
        mute(server, *lacking, code=4)
        assert len(await good_after(bench, 20)) == 60 - MOST_APART
        assert {place[1] for place in recall(bench.state).apart} == set(lacking)


# Devices that close the connection


def closing(server: Server, *lacking: int, most: int = 125) -> None:
    """Close the connection upon long reads and upon what is lacking."""

    def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        span = range(asked.address, asked.address + asked.count)
        if asked.count > most or not set(span).isdisjoint(lacking):
            writer.close()
        else:
            writer.write(asked.honest())

    server.answers = answer


async def connections(server: Server, count: int, state: Remembered, *points: Point) -> set[str]:
    """Poll once on each of so many connections; return what was good on the last."""
    good: set[str] = set()
    for _ in range(count):
        async with session(*points, port=server.port, state=state) as bench:
            with suppress(LinkLost):
                good = await good_after(bench, 1)
    return good


async def test_a_device_that_closes_upon_long_reads_is_read_in_shorter_ones() -> None:
    state, points = Remembered(), registers(range(100))
    async with serving() as server:
        closing(server, most=40)
        assert await connections(server, CLOSED + TOLD_APART, state, *points) == set()
        assert not recall(state)
        assert len(await connections(server, CLOSED + TOLD_APART + 1, state, *points)) == 100
        assert recall(state).sizes == {Measure.REGISTERS: 25}
        server.places()
        await connections(server, 1, state, *points)
        assert server.places() == [(3, at, 25) for at in (0, 25, 50, 75)]


async def test_a_register_upon_which_a_device_closes_is_left_out() -> None:
    state, points = Remembered(), registers(range(4))
    async with serving() as server:
        closing(server, 2)
        assert await connections(server, 3 * (CLOSED + TOLD_APART) + 1, state, *points) == {
            "r0",
            "r1",
            "r3",
        }
        assert recall(state) == Learned(refused={(Table.HR, 2, 1)}, closing={(Table.HR, 2, 1)})


async def test_what_closes_a_connection_is_not_tried_every_hour() -> None:
    state, points = Remembered(), registers(range(4))
    async with serving() as server:
        closing(server, 2)
        await connections(server, 3 * (CLOSED + TOLD_APART) + 4, state, *points)
        async with session(*points, port=server.port, state=state) as bench:
            await bench.scan()
            bench.session._retrial.at_once("normal")
            assert await good_after(bench, 1) == {"r0", "r1", "r3"}


async def test_a_device_that_closed_upon_everything_for_a_while_teaches_nothing() -> None:
    state, points = Remembered(), registers(range(100))
    async with serving() as server:
        closing(server, *range(100))
        await connections(server, 3 * CLOSED, state, *points)
        closing(server)
        assert len(await connections(server, 2, state, *points)) == 100
        assert not recall(state)


async def test_a_cable_that_was_pulled_three_times_teaches_nothing() -> None:
    state, points = Remembered(), registers(range(100))
    async with serving() as server:
        for _ in range(3):
            closing(server, 0)
            await connections(server, CLOSED - 1, state, *points)
            closing(server)
            assert len(await connections(server, 1, state, *points)) == 100
        assert not recall(state)


def upon(server: Server, function: int, deed: Callable[[asyncio.StreamWriter], None]) -> None:
    """Do something else than to answer reads by one function."""

    def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.function == function:
            deed(writer)
        else:
            writer.write(asked.honest())

    server.answers = answer


async def test_a_device_that_began_to_close_in_the_midst_of_a_poll_teaches_nothing() -> None:
    state, points = Remembered(), [*registers(range(4)), OTHER]
    async with serving() as server:
        async with session(*points, port=server.port, state=state, **QUICK) as bench:
            bench.session._tempo(bench.plan[0]).apart = True  # as where replies come slowly
            bench.session._sheets.clear()
            upon(server, 3, lambda writer: None)
            assert await good_after(bench, 2) == {"other"}  # the others are asked last from now on
            upon(server, 3, lambda writer: writer.close())
            with pytest.raises(LinkLost):
                await bench.scan()
        closing(server, *range(100))
        await connections(server, CLOSED + 2, state, *points)
        closing(server)
        assert len(await connections(server, 2, state, *points)) == 5
        assert not recall(state)


async def test_a_read_that_was_answered_is_suspected_no_more_though_another_is_silent() -> None:
    state, points = Remembered(), [*registers(range(4)), OTHER]
    async with serving() as server:
        closing(server, *range(100))
        await connections(server, CLOSED + 1, state, *points)
        async with session(*points, port=server.port, state=state, **QUICK) as bench:
            upon(server, 4, lambda writer: None)
            assert bench.session._doubts.knocking
            await good_after(bench, 1)
            assert not bench.session._doubts.knocking
