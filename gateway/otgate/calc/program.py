"""Formulas of one shape, calculated together: only their points and constants differ."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np

from otgate.calc.meaning import Term
from otgate.calc.operators import NO_VALUE, OPERATIONS, Column
from otgate.calc.states import Newest, Slots
from otgate.model import Values, ValueType

Shape: TypeAlias = tuple[str, ValueType, "tuple[Shape, ...]"]
"""A formula without its points and constants."""


def shape_of(term: Term) -> Shape:
    """Return what formulas have in common that are calculated together."""
    return term.operation, term.kind, tuple(shape_of(part) for part in term.parts)


def leaves(term: Term) -> Iterator[Term]:
    """Yield the points and constants of a formula, from the left."""
    if not term.parts:
        yield term
    for part in term.parts:
        yield from leaves(part)


class Program:
    """Formulas of one shape, each a row."""

    def __init__(self, terms: Sequence[Term], outputs: Slots, newest: Newest) -> None:
        self.outputs = outputs
        """The slot that each formula's result is written to."""
        self._newest = newest
        self._shape = shape_of(terms[0])
        self._kind = terms[0].kind
        self._kinds = [leaf.kind for leaf in leaves(terms[0])]
        self._columns = [leaf_column(row, newest) for row in zip(*map(leaves, terms), strict=True)]
        """Per leaf from the left: slots of points, or constants, over the formulas."""
        points = [slots for slots, _ in self._columns if slots is not None]
        self._points: Slots = np.array(points, np.intp)

    def run(self, rows: Slots) -> None:
        """Calculate ``rows`` from the newest values, and take the results as such."""
        newest = self._newest
        with np.errstate(all="ignore"):
            found = self._result(self._shape, self._leaves(rows))
        values = found.values.astype(self._kind.dtype, copy=False)
        without = found.quality & NO_VALUE != 0
        if np.count_nonzero(without):
            values = np.where(without, self._kind.dtype.type(0), values)
        stamps = newest.stamps[self._points[:, rows]].max(axis=0)
        newest.write(self.outputs[rows], values, found.quality, stamps)

    def _leaves(self, rows: Slots) -> Iterator[Column]:
        newest = self._newest
        for (slots, constants), kind in zip(self._columns, self._kinds, strict=True):
            if slots is not None:
                at = slots[rows]
                yield Column(newest.values[kind][at], newest.quality[at])
            else:
                yield Column(constants[rows], np.zeros(len(rows), np.uint32))

    def _result(self, shape: Shape, given: Iterator[Column]) -> Column:
        operation, _, parts = shape
        if not parts:
            return next(given)
        return OPERATIONS[operation]([self._result(part, given) for part in parts])


NOTHING: Values = np.zeros(0)


def leaf_column(row: Sequence[Term], newest: Newest) -> tuple[Slots | None, Values]:
    """Return where the points at one place of every formula are, or the constants there."""
    if row[0].operation == "point":
        return np.array([newest.slots[leaf.value] for leaf in row], np.intp), NOTHING
    return None, np.array([leaf.value for leaf in row], row[0].kind.dtype)
