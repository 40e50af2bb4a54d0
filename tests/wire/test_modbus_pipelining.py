"""Several requests at once, against servers that take them in ways met in the field."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from modbus_peers import Asked, Bench, Server, point, serving, session, sessions
from modbus_peers import device as modbus_device
from otgate.errors import LinkLost
from otgate.quality import Quality
from otgate.testing.contract import Remembered
from otgate_modbus.pipelining import CALM, TRIALS

pytestmark = pytest.mark.both_loops

POINTS = [point(f"r{at}", f"hr {1000 * at}", "u16") for at in range(8)]
VALUES = {f"r{at}": 1000 * at for at in range(8)}
TO_EIGHT = CALM + 3 * TRIALS


class Crowd:
    """Counts requests that wait together, and answers them as ``manner`` says."""

    def __init__(self, server: Server, manner: Callable[[list[Asked]], list[Asked] | None]) -> None:
        self.most = 0
        self.sizes: list[int] = []
        self._manner = manner
        self._waiting: list[Asked] = []
        server.answers = self._take

    def _take(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        self._waiting.append(asked)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_later(0.002, self._answer, writer)

    def _answer(self, writer: asyncio.StreamWriter) -> None:
        waiting, self._waiting = self._waiting, []
        self.sizes.append(len(waiting))
        self.most = max(self.most, len(waiting))
        answered = self._manner(waiting)
        if answered is None:
            writer.close()
            return
        writer.write(b"".join(asked.honest() for asked in answered))


def in_order(asked: list[Asked]) -> list[Asked]:
    return asked


def reversed_(asked: list[Asked]) -> list[Asked]:
    return asked[::-1]


def first_only(asked: list[Asked]) -> list[Asked]:
    return asked[:1]


def closing(asked: list[Asked]) -> list[Asked] | None:
    return asked if len(asked) == 1 else None


async def scanned(bench: Bench, times: int) -> None:
    for _ in range(times):
        assert await bench.values() == VALUES


@pytest.mark.parametrize("manner", [in_order, reversed_])
async def test_a_server_that_answers_all_is_soon_asked_eight_at_once(manner: Any) -> None:
    state = Remembered()
    async with serving() as server:
        crowd = Crowd(server, manner)
        async with session(*POINTS, port=server.port, state=state) as bench:
            await scanned(bench, CALM)
            assert crowd.most == 1
            await scanned(bench, TO_EIGHT - CALM + 1)
            assert crowd.most == 8
            assert bench.counts.retries == bench.counts.late == 0
        crowd.sizes.clear()
        async with session(*POINTS, port=server.port, state=state) as bench:
            await scanned(bench, 1)
    assert crowd.sizes == [8]


async def test_a_server_that_answers_the_first_alone_loses_no_value_and_is_asked_singly() -> None:
    async with serving() as server:
        crowd = Crowd(server, first_only)
        async with session(*POINTS, port=server.port, timeout_s=0.4) as bench:
            await scanned(bench, CALM + 1)
            assert crowd.most == 2
            crowd.sizes.clear()
            await scanned(bench, 3 * CALM)
            assert set(crowd.sizes) == {1}
            assert bench.counts.retries == 1


async def test_a_server_that_closes_upon_two_is_asked_singly_after_the_second_time() -> None:
    state = Remembered()
    lost = 0
    async with serving() as server:
        crowd = Crowd(server, closing)
        for _ in range(5):
            async with session(*POINTS, port=server.port, state=state) as bench:
                try:
                    await scanned(bench, CALM + 3)
                except LinkLost:
                    lost += 1
    assert lost == 2
    assert crowd.most == 2


async def test_a_dead_server_proves_nothing_about_pipelining() -> None:
    state = Remembered()
    state.put("pipeline", {"proved": 8, "tried": 8, "cut": 0})
    async with (
        serving() as server,
        session(*POINTS, port=server.port, timeout_s=0.05, state=state) as bench,
    ):
        server.answers = lambda asked, writer: None
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await bench.scan()
        assert state.get("pipeline")["proved"] == 8


async def test_a_refusal_among_answers_is_of_its_own_request() -> None:
    async with (
        serving() as server,
        session(*POINTS, port=server.port, pipeline=8) as bench,
    ):
        server.answers = lambda asked, writer: writer.write(
            asked.refusal(2) if asked.address == 3000 else asked.honest()
        )
        samples = await bench.scan()
    assert samples.pop("r3")[1] & Quality.ILLEGAL_ADDRESS
    assert {name: value for name, (value, _) in samples.items()} == {
        name: value for name, value in VALUES.items() if name != "r3"
    }


async def test_a_late_reply_of_one_window_is_no_answer_in_the_next() -> None:
    async with (
        serving() as server,
        session(*POINTS, port=server.port, pipeline=4, timeout_s=0.1) as bench,
    ):
        held: list[bytes] = []
        server.answers = lambda asked, writer: held.append(asked.words(60_000 + len(held)))
        with pytest.raises(TimeoutError):
            await bench.scan()

        def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(b"".join(held) + asked.honest())
            held.clear()

        server.answers = answer
        assert await bench.values() == VALUES
        assert bench.counts.late >= 4


async def test_units_behind_one_endpoint_are_asked_singly() -> None:
    async with serving() as server:
        crowd = Crowd(server, in_order)
        units = [
            modbus_device(*POINTS, host="127.0.0.1", port=server.port, name=f"u{n}", unit=n)
            for n in (1, 2)
        ]
        async with sessions(*units) as benches:
            for bench in benches:
                await scanned(bench, 2 * CALM)
    assert crowd.most == 1
