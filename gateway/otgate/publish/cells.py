"""Columns of numbers as JSON without an object per sample: cells of equal width, side by side.

A cell is what a sample begins with, and its value, four characters to a word that is looked up.
Bytes of 0, which JSON text never holds, fill a cell up; they are taken out of all cells at once.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from otgate.model import Index, Values, ValueType
from otgate.publish.payload import EXACT_LIMIT
from otgate.spool.frame import neighbours

Four = NDArray[np.uint32]
"""Characters, four to a word."""
Letters = NDArray[np.uint8]
Naturals = NDArray[np.unsignedinteger[Any]]

FEW = 200
"""Samples below which making objects is cheaper."""
BLANK = b"\0"
WORD = 4
GROUP = 10**WORD
"""Digits are looked up by so many at once."""
SHORT = 1 << 16
"""Numbers below are looked up whole: what one register holds."""
PLACES = (3, 7)
"""Decimal places that are tried: a point and three digits are a word, four more are another."""
SURE = 10**15
"""Doubles tell decimals of 15 digits apart: the one that gives a value is its shortest."""
LEAST = 1e-4
"""Numbers that are smaller may be spelled with an exponent."""
SPARSE = 4
"""Cells are not used where they would take so many times the room of what they hold."""


def _digits(count: int) -> Letters:
    """Return the numbers of ``count`` digits, a row each, zeros before them."""
    powers = 10 ** np.arange(count)[::-1]
    return (np.arange(10**count)[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def _words(rows: Letters) -> Four:
    return np.ascontiguousarray(rows).view(np.uint32)[:, 0]


def _begun(*, zero: bool) -> Four:
    """Return the first digits of a number, without zeros before them; of 0 none but for ``zero``.

    From `GROUP` on they are such as others precede, all four.
    """
    number, rows = np.arange(GROUP), _digits(WORD)
    first = rows.copy()
    for at, power in enumerate((1000, 100, 10, 0 if zero else 1)):
        first[number < power, at] = 0
    return _words(np.concatenate([first, rows]))


def _pointed() -> Four:
    """Return the point and the digits behind it, one at least, without zeros at their end.

    From 1000 on they are such as others follow, all three.
    """
    number, rows = np.arange(1000), np.insert(_digits(3), 0, ord("."), axis=1)
    last = rows.copy()
    for at, power in ((2, 100), (3, 10)):
        last[number % power == 0, at] = 0
    return _words(np.concatenate([last, rows]))


def _ended() -> Four:
    """Return the last four digits behind a point, without zeros at their end."""
    number, rows = np.arange(GROUP), _digits(WORD)
    for at, power in enumerate((10_000, 1000, 100, 10)):
        rows[number % power == 0, at] = 0
    return _words(rows)


@cache
def _short() -> NDArray[np.uint64]:
    """Return the numbers below `SHORT`, in two words each; half a megabyte, for who needs it."""
    numbers = np.arange(SHORT, dtype=np.uint32)
    low = numbers % np.uint32(GROUP) + (numbers >= GROUP) * np.uint32(GROUP)
    words = np.stack([UPPER.take(numbers // np.uint32(GROUP)), UNITS.take(low)], axis=1)
    return np.ascontiguousarray(words).view(np.uint64)[:, 0]


UNITS, UPPER, POINT, ENDS = _begun(zero=True), _begun(zero=False), _pointed(), _ended()
MINUS = np.frombuffer(b"-".rjust(WORD, BLANK), np.uint32)[0]


class Laid:
    """Samples of one batch, a row of characters each."""

    def __init__(self, cells: Four, before: int) -> None:
        self._cells = cells
        self._before = before
        """Bytes that separate a sample from the one before it."""

    def __len__(self) -> int:
        return len(self._cells)

    def part(self, first: int, stop: int) -> bytes:
        """Return the samples from ``first`` to before ``stop`` as JSON, the last one open."""
        return self._cells[first:stop].tobytes().translate(None, BLANK)[self._before :]


class Cells:
    """The cells of one catalog. ``openings`` are what its samples begin with, by number."""

    def __init__(self, openings: NDArray[np.object_], before: int) -> None:
        self._before = before
        every: list[bytes] = openings.tolist()
        distinct = dict.fromkeys(every)
        width = -(-max(map(len, distinct), default=0) // WORD) * WORD
        self.sparse = width * len(distinct) > SPARSE * sum(map(len, distinct))
        if self.sparse:
            return
        filled = b"".join(opening.rjust(width, BLANK) for opening in distinct)
        self._openings = np.frombuffer(filled, np.uint32).reshape(len(distinct), width // WORD)
        rows = {opening: row for row, opening in enumerate(distinct)}
        self._rows = np.array([rows[opening] for opening in every], np.int32)
        self._breaks = np.append(np.flatnonzero(np.diff(self._rows) != 1) + 1, len(every))
        """Numbers whose rows do not follow the rows before, and what lies beyond all."""

    @property
    def nbytes(self) -> int:
        """The memory that they take."""
        if self.sparse:
            return 0
        return self._openings.nbytes + self._rows.nbytes + self._breaks.nbytes

    def _begun(self, index: Index) -> Four:
        """Return what each sample begins with; without a look at each where they are neighbours."""
        first, stop = index.item(0), index.item(-1) + 1
        if stop - first == len(index) and index.tobytes() == neighbours(first, stop).tobytes():
            rows = self._rows[first:stop]
            row = rows.item(0)
            if self._breaks[self._breaks.searchsorted(first, "right")] >= stop:
                return self._openings[row : row + len(index)]
        else:
            rows = self._rows.take(index)
        return self._openings.take(rows, axis=0)

    def laid(self, index: Index, kind: ValueType, values: Values) -> Laid | None:
        """Lay samples out, all with a value; None where objects are better or a value is hard."""
        if len(index) < FEW or self.sparse:
            return None
        words = decimals(values) if kind is ValueType.F64 else integers(values)
        if words is None:
            return None
        begun = self._openings.shape[1]
        cells = np.empty((len(index), begun + len(words)), np.uint32)
        cells[:, :begun] = self._begun(index)
        for at, word in enumerate(words, begun):
            cells[:, at] = word
        return Laid(cells, self._before)


def integers(values: Values) -> list[Four] | None:
    """Spell whole numbers in words of four characters; None where JSON has one as text."""
    low, high = int(np.minimum.reduce(values)), int(np.maximum.reduce(values))
    if low < -EXACT_LIMIT or high > EXACT_LIMIT:
        return None
    if low >= 0:
        return _whole(_narrow(values, high), high)
    return [(values < 0) * MINUS, *_whole(np.abs(values).astype(np.uint64), max(-low, high))]


def decimals(values: Values) -> list[Four] | None:
    """Spell finite numbers that are short decimals; None where one is not."""
    sizes = np.abs(values)
    biggest = float(np.maximum.reduce(sizes))
    for places in PLACES:
        steps = 10**places
        if not biggest * steps < SURE:  # too large, or not a number
            return None
        counts = np.rint(sizes * steps)
        if np.array_equal(counts / steps, sizes):
            break
    else:
        return None
    if places > PLACES[0] and np.count_nonzero((sizes < LEAST) & (sizes > 0)):
        return None
    high = int(biggest)
    whole, behind = _parted(_narrow(counts, high * steps), steps)
    words = [*_whole(whole, high), *_fraction(behind, places)]
    negative = np.signbit(values)
    return [negative * MINUS, *words] if np.count_nonzero(negative) else words


def _narrow(values: Values, high: int) -> Naturals:
    """Hold natural numbers in as few bits as calculate fast."""
    return values.astype(np.uint32 if high < 1 << 31 else np.uint64)


def _parted(numbers: Naturals, by: int) -> tuple[Naturals, Naturals]:
    divisor = numbers.dtype.type(by)
    above: Naturals = numbers // divisor
    return above, numbers - above * divisor


def _whole(numbers: Naturals, high: int) -> list[Four]:
    """Spell natural numbers up to ``high``, the first four digits first."""
    if GROUP <= high < SHORT:
        two = _short().take(numbers).view(np.uint32)
        return [two[0::2], two[1::2]]
    words: list[Four] = []
    table = UNITS
    while high >= GROUP:
        numbers, low = _parted(numbers, GROUP)
        words.append(table.take(low + (numbers > 0) * low.dtype.type(GROUP)))
        table, high = UPPER, high // GROUP
    return [table.take(numbers), *reversed(words)]


def _fraction(numbers: Naturals, places: int) -> list[Four]:
    if places == PLACES[0]:
        return [POINT.take(numbers)]
    first, last = _parted(numbers, GROUP)
    return [POINT.take(first + (last > 0) * first.dtype.type(1000)), ENDS.take(last)]
