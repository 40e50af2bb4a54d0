"""The hour after which lessons are tried again, by two clocks."""

import pytest

from otgate.testing.contract import Remembered
from otgate_modbus.learned import TRIED_KEY
from otgate_modbus.retrial import AGAIN_S, Retrial

NOON_S = 1_795_000_000


class Day:
    """A clock of the day that moves when told."""

    def __init__(self) -> None:
        self.now_s = NOON_S

    def __call__(self) -> int:
        return self.now_s * 1_000_000_000


async def test_an_hour_begins_when_there_was_none() -> None:
    retrial = Retrial(Remembered(), Day())
    assert not retrial.due("fast")
    assert not retrial.due("fast")


async def test_an_hour_that_is_over_is_over_once() -> None:
    retrial = Retrial(Remembered(), Day())
    retrial.due("fast")
    retrial.at_once("fast")
    assert [retrial.due("fast"), retrial.due("fast")] == [True, False]


@pytest.mark.parametrize(
    ("passed_s", "over"),
    [(0, False), (3599, False), (3600, True), (10 * 86_400, True), (-86_400, False)],
)
async def test_the_hour_goes_on_over_a_restart(passed_s: int, over: bool) -> None:  # noqa: FBT001  a table's column
    state, day = Remembered(), Day()
    Retrial(state, day).due("fast")
    day.now_s += passed_s
    retrial = Retrial(state, day)
    assert retrial.due("fast") is over
    assert not retrial.due("slow")


async def test_many_short_connections_do_not_put_off_the_hour() -> None:
    state, day = Remembered(), Day()
    over = []
    for _ in range(8):
        over.append(Retrial(state, day).due("fast"))
        day.now_s += int(AGAIN_S / 4)
    assert over == [False, False, False, False, True, False, False, False]


@pytest.mark.parametrize("kept", [7, "x", [], {"fast": "noon"}, {"fast": None}, {"fast": True}])
async def test_a_stamp_that_is_none_is_ignored(kept: object) -> None:
    state = Remembered()
    state.put(TRIED_KEY, kept)
    assert not Retrial(state, Day()).due("fast")
