"""One copy of what is alike."""

import gc
import weakref

import numpy as np
import pytest

from at_once import at_once
from otgate.alike import Alike, shared


def numbers(count: int, first: int = 1000) -> tuple[int, ...]:
    return tuple(range(first, first + count))


def test_equal_sequences_become_one() -> None:
    pool: Alike[tuple[int, ...]] = Alike()
    first = pool.one(numbers(3))
    assert pool.one(numbers(3)) is first
    assert pool.one(numbers(4)) == numbers(4)


def test_a_pool_lets_go_of_what_it_met_longest_ago() -> None:
    pool: Alike[tuple[int, ...]] = Alike(most=6)
    first, second = pool.one(numbers(3)), pool.one(numbers(3, 2000))
    assert pool.one(numbers(3)) is first
    pool.one(numbers(3, 3000))
    assert pool.one(numbers(3)) is first
    assert pool.one(numbers(3, 2000)) is not second


def test_a_sequence_larger_than_the_pool_is_given_back_and_not_held() -> None:
    pool: Alike[tuple[int, ...]] = Alike(most=6)
    assert pool.one(numbers(7)) == numbers(7)
    assert pool.one(one := numbers(7)) is one


def test_equal_columns_become_one_that_nobody_can_write() -> None:
    made = np.arange(5.0)
    first = shared(made)
    assert shared(np.arange(5.0)) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 7.0
    made[0] = 7.0
    assert first[0] == 0.0


@pytest.mark.parametrize(
    "other",
    [
        np.zeros(8, np.float32),
        np.zeros(4, np.int64),
        np.zeros((2, 2)),
        np.array([0.0, 0.0, 0.0, -0.0]),
        np.zeros(5),
    ],
)
def test_columns_of_another_type_or_shape_stay_apart(other: np.ndarray) -> None:
    first = shared(np.zeros(4))
    found = shared(other)
    assert found is not first
    assert (found.dtype, found.shape) == (other.dtype, other.shape)
    assert found.tobytes() == other.tobytes()


def test_columns_of_numbers_that_are_none_become_one() -> None:
    assert shared(np.full(3, np.nan)) is shared(np.full(3, np.nan))


def test_a_column_that_nobody_uses_is_let_go() -> None:
    seen = weakref.ref(shared(np.full(1000, 3.0)))
    gc.collect()
    assert seen() is None


def test_threads_share_a_pool_that_keeps_its_bound() -> None:
    pool: Alike[tuple[int, ...]] = Alike(20)

    def work(thread: int) -> None:
        for number in range(10_000):
            made = numbers(3, number * (thread + 1) % 17)
            assert pool.one(made) == made

    at_once(work)
    assert [pool.one(numbers(5, first)) for first in range(9)]
    assert pool.one(numbers(20)) == numbers(20)
