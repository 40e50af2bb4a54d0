"""From results by slot to batches of the devices whose points they are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from otgate.calc.states import Newest, Slots
from otgate.model import Batch, Clock, Device, Index, Origin, ValueType


@dataclass(frozen=True, slots=True)
class Delivery:
    """Calculated points of one device and type: their slots, and their numbers there."""

    device: str
    kind: ValueType
    slots: Slots
    index: Index


class Outputs:
    """Where each calculated point belongs."""

    def __init__(self, owners: Mapping[int, tuple[str, int]], newest: Newest) -> None:
        self._owners = owners
        """The device and the number there of the point of a slot."""
        self._newest = newest

    def deliveries(self, slots: Sequence[int]) -> list[Delivery]:
        """Group calculated points by device and type."""
        groups: dict[tuple[str, ValueType], list[tuple[int, int]]] = {}
        for slot in slots:
            device, number = self._owners[slot]
            kind = ValueType(int(self._newest.kinds[slot]))
            groups.setdefault((device, kind), []).append((number, slot))
        return [made(device, kind, sorted(group)) for (device, kind), group in groups.items()]

    def batches(self, deliveries: Sequence[Delivery], received_ns: int) -> Iterator[Batch]:
        """Yield the newest values of calculated points; those by a device's clock apart."""
        for delivery in deliveries:
            stamps = self._newest.stamps[delivery.slots]
            by_device = stamps & 1 != 0
            count = np.count_nonzero(by_device)
            if 0 < count < len(stamps):
                yield self._batch(part(delivery, ~by_device), received_ns, Clock.GATEWAY)
                yield self._batch(part(delivery, by_device), received_ns, Clock.DEVICE)
            else:
                clock = Clock.DEVICE if count else Clock.GATEWAY
                yield self._batch(delivery, received_ns, clock)

    def _batch(self, delivery: Delivery, received_ns: int, clock: Clock) -> Batch:
        newest, slots = self._newest, delivery.slots
        source_ns = newest.stamps[slots] >> 1
        unread = source_ns == 0
        if np.count_nonzero(unread):
            source_ns = np.where(unread, received_ns, source_ns)
        now = clock is Clock.GATEWAY and not np.count_nonzero(source_ns != received_ns)
        return Batch(
            delivery.device,
            delivery.kind,
            Origin.CALCULATED,
            delivery.index,
            newest.values[delivery.kind][slots],
            newest.quality[slots],
            received_ns,
            None if now else source_ns,
            clock,
        )


def made(device: str, kind: ValueType, points: Sequence[tuple[int, int]]) -> Delivery:
    """Return a delivery of points, each by its number and its slot."""
    numbers, slots = zip(*points, strict=True)
    return Delivery(device, kind, np.array(slots, np.intp), np.array(numbers, np.int32))


def part(delivery: Delivery, which: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> Delivery:
    """Return some of a delivery's points."""
    slots, index = delivery.slots[which], delivery.index[which]
    return Delivery(delivery.device, delivery.kind, slots, index)


def owners(devices: Sequence[Device], slots: Mapping[str, int]) -> dict[int, tuple[str, int]]:
    """Return device and number of the points of ``devices``, by slot."""
    return {
        slots[f"{device.id}/{point.id}"]: (device.id, number)
        for device in devices
        for number, point in enumerate(device.points)
    }
