"""How the points that a device refuses are found and remembered, against a real server."""

import asyncio
from collections.abc import Iterable

import pytest

from modbus_peers import Asked, Server, point, serving, session
from otgate.model import Point
from otgate.quality import Quality
from otgate.testing.contract import Remembered
from otgate_modbus.address import Table
from otgate_modbus.bisection import REQUESTS_PER_POLL
from otgate_modbus.learned import Learned, recall

pytestmark = pytest.mark.both_loops

REFUSED = Quality.INVALID | Quality.ILLEGAL_ADDRESS | Quality.NO_VALUE
FAILED = Quality.INVALID | Quality.FAILURE | Quality.NO_VALUE


def lacking(server: Server, *absent: int, code: int = 2) -> None:
    """Refuse every read that touches an absent address."""

    def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        touched = set(range(asked.address, asked.address + asked.count)) & set(absent)
        writer.write(asked.refusal(code) if touched else asked.honest())

    server.answers = answer


def registers(addresses: Iterable[int]) -> list[Point]:
    return [point(f"r{at}", f"hr {at}") for at in addresses]


def of_quality(samples: dict[str, tuple[object, int]], quality: int) -> set[str]:
    return {point_id for point_id, (_, got) in samples.items() if got == quality}


@pytest.mark.parametrize("code", [2, 3])
async def test_one_bad_register_costs_one_point(code: int) -> None:
    async with serving() as server, session(*registers(range(60)), port=server.port) as bench:
        lacking(server, 37, code=code)
        samples = await bench.scan()
    assert of_quality(samples, REFUSED) == {"r37"}
    assert {value for value, quality in samples.values() if not quality} == {*range(60)} - {37}


async def test_the_next_poll_reads_around_the_bad_register() -> None:
    async with serving() as server, session(*registers(range(60)), port=server.port) as bench:
        lacking(server, 37)
        await bench.scan()
        server.places()
        await bench.scan()
        assert server.places() == [(3, 0, 37), (3, 38, 22)]


async def test_what_was_refused_is_remembered_by_the_next_session() -> None:
    state = Remembered()
    async with serving() as server:
        lacking(server, 37)
        for _ in range(2):
            async with session(*registers(range(60)), port=server.port, state=state) as bench:
                server.places()
                samples = await bench.scan()
        assert server.places() == [(3, 0, 37), (3, 38, 22)]
    assert of_quality(samples, REFUSED) == {"r37"}
    assert recall(state) == Learned(refused={(Table.HR, 37, 1)})


async def test_a_hole_between_points_leaves_a_cut() -> None:
    points = registers([*range(10), *range(15, 25)])
    async with serving() as server, session(*points, port=server.port) as bench:
        lacking(server, 12)
        assert of_quality(await bench.scan(), 0) == {each.id for each in points}
        server.places()
        assert of_quality(await bench.scan(), 0) == {each.id for each in points}
        assert server.places() == [(3, 0, 10), (3, 15, 10)]
        assert recall(bench.state) == Learned({(Table.HR, 15)})


async def test_a_search_spends_a_bounded_number_of_requests_per_poll() -> None:
    absent = range(0, 100, 3)
    async with serving() as server, session(*registers(range(100)), port=server.port) as bench:
        lacking(server, *absent)
        asked = []
        for _ in range(40):
            samples = await bench.scan()
            asked.append(len(server.places()))
        assert of_quality(samples, REFUSED) == {f"r{at}" for at in absent}
        assert len(of_quality(samples, 0)) == 100 - len(absent)
        planned = 100 - len(absent)  # at the very worst each good point is read alone
        assert max(asked) <= planned + REQUESTS_PER_POLL


async def test_what_is_not_found_yet_has_failed_in_this_poll() -> None:
    absent = range(0, 100, 3)
    async with serving() as server, session(*registers(range(100)), port=server.port) as bench:
        lacking(server, *absent)
        samples = await bench.scan()
    assert of_quality(samples, FAILED)
    assert of_quality(samples, REFUSED) < {f"r{at}" for at in absent}


async def test_points_of_the_same_register_are_refused_together() -> None:
    bits = [point(f"b{at}", f"hr 5.{at}") for at in range(4)]
    async with serving() as server, session(*bits, point("a", "hr 6"), port=server.port) as bench:
        lacking(server, 5)
        samples = await bench.scan()
    assert of_quality(samples, REFUSED) == {"b0", "b1", "b2", "b3"}
    assert samples["a"] == (6, 0)


async def test_coils_are_halved_too() -> None:
    coils = [point(f"c{at}", f"co {at}") for at in range(20)]
    async with serving() as server, session(*coils, port=server.port) as bench:
        lacking(server, 11)
        samples = await bench.scan()
    assert of_quality(samples, REFUSED) == {"c11"}
    assert samples["c13"] == (True, 0)


async def test_a_refused_point_is_tried_again_after_an_hour() -> None:
    async with serving() as server, session(*registers(range(4)), port=server.port) as bench:
        lacking(server, 2)
        await bench.scan()
        await bench.scan()
        lacking(server)
        assert of_quality(await bench.scan(), REFUSED) == {"r2"}
        bench.session._retrial.at_once("normal")
        assert of_quality(await bench.scan(), 0) == {"r0", "r1", "r2", "r3"}
        server.places()
        await bench.scan()
        assert server.places() == [(3, 0, 4)]
        assert not recall(bench.state)


async def test_a_point_that_is_still_refused_waits_another_hour() -> None:
    async with serving() as server, session(*registers(range(4)), port=server.port) as bench:
        lacking(server, 2)
        await bench.scan()
        await bench.scan()
        bench.session._retrial.at_once("normal")
        for probed in (True, False):
            server.places()
            assert of_quality(await bench.scan(), REFUSED) == {"r2"}
            assert ((3, 2, 1) in server.places()) == probed


async def test_a_device_that_refuses_everything_is_still_asked() -> None:
    async with serving() as server, session(*registers([0, 50]), port=server.port) as bench:
        lacking(server, 0, 50)
        for _ in range(3):
            server.places()
            assert of_quality(await bench.scan(), REFUSED) == {"r0", "r50"}
            assert server.places()
        server.answers = lambda asked, writer: None
        bench.session._settings = bench.session._settings.model_copy(update={"timeout_s": 0.1})
        with pytest.raises(TimeoutError):
            await bench.scan()


async def test_a_search_does_not_outlive_half_the_deadline() -> None:
    async with (
        serving() as server,
        session(*registers(range(100)), port=server.port, timeout_s=0.4) as bench,
    ):

        async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.05)
            lacked = asked.address <= 37 < asked.address + asked.count
            writer.write(asked.refusal(2) if lacked else asked.honest())

        server.answers = answer
        await bench.scan()
        assert len(server.asked) <= 6
        for _ in range(8):
            samples = await bench.scan()
    assert of_quality(samples, REFUSED) == {"r37"}
