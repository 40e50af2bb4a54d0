"""More polls due at once than the loop can serve."""

import asyncio
import time
from collections import Counter

from otgate.driver import Emit
from otgate.model import Scan
from otgate.supervisor import State
from otgate.supervisor.headway import AT_ONCE, IN_TURN, LONG_S, Headway
from otgate.together import cancelled
from puppet import Puppet, Session, device, running, until


class Rounds:
    """Counts the rounds of the loop while something is to be counted."""

    def __init__(self) -> None:
        self.number = 0
        self.begun: list[tuple[int, int]] = []
        self._counting = asyncio.ensure_future(self._count())

    async def _count(self) -> None:
        while True:
            self.number += 1
            await asyncio.sleep(0)

    async def enter(self, headway: Headway, name: int) -> None:
        await headway.enter()
        self.begun.append((self.number, name))

    def per_round(self) -> list[int]:
        return list(Counter(number for number, _ in self.begun).values())

    async def end(self) -> None:
        await cancelled([self._counting])


async def test_as_many_as_a_round_takes_begin_together_and_the_others_in_turn() -> None:
    headway, rounds = Headway(), Rounds()
    await asyncio.gather(*(rounds.enter(headway, name) for name in range(AT_ONCE + 7)))
    await rounds.end()
    assert rounds.per_round() == [AT_ONCE, 2, 2, 2, 1]
    assert [name for _, name in rounds.begun] == list(range(AT_ONCE + 7))


async def test_one_that_comes_later_waits_behind_those_that_wait() -> None:
    headway, rounds = Headway(), Rounds()
    first = [asyncio.ensure_future(rounds.enter(headway, at)) for at in range(AT_ONCE + 5)]
    await asyncio.sleep(0)
    await asyncio.gather(*first, rounds.enter(headway, 99))
    await rounds.end()
    assert rounds.begun[-1][1] == 99


async def test_a_round_later_as_many_begin_again() -> None:
    headway, rounds = Headway(), Rounds()
    for batch in range(3):
        await asyncio.gather(*(rounds.enter(headway, batch) for _ in range(AT_ONCE)))
        await asyncio.sleep(0.001)
    await rounds.end()
    assert rounds.per_round() == [AT_ONCE] * 3


async def test_few_begin_on_a_round_that_follows_a_long_one() -> None:
    headway, rounds = Headway(), Rounds()
    await rounds.enter(headway, 0)
    time.sleep(2 * LONG_S)  # noqa: ASYNC251  that is the point
    await asyncio.sleep(0)
    await asyncio.gather(*(rounds.enter(headway, at) for at in range(6)))
    await rounds.end()
    assert rounds.per_round()[1:] == [IN_TURN] * 3


async def test_one_that_stops_waiting_costs_no_other_its_place() -> None:
    headway, rounds = Headway(), Rounds()
    tasks = [asyncio.ensure_future(rounds.enter(headway, at)) for at in range(AT_ONCE + 4)]
    await asyncio.sleep(0)
    tasks[AT_ONCE].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await rounds.end()
    assert rounds.per_round() == [AT_ONCE, 2, 1]


async def test_a_loop_with_nothing_to_begin_is_left_alone() -> None:
    headway, rounds = Headway(), Rounds()
    await asyncio.gather(*(rounds.enter(headway, at) for at in range(3 * AT_ONCE)))
    await rounds.end()
    begun_s = time.process_time()
    await asyncio.sleep(0.3)
    assert time.process_time() - begun_s < 0.15


ROUNDS, ROUND_S, PERIOD_S = 8, 0.001, 0.5


async def costly(session: Session, scan: Scan, emit: Emit) -> None:
    """Cost the loop some time for each of several replies, which are there at once."""
    for _ in range(ROUNDS):
        time.sleep(ROUND_S)  # noqa: ASYNC251  it stands for work
        await asyncio.sleep(0)
    session.emit(scan, emit)


async def test_a_fleet_that_costs_more_than_the_loop_has_is_late_and_not_lost() -> None:
    driver = Puppet()
    count = round(1.6 * PERIOD_S / (ROUNDS * ROUND_S))
    devices = [device(f"d{number}", normal=PERIOD_S) for number in range(count)]
    driver.deeds = dict.fromkeys((one.id for one in devices), costly)
    async with running(driver, devices) as run:
        await until(lambda: min(len(driver.times(one.id)) for one in devices) > 2, limit_s=30)
        statuses = [run.status(one.id) for one in devices]
    assert {status.state for status in statuses} == {State.GOOD}
    assert sum(status.failures for status in statuses) == 0
    assert sum(status.overruns for status in statuses) > count / 2
