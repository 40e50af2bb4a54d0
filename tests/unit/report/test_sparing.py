"""Columns that take memory only for points that differ."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otgate.report.sparing import covers, flat, put

WHOLE = slice(0, 4)
NUMBERS = np.dtype(np.uint32)


def is_flat(column: np.ndarray) -> bool:
    return column.strides == (0,)


@pytest.mark.parametrize("value", [7, 0, 0xFFFF_FFFF])
def test_one_number_stands_for_all_points(value: int) -> None:
    column = flat(4, value, NUMBERS)
    assert (column.tolist(), column.dtype, is_flat(column)) == ([value] * 4, NUMBERS, True)


def test_devices_with_as_many_points_have_one_column_between_them_but_for_moments() -> None:
    assert flat(4, 7, NUMBERS) is flat(4, 7, NUMBERS)
    moments = np.dtype(np.int64)
    assert flat(4, 123_456_789, moments) is not flat(4, 123_456_789, moments)


def test_texts_and_no_points_at_all_are_flat_too() -> None:
    assert flat(3, "", np.dtype(object)).tolist() == ["", "", ""]
    assert flat(0, 7, NUMBERS).tolist() == []


def test_a_flat_column_cannot_be_written_by_accident() -> None:
    with pytest.raises(ValueError, match="read-only"):
        flat(4, 7, NUMBERS)[1] = 8


def test_what_is_said_of_every_point_alike_stays_one_number() -> None:
    column = put(np.arange(4, dtype=np.uint32), WHOLE, 9)
    assert (column.tolist(), is_flat(column)) == ([9] * 4, True)


def test_an_array_that_is_said_of_every_point_is_kept_and_never_written() -> None:
    said = np.arange(4.0)
    column = put(flat(4, 0, said.dtype), WHOLE, said)
    assert column.base is said
    assert put(column, slice(1, 2), 7.0).tolist() == [0.0, 7.0, 2.0, 3.0]
    assert said.tolist() == [0.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("said", [np.arange(4, dtype=np.int8), np.arange(8, dtype=np.uint32)[::2]])
def test_an_array_of_another_make_is_copied(said: np.ndarray) -> None:
    column = put(flat(4, 0, NUMBERS), WHOLE, said)
    assert (column.tolist(), column.dtype) == (said.tolist(), NUMBERS)
    assert not np.shares_memory(column, said)


def test_what_a_flat_column_says_already_takes_no_memory() -> None:
    column = flat(4, 7, NUMBERS)
    assert put(column, np.array([0, 2]), 7) is column
    assert put(column, np.array([0, 2]), np.array([7, 7], np.uint32)) is column


def test_zeros_of_two_signs_are_not_alike() -> None:
    column = put(flat(4, 0, np.dtype(np.float64)), slice(1, 2), -0.0)
    assert np.signbit(column).tolist() == [False, True, False, False]


def test_a_column_of_its_own_is_written_in_place() -> None:
    column = put(flat(4, 7, NUMBERS), slice(1, 3), 8)
    assert put(column, slice(0, 1), 9) is column
    assert column.tolist() == [9, 8, 8, 7]


@pytest.mark.parametrize("rows", [slice(0, 3), slice(1, 4), np.arange(4)])
def test_only_a_slice_over_all_covers_all(rows: object) -> None:
    assert not covers(rows, 4)  # type: ignore[arg-type]  one of both
    assert covers(slice(0, 4), 4)


spans = st.tuples(st.integers(0, 6), st.integers(0, 6)).map(lambda pair: slice(*sorted(pair)))
rows = st.one_of(spans, st.lists(st.integers(0, 5), unique=True).map(np.array))


@given(st.lists(st.tuples(rows, st.integers(0, 3), st.booleans())))
def test_a_sparing_column_says_what_an_ordinary_one_says(
    writes: list[tuple[slice | np.ndarray, int, bool]],
) -> None:
    sparing, plain = flat(6, 0, NUMBERS), np.zeros(6, np.uint32)
    for where, value, as_array in writes:
        at = where if isinstance(where, slice) else where.astype(np.intp)
        said = np.full(len(plain[at]), value, np.uint32) if as_array else value
        plain[at] = said
        sparing = put(sparing, at, said)
        assert sparing.tolist() == plain.tolist()
