"""A policy compiled for one conduit: columns of what crosses, and of what limits it.

A denied point has no column to leave by. Per device and value type a gate knows which points
cross, their catalog numbers, lanes, steps and intervals. A sample of another value type than
its point's does not cross.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, overload

import numpy as np

from otgate.alike import Alike, shared
from otgate.model import EVENT_KINDS, Batch, Device, Index, Lane, Mask, ValueType, Words
from otgate.policy.crossing import Crossing, Judge
from otgate.policy.language import Conduit, Policy, Strip, UnderTest
from otgate.policy.pace import Pace
from otgate.policy.rounding import Steps
from otgate.quality import Quality

UNDER_TEST = np.uint32(Quality.TEST)


def compile_gates(
    policy: Policy, devices: Sequence[Device], value_types: Mapping[str, Sequence[ValueType]]
) -> dict[str, "Gate"]:
    """Compile ``policy`` to a gate per conduit; ``value_types`` has one per point, by device id."""
    gates = {name: Gate(conduit) for name, conduit in policy.conduits.items()}
    judge = Judge(policy)
    for number, device in enumerate(devices):
        for name, found in judge.crossings(device, value_types[device.id]).items():
            gates[name].admit(number, device, found)
    return gates


class Gate:
    """One conduit's gate. Plain calls on columns; state only for points that are limited."""

    def __init__(self, conduit: Conduit) -> None:
        self.conduit = conduit
        self.crossing = Places()
        """Catalog number to (number of the device, number of the point)."""
        self.withheld = 0
        """Samples that did not cross: denied, or of another type than their point's."""
        self.under_test = 0
        """Samples under test that were dropped."""
        self._suppressed = self._latched_suppressed = 0
        """By gates that this one took the place of."""
        self.parts: dict[tuple[str, ValueType], Part] = {}
        self._paces: list[tuple[Part, Pace]] = []
        self._drops_tests = conduit.test is UnderTest.DROP

    def admit(self, number: int, device: Device, found: Sequence[Crossing]) -> None:
        """Add what crosses of another device, at the end of the catalog."""
        first = len(self.crossing)
        self.crossing.extend(number, found)
        for value_type in dict.fromkeys(crossing.value_type for crossing in found):
            share = {
                catalog_number: crossing
                for catalog_number, crossing in enumerate(found, first)
                if crossing.value_type is value_type
            }
            part = self.parts[device.id, value_type] = Part(device, value_type, share)
            if part.pace is not None:
                self._paces.append((part, part.pace))

    @property
    def holds(self) -> bool:
        """Whether an interval may hold samples back here, which `release` gives out later."""
        return bool(self._paces)

    @property
    def suppressed(self) -> int:
        """Samples that an interval kept back and a newer one replaced."""
        return self._suppressed + sum(pace.suppressed for _, pace in self._paces)

    @property
    def latched_suppressed(self) -> int:
        """Of these, samples of points that latch."""
        own = sum(pace.latched_suppressed for _, pace in self._paces)
        return self._latched_suppressed + own

    def inherit(self, before: "Gate") -> list[tuple[Lane, Batch]]:
        """Take the place of ``before``: its counts, running intervals and held samples.

        Return, by lane, the held samples that no interval holds any more.
        """
        self.withheld += before.withheld
        self.under_test += before.under_test
        self._suppressed = before.suppressed
        self._latched_suppressed = before.latched_suppressed
        return [
            out
            for key, part in self.parts.items()
            if (old := before.parts.get(key)) is not None and old.pace is not None
            for batch in part.inherit(old, old.pace)
            for out in part.by_lane(batch)
        ]

    def pass_(self, batch: Batch, now_ns: int) -> list[tuple[Lane, Batch]]:
        """Return what of ``batch`` crosses now, by lane; its index holds catalog numbers."""
        part = self.parts.get((batch.device, batch.value_type))
        if part is None:
            self.withheld += len(batch)
            return []
        crossing = self._allowed(part, batch)
        if not part.is_clean(batch.quality):
            crossing = self._tested(crossing)
        if not len(crossing):
            return []
        if part.steps is not None:
            rounded = part.steps.rounded(crossing.index, crossing.values)
            crossing = crossing.renumbered(crossing.index)
            crossing.values = rounded
        batches = [crossing] if part.pace is None else part.pace.pass_(crossing, now_ns)
        return [out for batch in batches for out in part.by_lane(batch)]

    def carries(self, device: str, value_type: ValueType, number: int) -> bool:
        """Tell whether a point of ``device`` has a column to leave by."""
        part = self.parts.get((device, value_type))
        return part is not None and bool(part.slots[number] >= 0)

    def keeps_back(self, device: str, value_type: ValueType, number: int) -> bool:
        """Tell whether a sample of a point waits for an interval of the policy to end."""
        part = self.parts.get((device, value_type))
        if part is None or part.pace is None or part.slots[number] < 0:
            return False
        return bool(part.pace.held[part.slots[number]])

    def release(self, now_ns: int) -> list[tuple[Lane, Batch]]:
        """Return the held samples whose interval has ended, with their own times."""
        return [
            out
            for part, pace in self._paces
            if pace.ready(now_ns)
            for batch in pace.release(now_ns)
            for out in part.by_lane(batch)
        ]

    def _allowed(self, part: "Part", batch: Batch) -> Batch:
        """Return the samples of crossing points, their index holding slots."""
        if part.whole:
            return batch
        slotted = batch.renumbered(part.slots.take(batch.index))
        allowed = slotted.index >= 0
        count = int(np.count_nonzero(allowed))
        if count == len(batch):
            return slotted
        self.withheld += len(batch) - count
        return slotted.kept(allowed)

    def _tested(self, batch: Batch) -> Batch:
        """Return the samples without those under test, unless the conduit carries them."""
        if not self._drops_tests:
            return batch
        in_service = (batch.quality & UNDER_TEST) == 0
        self.under_test += len(batch) - int(np.count_nonzero(in_service))
        return batch.kept(in_service)


class Part:
    """The crossing points of one device and value type, numbered from 0 as slots."""

    def __init__(
        self, device: Device, value_type: ValueType, found: Mapping[int, Crossing]
    ) -> None:
        points = [crossing.point for crossing in found.values()]
        self.device = device
        limits = [crossing.restriction for crossing in found.values()]
        steps = [limit.quantize for limit in limits]
        intervals_s = [limit.min_interval_s for limit in limits]
        self.slots = slots_of(points, len(device.points))
        """Slot of each of the device's points; -1 has none."""
        self.whole = points == list(range(len(device.points)))
        """Whether every point crosses, so that slots are the points' own numbers."""
        self._first = next(iter(found))
        self._ahead = shared(np.fromiter(found, np.int32) - np.int32(self._first))
        """Catalog numbers by slot, less the first: alike in many devices."""
        self.events = shared(np.array([device.points[p].kind in EVENT_KINDS for p in points]))
        self.steps = Steps(steps, value_type) if any(steps) else None
        latched = np.array([device.points[p].latch for p in points], np.bool_)
        some = shared(latched) if latched.any() else None
        self.pace = Pace(device.id, value_type, intervals_s, some) if any(intervals_s) else None
        self.lane = one_lane(self.events)
        """The lane of every point, or None where they differ."""
        self._numbered: tuple[Index | None, Index] = (None, self._ahead)
        """The slots that were numbered last, and their numbers."""
        self._clean: Words | None = None
        """A quality column without a sample under test."""

    def is_clean(self, quality: Words) -> bool:
        """Say whether no sample is under test; of the same column again without a look."""
        if quality is self._clean:
            return True
        if np.bitwise_or.reduce(quality) & UNDER_TEST:
            return False
        self._clean = quality
        return True

    def numbers_of(self, slots: Index) -> Index:
        """Return the catalog's numbers of ``slots``; the very same array for the same slots."""
        before, numbers = self._numbered
        if before is not slots:
            numbers = self._ahead.take(slots) + self._first
            self._numbered = slots, numbers
        return numbers

    def inherit(self, before: "Part", pace: Pace) -> list[Batch]:
        """Go on from the intervals of ``before``; return what they held and nothing holds here.

        Points are the same by their ids. What was remembered is rounded as values are here.
        """
        mine, theirs = self._met(before)
        if self.pace is None:
            moved = np.zeros(np.count_nonzero(before.slots >= 0), np.int32)
            moved[theirs] = mine
            held = pace.held_at(theirs)
            return [self._rounded(batch.renumbered(moved[batch.index])) for batch in held]
        self.pace.inherit(pace, mine, theirs)
        if self.steps is not None:
            for column in (self.pace.value, self.pace.held_value):
                column[mine] = self.steps.rounded(mine, column[mine])
        return []

    def _met(self, before: "Part") -> tuple[Index, Index]:
        """Return the slots of points that both have, here and in ``before``."""
        if self.device.points is before.device.points:  # a map that is the very same
            both = (self.slots >= 0) & (before.slots >= 0)
            return self.slots[both], before.slots[both]
        places = {name: slot for slot, name in enumerate(before.names())}
        met = [(slot, places[name]) for slot, name in enumerate(self.names()) if name in places]
        mine, theirs = np.array(met, np.int32).reshape(-1, 2).T
        return mine, theirs

    def names(self) -> list[str]:
        """Return the ids of the points, by slot."""
        return [self.device.points[int(number)].id for number in np.flatnonzero(self.slots >= 0)]

    def _rounded(self, batch: Batch) -> Batch:
        if self.steps is not None:
            batch.values = self.steps.rounded(batch.index, batch.values)
        return batch

    def by_lane(self, batch: Batch) -> list[tuple[Lane, Batch]]:
        """Split ``batch`` by lane and number its points as the catalog does."""
        numbered = batch.renumbered(self.numbers_of(batch.index))
        if self.lane is not None:
            return [(self.lane, numbered)]
        events = self.events[batch.index]
        lane = one_lane(events)
        if lane is not None:
            return [(lane, numbered)]
        return [(Lane.EVENT, numbered.kept(events)), (Lane.DATA, numbered.kept(~events))]


def one_lane(events: Mask) -> Lane | None:
    """Return the lane of all, or None where events and data are mixed."""
    count = np.count_nonzero(events)
    if count == len(events):
        return Lane.EVENT
    return None if count else Lane.DATA


def slots_of(points: Sequence[int], count: int) -> Index:
    """Return the place of each of a device's ``count`` points among ``points``; -1 has none."""
    slots = np.full(count, -1, np.int32)
    slots[points] = np.arange(len(points))
    return shared(slots)


class Group(NamedTuple):
    """What crosses of one device, from a catalog number on."""

    first: int
    device: int
    points: tuple[int, ...]
    strips: tuple[frozenset[Strip], ...]
    steps: tuple[float, ...]


POINTS: Alike[tuple[int, ...]] = Alike()
STRIPS: Alike[tuple[frozenset[Strip], ...]] = Alike()
STEPS: Alike[tuple[float, ...]] = Alike()


class Places(Sequence[tuple[int, int]]):
    """Pairs of device and point number by catalog number, held device by device."""

    def __init__(self) -> None:
        self._groups: list[Group] = []
        self._count = 0

    def extend(self, device: int, found: Sequence[Crossing]) -> None:
        """Add what crosses of one device."""
        points = POINTS.one(tuple(crossing.point for crossing in found))
        strips = STRIPS.one(tuple(crossing.restriction.strip for crossing in found))
        steps = STEPS.one(tuple(crossing.restriction.quantize for crossing in found))
        self._groups.append(Group(self._count, device, points, strips, steps))
        self._count += len(found)

    def strips(self) -> Iterator[frozenset[Strip]]:
        """Yield, by catalog number, what of each point's description stays behind."""
        return chain.from_iterable(group.strips for group in self._groups)

    def steps(self) -> Iterator[float]:
        """Yield, by catalog number, what each point's values are rounded to; 0 is nothing."""
        return chain.from_iterable(group.steps for group in self._groups)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((group.device, point) for group in self._groups for point in group.points)

    @overload
    def __getitem__(self, number: int) -> tuple[int, int]: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[tuple[int, int]]: ...
    def __getitem__(self, number: int | slice) -> tuple[int, int] | Sequence[tuple[int, int]]:
        if isinstance(number, slice):
            return list(self)[number]
        number = range(self._count)[number]
        group = self._groups[bisect_right(self._groups, number, key=lambda one: one.first) - 1]
        return group.device, group.points[number - group.first]
