from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otgate.model import ValueType
from otgate.policy.rounding import Steps

WRITTEN = st.sampled_from([0.1, 0.25, 0.3, 0.5, 1.0, 2.5, 7.0, 50.0, 1e3, 1e-3])
SANE = st.floats(-1e9, 1e9)


def quantised(step: float, value: float) -> float:
    column = Steps([step], ValueType.F64).rounded(np.zeros(1, np.int32), np.array([value]))
    return float(column[0])


@given(WRITTEN, SANE)
def test_a_float_becomes_a_multiple_within_half_a_step(step: float, value: float) -> None:
    rounded = quantised(step, value)
    multiple = Fraction(repr(rounded)) / Fraction(repr(step))
    assert multiple.denominator == 1
    assert abs(rounded - value) <= step / 2 * (1 + 1e-9) + 1e-6 * step


@given(WRITTEN, SANE)
def test_quantising_twice_is_quantising_once(step: float, value: float) -> None:
    once = quantised(step, value)
    assert quantised(step, once) == once


@given(WRITTEN, st.floats())
def test_any_float_at_all_comes_out_as_a_float_of_its_sort(step: float, value: float) -> None:
    rounded = quantised(step, value)
    assert np.isnan(rounded) == np.isnan(value)
    assert np.isinf(rounded) == np.isinf(value)


@pytest.mark.parametrize("value_type", [ValueType.I64, ValueType.U64])
@given(data=st.data(), step=st.integers(1, 10**12))
def test_whole_numbers_are_rounded_exactly(
    value_type: ValueType, data: st.DataObject, step: int
) -> None:
    limits = np.iinfo(value_type.dtype)
    value = data.draw(st.integers(int(limits.min), int(limits.max)))
    column = np.array([value], value_type.dtype)
    [rounded] = Steps([float(step)], value_type).rounded(np.zeros(1, np.int32), column).tolist()
    wanted = int((Decimal(value) / step).to_integral_value(ROUND_HALF_UP)) * step
    if not limits.min <= wanted <= limits.max:
        wanted -= step if wanted > 0 else -step
    assert rounded == wanted
