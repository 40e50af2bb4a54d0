"""RTU on a pair of terminals and over TCP: the line's rules, byte for byte and in their time."""

import asyncio

import pytest

from modbus_peers import Bench, point
from otgate.errors import LinkLost
from otgate.quality import Quality
from otgate_modbus.pipelining import CALM, TRIALS
from rtu_peers import (
    RtuAsked,
    RtuServer,
    Say,
    on_terminals,
    over_tcp,
    reading,
    reading_units,
    whole,
)

FAILED = Quality.INVALID | Quality.FAILURE | Quality.NO_VALUE
TWO = (point("a", "hr 0"), point("b", "hr 100"))
HONEST = {"a": (1000, 0), "b": (1100, 0)}
ONE = {"a": (1000, 0)}
SELDOM = {"normal": 10.0}
"""A poll waits for a quarantine as long as its slot has room for that."""


class Faulty:
    """Spoils the first replies, as they are given; None is silence."""

    def __init__(self, server: RtuServer, *replies: bytes | None) -> None:
        self.replies = iter(replies)
        server.answers = self.answer

    def answer(self, asked: RtuAsked, say: Say) -> None:
        spoilt = next(self.replies, b"")
        if spoilt is not None:
            say(spoilt or asked.honest())


@pytest.mark.both_loops
async def test_a_serial_line_is_read() -> None:
    async with on_terminals() as server, reading(server, *TWO) as bench:
        assert await bench.scan() == HONEST
        assert [asked.frame.hex() for asked in server.asked] == [
            "010300000001840a",
            "010300640001c5d5",
        ]


@pytest.mark.both_loops
async def test_a_terminal_server_is_read() -> None:
    async with over_tcp() as server, reading(server, *TWO) as bench:
        assert await bench.scan() == HONEST


async def test_a_long_reply_is_read_at_the_pace_of_a_slow_line() -> None:
    wide = tuple(point(f"p{at}", f"hr {at}") for at in range(125))
    async with on_terminals(19200) as server, reading(server, *wide, timeout_s=0.3) as bench:
        values = await bench.values()
        assert values == {f"p{at}": 1000 + at for at in range(125)}
        assert bench.counts.retries == 0


async def test_a_refusal_is_found_on_a_line_too() -> None:
    async with on_terminals() as server, reading(server, *TWO) as bench:
        server.answers = lambda asked, say: say(
            asked.refusal(2) if asked.address else asked.honest()
        )
        got = await bench.scan()
        assert got["a"] == (1000, 0)
        assert got["b"][1] & Quality.ILLEGAL_ADDRESS


SPOILT = {
    "a wrong CRC": b"\x01\x03\x02\x03\xe8\x00\x00",
    "too many registers": whole(b"\x01\x03\x04\x03\xe8\x03\xe8"),
    "a byte too many": whole(b"\x01\x03\x02\x03\xe8") + b"\x00",
    "a reply that stops": b"\x01\x03\x02\x03\xe8",
    "an exception with a wrong CRC": b"\x01\x83\x02\x00\x00",
}
NOISE = {
    "another function": whole(b"\x01\x04\x02\x03\xe8"),
    "another unit": whole(b"\x02\x03\x02\x03\xe8"),
    "ones": b"\xff" * 40,
    "a single byte": b"\x00",
}


@pytest.mark.parametrize("fault", SPOILT)
async def test_a_spoilt_reply_is_asked_again_once(fault: str) -> None:
    async with on_terminals() as server, reading(server, TWO[0]) as bench:
        Faulty(server, SPOILT[fault])
        assert await bench.scan() == ONE
        assert (bench.counts.mismatched, bench.counts.retries) == (1, 1)


@pytest.mark.parametrize("fault", NOISE)
async def test_noise_is_not_the_reply_which_may_still_come(fault: str) -> None:
    settings = {"timeout_s": 0.4, "scans": SELDOM}
    async with on_terminals() as server, reading(server, TWO[0], **settings) as bench:
        Faulty(server, NOISE[fault])
        await misses(bench)
        assert await bench.scan() == ONE
        first, second = server.asked
        assert second.at_s - first.at_s >= 0.7  # both as the server heard them


async def test_noise_for_ever_is_no_value_and_no_hang() -> None:
    async with on_terminals() as server, reading(server, TWO[0], timeout_s=0.3) as bench:
        Faulty(server, *[b"\xff" * 9] * 9)
        with pytest.raises(TimeoutError, match="answered something else"):
            await bench.scan()
        assert not bench.got.batches


class Late:
    """Answers the first request after the driver has given it up."""

    def __init__(self, server: RtuServer, after_s: float) -> None:
        self.after_s = after_s
        self.server = server
        server.answers = self.answer

    async def answer(self, asked: RtuAsked, say: Say) -> None:
        if asked is self.server.asked[0]:
            await asyncio.sleep(self.after_s)
            say(asked.words(666))
        else:
            say(asked.honest())


async def misses(bench: Bench) -> None:
    with pytest.raises(TimeoutError):
        await bench.scan()


@pytest.mark.both_loops
@pytest.mark.parametrize("after_s", [0.45, 0.6])
async def test_a_late_reply_is_not_the_next_answer(after_s: float) -> None:
    """The request is given up after 0.4 s; the late window is as long again."""
    settings = {"timeout_s": 0.4, "scans": SELDOM}
    async with on_terminals() as server, reading(server, *TWO, **settings) as bench:
        Late(server, after_s)
        await misses(bench)
        assert await bench.scan() == HONEST
        assert bench.counts.stray == 7


async def test_a_reply_that_a_poll_had_no_time_left_for_is_not_the_next_answer() -> None:
    settings = {"timeout_s": 0.5, "scans": SELDOM}
    async with on_terminals() as server, reading(server, *TWO, **settings) as bench:

        async def answer(asked: RtuAsked, say: Say) -> None:
            number = server.asked.index(asked)
            await asyncio.sleep((0.25, 0.75, 0.0)[min(number, 2)])
            say(asked.words(666) if number == 1 else asked.honest())

        server.answers = answer
        await bench.scan()
        server.asked[2:] = []
        assert await bench.scan() == HONEST
        assert server.asked[2].at_s - server.asked[1].at_s >= 0.9


async def test_what_came_before_a_request_is_not_its_answer() -> None:
    async with on_terminals() as server, reading(server, TWO[0]) as bench:
        await bench.scan()
        await asyncio.sleep(0.02)  # the line has rested
        server.stray(server.asked[0].words(666))
        assert await bench.scan() == ONE


async def test_a_line_rests_until_it_was_silent_for_the_late_window() -> None:
    async with on_terminals() as server, reading(server, TWO[0], timeout_s=0.4) as bench:
        late = Late(server, 0.6)
        await misses(bench)
        assert await bench.scan() == ONE
        first, second = server.asked
        assert second.at_s - first.at_s >= late.after_s + 0.3


async def test_silence_spends_no_retry() -> None:
    async with on_terminals() as server, reading(server, TWO[0], timeout_s=0.2) as bench:
        Faulty(server, None)
        await misses(bench)
        assert len(server.asked) == 1


async def test_a_reply_to_a_scan_that_was_cancelled_is_not_the_next_answer() -> None:
    async with on_terminals() as server, reading(server, *TWO, timeout_s=0.3) as bench:
        Late(server, 0.15)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await bench.scan()
        assert await bench.scan() == HONEST


async def test_over_a_network_nothing_alike_is_asked_again_on_the_same_connection() -> None:
    settings = {"timeout_s": 0.2, "late_reply_s": 0.01}
    async with over_tcp() as server, reading(server, *TWO, **settings) as bench:
        Late(server, 1.0)
        await misses(bench)
        assert await bench.scan() == HONEST
        assert server.connections == 2


async def test_over_a_network_a_silent_unit_is_asked_again_on_a_new_connection() -> None:
    settings = {"timeout_s": 0.1, "late_reply_s": 0.01}
    async with over_tcp() as server, reading_units(server, TWO[:1], (1, 2), **settings) as units:
        server.dead.add(1)
        await misses(units[0])
        await units[1].scan()
        assert server.connections == 1
        await misses(units[0])
        assert server.connections == 2
        await units[1].scan()


@pytest.mark.parametrize("after_s", [0.45, 0.6])
async def test_a_late_reply_of_one_unit_is_not_the_answer_of_another(after_s: float) -> None:
    async with (
        on_terminals() as server,
        reading_units(server, TWO, (1, 2), timeout_s=0.4) as units,
    ):

        async def answer(asked: RtuAsked, say: Say) -> None:
            if asked is server.asked[0]:
                await asyncio.sleep(after_s)
                say(asked.words(666))
            else:
                await asyncio.sleep(0.05)
                say(asked.honest())

        server.answers = answer
        await misses(units[0])
        for unit, number in ((units[1], 2), (units[0], 1)) * 2:
            try:
                samples = await unit.scan()
            except TimeoutError:
                continue
            good = {point: value for point, (value, quality) in samples.items() if not quality}
            assert good.items() <= {"a": number * 1000, "b": number * 1000 + 100}.items()
        assert (await units[1].values(), await units[0].values()) == (
            {"a": 2000, "b": 2100},
            {"a": 1000, "b": 1100},
        )


async def test_a_unit_in_quarantine_does_not_hold_up_the_others() -> None:
    async with (
        on_terminals() as server,
        reading_units(server, TWO[:1], (1, 2), timeout_s=0.1, late_reply_s=30) as units,
    ):
        server.dead.add(1)
        await misses(units[0])
        async with asyncio.timeout(5):
            assert await units[1].values() == {"a": 2000}
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await units[0].scan()
        assert [asked.unit for asked in server.asked] == [1, 2]


async def test_nothing_is_proved_about_requests_at_once_on_a_line() -> None:
    async with on_terminals() as server, reading(server, *TWO) as bench:
        for _ in range(CALM + TRIALS + 1):
            await bench.scan()
        assert bench.state.get("pipeline") is None


async def test_units_of_a_line_are_told_apart() -> None:
    async with on_terminals() as server, reading_units(server, TWO[:1], (1, 2, 3)) as units:
        assert [(await unit.values())["a"] for unit in units] == [1000, 2000, 3000]


async def test_scans_of_several_units_take_turns() -> None:
    async with on_terminals() as server, reading_units(server, TWO, (1, 2, 3)) as units:
        await asyncio.gather(*(unit.scan() for unit in units))
        assert [place[0] for place in server.places()] == [1, 1, 2, 2, 3, 3]
        assert all(unit.counts.mismatched == 0 for unit in units)


@pytest.mark.parametrize(
    ("quirks", "least_s"),
    [({}, 0.0), ({"request_gap_s": 0.05}, 0.05), ({"unit_gap_s": 0.05}, 0.0)],
)
async def test_requests_to_one_unit_keep_their_gap(
    quirks: dict[str, float], least_s: float
) -> None:
    async with on_terminals() as server, reading(server, *TWO, quirks=quirks) as bench:
        await bench.scan()
        first, second = server.asked
        assert second.at_s - first.at_s >= least_s


async def test_another_unit_is_asked_after_the_units_gap() -> None:
    quirks = {"unit_gap_s": 0.1}
    async with (
        on_terminals() as server,
        reading_units(server, TWO[:1], (1, 2), quirks=quirks) as units,
    ):
        for unit in units:
            await unit.scan()
        first, second = server.asked
        assert second.at_s - first.at_s >= 0.1


async def test_frames_are_apart_by_three_and_a_half_characters() -> None:
    async with on_terminals(1200) as server, reading(server, *TWO) as bench:
        await bench.scan()
        first, second = server.asked
        assert second.at_s - first.at_s >= (7 + 3.5) * 11 / 1200


async def test_an_adapter_that_hears_itself_is_tolerated_where_it_is_known() -> None:
    def echoing(asked: RtuAsked, say: Say) -> None:
        say(asked.frame + asked.honest())

    async with on_terminals() as server:
        server.answers = echoing
        async with reading(server, *TWO, quirks={"local_echo": True}) as bench:
            assert await bench.scan() == HONEST
        async with reading(server, *TWO, timeout_s=0.3) as bench:
            await misses(bench)


async def test_bytes_behind_a_reply_are_tolerated_where_they_are_known() -> None:
    async with on_terminals() as server:
        server.answers = lambda asked, say: say(asked.honest() + b"\x00")
        async with reading(server, *TWO, quirks={"trailing_bytes": True}) as bench:
            assert await bench.scan() == HONEST


@pytest.mark.both_loops
async def test_a_port_that_is_pulled_out_loses_the_link() -> None:
    async with on_terminals() as server, reading(server, TWO[0]) as bench:
        await bench.scan()
        bench.session._wire.lost("the port hung up")
        with pytest.raises(LinkLost, match="hung up"):
            await bench.scan()
        with pytest.raises(LinkLost, match="hung up"):
            await bench.session.listen(bench.got)


async def test_a_terminal_server_that_hangs_up_in_a_reply_loses_the_link_at_once() -> None:
    async with over_tcp() as server, reading(server, TWO[0], timeout_s=30) as bench:
        server.answers = lambda _asked, _say: server.hang_up()
        with pytest.raises(LinkLost):
            async with asyncio.timeout(5):
                await bench.scan()


async def test_over_a_network_one_unit_answers_for_itself_alone() -> None:
    """A gateway that has a line per unit: unit 1 is late, unit 2 answers meanwhile."""
    settings = {"timeout_s": 0.2, "late_reply_s": 0.01}
    async with over_tcp() as server, reading_units(server, TWO, (1, 2), **settings) as units:
        told = asyncio.Event()

        async def answer(asked: RtuAsked, say: Say) -> None:
            if asked is server.asked[0]:
                await told.wait()
                say(asked.words(666))
                await asyncio.sleep(0.05)
            elif asked.unit == 1:
                told.set()
                await asyncio.sleep(0.05)
            say(asked.honest())

        server.answers = answer
        await misses(units[0])
        assert await units[1].values() == {"a": 2000, "b": 2100}
        assert await units[0].scan() == HONEST
