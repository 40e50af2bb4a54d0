"""Scale factors that come with values: powers of ten, and whether they fit the values they are for.

A device may change a scale factor between the request that read it and the one that read the
value. Then the value is wrong by a power of ten, and nothing in it shows that. So where the two
came in different replies and the factor has changed since the poll before, the value is marked.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otgate.model import Words
from otgate.quality import Quality
from otgate_modbus.verdict import GONE, UNSUPPORTED

MAX_FACTOR = 10
"""Powers of ten that a scale factor may be, up and down: SunSpec Information Model, type sunssf."""

NO_FACTOR = -0x8000
"""The scale factor that says there is none, and with it no value: the same."""

MISSING = np.uint32(UNSUPPORTED)
UNKNOWN = np.uint32(GONE | Quality.INCONSISTENT)
TORN = np.uint32(Quality.QUESTIONABLE | Quality.INCONSISTENT)
NO_VALUE = np.uint32(Quality.NO_VALUE)


class Factors:
    """The scale factors of some values, poll by poll."""

    def __init__(self, apart: Sequence[bool]) -> None:
        """Know which values come in another reply than their factors."""
        self._apart = np.array(apart, np.bool_)
        self._seen = np.zeros(len(apart), np.bool_)
        self._last = np.zeros(len(apart), np.int16)
        self.up = self.down = np.ones(len(apart))
        """What the numbers are multiplied and divided by: one of the two is 1."""
        self.torn = False
        """Whether a value of this poll may belong to another factor, and has to be read again."""

    def take(self, factors: NDArray[Any], quality: Words) -> None:
        """Take the factors of a poll; what has no value by ``quality`` was not read."""
        read = quality & NO_VALUE == 0
        moved = self._apart & read & self._seen & (factors != self._last)
        quality[moved] |= TORN
        self.torn = bool(np.count_nonzero(moved))
        self._seen |= read
        self._last = np.where(read, factors, self._last)
        quality[factors == NO_FACTOR] |= MISSING
        known = np.abs(factors.astype(np.int32)) <= MAX_FACTOR
        quality[~known & (factors != NO_FACTOR)] |= UNKNOWN
        power = np.where(known, factors, 0).astype(np.float64)
        self.up, self.down = 10.0 ** np.maximum(power, 0.0), 10.0 ** np.maximum(-power, 0.0)
