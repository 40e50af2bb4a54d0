"""How many samples of each point crossed each conduit or were kept from it, for the audit log.

Samples are counted once, as they come to the gates, whatever the number of conduits; what the gates
make of them is looked up when it is told. A site with more to name than a log takes is not counted
by point.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from otgate.app.outlet import Way
from otgate.config.site import Site
from otgate.model import Batch, Device, Index

Tell = Callable[[str, Mapping[str, Any]], None]

POINT_COUNTS = "point_counts"
MOST_NAMED = 20_000
"""Points, each in each conduit, that a log can name each day: some 400 kB."""
IN_ONE_RECORD = 500
WAITING = 1024
"""Samples whose points wait for being counted together."""


class Seen:
    """The samples of one device, by point."""

    __slots__ = ("_again", "_columns", "_counts", "_waiting", "device")

    def __init__(self, device: Device) -> None:
        self.device = device
        self._counts = np.zeros(len(device.points), np.int64)
        self._columns: list[Index] = []
        self._again = 0
        """How often the last column came again: it is known by identity."""
        self._waiting = 0

    def take(self, index: Index) -> None:
        """Count a sample of each point of ``index``; one may be there twice."""
        if self._columns and index is self._columns[-1]:
            self._again += 1
            return
        if self._again:
            self._settle()
        self._columns.append(index)
        self._waiting += len(index)
        if self._waiting >= WAITING and len(self._columns) > 1:
            self._settle()

    def drained(self) -> list[int]:
        """Return how many samples there were of each point, and begin anew."""
        self._settle()
        counts: list[int] = self._counts.tolist()
        self._counts[:] = 0
        return counts

    def _settle(self) -> None:
        if not self._columns:
            return
        if self._again:
            self._counts += self._again * self._counted(self._columns[-1])
        self._counts += self._counted(np.concatenate(self._columns))
        self._columns, self._again, self._waiting = [], 0, 0

    def _counted(self, index: Index) -> npt.NDArray[np.int64]:
        return np.bincount(index, minlength=len(self._counts))


class ByPoint:
    """Told of every batch that comes to the gates; tells of each point what became of it."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._ways: Sequence[Way] = ()
        self._devices: Sequence[Device] = ()
        self._seen: dict[str, Seen] = {}

    def swapped(self, site: Site, ways: Sequence[Way]) -> None:
        """Tell what was counted before ``ways``, and count for them from now on."""
        self.tell()
        self._ways, self._devices = tuple(ways), site.devices
        named = len(ways) * sum(len(device.points) for device in site.devices)
        counted = site.devices if named <= MOST_NAMED else ()
        self._seen = {device.id: Seen(device) for device in counted}

    def __call__(self, batch: Batch) -> None:
        """Count ``batch``."""
        seen = self._seen.get(batch.device)
        if seen is not None:
            seen.take(batch.index)

    def tell(self) -> None:
        """Tell what was counted since the last time."""
        counts = [self._drained(device) for device in self._devices]
        for way in self._ways:
            crossing = crossing_of(way, len(self._devices))
            for device, counted, crosses in zip(self._devices, counts, crossing, strict=True):
                self._tell_device(way.conduit, device, counted, crosses)

    def _drained(self, device: Device) -> dict[int, int]:
        seen = self._seen.get(device.id)
        counts = seen.drained() if seen is not None else ()
        return {point: count for point, count in enumerate(counts) if count}

    def _tell_device(
        self, conduit: str, device: Device, counted: Mapping[int, int], crosses: frozenset[int]
    ) -> None:
        for some in pieces(counted):
            parts: dict[str, dict[str, int]] = {"crossed": {}, "denied": {}}
            for point, count in some.items():
                part = parts["crossed" if point in crosses else "denied"]
                part[device.points[point].id] = count
            told = {name: part for name, part in parts.items() if part}
            self._tell(POINT_COUNTS, {"conduit": conduit, "device": device.id, **told})


def crossing_of(way: Way, devices: int) -> list[frozenset[int]]:
    """Return the points that cross a conduit, of each of ``devices``."""
    found: list[list[int]] = [[] for _ in range(devices)]
    for device, point in way.gate.crossing:
        found[device].append(point)
    return [frozenset(points) for points in found]


def pieces(counted: Mapping[int, int]) -> Iterator[Mapping[int, int]]:
    """Yield ``counted`` in as much as one record takes."""
    items = iter(counted.items())
    while some := dict(islice(items, IN_ONE_RECORD)):
        yield some
