"""Values as MMS carries them to columns, one value type at a time."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from otgate.decimals import shortest
from otgate.model import Index, Values, ValueType, Words
from otgate.quality import Quality
from otgate_iec61850.flags import BEYOND, BOUNDLESS, NO_NUMBER, UNSPELLED
from otgate_iec61850.mms.values import Bits
from otgate_iec61850.reading import Reading

NO_VALUE = np.uint32(Quality.NO_VALUE)
LARGEST = {ValueType.I64: (-(2**63), 2**63 - 1), ValueType.U64: (0, 2**64 - 1)}
LONGEST_ENUM = 63
"""Bits of a bit string that may be read as a number."""

EMPTY: dict[ValueType, Any] = {
    ValueType.F64: np.nan,
    ValueType.I64: 0,
    ValueType.U64: 0,
    ValueType.BOOL: False,
    ValueType.TEXT: "",
}
"""What stands where quality says that there is no value."""


class Conversion:
    """How the points of one device become numbers, compiled once; indexed by point."""

    def __init__(self, readings: Sequence[Reading], count: int) -> None:
        self._times, self._plus, self._over = np.ones(count), np.zeros(count), np.ones(count)
        self._low, self._high = np.full(count, -np.inf), np.full(count, np.inf)
        self._inverted = np.zeros(count, np.bool_)
        self._linear = False
        for reading in readings:
            number, scaling = reading.number, reading.scaling
            self._times[number], self._plus[number] = scaling.times, scaling.plus
            self._over[number] = scaling.over
            self._low[number], self._high[number] = scaling.low, scaling.high
            self._inverted[number] = reading.invert
            self._linear |= scaling.linear
        self._bounded = bool(np.isfinite([self._low, self._high]).any())

    def column(
        self, value_type: ValueType, index: Index, raw: Sequence[Any], quality: Words
    ) -> Values:
        """Return a column of ``raw``, of which None is no value, and worsen its ``quality``."""
        if value_type is ValueType.F64:
            return self._floats(index, raw, quality)
        values = np.empty(len(raw), value_type.dtype)
        for row, value in enumerate(raw):
            values[row], flaw = _spelled(value_type, value)
            if flaw:
                quality[row] |= np.uint32(flaw)
        if value_type is ValueType.BOOL:
            return values ^ self._inverted[index]
        if self._bounded and value_type is not ValueType.TEXT:
            self._bound(index, values.astype(np.float64), quality)
        return values

    def _floats(self, index: Index, raw: Sequence[Any], quality: Words) -> Values:
        if all(type(value) is float for value in raw):
            values = _singles(np.array(raw, np.float64))
        else:
            values = np.empty(len(raw), np.float64)
            for row, value in enumerate(raw):
                values[row], flaw = _number(value)
                if flaw:
                    quality[row] |= np.uint32(flaw)
        if self._bounded:
            self._bound(index, values, quality)
        if self._linear:
            values = (values * self._times[index] + self._plus[index]) / self._over[index]
        if not np.isfinite(values).all():
            said = np.array([value is not None for value in raw]) & (quality & NO_VALUE == 0)
            quality[np.isinf(values)] |= np.uint32(BOUNDLESS)
            quality[np.isnan(values) & said] |= np.uint32(NO_NUMBER)
        return values

    def _bound(self, index: Index, values: Values, quality: Words) -> None:
        quality[(values < self._low[index]) | (values > self._high[index])] |= np.uint32(BEYOND)


def _singles(values: Values) -> Values:
    """Return 32-bit floats as the doubles of their shortest decimals."""
    finite = np.isfinite(values)
    if finite.all():
        return shortest(values.astype(np.float32))
    values[finite] = shortest(values[finite].astype(np.float32))
    return values


def _number(value: Any) -> tuple[float, int]:
    """Return a number of any MMS kind as a double, and what is wrong with it."""
    if value is None:
        return np.nan, 0
    if type(value) is float:
        return float(_singles(np.array([value]))[0]), 0
    if isinstance(value, int | float) and type(value) is not bool:
        return float(value), 0
    return np.nan, UNSPELLED


def _spelled(value_type: ValueType, value: Any) -> tuple[Any, int]:
    """Return what a column holds for a value, and what is wrong with it."""
    if value is None:
        return EMPTY[value_type], 0
    if value_type is ValueType.BOOL:
        return (value, 0) if type(value) is bool else (False, UNSPELLED)
    if value_type is ValueType.TEXT:
        found = value.hex() if type(value) is bytes else value
        return (str(found), 0) if isinstance(found, str) else ("", UNSPELLED)
    number = _whole(value)
    if number is None:
        return 0, UNSPELLED
    low, high = LARGEST[value_type]
    return (number, 0) if low <= number <= high else (0, BOUNDLESS)


def _whole(value: Any) -> int | None:
    """Return an integer, or the bits of an enum: double points, tap commands."""
    if type(value) is Bits:
        return value.value if value.size <= LONGEST_ENUM else None
    return int(value) if isinstance(value, int) else None
