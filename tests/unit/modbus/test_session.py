import asyncio
import socket
import time
from contextlib import suppress
from typing import Any

import pytest

from modbus_peers import (
    LOOPBACK,
    Asked,
    Server,
    device,
    frame,
    point,
    serving,
    session,
    sessions,
)
from otgate.driver import Link, Trouble
from otgate.errors import LinkLost
from otgate.model import Device, Point
from otgate.quality import Quality
from otgate.testing.contract import Remembered
from otgate_modbus import Modbus
from otgate_modbus.doubts import SILENT_POLLS
from otgate_modbus.sheet import APART_AFTER, SPREAD_NS, TOGETHER_AFTER, Tempo

pytestmark = pytest.mark.both_loops

FAILED = Quality.INVALID | Quality.FAILURE | Quality.NO_VALUE
BLOCKS = [point(f"r{at}", f"hr {100 * at}", "string(100)" if at else "u16") for at in range(4)]


def unit(server: Server, number: int, *points: Point, **settings: Any) -> Device:
    return device(
        *points, host=LOOPBACK, port=server.port, name=f"m{number}", unit=number, **settings
    )


async def test_a_batch_carries_the_time_of_the_earliest_reply() -> None:
    async with serving() as server, session(*BLOCKS, port=server.port) as bench:
        before = time.time_ns()
        await bench.scan()
        arrived = {batch.received_ns for batch in bench.got.batches}
    assert len(arrived) == 1
    assert before <= arrived.pop() <= time.time_ns()


async def test_replies_that_come_far_apart_are_emitted_one_by_one() -> None:
    async with serving() as server, session(*BLOCKS, port=server.port) as bench:

        async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.03)
            writer.write(asked.honest())

        server.answers = answer
        samples = await bench.scan()
        times = [batch.received_ns for batch in bench.got.batches]
    assert [samples[f"r{at}"][1] for at in range(4)] == [0] * 4
    assert len(times) == 4
    assert times == sorted(times)
    assert times[-1] - times[0] > 80_000_000


async def test_a_block_without_a_reply_stays_invalid_among_replies_far_apart() -> None:
    async with serving() as server, session(*BLOCKS, port=server.port, timeout_s=0.4) as bench:

        async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.06)
            if asked.address < 200:
                writer.write(asked.honest())

        server.answers = answer
        samples = await bench.scan()
        batches = bench.got.batches
    assert [samples[f"r{at}"][1] for at in range(4)] == [0, 0, FAILED, FAILED]
    assert batches[1].received_ns - batches[0].received_ns > SPREAD_NS


async def test_one_slow_poll_does_not_split_the_next() -> None:
    async with serving() as server, session(*BLOCKS, port=server.port) as bench:

        async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.03)
            writer.write(asked.honest())

        server.answers = answer
        await bench.scan()
        assert len(bench.got.batches) == 4
        server.answers = lambda asked, writer: writer.write(asked.honest())
        await bench.scan()
        assert len({batch.received_ns for batch in bench.got.batches}) == 1


def test_a_scan_follows_a_tempo_that_lasts() -> None:
    tempo = Tempo()
    assert [tempo.note(far=True) for _ in range(APART_AFTER)][-1]
    assert tempo.apart
    tempo.note(far=False)
    assert not tempo.note(far=True)
    assert [tempo.note(far=False) for _ in range(TOGETHER_AFTER)][-1]
    assert not tempo.apart


async def test_a_slow_device_that_falls_silent_keeps_what_it_said() -> None:
    async with serving() as server, session(*BLOCKS, port=server.port, timeout_s=0.3) as bench:
        bench.session._tempo(bench.plan[0]).apart = True
        bench.session._sheets.clear()

        def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            if asked.address < 200:
                writer.write(asked.honest())

        server.answers = answer
        samples = await bench.scan()
    assert [samples[f"r{at}"][1] for at in range(4)] == [0, 0, FAILED, FAILED]


async def test_after_three_silent_polls_the_smallest_block_is_asked_first() -> None:
    async with serving() as server, session(*BLOCKS, port=server.port, timeout_s=0.06) as bench:
        server.answers = lambda asked, writer: None
        for _ in range(SILENT_POLLS):
            with pytest.raises(TimeoutError):
                await bench.scan()
        server.places()
        server.answers = lambda asked, writer: writer.write(asked.honest())
        assert [quality for _, quality in (await bench.scan()).values()] == [0] * 4
        first, *rest = server.places()
        assert first == (3, 0, 1)
        assert {place[1] for place in rest} == {0, 100, 200, 300}
        await bench.scan()
        assert [place[1] for place in server.places()] == [0, 100, 200, 300]


async def test_a_small_block_that_never_answers_does_not_hide_the_device() -> None:
    async with serving() as server, session(*BLOCKS, port=server.port, timeout_s=0.06) as bench:
        server.answers = lambda asked, writer: None
        for _ in range(SILENT_POLLS):
            with pytest.raises(TimeoutError):
                await bench.scan()
        server.answers = lambda asked, writer: (
            writer.write(asked.honest()) if asked.address else None
        )
        with pytest.raises(TimeoutError):
            await bench.scan()
        samples = await bench.scan()
        assert samples["r3"][1] == 0
        samples = await bench.scan()
    assert [samples[f"r{at}"][1] for at in range(4)] == [FAILED, 0, 0, 0]


async def test_a_poll_ends_before_its_next_slot() -> None:
    async with (
        serving() as server,
        session(*BLOCKS, port=server.port, scans={"normal": 0.1}, timeout_s=5) as bench,
    ):
        server.answers = lambda asked, writer: None
        before = time.monotonic()
        with pytest.raises(TimeoutError):
            await bench.scan()
        assert 0.08 < time.monotonic() - before < 0.15


async def test_a_poll_cut_short_still_learns_which_block_is_silent() -> None:
    async with serving() as server, session(*BLOCKS, port=server.port) as bench:
        server.answers = lambda asked, writer: (
            writer.write(asked.honest()) if asked.address else None
        )
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await bench.scan()
        server.places()
        samples = await bench.scan()
    assert [samples[f"r{at}"][1] for at in range(4)] == [FAILED, 0, 0, 0]


async def test_units_of_one_endpoint_share_a_connection() -> None:
    async with serving() as server:
        one = unit(server, 1, point("a", "hr 1"))
        two = unit(server, 2, point("b", "hr 2"))
        assert Modbus().link_key(one) == Modbus().link_key(two)
        async with sessions(one, two) as benches:
            got = [await bench.scan() for bench in benches]
        assert got == [{"a": (1, 0)}, {"b": (2, 0)}]
        assert [asked.unit for asked in server.asked] == [1, 2]
        assert [asked.tid for asked in server.asked] == [1, 2]


async def test_scans_on_one_link_take_turns() -> None:
    async with serving() as server:
        units = [unit(server, at, *BLOCKS) for at in (1, 2, 3)]
        async with sessions(*units) as benches:
            await asyncio.gather(*(bench.scan() for bench in benches))
        assert [asked.unit for asked in server.asked] == [1] * 4 + [2] * 4 + [3] * 4


async def test_a_unit_that_is_away_does_not_disturb_its_neighbour() -> None:
    async with serving() as server:
        units = [unit(server, at, point("a", "hr 5"), timeout_s=0.1) for at in (1, 2)]
        server.answers = lambda asked, writer: (
            writer.write(asked.honest()) if asked.unit == 2 else None
        )
        async with sessions(*units) as (away, there):
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await away.scan()
                assert await there.scan() == {"a": (5, 0)}


async def test_a_cancelled_scan_leaves_the_link_to_the_next() -> None:
    async with serving() as server, session(*BLOCKS, port=server.port) as bench:
        held: list[Asked] = []
        server.answers = lambda asked, writer: held.append(asked)
        task = asyncio.ensure_future(bench.scan())
        await server.arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            late = b"".join(one.data(b"\xee" * 2 * one.count) for one in held)
            held.clear()
            writer.write(late + asked.honest())

        server.answers = answer
        samples = await bench.scan()
        assert samples["r0"] == (0, 0)
        assert bench.counts.late == 1


async def test_a_scan_cancelled_while_it_waits_for_its_turn_does_no_harm() -> None:
    async with serving() as server:
        units = [unit(server, at, *BLOCKS) for at in (1, 2)]
        async with sessions(*units) as (one, two):
            server.answers = lambda asked, writer: None
            first = asyncio.ensure_future(one.scan())
            await server.arrived.wait()
            second = asyncio.ensure_future(two.scan())
            await asyncio.sleep(0)
            for task in (second, first):
                task.cancel()
            await asyncio.gather(first, second, return_exceptions=True)
            server.answers = lambda asked, writer: writer.write(asked.honest())
            assert (await two.scan())["r0"] == (0, 0)


async def test_the_connection_has_its_options_set() -> None:
    async with serving() as server, session(*BLOCKS, port=server.port) as bench:
        transport = bench.session._wire._transport
        assert transport is not None
        wire = transport.get_extra_info("socket")
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000


async def test_a_request_gap_is_kept_between_requests() -> None:
    quirks = {"request_gap_s": 0.03}
    async with serving() as server, session(*BLOCKS, port=server.port, quirks=quirks) as bench:
        before = time.monotonic()
        assert len(await bench.scan()) == 4
        assert time.monotonic() - before > 0.085


async def test_a_connect_delay_precedes_the_first_request() -> None:
    quirks = {"connect_delay_s": 0.05}
    before = time.monotonic()
    async with serving() as server, session(*BLOCKS, port=server.port, quirks=quirks):
        assert time.monotonic() - before > 0.045


async def test_a_name_that_does_not_resolve_is_a_lost_link() -> None:
    nowhere = device(point("a", "hr 0"), host="no-such-host.invalid")
    link = Link([nowhere], {"f1": []}, {"f1": Remembered()})
    with pytest.raises(LinkLost, match=r"no-such-host\.invalid"):
        async with Modbus().connect(link):
            pass


async def test_each_scan_class_reads_its_own_points() -> None:
    points = (point("a", "hr 0", scan="fast"), point("b", "hr 1", scan="slow"))
    scans = {"fast": 0.5, "slow": 60.0}
    async with serving() as server, session(*points, port=server.port, scans=scans) as bench:
        assert await bench.scan("fast") == {"a": (0, 0)}
        assert await bench.scan("slow") == {"b": (1, 0)}
        assert server.places() == [(3, 0, 1), (3, 1, 1)]


async def test_a_session_is_compiled_before_its_first_scan_is_due() -> None:
    points = (point("a", "hr 0", scan="fast"), point("b", "hr 1", scan="slow"))
    scans = {"fast": 0.5, "slow": 60.0}
    async with serving() as server, session(*points, port=server.port, scans=scans) as bench:
        assert set(bench.session._sheets) == {"fast", "slow"}


async def test_exceptions_are_counted_for_the_unit_that_answers_them() -> None:
    async with serving() as server:

        async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(asked.refusal(4) if asked.unit == 1 else asked.honest())

        server.answers = answer
        both = [unit(server, number, point("a", "hr 0")) for number in (1, 2)]
        async with sessions(*both) as (refused, heard):
            for bench in (refused, heard, refused):
                await bench.scan()
            assert refused.session.trouble() == Trouble(exceptions=2)
            assert heard.session.trouble() == Trouble()


async def test_what_is_no_modbus_is_counted_with_the_link_that_it_costs() -> None:
    async with serving() as server, session(BLOCKS[0], port=server.port) as bench:

        async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n")

        server.answers = answer
        with pytest.raises(LinkLost):
            await bench.scan()
        assert bench.session.trouble().malformed == 1


async def test_an_answer_to_something_else_is_counted_as_spoilt() -> None:
    async with serving() as server, session(BLOCKS[0], port=server.port, timeout_s=0.2) as bench:

        async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(frame(asked.tid, asked.unit, 4, b"\x02\x00\x00"))

        server.answers = answer
        with suppress(TimeoutError):
            await bench.scan()
        assert bench.session.trouble().malformed >= 1
