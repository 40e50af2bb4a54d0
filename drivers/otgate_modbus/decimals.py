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

POWERS = 10.0 ** np.arange(23)
"""Those that a double holds exactly."""


def shortest(values: Floats) -> Doubles:
    """Return the doubles nearest to the shortest decimals that identify 16- or 32-bit floats.

    Rounding to n digits is one exact power of ten away from an integer, so that both steps
    round once; values too large or small for that go through their text.
    """
    exact = values.astype(np.float64)
    digits = DIGITS[values.dtype.itemsize]
    with np.errstate(all="ignore"):
        exponent = np.floor(np.log10(np.abs(exact)))
        exponent[exact == 0] = 0
        easy = (exponent >= digits.most - 23) & (exponent <= 21 + digits.fewest)
        exponent[~easy] = 0
        places = np.arange(digits.fewest - 1, digits.most)[:, None] - exponent.astype(np.intp)
        up, down = POWERS[np.maximum(places, 0)], POWERS[np.maximum(-places, 0)]
        rounded = np.rint(exact * up / down) * down / up
        same = rounded.astype(values.dtype) == values
    found: Doubles = rounded[same.argmax(axis=0), np.arange(len(values))]
    hard = np.flatnonzero(~(easy & same.any(axis=0)))
    if len(hard):
        found[hard] = [float(str(value)) for value in values[hard]]
    return found
