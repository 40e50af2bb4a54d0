"""Two boxes with one identity: noticed by both, and said to a person."""

from pathlib import Path

import pytest

from brokers import Mosquitto, broker
from otgate.publish.rivals import CALM_S, CLOSED_OFTEN, Rivals
from publishing import Feeder, publishing

__all__ = ["broker"]


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rivals(clock: Clock) -> Rivals:
    return Rivals(clock)


def sentence(rivals: Rivals) -> str:
    return rivals.sentence("otgate-gw1-analytics")


def closed_and_back(rivals: Rivals, times: int) -> list[bool]:
    told = []
    for _ in range(times):
        rivals.closed()
        told.append(rivals.connected(at_once=True))
    return told


def test_one_take_over_is_nobodys_fault(rivals: Rivals) -> None:
    assert not rivals.taken_over()
    assert not sentence(rivals)


def test_the_second_is_said_once_with_the_name(rivals: Rivals) -> None:
    assert [rivals.taken_over() for _ in range(4)] == [False, True, False, False]
    assert "another client connects as `otgate-gw1-analytics`" in sentence(rivals)


def test_a_broker_that_closes_and_takes_the_next_is_suspicious_in_the_end(rivals: Rivals) -> None:
    assert closed_and_back(rivals, CLOSED_OFTEN - 1) == [False] * (CLOSED_OFTEN - 1)
    assert not sentence(rivals)
    assert closed_and_back(rivals, 1) == [True]
    assert "does another client connect as `otgate-gw1-analytics`" in sentence(rivals)


def test_a_broker_that_was_away_is_no_rival(rivals: Rivals) -> None:
    for _ in range(2 * CLOSED_OFTEN):
        rivals.closed()
        assert not rivals.connected(at_once=False)


def test_a_connection_that_ended_otherwise_is_no_rival(rivals: Rivals) -> None:
    assert not any(rivals.connected(at_once=True) for _ in range(2 * CLOSED_OFTEN))


def test_after_a_calm_hour_it_is_over(rivals: Rivals, clock: Clock) -> None:
    rivals.taken_over()
    rivals.taken_over()
    clock.now_s += CALM_S + 1
    assert not sentence(rivals)
    assert [rivals.taken_over() for _ in range(2)] == [False, True]


async def test_a_cloned_box_is_noticed_by_both(
    broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otgate.publish.retry.TAKEN_OVER_S", 0.1)
    monkeypatch.setattr("otgate.publish.retry.FIRST_S", 0.1)
    monkeypatch.setattr("otgate.publish.retry.LONGEST_S", 0.1)
    boxes = [Feeder(tmp_path / name / "spool") for name in ("one", "copy")]
    first, second = (tmp_path / name for name in ("one", "copy"))
    async with (
        publishing(first / "spool", first / "state", broker.url) as one,
        publishing(second / "spool", second / "state", broker.url) as copy,
    ):
        await one.until(lambda status: "a copy of this box" in status["identity"])
        await copy.until(lambda status: "`otgate-test`" in status["identity"])
    for box in boxes:
        box.close()
