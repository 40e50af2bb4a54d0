"""Windows over time: what stood in each stretch of the UTC grid, said when the stretch is over.

A value stands from its own time until the next one's. A window closes ``grace`` after its end; a
sample that comes later, or whose time lies in no open window, is late: counted, not folded in.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from otgate.calc.panes import Pane, Segments, Summary, alone
from otgate.calc.states import NOT_YET_READ, Slots, Stamps, blank
from otgate.model import Mask, Nanoseconds, Values, ValueType, Words, distinct

STEP_NS = 1_000_000_000
"""A clock that goes back further than this was set."""

STALL_NS = 10_000_000_000
"""After so long without a look at the clock nobody knows what stood."""


@dataclass(frozen=True, slots=True)
class Span:
    """How long windows are, how often one ends, and how long it waits for what comes late."""

    every_ns: int
    over_ns: int
    grace_ns: int


@dataclass(frozen=True, slots=True)
class Closed:
    """A window that is over."""

    end_ns: int
    summary: Summary


class Samples(NamedTuple):
    """Samples of one type, by row, as they came; a row may come several times."""

    rows: Slots
    values: Values
    quality: Words
    stamps: Stamps
    received_ns: int
    present: bool
    """Whether they say what is, and not what was: then the last one stands, whatever its time."""

    def at(self, which: Slots | Mask | slice) -> "Samples":
        """Return some of them, or all in another order."""
        return Samples(
            self.rows[which],
            self.values[which],
            self.quality[which],
            self.stamps[which],
            self.received_ns,
            self.present,
        )


class Standing:
    """What stands of each row, and how far it has been taken into the windows."""

    def __init__(self, kind: ValueType, count: int, now_ns: int) -> None:
        self.values = blank(kind, count)
        self.quality: Words = np.full(count, NOT_YET_READ, np.uint32)
        self.stamps: Stamps = np.zeros(count, np.int64)
        """Of the newest sample."""
        self.until_ns: Nanoseconds = np.full(count, now_ns, np.int64)
        """Up to when it has been taken."""
        self.began_ns: Nanoseconds = np.full(count, now_ns, np.int64)
        """From when on it was followed without a break."""

    def take(self, row: int, older: "Standing", at: int) -> None:
        """Take one row as ``older`` has it."""
        for name in ("values", "quality", "stamps", "until_ns", "began_ns"):
            getattr(self, name)[row] = getattr(older, name)[at]


class Windows:
    """Points of one type in windows of one span, a row each."""

    def __init__(self, span: Span, kind: ValueType, count: int, now_ns: int) -> None:
        self.span = span
        self.kind = kind
        self.standing = Standing(kind, count, now_ns)
        self.closed = now_ns // span.every_ns - 1
        """The number of the newest pane that is over; numbers count from the epoch."""
        self.open: dict[int, Pane] = {}
        self.past: deque[Pane] = deque(maxlen=span.over_ns // span.every_ns)
        self.now_ns = now_ns
        self._count = count
        self._latest_ns = now_ns
        """The newest time of ours that was heard of, here or between two looks at the clock."""

    def feed(self, samples: Samples) -> None:
        """Take samples: each counts in the pane of its time, and stands until the next."""
        samples = samples._replace(received_ns=self._heard(samples.received_ns))
        self._count_in(samples)
        if alone(samples.rows) and samples.present:
            self._stand_alone(samples)
            return
        order, first, last = sequence(samples.rows)
        samples = samples.at(order)
        before = np.where(first, self.standing.stamps[samples.rows], np.roll(samples.stamps, 1))
        older = (samples.stamps < before) & ((samples.stamps ^ before) & 1 == 0)
        if not samples.present and np.count_nonzero(older):
            samples = samples.at(~older)
            _, first, last = sequence(samples.rows)
        if len(samples.rows):
            self._stand(samples, first, last)

    def mark(self, rows: Slots, quality: Words, now_ns: int) -> None:
        """Give what stands more flags from now on: the gateway found something."""
        standing = self.standing
        self.replace(rows, standing.values[rows], standing.quality[rows] | quality, now_ns)

    def replace(self, rows: Slots, values: Values, quality: Words, now_ns: int) -> None:
        """Let something else stand from now on that is no sample."""
        now_ns = self._heard(now_ns)
        self._account(rows, np.maximum(self.standing.until_ns[rows], now_ns))
        self.standing.values[rows], self.standing.quality[rows] = values, quality

    def close(self, now_ns: int) -> Iterator[Closed]:
        """Yield the windows that are over by ``now_ns``, the oldest first."""
        if not self.now_ns - STEP_NS <= now_ns <= self.now_ns + STALL_NS:
            yield from self._cut(now_ns)
        self.now_ns = max(self.now_ns, now_ns)
        self._heard(now_ns)
        while (end_ns := (self.closed + 2) * self.span.every_ns) + self.span.grace_ns <= now_ns:
            yield self._over(end_ns)

    def _heard(self, now_ns: int) -> int:
        """Take note of a time of ours; one far ahead waits until `close` has looked at it."""
        now_ns = min(now_ns, self.now_ns + STALL_NS)
        self._latest_ns = max(self._latest_ns, now_ns)
        return now_ns

    def _count_in(self, samples: Samples) -> None:
        """Count every sample in the pane of its time, or as late."""
        numbers = (samples.stamps >> 1) // self.span.every_ns
        if not len(numbers):
            return
        low, high = int(numbers.min()), int(numbers.max())
        for number in [low] if low == high else distinct(numbers):
            here = samples if low == high else samples.at(numbers == number)
            pane = self._pane(number)
            if pane is None:
                np.add.at(self._opened(self.closed + 1).late, here.rows, 1)
            else:
                pane.came(here.rows, here.values, here.quality)

    def _pane(self, number: int) -> Pane | None:
        """Return a pane that is open; the next one is open too, for clocks that are fast."""
        if self.closed < number <= self._latest_ns // self.span.every_ns + 1:
            return self._opened(number)
        return None

    def _opened(self, number: int) -> Pane:
        if number not in self.open:
            start_ns = number * self.span.every_ns
            self.open[number] = Pane(
                self.kind, self._count, start_ns, start_ns + self.span.every_ns
            )
        return self.open[number]

    def _stand(self, samples: Samples, first: Mask, last: Mask) -> None:
        """Let each sample stand in the place of the one before it.

        A time ahead of ours is a clock that is fast: such a sample stands from now on.
        """
        standing, rows = self.standing, samples.rows
        stamps = np.minimum(samples.stamps, 2 * samples.received_ns + (samples.stamps & 1))
        until_ns = np.maximum(stamps >> 1, standing.until_ns[rows])
        before = Segments(
            rows,
            np.where(first, standing.values[rows], np.roll(samples.values, 1)),
            np.where(first, standing.quality[rows], np.roll(samples.quality, 1)),
            np.where(first, standing.until_ns[rows], np.roll(until_ns, 1)),
            until_ns,
        )
        self._take(before)
        ends = rows[last]
        standing.values[ends], standing.quality[ends] = samples.values[last], samples.quality[last]
        standing.stamps[ends], standing.until_ns[ends] = stamps[last], until_ns[last]

    def _stand_alone(self, samples: Samples) -> None:
        """Do the same for one sample of each row, without a look at what came before it."""
        standing, rows = self.standing, samples.rows
        stamps = np.minimum(samples.stamps, 2 * samples.received_ns + (samples.stamps & 1))
        self._account(rows, np.maximum(stamps >> 1, standing.until_ns[rows]))
        standing.values[rows], standing.quality[rows] = samples.values, samples.quality
        standing.stamps[rows] = stamps

    def _account(self, rows: Slots, until_ns: Nanoseconds) -> None:
        """Take what stood of ``rows`` up to a time."""
        standing = self.standing
        start_ns = standing.until_ns[rows]
        values, quality = standing.values[rows], standing.quality[rows]
        self._take(Segments(rows, values, quality, start_ns, until_ns))
        standing.until_ns[rows] = until_ns

    def _take(self, segments: Segments) -> None:
        start = int(segments.start_ns.min()) // self.span.every_ns
        end = int(segments.end_ns.max() - 1) // self.span.every_ns
        for number in range(max(start, self.closed + 1), end + 1):
            self._opened(number).stood(segments)

    def _over(self, until_ns: int) -> Closed:
        """Close the oldest pane, whose values stood until ``until_ns`` at the latest."""
        number = self.closed + 1
        self._account(np.arange(self._count), np.maximum(self.standing.until_ns, until_ns))
        pane = self._opened(number)
        del self.open[number]
        self.past.append(pane)
        self.closed = number
        summary = Summary(tuple(self.past), self.span.over_ns, self.standing.began_ns.copy())
        return Closed(pane.end_ns, summary)

    def _cut(self, now_ns: int) -> Iterator[Closed]:
        """Say what stood so far, and begin anew: the clock was set, or nobody looked for long."""
        while self.closed < self._latest_ns // self.span.every_ns:
            end_ns = (self.closed + 2) * self.span.every_ns
            yield self._over(min(end_ns, self._latest_ns))
        standing = self.standing
        self.open.clear()
        self.past.clear()
        self.closed = now_ns // self.span.every_ns - 1
        self.now_ns = self._latest_ns = now_ns
        standing.until_ns[:] = standing.began_ns[:] = now_ns

    def inherit(self, older: "Windows", rows: Sequence[tuple[int, int]]) -> None:
        """Go on as ``older`` did: ``rows`` pairs rows here with rows there."""
        self.closed, self.now_ns = older.closed, older.now_ns
        self.past.extend(self._taken(pane, rows) for pane in older.past)
        self.open = {number: self._taken(pane, rows) for number, pane in older.open.items()}
        for here, there in rows:
            self.standing.take(here, older.standing, there)

    def _taken(self, pane: Pane, rows: Sequence[tuple[int, int]]) -> Pane:
        fresh = Pane(self.kind, self._count, pane.start_ns, pane.end_ns)
        for here, there in rows:
            fresh.take(here, pane, there)
        return fresh


def sequence(rows: Slots) -> tuple[Slots, Mask, Mask]:
    """Return an order that brings equal rows together as they came, and where each begins, ends."""
    order = np.argsort(rows, kind="stable")
    arranged = rows[order]
    differs = arranged[1:] != arranged[:-1]
    edge = np.ones(min(1, len(rows)), np.bool_)
    return order, np.concatenate((edge, differs)), np.concatenate((differs, edge))
