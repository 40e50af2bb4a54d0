"""What a wrong, late or broken reply leads to: one exact outcome for each.

Point ``a`` is holding register 0, asked first; ``b`` is input register 0, asked second.
"""

import asyncio

import pytest

from modbus_peers import Asked, Server, frame, point, serving, session
from otgate.errors import LinkLost
from otgate.quality import Quality

pytestmark = pytest.mark.both_loops

FAILED = Quality.INVALID | Quality.FAILURE | Quality.NO_VALUE
HONEST = {"a": (0, 0), "b": (0, 0)}
TWO = (point("a", "hr 0"), point("b", "ir 0"))


class Faulty:
    """Spoils replies to function 3; input registers are read honestly."""

    def __init__(self, server: Server, *replies: bytes | None) -> None:
        self.replies = iter(replies)
        server.answers = self.answer

    def answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.function != 3:
            writer.write(asked.honest())
            return
        spoiled = next(self.replies, b"")
        if spoiled is not None:
            writer.write(spoiled or asked.honest())


def qualities(samples: dict[str, tuple[object, int]]) -> dict[str, int]:
    return {point_id: quality for point_id, (_, quality) in samples.items()}


MISMATCHED = {
    "another unit": frame(1, 2, 3, b"\x02\x00\x07"),
    "another function": frame(1, 1, 4, b"\x02\x00\x07"),
    "a function that is no read": frame(1, 1, 6, b"\x00\x00\x00\x07"),
    "too few registers": frame(1, 1, 3, b"\x00"),
    "too many registers": frame(1, 1, 3, b"\x04\x00\x07\x00\x07"),
    "an odd byte count": frame(1, 1, 3, b"\x03\x00\x07\x00"),
    "an exception of another function": frame(1, 1, 0x84, b"\x02"),
    "an exception of another unit": frame(1, 2, 0x83, b"\x02"),
}


@pytest.mark.parametrize("fault", MISMATCHED)
async def test_a_reply_to_something_else_is_asked_again_once(fault: str) -> None:
    async with serving() as server, session(*TWO, port=server.port) as bench:
        Faulty(server, MISMATCHED[fault])
        assert await bench.scan() == HONEST
        assert (bench.counts.mismatched, bench.counts.retries) == (1, 1)
        assert [asked.tid for asked in server.asked] == [1, 2, 3]


@pytest.mark.parametrize("fault", MISMATCHED)
async def test_a_second_wrong_reply_fails_its_points_alone(fault: str) -> None:
    async with serving() as server, session(*TWO, port=server.port) as bench:
        wrong = MISMATCHED[fault]
        Faulty(server, wrong, b"\x00\x02" + wrong[2:])
        assert qualities(await bench.scan()) == {"a": FAILED, "b": 0}
        assert await bench.scan() == HONEST


BROKEN = {
    "protocol id 1": "0001 0001 0005 01 03 02 0007",
    "length 2": "0001 0000 0002 01 03",
    "length 255": "0001 0000 00ff 01 03 02 0007",
    "length 0": "0001 0000 0000",
    "a byte count that contradicts the length": "0001 0000 0005 01 03 04 0007",
    "an exception that is too long": "0001 0000 0005 01 83 02 0007",
    "text": b"HTTP/1.1 400 Bad Request\r\n\r\n".hex(),
    "ones": "ff" * 300,
    "another function contradicting itself": "0001 0000 0005 01 04 04 0007",
}


@pytest.mark.parametrize("fault", BROKEN)
async def test_what_is_no_modbus_drops_the_link_at_once(fault: str) -> None:
    async with serving() as server, session(*TWO, port=server.port) as bench:
        Faulty(server, bytes.fromhex(BROKEN[fault]))
        with pytest.raises(LinkLost):
            async with asyncio.timeout(0.4):
                await bench.scan()
        assert not bench.got.batches


async def test_a_foreign_transaction_id_is_skipped_and_counted() -> None:
    async with serving() as server, session(*TWO, port=server.port) as bench:
        right = frame(1, 1, 3, b"\x02\x00\x00")
        Faulty(server, frame(9, 1, 3, b"\x02\x00\x63") + right)
        assert await bench.scan() == HONEST
        assert bench.counts.late == 1


async def test_transaction_id_zero_is_not_taken_for_an_answer() -> None:
    async with serving() as server, session(*TWO, port=server.port, timeout_s=0.2) as bench:
        Faulty(server, frame(0, 1, 3, b"\x02\x00\x63"), None)
        with pytest.raises(TimeoutError):
            await bench.scan()
        assert bench.counts.late == 1


async def test_a_reply_that_comes_before_its_request_is_not_believed() -> None:
    async with serving() as server, session(*TWO, port=server.port) as bench:
        Faulty(server, frame(1, 1, 3, b"\x02\x00\x00") + frame(2, 1, 4, b"\x02\x00\x63"))
        assert await bench.scan() == HONEST
        assert bench.counts.late == 1


@pytest.mark.parametrize("at", range(1, 11))
async def test_a_reply_may_be_cut_anywhere(at: int) -> None:
    async with serving() as server, session(*TWO, port=server.port) as bench:

        async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            whole = asked.honest()
            writer.write(whole[:at])
            await asyncio.sleep(0.005)
            writer.write(whole[at:])

        server.answers = answer
        assert await bench.scan() == HONEST


async def test_a_reply_byte_by_byte_is_read() -> None:
    async with serving() as server, session(*TWO, port=server.port) as bench:

        async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            for byte in asked.honest():
                writer.write(bytes([byte]))
                await asyncio.sleep(0.002)

        server.answers = answer
        assert await bench.scan() == HONEST


@pytest.mark.parametrize("said", [0, 1, 6, 9, 10])
async def test_a_connection_closed_in_a_reply_is_lost_at_once(said: int) -> None:
    async with serving() as server, session(*TWO, port=server.port, timeout_s=30) as bench:

        def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(asked.honest()[:said])
            writer.close()

        server.answers = answer
        with pytest.raises(LinkLost):
            async with asyncio.timeout(1):
                await bench.scan()


async def test_a_scan_after_the_connection_closed_is_lost_at_once() -> None:
    async with serving() as server, session(*TWO, port=server.port) as bench:
        listening = asyncio.ensure_future(bench.session.listen(bench.got))
        server.answers = lambda asked, writer: writer.close()
        with pytest.raises(LinkLost):
            await bench.scan()
        with pytest.raises(LinkLost):
            await bench.scan()
        with pytest.raises(LinkLost):
            await listening


async def test_silence_is_a_timeout_at_the_deadline() -> None:
    async with serving() as server, session(*TWO, port=server.port, timeout_s=0.2) as bench:
        server.answers = lambda asked, writer: None
        loop = asyncio.get_running_loop()
        before = loop.time()
        with pytest.raises(TimeoutError, match=r"unit 1 did not answer within 0\.2 s"):
            await bench.scan()
        assert 0.19 <= loop.time() - before < 0.35
        assert [asked.tid for asked in server.asked] == [1, 2]  # the request and its one retry


async def test_silence_after_a_lost_request_is_cured_by_the_retry() -> None:
    async with serving() as server, session(*TWO, port=server.port, timeout_s=0.4) as bench:
        Faulty(server, None)
        assert await bench.scan() == HONEST
        assert bench.counts.retries == 1


async def test_an_answer_to_the_first_attempt_still_counts_after_the_retry() -> None:
    async with serving() as server, session(*TWO, port=server.port, timeout_s=0.4) as bench:
        slow = frame(1, 1, 3, b"\x02\x00\x00")
        Faulty(server, None, slow)
        assert await bench.scan() == HONEST


async def test_a_late_answer_is_not_the_next_scans() -> None:
    async with serving() as server, session(TWO[0], port=server.port, timeout_s=0.1) as bench:
        Faulty(server, None, None)
        with pytest.raises(TimeoutError):
            await bench.scan()
        late = frame(1, 1, 3, b"\x02\x00\x63") + frame(2, 1, 3, b"\x02\x00\x62")
        Faulty(server, late + frame(3, 1, 3, b"\x02\x00\x05"))
        assert (await bench.scan())["a"] == (5, 0)
        assert bench.counts.late == 2


async def test_one_silent_block_costs_its_own_points() -> None:
    async with serving() as server, session(*TWO, port=server.port, timeout_s=0.2) as bench:
        Faulty(server, None, None, None, None)
        with pytest.raises(TimeoutError):  # no time was left for the other
            await bench.scan()
        assert qualities(await bench.scan()) == {"a": FAILED, "b": 0}  # asked last from now on
