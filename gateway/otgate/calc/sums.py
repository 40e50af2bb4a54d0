"""Sums of many points, calculated together however many points each has.

``a + b + …`` as operations one by one costs some microseconds for each sign. Here the points of all
such formulas are a table, a column for each formula, and shorter ones are filled up with a zero.
What overflows on the way is calculated again one by one: where it does so decides its quality.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce

import numpy as np

from otgate.calc.meaning import Term
from otgate.calc.operators import ADD, NO_VALUE, Column
from otgate.calc.states import Newest, Slots
from otgate.model import ValueType

F64 = ValueType.F64
SUMS = frozenset({"+", "sum"})
MOST_FILLED = 1024
"""Places of a table that may be filled up at will; beyond, no more than there are points."""


def summands(term: Term) -> tuple[str, ...] | None:
    """Return the points that a formula adds up, from the left; None where it does anything else."""
    if term.operation not in SUMS or term.kind is not F64:
        return None
    first, *others = term.parts
    head = (first.value,) if is_point(first) else summands(first)
    if head is None or not all(map(is_point, others)):
        return None
    return (*head, *(one.value for one in others))


def is_point(term: Term) -> bool:
    """Say whether a part is a real point."""
    return term.operation == "point" and term.kind is F64


def tables(sums: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Yield formulas that share a table: those of about as many points."""
    table: list[str] = []
    points = 0
    for path in sorted(sums, key=lambda path: len(sums[path]), reverse=True):
        longest = len(sums[table[0]]) if table else 0
        places = longest * (len(table) + 1)
        if table and places > max(MOST_FILLED, 2 * (points + len(sums[path]))):
            yield table
            table, points = [], 0
        table.append(path)
        points += len(sums[path])
    if table:
        yield table


class Sums:
    """Formulas that add up points, each a row of `otgate.calc.program.Program`'s kind."""

    def __init__(self, sums: Sequence[Sequence[str]], outputs: Slots, newest: Newest) -> None:
        self.outputs = outputs
        """The slot that each formula's result is written to."""
        self._newest = newest
        self._points: Slots = np.full((max(map(len, sums)), len(sums)), newest.zero, np.intp)
        for row, points in enumerate(sums):
            self._points[: len(points), row] = [newest.slots[path] for path in points]
        self._counts = [len(points) for points in sums]
        self._last: tuple[Slots | None, Slots] = (None, self._points)
        """The rows that were calculated last, and their points."""

    def run(self, rows: Slots) -> None:
        """Calculate ``rows`` from the newest values, and take the results as such."""
        newest, at = self._newest, self._at(rows)
        with np.errstate(all="ignore"):
            values = np.add.accumulate(newest.values[F64][at], axis=0)[-1]
        quality = np.bitwise_or.reduce(newest.quality[at], axis=0)
        odd = ~np.isfinite(values)
        if np.count_nonzero(odd):
            for place in np.flatnonzero(odd).tolist():
                found = self._one_by_one(int(rows[place]))
                values[place], quality[place] = found.values[0], found.quality[0]
        without = quality & NO_VALUE != 0
        if np.count_nonzero(without):
            values = np.where(without, 0.0, values)
        newest.write(self.outputs[rows], values, quality, newest.stamps[at].max(axis=0))

    def _at(self, rows: Slots) -> Slots:
        before, at = self._last
        if before is not rows:
            at = self._points[:, rows]
            self._last = rows, at
        return at

    def _one_by_one(self, row: int) -> Column:
        newest = self._newest
        slots = self._points[: self._counts[row], row : row + 1]
        given = [Column(newest.values[F64][at], newest.quality[at]) for at in slots]
        with np.errstate(all="ignore"):
            return reduce(ADD.joined, given)
