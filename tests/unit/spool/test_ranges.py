from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from otgate.spool.ranges import Ranges

SPANS = st.tuples(st.integers(0, 60), st.integers(0, 60))
STEPS = st.lists(st.tuples(st.booleans(), SPANS), max_size=30)


def played(steps: list[tuple[bool, tuple[int, int]]]) -> tuple[Ranges, set[int]]:
    ranges, model = Ranges(), set[int]()
    for add, (start, stop) in steps:
        if add:
            ranges.add(start, stop)
            model |= set(range(start, stop))
        else:
            ranges.remove(start, stop)
            model -= set(range(start, stop))
    return ranges, model


@given(STEPS)
def test_ranges_hold_what_a_set_holds(steps: list[tuple[bool, tuple[int, int]]]) -> None:
    ranges, model = played(steps)
    assert {n for start, stop in ranges for n in range(start, stop)} == model


@given(STEPS)
def test_ranges_stay_sorted_and_apart(steps: list[tuple[bool, tuple[int, int]]]) -> None:
    found = list(played(steps)[0])
    assert all(start < stop for start, stop in found)
    assert all(one[1] < other[0] for one, other in pairwise(found))


@given(STEPS, SPANS)
def test_missing_is_the_rest(
    steps: list[tuple[bool, tuple[int, int]]], asked: tuple[int, int]
) -> None:
    ranges, model = played(steps)
    missing = [n for start, stop in ranges.missing(*asked) for n in range(start, stop)]
    assert missing == [n for n in range(*asked) if n not in model]


@given(STEPS)
def test_the_first_hole_is_the_least_number_missing(
    steps: list[tuple[bool, tuple[int, int]]],
) -> None:
    ranges, model = played(steps)
    assert ranges.first_hole == min(set(range(62)) - model)


def test_neighbours_become_one() -> None:
    assert list(Ranges([(0, 3), (5, 8), (3, 5)])) == [(0, 8)]
    assert Ranges([(0, 3), (3, 8)]) == Ranges([(0, 8)])
