"""The schedule of one link, as data: slots on fixed grids, one served at a time.

Slot ``k`` of a scan is due at ``origin + k * period_s`` and ends when the next is due. A slot that
could not be served is skipped and counted; the grid never moves. Of the slots that are due, the
one that ends first goes first, in turn where they end together. A scan whose slot was skipped keeps
its place in that order, so that an overloaded link serves all alike. Probes of lost devices go when
nothing else is due, or when that has not been so for long.
"""

import heapq
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from otgate.model import Scan

EARLY_S = 0.001
"""Timers of uvloop are this coarse: a slot due within it is due."""

PROBE_WAITS_S = 10.0
"""On a link where something is always due, a probe goes first after this long."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The moments at which a scan is due, in seconds of the loop's clock."""

    origin_s: float
    period_s: float

    def due_s(self, number: int) -> float:
        """Return when slot ``number`` is due."""
        return self.origin_s + number * self.period_s

    def current(self, now_s: float) -> int:
        """Return the number of the slot in which ``now_s`` lies."""
        return math.floor((now_s - self.origin_s + EARLY_S) / self.period_s)


@dataclass(slots=True, eq=False)
class Slot:
    """One scan of one device, and when it is to be served next."""

    device: str
    scan: Scan
    grid: Grid
    number: int = 0
    due_s: float = 0.0
    deadline_s: float = 0.0
    urgent_s: float = 0.0
    """The end of the first slot since it was served last: who has waited longest goes first."""
    probe_s: float = 0.0
    """For a probe: when it was asked for; it then leaves the grid."""

    def __post_init__(self) -> None:
        if not self.probe_s:
            self.take(self.number)
        self.urgent_s = self.deadline_s

    def take(self, number: int) -> None:
        """Stand at slot ``number`` of the grid."""
        origin_s, period_s = self.grid.origin_s, self.grid.period_s
        self.number = number
        self.due_s = origin_s + number * period_s
        self.deadline_s = origin_s + (number + 1) * period_s

    def served(self, now_s: float) -> int:
        """Go to the next slot that can still be served; return how many were skipped."""
        following = max(self.number + 1, self.grid.current(now_s))
        skipped = following - self.number - 1
        self.take(following)
        self.urgent_s = self.deadline_s
        return skipped

    def skipped(self, now_s: float) -> int:
        """Go to the current slot, this one being over; return how many were skipped."""
        skipped = max(1, self.grid.current(now_s) - self.number)
        self.take(self.number + skipped)
        return skipped

    def begin(self, now_s: float, catch_up_s: float) -> None:
        """Stand at the current slot, or at the next one if that comes soon."""
        current = self.grid.current(now_s)
        soon = self.grid.due_s(current + 1) - now_s <= catch_up_s
        late = now_s - self.grid.due_s(current) > EARLY_S
        self.take(current + 1 if soon and late else current)
        self.urgent_s = self.deadline_s


Heap = list[tuple[float, int, Slot]]


class Schedule:
    """The slots of one link."""

    def __init__(self) -> None:
        self._waiting: Heap = []
        self._ready: Heap = []
        self._probes: Heap = []
        self._turn = itertools.count()

    def add(self, slot: Slot) -> None:
        """Serve ``slot`` when it is due."""
        heapq.heappush(self._waiting, (slot.due_s, next(self._turn), slot))

    def remove(self, device: str) -> None:
        """Serve no slot of ``device`` any more."""
        for heap in (self._waiting, self._ready, self._probes):
            heap[:] = [entry for entry in heap if entry[2].device != device]
            heapq.heapify(heap)

    def pick(self, now_s: float) -> Slot | None:
        """Take out the slot to serve now, or None while none is due."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= now_s + EARLY_S:
            _, turn, slot = heapq.heappop(waiting)
            heap = self._probes if slot.probe_s else self._ready
            heapq.heappush(heap, (slot.urgent_s, turn, slot))
        if not self._probes:
            return heapq.heappop(self._ready)[2] if self._ready else None
        for heap in self._in_order(now_s):
            if heap:
                return heapq.heappop(heap)[2]
        return None

    def _in_order(self, now_s: float) -> Sequence[Heap]:
        starved = self._probes and self._probes[0][2].probe_s + PROBE_WAITS_S <= now_s
        return (self._probes, self._ready) if starved else (self._ready, self._probes)

    def next_due_s(self) -> float:
        """Return when the next waiting slot is due; infinity if there is none."""
        return self._waiting[0][0] if self._waiting else math.inf

    def spare_s(self, device: str) -> float:
        """Return until when ``device`` may keep the link without costing another one a slot.

        Half of each other slot's period is left for serving it late.
        """
        return min(
            (
                slot.due_s + slot.grid.period_s / 2
                for _, _, slot in itertools.chain(self._waiting, self._ready)
                if slot.device != device and not slot.probe_s
            ),
            default=math.inf,
        )
