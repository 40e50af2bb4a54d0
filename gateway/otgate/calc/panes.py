"""What stood during one stretch of time, of many points at once: enough for every aggregate."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from otgate.calc.operators import INVALID, NO_VALUE, VALIDITY, Column, usable
from otgate.calc.states import NOT_YET_READ, Slots, blank
from otgate.model import Mask, Nanoseconds, Values, ValueType, Words
from otgate.quality import Quality

PARTLY = np.uint32(Quality.QUESTIONABLE | Quality.INACCURATE)
"""Not all of the window could be used."""


class Aggregate(StrEnum):
    """What a window says of the values that stood in it."""

    MIN = "min"
    MEAN = "mean"
    MAX = "max"
    LAST = "last"
    COUNT = "count"
    GOOD_SHARE = "good_share"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Segments:
    """Values that stood: of which rows, with which quality, from when until when."""

    rows: Slots
    values: Values
    quality: Words
    start_ns: Nanoseconds
    end_ns: Nanoseconds

    def at(self, which: Mask) -> "Segments":
        """Return some of them."""
        return Segments(
            self.rows[which],
            self.values[which],
            self.quality[which],
            self.start_ns[which],
            self.end_ns[which],
        )


class Pane:
    """One stretch of time from ``start_ns`` to ``end_ns``, a row per point."""

    def __init__(self, kind: ValueType, count: int, start_ns: int, end_ns: int) -> None:
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.low, self.high = bounds(kind, count)
        self.last = blank(kind, count)
        self.last_quality: Words = np.full(count, NOT_YET_READ, np.uint32)
        self.area: Values = np.zeros(count)
        """Values times the nanoseconds that they stood."""
        self.usable_ns: Nanoseconds = np.zeros(count, np.int64)
        self.good_ns: Nanoseconds = np.zeros(count, np.int64)
        self.samples: Values = np.zeros(count, np.int64)
        self.late: Values = np.zeros(count, np.int64)
        self.flags: Words = np.zeros(count, np.uint32)
        """Quality of everything that was used."""

    def stood(self, segments: Segments) -> None:
        """Take what stood within this pane of ``segments``."""
        inside_ns = np.minimum(segments.end_ns, self.end_ns) - np.maximum(
            segments.start_ns, self.start_ns
        )
        inside = inside_ns > 0
        count = np.count_nonzero(inside)
        if not count:
            return
        if count < len(inside):
            segments, inside_ns = segments.at(inside), inside_ns[inside]
        rows, values, quality = segments.rows, segments.values, segments.quality
        good = quality & VALIDITY == 0 if np.count_nonzero(quality) else None
        np.add.at(self.good_ns, rows, inside_ns if good is None else np.where(good, inside_ns, 0))
        self._use(rows, values, quality, inside_ns)
        to_end = segments.end_ns >= self.end_ns
        if not np.count_nonzero(to_end):
            return
        self.last[rows[to_end]] = values[to_end]
        self.last_quality[rows[to_end]] = quality[to_end]

    def came(self, rows: Slots, values: Values, quality: Words) -> None:
        """Count samples, and take their values for the least and the greatest."""
        np.add.at(self.samples, rows, 1)
        self._use(rows, values, quality, None)

    def _use(
        self, rows: Slots, values: Values, quality: Words, inside_ns: Nanoseconds | None
    ) -> None:
        if np.count_nonzero(quality):
            fit = usable(quality)
            rows, values, quality = rows[fit], values[fit], quality[fit]
            inside_ns = None if inside_ns is None else inside_ns[fit]
            np.bitwise_or.at(self.flags, rows, quality)
        if alone(rows):
            self.low[rows] = np.minimum(self.low[rows], values)
            self.high[rows] = np.maximum(self.high[rows], values)
        else:
            np.minimum.at(self.low, rows, values)
            np.maximum.at(self.high, rows, values)
        if inside_ns is not None:
            np.add.at(self.usable_ns, rows, inside_ns)
            np.add.at(self.area, rows, values.astype(np.float64) * inside_ns)

    def take(self, row: int, older: "Pane", at: int) -> None:
        """Take one point's row from a pane of the same time."""
        for name in ROWS:
            getattr(self, name)[row] = getattr(older, name)[at]


def alone(rows: Slots) -> bool:
    """Tell whether rows ascend, so that none comes twice."""
    return not np.count_nonzero(rows[1:] <= rows[:-1])


ROWS = (
    *("low", "high", "last", "last_quality", "area", "usable_ns"),
    *("good_ns", "samples", "late", "flags"),
)


def bounds(kind: ValueType, count: int) -> tuple[Values, Values]:
    """Return what every least and every greatest value is within."""
    if kind is ValueType.F64:
        return np.full(count, np.inf), np.full(count, -np.inf)
    if kind is ValueType.BOOL:
        return np.ones(count, np.bool_), np.zeros(count, np.bool_)
    limits = np.iinfo(np.int64)
    return np.full(count, limits.max), np.full(count, limits.min)


class Summary:
    """The panes of one window together; ``began_ns`` says from when each point was followed."""

    def __init__(self, panes: Sequence[Pane], over_ns: int, began_ns: Nanoseconds) -> None:
        self._panes = panes
        self._newest = panes[-1]
        self._usable_ns = self._sum("usable_ns")
        self._over_ns = over_ns
        flags = np.bitwise_or.reduce([pane.flags for pane in panes])
        cut = began_ns > self._newest.end_ns - over_ns
        self._cut = np.where(cut, np.uint32(Quality.QUESTIONABLE | Quality.RESTART), np.uint32(0))
        partly = np.where(self._usable_ns < over_ns, PARTLY, np.uint32(0))
        self._quality: Words = flags | partly | self._cut
        self._low = np.minimum.reduce([pane.low for pane in panes])
        self._high = np.maximum.reduce([pane.high for pane in panes])
        nothing = self._low > self._high
        without = self._newest.last_quality | INVALID | NO_VALUE | self._cut
        self._quality = np.where(nothing, without, self._quality)

    def column(self, aggregate: Aggregate) -> Column:
        """Return one aggregate of every point."""
        values, quality = COLUMNS[aggregate](self)
        if quality is self._quality:
            empty = self._low > self._high
            values = np.where(empty, values.dtype.type(0), values)
        return Column(values, quality)

    def _sum(self, name: str) -> Any:
        return np.add.reduce([getattr(pane, name) for pane in self._panes])

    def least(self) -> Column:
        """Return the least value that stood."""
        return Column(self._low, self._quality)

    def greatest(self) -> Column:
        """Return the greatest value that stood."""
        return Column(self._high, self._quality)

    def mean(self) -> Column:
        """Return the mean over the time that was usable: of one value, exactly that value."""
        low = self._low.astype(np.float64)
        with np.errstate(all="ignore"):
            mean = self._sum("area") / self._usable_ns
            mean = np.where(self._usable_ns > 0, mean, low)
            return Column(np.clip(mean, low, self._high.astype(np.float64)), self._quality)

    def last(self) -> Column:
        """Return what stood at the end."""
        return Column(self._newest.last, self._newest.last_quality)

    def count(self) -> Column:
        """Return how many samples there were."""
        return Column(self._sum("samples"), self._cut)

    def good_share(self) -> Column:
        """Return the share of the time, from 0 to 1, whose value was good."""
        return Column(self._sum("good_ns") / self._over_ns, self._cut)

    def late(self) -> Column:
        """Return how many samples belonged to no window that was open."""
        return Column(self._sum("late"), np.zeros_like(self._cut))


COLUMNS = {
    Aggregate.MIN: Summary.least,
    Aggregate.MEAN: Summary.mean,
    Aggregate.MAX: Summary.greatest,
    Aggregate.LAST: Summary.last,
    Aggregate.COUNT: Summary.count,
    Aggregate.GOOD_SHARE: Summary.good_share,
    Aggregate.LATE: Summary.late,
}
