"""The newest value of every point that takes part in a calculation, as columns over all of them."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from otgate.calc.operators import INVALID, NO_VALUE, OVERFLOW, there
from otgate.model import Batch, Clock, Values, ValueType, Words
from otgate.quality import Quality

NOT_YET_READ = np.uint32(Quality.NOT_YET_READ | Quality.NO_VALUE | Quality.INVALID)
MISFIT = INVALID | NO_VALUE | np.uint32(Quality.INCONSISTENT)
"""A point came as another type than its plan said."""

Slots = NDArray[np.intp]
Stamps = NDArray[np.int64]
"""Twice the nanoseconds of a time, and one more of a device's clock: the newer is greater."""


class Newest:
    """Values by slot. Whole numbers are int64: what a U64 holds beyond has no value."""

    def __init__(self, kinds: Mapping[str, ValueType]) -> None:
        self.slots = {path: slot for slot, path in enumerate(kinds)}
        """Where each point is, by ``device/point``."""
        self.kinds: NDArray[np.uint8] = np.array([held(kind) for kind in kinds.values()], np.uint8)
        self.zero = len(kinds)
        """The slot of no point: a good zero that changes no sum, not even the sign of another."""
        count = len(kinds) + 1
        self.values = {kind: blank(kind, count) for kind in {*map(held, kinds.values())}}
        if ValueType.F64 in self.values:
            self.values[ValueType.F64][self.zero] = -0.0
        self.quality: Words = np.full(count, NOT_YET_READ, np.uint32)
        self.quality[self.zero] = 0
        self.stamps: Stamps = np.zeros(count, np.int64)

    def write(self, slots: Slots, values: Values, quality: Words, stamps: Stamps) -> None:
        """Take samples of one type as the newest; the last of one point counts."""
        kind = KINDS[values.dtype]
        if kind in self.values:
            self.values[kind][slots] = values
        self.quality[slots] = quality
        self.stamps[slots] = stamps

    def inherit(self, older: "Newest", kept: Iterable[str]) -> None:
        """Take what ``older`` knows of points that are ``kept``, where they are of one type."""
        for path in kept:
            slot, at = self.slots[path], older.slots.get(path)
            if at is not None and older.kinds[at] == self.kinds[slot]:
                kind = ValueType(int(self.kinds[slot]))
                self.values[kind][slot] = older.values[kind][at]
                self.quality[slot] = older.quality[at]
                self.stamps[slot] = older.stamps[at]


KINDS = {
    np.dtype(np.float64): ValueType.F64,
    np.dtype(np.int64): ValueType.I64,
    np.dtype(np.bool_): ValueType.BOOL,
    np.dtype(object): ValueType.TEXT,
}


def held(kind: ValueType) -> ValueType:
    """Return how values of a type are held here."""
    return ValueType.I64 if kind is ValueType.U64 else kind


def blank(kind: ValueType, count: int) -> Values:
    """Return placeholders."""
    return np.full(count, "" if kind is ValueType.TEXT else 0, kind.dtype)


def fitted(batch: Batch, kinds: NDArray[np.uint8]) -> tuple[Values, Words]:
    """Return a batch's values and quality as they are held; NaN is no value."""
    values, quality = batch.values, batch.quality
    if batch.value_type is ValueType.F64:
        bad = ~np.isfinite(values)
        if np.count_nonzero(bad):
            quality = np.where(bad & there(quality), quality | INVALID | NO_VALUE, quality)
    elif batch.value_type is ValueType.U64:
        bad = values > np.iinfo(np.int64).max
        quality = np.where(bad & there(quality), quality | OVERFLOW, quality)
        values = values.astype(np.int64)
    misfits = kinds != held(batch.value_type)
    if np.count_nonzero(misfits):
        quality = np.where(misfits, quality | MISFIT, quality)
    return values, quality


def stamped(batch: Batch) -> Stamps:
    """Return the times of a batch's samples, with whose clock they are from."""
    if batch.source_ns is None:
        return np.full(len(batch), 2 * batch.received_ns, np.int64)
    return 2 * batch.source_ns + (batch.clock is Clock.DEVICE)
