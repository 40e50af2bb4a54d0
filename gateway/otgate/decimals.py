"""Short decimals of short floats: 0.1 held in 32 bits comes out as the double 0.1."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Doubles = NDArray[np.float64]


class Digits(NamedTuple):
    """Significant digits after which a decimal may, and by which it must, identify a float."""

    fewest: int
    most: int


DIGITS = {2: Digits(1, 5), 4: Digits(6, 9)}
"""By size in bytes. Half floats near zero have fewer than their usual 3; 32-bit ones that small
go through their text anyway."""

EXACT_POWER = 22
"""The greatest power of ten that a double holds exactly."""


class Steps(NamedTuple):
    """For each decimal exponent a value may have, what moves its digits before the point."""

    lowest: int
    highest: int
    up: Doubles
    down: Doubles
    """Rows by exponent, columns by number of digits; one of the two is always 1."""


def steps_for(digits: Digits) -> Steps:
    """Tabulate the exponents at which every step is exact."""
    lowest = digits.most - 1 - EXACT_POWER
    highest = digits.fewest - 1 + EXACT_POWER
    counts = np.arange(digits.fewest - 1, digits.most)
    places = counts - np.arange(lowest, highest + 1)[:, None]
    up, down = 10.0 ** np.maximum(places, 0), 10.0 ** np.maximum(-places, 0)
    return Steps(lowest, highest, up, down)


STEPS = {size: steps_for(digits) for size, digits in DIGITS.items()}


def shortest(values: Floats) -> Doubles:
    """Return the doubles nearest to the shortest decimals that identify 16- or 32-bit floats.

    Rounding to n digits is one exact power of ten away from an integer, so that both steps
    round once; values too large for that go through their text.
    """
    steps = STEPS[values.dtype.itemsize]
    exact = values.astype(np.float64)
    with np.errstate(all="ignore"):
        exponent = np.log10(np.abs(exact)) - steps.lowest
        row = np.fmax(np.fmin(exponent, steps.highest - steps.lowest), 0.0).astype(np.intp)
        up, down = steps.up.take(row, axis=0), steps.down.take(row, axis=0)
        rounded = np.rint(exact[:, None] * up / down) * down / up
        same = rounded.astype(values.dtype) == values[:, None]
    every = np.arange(len(values))
    first = same.argmax(axis=1)
    found: Doubles = rounded[every, first]
    hard = np.flatnonzero(~same[every, first] | (exponent >= steps.highest - steps.lowest + 1))
    if len(hard):
        found[hard] = [float(str(value)) for value in values[hard]]
    return found
