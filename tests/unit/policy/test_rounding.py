import math
from decimal import Decimal

import numpy as np
import pytest

from otgate.model import ValueType
from otgate.policy.rounding import Steps


def floats(step: float, *values: float) -> list[float]:
    slots = np.zeros(len(values), np.int32)
    rounded: list[float] = Steps([step], ValueType.F64).rounded(slots, np.array(values)).tolist()
    return rounded


def wholes(step: float, *values: int, value_type: ValueType = ValueType.I64) -> list[int]:
    slots = np.zeros(len(values), np.int32)
    column = np.array(values, value_type.dtype)
    rounded = Steps([step], value_type).rounded(slots, column)
    assert rounded.dtype == column.dtype
    listed: list[int] = rounded.tolist()
    return listed


def test_a_value_becomes_the_nearest_multiple() -> None:
    assert floats(0.5, 1.2, 1.3, -1.3, 100.0) == [1.0, 1.5, -1.5, 100.0]
    assert floats(50, 412.3, 437.0) == [400.0, 450.0]


def test_a_multiple_prints_short() -> None:
    every = floats(0.1, *(n / 10 for n in range(-2000, 2000)))
    assert all(len(repr(value)) <= 6 for value in every)
    assert floats(0.1, 0.30000000000000004) == [0.3]
    assert floats(0.025, 0.0749) == [0.075]


def test_a_small_negative_becomes_a_plain_zero() -> None:
    assert math.copysign(1, floats(0.5, -0.01)[0]) == 1


def test_what_is_no_number_stays_what_it_is() -> None:
    nan, plus, minus = floats(0.5, math.nan, math.inf, -math.inf)
    assert math.isnan(nan)
    assert (plus, minus) == (math.inf, -math.inf)


def test_a_signalling_nan_from_the_wire_raises_no_alarm() -> None:
    column = np.array([0x7FF0000000000001], np.uint64).view(np.float64)
    steps = Steps([0.5], ValueType.F64)
    assert np.isnan(steps.rounded(np.zeros(1, np.int32), column)).all()


def test_a_value_too_large_for_the_step_stays() -> None:
    assert floats(1e-9, 1.7e308, -1e30) == [1.7e308, -1e30]
    assert floats(7.0, 1.7e308, -1e30) == [1.7e308, -1e30]


def test_a_point_without_a_step_stays() -> None:
    steps = Steps([0.0, 0.5], ValueType.F64)
    assert steps.rounded(np.array([0, 1, 0]), np.array([0.123, 0.4, 1e300])).tolist() == [
        0.123,
        0.5,
        1e300,
    ]


def test_whole_numbers_beyond_float_precision_are_rounded_exactly() -> None:
    big = 2**53 + 1
    assert wholes(1, big) == [big]
    assert wholes(10, big, -big) == [big - big % 10 + 10 * (big % 10 >= 5), -big + big % 10]
    assert wholes(7, 2**62 + 3) == [round(Decimal(2**62 + 3) / 7) * 7]


def test_ties_of_whole_numbers_go_away_from_zero() -> None:
    assert wholes(10, 5, -5, 15, 4, -4) == [10, -10, 20, 0, 0]


def test_a_tie_of_the_smallest_step_goes_away_from_zero_too() -> None:
    assert wholes(2, 1, -1, 3, 0) == [2, -2, 4, 0]


def test_a_whole_number_becomes_the_last_multiple_that_its_type_holds() -> None:
    assert wholes(7, 2**63 - 2) == [2**63 - 1]
    assert wholes(8, -(2**63) + 1) == [-(2**63)]
    assert wholes(5, 2**64 - 2, value_type=ValueType.U64) == [2**64 - 1]


@pytest.mark.parametrize("value_type", [ValueType.I64, ValueType.U64])
def test_a_whole_number_without_a_step_stays_beside_one_with(value_type: ValueType) -> None:
    steps = Steps([0.0, 10.0], value_type)
    column = np.array([7, 7, 2**62 + 1], value_type.dtype)
    assert steps.rounded(np.array([0, 1, 0]), column).tolist() == [7, 10, 2**62 + 1]


def test_a_whole_number_never_overflows_its_type() -> None:
    assert wholes(10, 2**63 - 1, -(2**63)) == [2**63 - 8, -(2**63) + 8]
    assert wholes(10, 2**64 - 1, value_type=ValueType.U64) == [2**64 - 6]


@pytest.mark.parametrize(("step", "whole"), [(0.5, 1), (0.1, 1), (2.5, 5), (1.5, 3), (1e3, 1000)])
def test_a_fractional_step_is_the_next_whole_multiple_for_whole_numbers(
    step: float, whole: int
) -> None:
    values = [0, 1, 4, 7, 1499, 2**60 + 3]
    assert wholes(step, *values) == wholes(whole, *values)
    assert all(value % whole == 0 for value in wholes(step, *values))
