"""Cells against the plain encoder: the same bytes, or an honest no."""

from typing import Any

import msgspec
import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otgate.model import Index, ValueType
from otgate.publish.cells import FEW, Cells, Laid
from otgate.publish.labels import BETWEEN, openings

IDS = ["a", "p", 'quo"te', "ß", "\0", "line\n", *(f"point{number}" for number in range(FEW))]
OPENINGS = openings(np.array(IDS, dtype=object))
CELLS = Cells(OPENINGS, len(BETWEEN))

EXACT = 1 << 53
DECIMALS = st.builds(
    lambda digits, places: float(f"{digits}e-{places}"),
    st.integers(-(10**12), 10**12),
    st.integers(0, 9),
)
SHORT = st.builds(
    lambda digits, places: digits / 10**places, st.integers(-(10**6), 10**6), st.integers(0, 3)
)
WHOLE = st.one_of(st.integers(-EXACT, EXACT), st.integers(-20_000, 20_000), st.integers(0, 9))


def laid(kind: ValueType, some: list[Any], index: Index | None = None) -> Laid | None:
    """Lay values out, repeated until they are enough."""
    values = np.array(repeated(some), dtype=kind.dtype)
    if index is None:
        index = np.arange(len(values), dtype=np.int32) % len(IDS)
    return CELLS.laid(index.astype(np.int32), kind, values)


def repeated(some: list[Any]) -> list[Any]:
    return (some * FEW)[: max(FEW, len(some))]


def plain(some: list[Any]) -> bytes:
    """Spell values one by one, by a library."""
    values = repeated(some)
    pieces = [OPENINGS[at % len(IDS)] + msgspec.json.encode(v) for at, v in enumerate(values)]
    return b"".join(pieces)[len(BETWEEN) :]


def told(found: Laid | None) -> bytes | None:
    return None if found is None else found.part(0, len(found))


@settings(deadline=None)
@given(st.lists(WHOLE, min_size=1, max_size=40))
def test_signed_numbers_are_spelled_as_one_by_one(numbers: list[int]) -> None:
    assert told(laid(ValueType.I64, numbers)) == plain(numbers)


@settings(deadline=None)
@given(st.lists(st.integers(0, EXACT), min_size=1))
@example([0])
@example([9_999, 10_000, 10_001, 99_999_999, 100_000_000, 1_000_000_000_000])
def test_unsigned_numbers_are_spelled_as_one_by_one(numbers: list[int]) -> None:
    assert told(laid(ValueType.U64, numbers)) == plain(numbers)


@settings(deadline=None)
@given(st.lists(SHORT, min_size=1))
@example([0.0, -0.0])
@example([0.1, 0.01, 0.001, -0.001, 10.0, 999_999_999_999.999])
def test_decimals_of_three_places_are_always_laid_out(numbers: list[float]) -> None:
    assert told(laid(ValueType.F64, numbers)) in {plain(numbers), None}
    if max(map(abs, numbers)) < 10**12:
        assert told(laid(ValueType.F64, numbers)) is not None


@settings(deadline=None, max_examples=300)
@given(st.lists(st.one_of(DECIMALS, st.floats(width=32), st.floats()), min_size=1))
@example([1e-5, 1.0])
@example([0.0001234, 99_999_999.9999999])
@example([float("inf")])
@example([float("nan")])
@example([1e308, 5e-324])
@example([float("nan"), 1e308])
def test_any_decimal_is_spelled_as_by_itself_or_left_to_others(numbers: list[float]) -> None:
    assert told(laid(ValueType.F64, numbers)) in {plain(numbers), None}


@settings(deadline=None)
@given(st.integers(0, FEW - 1), st.integers(1, FEW))
def test_any_part_of_the_samples_can_be_told(first: int, count: int) -> None:
    numbers, stop = [at * at for at in range(FEW)], min(FEW, first + count)
    found = laid(ValueType.U64, numbers)
    assert found is not None
    pieces = [OPENINGS[at] + b"%d" % numbers[at] for at in range(first, stop)]
    assert found.part(first, stop) == b"".join(pieces)[len(BETWEEN) :]


@settings(deadline=None)
@given(st.lists(st.integers(0, len(IDS) - 1), min_size=1, max_size=40))
def test_points_may_come_in_any_order(some: list[int]) -> None:
    chosen = repeated(some)
    index = np.array(chosen, np.int32)
    found = CELLS.laid(index, ValueType.U64, index.astype(np.uint64))
    pieces = [OPENINGS[at] + b"%d" % at for at in chosen]
    assert told(found) == b"".join(pieces)[len(BETWEEN) :]
