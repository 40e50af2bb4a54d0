import random

from hypothesis import given
from hypothesis import strategies as st

from otgate.supervisor import Pace


@given(st.integers(0, 10_000), st.integers())
def test_a_wait_is_never_a_hot_loop_and_never_above_a_minute(attempt: int, seed: int) -> None:
    wait_s = Pace().wait_s(attempt, random.Random(seed))
    assert 0.1 <= wait_s <= min(60.0, 2.0**attempt if attempt < 10 else 60.0)


def test_waits_have_full_jitter() -> None:
    rng = random.Random(7)
    waits = [Pace().wait_s(10, rng) for _ in range(4000)]
    assert 28 < sum(waits) / len(waits) < 32
    assert min(waits) < 1
    assert max(waits) > 59


def test_first_waits_are_below_a_second() -> None:
    rng = random.Random(7)
    assert max(Pace().wait_s(0, rng) for _ in range(1000)) <= 1.0
