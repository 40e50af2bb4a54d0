"""What an exception costs a device, and what it costs the other units of its link: nothing.

Two units behind one server; the second is troubled. Codes: Application Protocol V1.1b3, §7.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from modbus_peers import LOOPBACK, Asked, Server, device, point, serving
from otgate.model import Device
from otgate.quality import Quality
from otgate.supervisor import Pace, State
from otgate_modbus import Modbus
from puppet import Running, running

PACE = Pace(first_s=0.4, least_s=0.3, most_s=0.5)
PERIOD_S = 0.25
POINTS = tuple(point(f"r{at}", f"hr {at}") for at in range(20))
GONE = Quality.INVALID | Quality.NO_VALUE

AWAY = {
    5: "is still working (exception 5)",
    6: "is busy (exception 6)",
    10: "is not reachable through its gateway (exception 10)",
    11: "does not answer its gateway (exception 11)",
}


def unit(name: str, number: int, server: Server) -> Device:
    scans = {"normal": PERIOD_S}
    return device(*POINTS, host=LOOPBACK, port=server.port, name=name, unit=number, scans=scans)


@asynccontextmanager
async def two_units(answers: Callable[[Asked], int]) -> AsyncIterator[tuple[Server, Running]]:
    """Poll units 1 and 2; unit 2 answers with the exception that ``answers`` says, 0 for data."""
    async with serving() as server:

        def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            code = answers(asked) if asked.unit == 2 else 0
            writer.write(asked.refusal(code) if code else asked.honest())

        server.answers = answer
        both = [unit("well", 1, server), unit("ill", 2, server)]
        async with running(Modbus(), both, pace=PACE) as run:
            yield server, run


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  a status has no event
            await asyncio.sleep(0.01)


def asked_of(server: Server, number: int) -> list[tuple[int, int, int]]:
    return [asked.place for asked in server.asked if asked.unit == number]


def last_qualities(run: Running, name: str) -> set[int]:
    """The newest quality of each point of a device, together."""
    newest: dict[int, int] = {}
    for batch in run.got.batches:
        if batch.device == name:
            newest.update(zip(batch.index.tolist(), batch.quality.tolist(), strict=True))
    return set(newest.values())


@pytest.mark.parametrize(
    "code", [6, 11, *(pytest.param(code, marks=pytest.mark.slow) for code in (5, 10))]
)
async def test_a_unit_that_is_away_or_busy_is_asked_seldom_and_little(code: int) -> None:
    ill = [code]
    async with two_units(lambda asked: ill[0]) as (server, run):
        await until(lambda: run.status("ill").state is State.LOST)
        assert asked_of(server, 2) == [(3, 0, 20)] * PACE.breaker
        assert run.status("ill").error == f"unit 2 {AWAY[code]}"
        server.asked.clear()
        await until(lambda: len(asked_of(server, 2)) >= 3)
        assert {count for _, _, count in asked_of(server, 2)} == {1}
        assert len(asked_of(server, 1)) > len(asked_of(server, 2))
        ill[0] = 0
        await until(lambda: run.status("ill").state is State.GOOD)
        await until(lambda: run.status("well").state is State.GOOD)
        assert server.connections == 1


async def test_a_unit_without_the_function_is_there_and_has_no_values() -> None:
    async with two_units(lambda asked: 1) as (server, run):
        absent = {GONE | Quality.NOT_IMPLEMENTED}
        await until(lambda: last_qualities(run, "ill") == absent)
        await until(lambda: run.status("ill").state is State.FAILING)
        status = run.status("ill")
        assert status.error == "the device answers, without a usable value"
        assert set(asked_of(server, 2)) == {(3, 0, 20)}
        await until(lambda: run.status("well").state is State.GOOD)


@pytest.mark.parametrize("code", [2, 3])
async def test_a_unit_that_lacks_a_register_loses_that_point_alone(code: int) -> None:
    def lacking(asked: Asked) -> int:
        return code if asked.address <= 7 < asked.address + asked.count else 0

    async with two_units(lacking) as (server, run):
        lost = {0, GONE | Quality.ILLEGAL_ADDRESS}
        await until(lambda: last_qualities(run, "ill") == lost)
        server.asked.clear()
        await until(lambda: len(asked_of(server, 2)) >= 6)
        assert set(asked_of(server, 2)) == {(3, 0, 7), (3, 8, 12)}
        await until(lambda: run.states() == {"well": State.GOOD, "ill": State.GOOD})
