"""Quantise columns of numbers: each value becomes the nearest multiple of its point's step.

A step is held as a fraction of whole numbers, 0.1 as 1/10, and a multiple n is computed as
n * 1 / 10: the division is the only rounding, so 0.3 prints as 0.3.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otgate.model import Index, Kind, Values, ValueType

QUANTISED_KINDS = frozenset({Kind.MEASUREMENT, Kind.COUNTER})
"""Kinds whose values are amounts."""

STEP_RANGE = (1e-9, 1e15)
"""Steps that a policy may ask for."""

EXACT = 2.0**53
"""Whole numbers up to here are exact in a float64."""


class Steps:
    """The steps of some points that share a value type; 0 leaves a point as it is."""

    def __init__(self, steps: Sequence[float], value_type: ValueType) -> None:
        fractions = [fraction(step) for step in steps]
        self.value_type = value_type
        self.upper = np.array([step.numerator for step in fractions], value_type.dtype)
        self.lower = np.array([step.denominator for step in fractions], np.float64)
        self.off = np.array([step == 0 for step in steps], np.bool_)

    def rounded(self, slots: Index, values: Values) -> Values:
        """Return ``values`` of the points at ``slots``, quantised."""
        if self.value_type is ValueType.F64:
            return self._floats(slots, values)
        return whole_multiples(values, self.upper[slots])

    def _floats(self, slots: Index, values: NDArray[np.float64]) -> NDArray[np.float64]:
        upper, lower = self.upper[slots], self.lower[slots]
        with np.errstate(over="ignore", invalid="ignore"):
            multiples = np.rint(values * lower / upper)
            rounded = multiples * upper / lower + 0.0
            kept = ~(np.abs(multiples) < EXACT) | self.off[slots]
        return np.where(kept, values, rounded)


def fraction(step: float) -> Fraction:
    """Return ``step`` as the decimal fraction that it prints as; 0 as 1, which changes nothing.

    For whole-number points the numerator is the smallest whole multiple of the step: 2.5 is
    5/2, so they are rounded to fives; 0.5 is 1/2, so they stay as they are.
    """
    return Fraction(repr(step)) if step else Fraction(1)


def whole_multiples(values: NDArray[Any], steps: NDArray[Any]) -> NDArray[Any]:
    """Round whole ``values`` exactly to the nearest multiple of ``steps``, ties away from zero.

    A multiple that the type cannot hold gives the one before it.
    """
    over = np.fmod(values, steps)
    down = values - over
    size = np.abs(over)
    nearest: Values = down + np.where(size >= steps - size, room(down, over, steps), 0)
    return nearest


def room(down: NDArray[Any], over: NDArray[Any], steps: NDArray[Any]) -> NDArray[Any]:
    """Return the signed step away from zero, or 0 where it would leave the type's range."""
    limits = np.iinfo(down.dtype)
    if down.dtype.kind == "u":
        return np.where(down <= limits.max - steps, steps, 0)
    up = np.where(down <= limits.max - steps, steps, 0)
    back = np.where(down >= limits.min + steps, -steps, 0)
    return np.where(over < 0, back, up)
