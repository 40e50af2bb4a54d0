"""Raw bytes to numbers, column-wise: one compiled step per form of encoding."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otgate.decimals import shortest
from otgate_modbus.encoding import Encoding, Form

Bytes = NDArray[np.uint8]
Numbers = NDArray[Any]
Bad = NDArray[np.bool_] | None
"""Which numbers the bytes do not spell; None where all do."""

Step = Callable[[Bytes], tuple[Numbers, Bad]]
"""From the rows of a run, one per point, to numbers of any numeric type."""

LETTERS = {
    Form.UNSIGNED: "u", Form.SIGNED: "i", Form.FLOAT: "f", Form.BCD: "u", Form.BITS: "u",
    Form.STAMP: "u",
}  # fmt: skip


def words(rows: Bytes, encoding: Encoding) -> Numbers:
    """View little-endian rows as the machine's numbers."""
    return rows.view(f"<{LETTERS[encoding.form]}{encoding.size}")[:, 0]


def step_for(encoding: Encoding, shifts: Numbers, masks: Numbers) -> Step:
    """Compile how rows of ``encoding`` become numbers."""
    if encoding.form is Form.BITS:
        return lambda rows: (words(rows, encoding) >> shifts & masks, None)
    if encoding.form is Form.BCD:
        return lambda rows: packed_decimal(words(rows, encoding))
    if encoding.form is Form.MODULUS:
        return modulus
    if encoding.form is Form.FLOAT and encoding.size < 8:
        return Shortened(encoding)
    return lambda rows: (words(rows, encoding), None)


def packed_decimal(raw: Numbers) -> tuple[Numbers, Bad]:
    """Read four bits as a digit each; above nine it is none."""
    value = np.zeros(len(raw), np.uint64)
    bad = np.zeros(len(raw), np.bool_)
    for nibble in reversed(range(2 * raw.dtype.itemsize)):
        digit = (raw >> raw.dtype.type(4 * nibble)) & raw.dtype.type(15)
        bad |= digit > 9
        value = value * np.uint64(10) + digit
    return value, bad


def modulus(rows: Bytes) -> tuple[Numbers, Bad]:
    """Read registers of 0 to 9999 each, the least significant first in little-endian rows."""
    registers = rows.view("<u2")
    value: Numbers = np.zeros(len(registers), np.uint64)
    for column in reversed(range(registers.shape[1])):
        value = value * np.uint64(10_000) + registers[:, column]
    return value, np.any(registers > 9999, axis=1)


class Shortened:
    """Floats as their shortest decimals, computed again only where the bytes changed."""

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding
        self._bits: Numbers | None = None
        self._values: Numbers | None = None

    def __call__(self, rows: Bytes) -> tuple[Numbers, Bad]:
        """Take the rows of a run."""
        raw = words(rows, self._encoding)
        bits = raw.view(f"<u{self._encoding.size}")
        if self._bits is None or self._values is None:
            self._values = shortest(raw)
        else:
            changed = np.flatnonzero(bits != self._bits)
            if len(changed):
                self._values = self._values.copy()
                self._values[changed] = shortest(raw[changed])
        self._bits = bits
        return self._values, None
