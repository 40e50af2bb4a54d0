"""How a device that takes shorter reads than it should is told from one that lacks registers."""

import asyncio
from collections.abc import Iterable, Sequence

import pytest

from modbus_peers import Asked, Bench, Server, device, point, serving, session
from otgate.errors import LinkLost
from otgate.model import Point
from otgate.quality import Quality
from otgate.testing.contract import Remembered
from otgate_modbus.address import Table
from otgate_modbus.bisection import REQUESTS_PER_POLL
from otgate_modbus.learned import Learned, Measure, Parted, recall
from otgate_modbus.reading import Reading, readings_of
from otgate_modbus.trial import TRIES, Finding, Outcome, Trial

REFUSED = Quality.INVALID | Quality.ILLEGAL_ADDRESS | Quality.NO_VALUE


def taking(server: Server, most: int, *absent: int, code: int = 3, border: int = 0) -> None:
    """Refuse reads of more than ``most``, of what is absent, and across a border."""

    def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        stop = asked.address + asked.count
        lacking = any(asked.address <= at < stop for at in absent)
        crossing = asked.address < border < stop
        refused = asked.count > most or lacking or crossing
        writer.write(asked.refusal(code) if refused else asked.honest())

    server.answers = answer


def registers(addresses: Iterable[int], **cells: str) -> list[Point]:
    return [point(f"r{at}", f"hr {at}", **cells) for at in addresses]


async def lengths_of_next_poll(server: Server, bench: Bench, scan: str = "normal") -> list[int]:
    server.places()
    await bench.scan(scan)
    return [count for _, _, count in server.places()]


@pytest.mark.both_loops
@pytest.mark.parametrize("code", [2, 3])
async def test_the_longest_read_is_found_and_every_read_keeps_to_it(code: int) -> None:
    async with serving() as server, session(*registers(range(100)), port=server.port) as bench:
        taking(server, 40, code=code)
        samples = await bench.scan()
        assert {quality for _, quality in samples.values()} == {0}
        assert len(server.places()) <= 1 + REQUESTS_PER_POLL
        assert recall(bench.state) == Learned(sizes={Measure.REGISTERS: 40})
        assert await lengths_of_next_poll(server, bench) == [40, 40, 20]


async def test_a_size_holds_for_every_scan_of_the_device() -> None:
    points = registers(range(100), scan="fast") + registers(range(200, 260), scan="slow")
    scans = {"fast": 1.0, "slow": 2.0}
    async with serving() as server, session(*points, port=server.port, scans=scans) as bench:
        taking(server, 32)
        await bench.scan("fast")
        assert await lengths_of_next_poll(server, bench, "slow") == [32, 28]


async def test_bits_have_a_size_of_their_own() -> None:
    coils = [point(f"c{at}", f"co {at}") for at in range(90)]
    async with (
        serving() as server,
        session(*coils, *registers(range(60)), port=server.port) as bench,
    ):

        def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            long = asked.function == 1 and asked.count > 64
            writer.write(asked.refusal(3) if long else asked.honest())

        server.answers = answer
        await bench.scan()
        assert recall(bench.state) == Learned(sizes={Measure.BITS: 64})
        assert await lengths_of_next_poll(server, bench) == [64, 26, 60]


async def test_a_size_and_a_bad_register_are_both_found() -> None:
    async with serving() as server, session(*registers(range(120)), port=server.port) as bench:
        taking(server, 40, 37)
        for _ in range(6):
            samples = await bench.scan()
        assert {at for at, (_, quality) in samples.items() if quality == REFUSED} == {"r37"}
        known = recall(bench.state)
        assert known == Learned(refused={(Table.HR, 37, 1)}, sizes={Measure.REGISTERS: 40})
        assert await lengths_of_next_poll(server, bench) == [37, 40, 40, 2]


async def test_a_border_that_no_read_may_cross_is_no_size() -> None:
    async with serving() as server, session(*registers(range(100)), port=server.port) as bench:
        taking(server, 125, border=60)
        for _ in range(3):
            await bench.scan()
        assert recall(bench.state) == Learned({(Table.HR, 60)})
        assert await lengths_of_next_poll(server, bench) == [60, 40]


async def test_a_device_that_takes_one_register_at_a_time_is_read_so() -> None:
    async with serving() as server, session(*registers(range(20)), port=server.port) as bench:
        taking(server, 1)
        for _ in range(6):
            samples = await bench.scan()
        assert {quality for _, quality in samples.values()} == {0}
        assert await lengths_of_next_poll(server, bench) == [1] * 20


async def test_a_size_is_remembered_by_the_next_session() -> None:
    state, points = Remembered(), registers(range(100))
    async with serving() as server:
        taking(server, 40)
        async with session(*points, port=server.port, state=state) as bench:
            await bench.scan()
        async with session(*points, port=server.port, state=state) as bench:
            assert await lengths_of_next_poll(server, bench) == [40, 40, 20]


async def test_another_unit_at_the_same_place_starts_anew() -> None:
    state, points = Remembered(), registers(range(100))
    async with serving() as server:
        taking(server, 40)
        async with session(*points, port=server.port, state=state) as bench:
            await bench.scan()
        async with session(*points, port=server.port, state=state, unit=2) as bench:
            taking(server, 125)
            assert await lengths_of_next_poll(server, bench) == [100]


async def test_what_was_learned_is_logged_once(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving() as server, session(*registers(range(100)), port=server.port) as bench:
        taking(server, 40, 12)
        for _ in range(5):
            await bench.scan()
    said = capsys.readouterr().out
    assert said.count("request_size_learned") == 1
    assert said.count("addresses_refused") == 1
    assert "hr 12" in said


async def test_a_search_goes_on_over_a_restart() -> None:
    state, points = Remembered(), registers(range(0, 200, 2))
    lengths: list[int] = []
    async with serving() as server:
        taking(server, 9)
        for _ in range(12):
            async with session(*points, port=server.port, state=state, gap=1) as bench:
                lengths = await lengths_of_next_poll(server, bench)
    assert recall(state) == Learned(sizes={Measure.REGISTERS: 9})
    assert lengths == [9] * 20


async def test_a_size_is_tried_again_after_an_hour() -> None:
    async with serving() as server, session(*registers(range(100)), port=server.port) as bench:
        taking(server, 40)
        await bench.scan()
        for takes, polls in ((40, [40, 40, 20, 100]), (125, [40, 40, 20, 100])):
            await bench.scan()
            taking(server, takes)
            bench.session._retrial.at_once("normal")
            assert await lengths_of_next_poll(server, bench) == polls
        assert await lengths_of_next_poll(server, bench) == [100]
        assert not recall(bench.state)


async def test_a_cut_is_tried_again_after_an_hour() -> None:
    points = registers([*range(10), *range(15, 25)])
    async with serving() as server, session(*points, port=server.port) as bench:
        taking(server, 125, 12)
        await bench.scan()
        await bench.scan()
        taking(server, 125)
        bench.session._retrial.at_once("normal")
        assert await lengths_of_next_poll(server, bench) == [10, 10, 7]
        assert await lengths_of_next_poll(server, bench) == [25]


async def test_what_is_read_apart_is_not_tried_again_across_a_cut() -> None:
    async with serving() as server, session(*registers(range(20)), port=server.port) as bench:
        learned = bench.session._bisection.learned
        learned.apart.add((Table.HR, 3, 1))
        learned.cuts |= {(Table.HR, 3), (Table.HR, 10)}
        bench.session._sheets.clear()
        (recheck,) = bench.session._sheet(bench.plan[0]).rechecks()
        assert recheck.block[:3] == (Table.HR, 9, 2)


async def test_a_connection_lost_over_a_search_leaves_reads_that_are_answered() -> None:
    state, points = Remembered(), registers(range(100))
    async with serving() as server:

        def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            if 25 < asked.count < 50:
                writer.close()
            else:
                writer.write(asked.refusal(3) if asked.count > 40 else asked.honest())

        server.answers = answer
        async with session(*points, port=server.port, state=state) as bench:
            with pytest.raises(LinkLost):
                await bench.scan()
        async with session(*points, port=server.port, state=state) as bench:
            assert await lengths_of_next_poll(server, bench) == [25] * 4
        assert not recall(state).search


# The trial alone

WHOLE = Parted("normal", Table.HR, 0, 100)


def members(*addresses: str) -> list[Reading]:
    points = [point(f"p{at}", address) for at, address in enumerate(addresses)]
    asked = device(*points)
    return sorted(readings_of(asked, asked.settings, range(len(points)), []))


def judged(trial: Trial, most: int, hole: Sequence[int] = ()) -> tuple[Finding | None, int]:
    """Answer a trial's requests as a device would that takes ``most`` and has a hole."""
    asked = 0
    while (block := trial.block) is not None:
        asked += 1
        lacking = any(block.start <= at < block.stop for at in hole)
        refused = block.length > most or lacking
        trial.note(Outcome.REFUSED if refused else Outcome.ANSWERED)
    return trial.finding, asked


@pytest.mark.parametrize("most", range(50, 100))
def test_a_trial_finds_any_size_in_nine_requests(most: int) -> None:
    trial = Trial((Table.HR, 50), WHOLE, members(*(f"hr {at}" for at in range(100))), 50)
    finding, asked = judged(trial, most)
    assert (finding, trial.size) == (Finding.SIZE, most)
    assert asked <= 9


@pytest.mark.parametrize("other", ["hr 1", "hr 15"])
def test_a_border_wider_than_any_answered_read_is_taken_for_a_hole(other: str) -> None:
    pair = members("hr 0", other)
    trial = Trial(pair[1][:2], WHOLE, pair, 1)
    assert judged(trial, 1)[0] is Finding.HOLE


def test_as_long_a_read_as_was_answered_elsewhere_is_not_too_long() -> None:
    trial = Trial((Table.HR, 1), WHOLE, members("hr 0", "hr 1"), 2)
    assert judged(trial, 125, [0])[0] is Finding.HOLE


def test_a_refusal_that_passed_teaches_no_size() -> None:
    trial = Trial((Table.HR, 50), WHOLE, members(*(f"hr {at}" for at in range(100))), 50)
    assert judged(trial, 125)[0] is Finding.UNKNOWN


def test_a_trial_that_is_not_answered_ends() -> None:
    trial = Trial((Table.HR, 50), WHOLE, members(*(f"hr {at}" for at in range(100))), 50)
    for _ in range(TRIES):
        assert trial.finding is None
        trial.note(Outcome.NOTHING)
    assert trial.finding is Finding.UNKNOWN
    assert trial.block is None
