import pytest

from otgate.publish.allowance import BURST_S, Allowance
from otgate.publish.drain import Drain


class Seconds:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def sent(allowance: Allowance, seconds: Seconds, *, size: int, during_s: float) -> int:
    """Send as fast as is allowed, and return how many messages that were."""
    count, end = 0, seconds.now + during_s
    while (wait_s := allowance.wait_s()) <= end - seconds.now:
        seconds.now += wait_s
        allowance.spend(size)
        count += 1
    seconds.now = end
    return count


@pytest.mark.parametrize(
    ("messages_per_s", "bytes_per_s", "expected"), [(50, 1e9, 500), (1e9, 10_000, 1000)]
)
def test_the_slower_of_both_rates_is_kept(
    seconds: Seconds, messages_per_s: float, bytes_per_s: float, expected: int
) -> None:
    allowance = Allowance(messages_per_s, bytes_per_s, seconds)
    count = sent(allowance, seconds, size=100, during_s=10)
    assert expected <= count <= expected * (1 + BURST_S) + 2


def test_a_message_larger_than_a_burst_passes_and_is_waited_for_after(seconds: Seconds) -> None:
    allowance = Allowance(1e9, 1000, seconds)
    assert allowance.wait_s() == 0
    allowance.spend(5000)
    assert allowance.wait_s() == pytest.approx(5 - BURST_S)


def test_a_long_silence_buys_no_more_than_a_burst(seconds: Seconds) -> None:
    allowance = Allowance(100, 1e9, seconds)
    seconds.now += 3600
    assert sent(allowance, seconds, size=1, during_s=0) == 100 * BURST_S + 1


def test_the_end_of_a_backlog_is_told_by_its_pace_so_far(seconds: Seconds) -> None:
    drain = Drain(1000, seconds)
    assert drain.ends_in_s(1000) is None
    seconds.now += 10
    assert drain.ends_in_s(750) == 30
    assert drain.ends_in_s(0) == 0
