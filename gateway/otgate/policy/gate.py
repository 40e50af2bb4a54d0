"""A policy compiled for one conduit: columns of what crosses, and of what limits it.

A denied point has no column to leave by. Per device and value type a gate knows which points
cross, their catalog numbers, lanes, steps and intervals. A sample of another value type than
its point's does not cross.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import overload

import numpy as np

from otgate.model import EVENT_KINDS, Batch, Device, Index, Lane, Mask, ValueType
from otgate.policy.crossing import Crossing, crossings
from otgate.policy.language import Conduit, Policy, Strip, UnderTest
from otgate.policy.pace import Pace
from otgate.policy.rounding import Steps
from otgate.quality import Quality

UNDER_TEST = np.uint32(Quality.TEST)
Numbered = tuple[int, Crossing]
"""A catalog number and the crossing point that it stands for."""


def compile_gates(
    policy: Policy, devices: Sequence[Device], value_types: Mapping[str, Sequence[ValueType]]
) -> dict[str, "Gate"]:
    """Compile ``policy`` to a gate per conduit; ``value_types`` has one per point, by device id."""
    return {
        conduit: Gate(policy.conduits[conduit], devices, found)
        for conduit, found in crossings(policy, devices, value_types).items()
    }


class Gate:
    """One conduit's gate. Plain calls on columns; state only for points that are limited."""

    def __init__(
        self, conduit: Conduit, devices: Sequence[Device], found: Sequence[Crossing]
    ) -> None:
        self.conduit = conduit
        self.crossing: Sequence[tuple[int, int]] = Places(found)
        """Catalog number to (number of the device, number of the point)."""
        self.strips: Sequence[frozenset[Strip]] = [point.restriction.strip for point in found]
        """What of each crossing point's description stays behind, by catalog number."""
        self.withheld = 0
        """Samples that did not cross: denied, or of another type than their point's."""
        self.under_test = 0
        """Samples under test that were dropped."""
        self._parts = parts(devices, found)
        self._paces = [(part, part.pace) for part in self._parts.values() if part.pace is not None]
        self._drops_tests = conduit.test is UnderTest.DROP

    @property
    def suppressed(self) -> int:
        """Samples that an interval kept back and a newer one replaced."""
        return sum(pace.suppressed for _, pace in self._paces)

    def pass_(self, batch: Batch, now_ns: int) -> list[tuple[Lane, Batch]]:
        """Return what of ``batch`` crosses now, by lane; its index holds catalog numbers."""
        part = self._parts.get((batch.device, batch.value_type))
        if part is None:
            self.withheld += len(batch)
            return []
        crossing = self._tested(self._allowed(part, batch))
        if not len(crossing):
            return []
        if part.steps is not None:
            crossing.values = part.steps.rounded(crossing.index, crossing.values)
        batches = [crossing] if part.pace is None else part.pace.pass_(crossing, now_ns)
        return [out for batch in batches for out in part.by_lane(batch)]

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
        slotted = replaced_index(batch, part.slots[batch.index])
        if part.whole or (allowed := slotted.index >= 0).all():
            return slotted
        self.withheld += len(batch) - int(np.count_nonzero(allowed))
        return slotted.kept(allowed)

    def _tested(self, batch: Batch) -> Batch:
        """Return the samples without those under test, unless the conduit carries them."""
        if not self._drops_tests or not np.bitwise_or.reduce(batch.quality) & UNDER_TEST:
            return batch
        in_service = (batch.quality & UNDER_TEST) == 0
        self.under_test += len(batch) - int(np.count_nonzero(in_service))
        return batch.kept(in_service)


class Part:
    """The crossing points of one device and value type, numbered from 0 as slots."""

    def __init__(self, device: Device, value_type: ValueType, found: Sequence[Numbered]) -> None:
        points = [crossing.point for _, crossing in found]
        limits = [crossing.restriction for _, crossing in found]
        steps = [limit.quantize for limit in limits]
        intervals_s = [limit.min_interval_s for limit in limits]
        self.slots = np.full(len(device.points), -1, np.int32)
        """Slot of each of the device's points; -1 has none."""
        self.slots[points] = np.arange(len(points))
        self.whole = len(points) == len(device.points)
        self.numbers = np.array([number for number, _ in found], np.int32)
        self.events = np.array([device.points[p].kind in EVENT_KINDS for p in points], np.bool_)
        self.steps = Steps(steps, value_type) if any(steps) else None
        self.pace = Pace(device.id, value_type, intervals_s) if any(intervals_s) else None
        self.lane = one_lane(self.events)
        """The lane of every point, or None where they differ."""

    def by_lane(self, batch: Batch) -> list[tuple[Lane, Batch]]:
        """Split ``batch`` by lane and number its points as the catalog does."""
        numbered = replaced_index(batch, self.numbers[batch.index])
        if self.lane is not None:
            return [(self.lane, numbered)]
        events = self.events[batch.index]
        lane = one_lane(events)
        if lane is not None:
            return [(lane, numbered)]
        return [(Lane.EVENT, numbered.kept(events)), (Lane.DATA, numbered.kept(~events))]


def parts(
    devices: Sequence[Device], found: Sequence[Crossing]
) -> dict[tuple[str, ValueType], Part]:
    """Group crossing points by device id and value type."""
    shares: defaultdict[tuple[int, ValueType], list[Numbered]] = defaultdict(list)
    for numbered in enumerate(found):
        shares[numbered[1].device, numbered[1].value_type].append(numbered)
    return {
        (devices[device].id, value_type): Part(devices[device], value_type, share)
        for (device, value_type), share in shares.items()
    }


def one_lane(events: Mask) -> Lane | None:
    """Return the lane of all, or None where events and data are mixed."""
    if events.all():
        return Lane.EVENT
    return None if events.any() else Lane.DATA


def replaced_index(batch: Batch, index: Index) -> Batch:
    """Return ``batch`` with its points numbered otherwise."""
    return Batch(
        batch.device,
        batch.value_type,
        batch.origin,
        index,
        batch.values,
        batch.quality,
        batch.received_ns,
        batch.source_ns,
    )


class Places(Sequence[tuple[int, int]]):
    """Pairs of device and point number, held in eight bytes each."""

    def __init__(self, found: Sequence[Crossing]) -> None:
        pairs = [(crossing.device, crossing.point) for crossing in found]
        self._pairs = np.array(pairs, np.int32).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((device, point) for device, point in self._pairs.tolist())

    @overload
    def __getitem__(self, number: int) -> tuple[int, int]: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[tuple[int, int]]: ...
    def __getitem__(self, number: int | slice) -> tuple[int, int] | Sequence[tuple[int, int]]:
        if isinstance(number, slice):
            return list(self)[number]
        device, point = self._pairs[number].tolist()
        return device, point
