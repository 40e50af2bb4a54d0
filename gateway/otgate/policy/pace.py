"""Hold samples back so that a point is sent at most once per minimum interval.

State per point: the last value released with its time and quality, and the newest sample held.
What is released is a sample as it came, with its own times and origin. One exception: a change
of validity passes at once, with the last *released* value, the time of that value, and the new
quality. A sample without a value has nothing to limit and passes when its validity is news.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from otgate.model import Batch, Clock, Index, Mask, Nanoseconds, Origin, Values, ValueType, Words
from otgate.quality import VALIDITY_MASK, Quality

NEWS = np.uint32(VALIDITY_MASK | Quality.NO_VALUE)
"""The quality bits whose change does not wait."""

NO_VALUE = np.uint32(Quality.NO_VALUE)
NEVER = np.iinfo(np.int64).min // 2
"""Release time of a point that was never released; any interval has passed since."""

NO_SOURCE = np.iinfo(np.int64).min
"""Stands in the column for a held sample that came without a device time."""

NO_CLOCK = -1
"""The same in the column of clocks."""

SECOND_NS = 1_000_000_000

STATE = (
    "released_ns", "valued", "value", "value_ns", "quality", "held", "held_value", "held_quality",
    "held_received_ns", "held_source_ns", "held_origin", "held_clock",
)  # fmt: skip
"""The columns that are a point's state."""


class Pace:
    """The state of some points of one device and value type, numbered from 0."""

    def __init__(
        self,
        device: str,
        value_type: ValueType,
        intervals_s: Sequence[float],
        latched: Mask | None = None,
    ) -> None:
        count = len(intervals_s)
        self.device = device
        self.value_type = value_type
        self.interval_ns = np.array([round(s * SECOND_NS) for s in intervals_s], np.int64)
        self.due_ns: int | None = None
        """When the next held sample may go; None where nothing is held."""
        self.latest_ns = NEVER
        self.suppressed = 0
        self.latched_suppressed = 0
        """Of these, samples of points of which every change was wanted: a latch lifts no limit."""
        self._latched = latched
        self.released_ns = np.full(count, NEVER, np.int64)
        self.valued = np.zeros(count, np.bool_)
        self.value = np.empty(count, value_type.dtype)
        self.value_ns = np.zeros(count, np.int64)
        self.quality = np.zeros(count, np.uint32)
        self.held = np.zeros(count, np.bool_)
        self.held_value = np.empty(count, value_type.dtype)
        self.held_quality = np.zeros(count, np.uint32)
        self.held_received_ns = np.zeros(count, np.int64)
        self.held_source_ns = np.zeros(count, np.int64)
        self.held_origin = np.zeros(count, np.int8)
        self.held_clock = np.zeros(count, np.int8)
        self.position = np.zeros(count, np.int32)

    def inherit(self, before: "Pace", mine: Index, theirs: Index) -> None:
        """Go on for points of ``before``: those at ``theirs`` are at ``mine`` here.

        An interval that runs goes on, a held sample stays held; a longer interval holds at once.
        """
        for column in STATE:
            getattr(self, column)[mine] = getattr(before, column)[theirs]
        self.latest_ns = before.latest_ns
        self._plan_release()

    def held_at(self, slots: Index) -> list[Batch]:
        """Return the samples that are held for points at ``slots``, each as it came."""
        return self._as_they_came(slots[self.held[slots]])

    def pass_(self, batch: Batch, now_ns: int) -> list[Batch]:
        """Return what of ``batch`` goes now; hold the rest. Its index numbers the points."""
        self._follow(now_ns)
        out: list[Batch] = []
        while True:
            firsts = self._firsts(batch.index)
            if firsts is None:
                return out + self._pass_once(batch, now_ns)
            out += self._pass_once(batch.kept(firsts), now_ns)
            batch = batch.kept(~firsts)

    def ready(self, now_ns: int) -> bool:
        """Tell whether `release` may have something; cheap."""
        return self.due_ns is not None and (now_ns >= self.due_ns or now_ns < self.latest_ns)

    def release(self, now_ns: int) -> list[Batch]:
        """Return the held samples whose interval has ended, each as it came."""
        self._follow(now_ns)
        ended = now_ns - self.released_ns >= self.interval_ns
        slots = np.flatnonzero(self.held & ended).astype(np.int32)
        batches = self._as_they_came(slots)
        self._went(
            slots,
            self.held_value[slots],
            self.held_quality[slots],
            stamped(self.held_source_ns[slots], self.held_received_ns[slots]),
        )
        self.released_ns[slots] = now_ns
        self.held[slots] = False
        self._plan_release()
        return batches

    def _follow(self, now_ns: int) -> None:
        """Keep intervals from growing after the clock was set back: they start again."""
        if now_ns < self.latest_ns:
            np.minimum(self.released_ns, now_ns, out=self.released_ns)
            self._plan_release()
        self.latest_ns = now_ns

    def _firsts(self, index: Index) -> Mask | None:
        """Mark each point's first sample, or return None where no point appears twice."""
        if np.count_nonzero(index[1:] > index[:-1]) == len(index) - 1:
            return None
        order = np.arange(len(index), dtype=np.int32)
        self.position[index[::-1]] = order[::-1]
        firsts = self.position[index] == order
        return None if np.count_nonzero(firsts) == len(firsts) else firsts

    def _pass_once(self, batch: Batch, now_ns: int) -> list[Batch]:
        slots, quality = batch.index, batch.quality
        carries = (quality & NO_VALUE) == 0
        news = ((quality ^ self.quality.take(slots)) & NEWS) != 0
        timely = now_ns - self.released_ns.take(slots) >= self.interval_ns.take(slots)
        timely |= carries & ~self.valued.take(slots)
        goes = timely | (news & ~carries)
        replaced = self.held.take(slots)
        self.suppressed += int(np.count_nonzero(replaced))
        if self._latched is not None:
            self.latched_suppressed += int(np.count_nonzero(replaced & self._latched.take(slots)))
        count = np.count_nonzero(goes)
        if count == len(goes):
            self.held[slots] = False
            self._go(batch, timely, now_ns)
            return [batch]
        waits = ~goes
        resends = waits & news
        out = [self._resent(batch.kept(resends))] if np.count_nonzero(resends) else []
        self._hold(batch.kept(waits))
        if count:
            going = batch.kept(goes)
            self.held[going.index] = False
            self._go(going, timely[goes], now_ns)
            out.append(going)
        return out

    def _go(self, batch: Batch, timely: Mask, now_ns: int) -> None:
        """Remember what goes. A sample that jumped the queue starts no interval."""
        times_ns = batch.source_ns
        if times_ns is None:
            times_ns = np.full(len(batch), batch.received_ns, np.int64)
        self._went(batch.index, batch.values, batch.quality, times_ns)
        self.released_ns[batch.index[timely]] = now_ns

    def _went(self, slots: Index, values: Values, quality: Words, times_ns: Nanoseconds) -> None:
        self.quality[slots] = quality
        carries = (quality & NO_VALUE) == 0
        if np.count_nonzero(carries) != len(carries):
            slots, values, times_ns = slots[carries], values[carries], times_ns[carries]
        self.valued[slots] = True
        self.value[slots] = values
        self.value_ns[slots] = times_ns

    def _resent(self, batch: Batch) -> Batch:
        """Return the last released values, at their own times, with the quality of ``batch``."""
        slots = batch.index
        self.quality[slots] = batch.quality
        return Batch(
            self.device,
            self.value_type,
            batch.origin,
            slots,
            self.value[slots],
            batch.quality,
            batch.received_ns,
            self.value_ns[slots],
            Clock.GATEWAY if batch.source_ns is None else batch.clock,
        )

    def _hold(self, batch: Batch) -> None:
        slots = batch.index
        self.held[slots] = True
        self.held_value[slots] = batch.values
        self.held_quality[slots] = batch.quality
        self.held_received_ns[slots] = batch.received_ns
        self.held_source_ns[slots] = NO_SOURCE if batch.source_ns is None else batch.source_ns
        self.held_origin[slots] = batch.origin
        self.held_clock[slots] = NO_CLOCK if batch.source_ns is None else batch.clock
        ends = int((self.released_ns[slots] + self.interval_ns[slots]).min())
        self.due_ns = ends if self.due_ns is None else min(ends, self.due_ns)

    def _plan_release(self) -> None:
        ends = (self.released_ns + self.interval_ns)[self.held]
        self.due_ns = int(ends.min()) if len(ends) else None

    def _as_they_came(self, slots: Index) -> list[Batch]:
        """Return held samples in batches of one reception and origin, oldest first."""
        received_ns, origin = self.held_received_ns[slots], self.held_origin[slots]
        clock = self.held_clock[slots]
        order = np.lexsort((clock, origin, received_ns))
        breaks = (
            (np.diff(received_ns[order]) != 0)
            | (np.diff(origin[order]) != 0)
            | (np.diff(clock[order]) != 0)
        )
        groups = np.split(slots[order], np.flatnonzero(breaks) + 1)
        return [self._as_it_came(group) for group in groups if len(group)]

    def _as_it_came(self, slots: Index) -> Batch:
        first = slots[0]
        clock = int(self.held_clock[first])
        return Batch(
            self.device,
            self.value_type,
            Origin(int(self.held_origin[first])),
            slots,
            self.held_value[slots],
            self.held_quality[slots],
            int(self.held_received_ns[first]),
            None if clock == NO_CLOCK else self.held_source_ns[slots],
            Clock.GATEWAY if clock == NO_CLOCK else Clock(clock),
        )


def stamped(source_ns: NDArray[np.int64], received_ns: NDArray[np.int64]) -> Nanoseconds:
    """Return the device's stamps, and ours where it gave none."""
    return np.where(source_ns == NO_SOURCE, received_ns, source_ns)
