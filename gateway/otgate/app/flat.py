"""Devices that answer, and whose values stay exactly the same for longer than they should.

That is how a front end looks whose back end has died. Only devices that the site file says this of
are looked at. A device that is lost, or has nothing valid, is not flat: that is told otherwise.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

import numpy as np
import structlog

from otgate.model import MOVING, Device, Index

EVERY_S = 60.0

Newest = Callable[[str, Index], str | None]
"""Returns the newest values of some points of a device, or None where there are none now."""

log = structlog.get_logger()


class Line(NamedTuple):
    """What is to change: one point, or a device."""

    device: str
    point: str = ""
    """Empty where it is the whole device."""


@dataclass(slots=True)
class Still:
    """A line that stays as it is."""

    values: str
    since_s: float
    told: bool = False


@dataclass(slots=True)
class FlatLines:
    """Compares values each minute with those before."""

    devices: Callable[[], Sequence[Device]]
    newest: Newest
    clock_s: Callable[[], float] = time.monotonic
    still: dict[Line, Still] = field(default_factory=dict)

    async def watch(self) -> NoReturn:
        """Look for ever."""
        while True:
            self.look()
            await asyncio.sleep(EVERY_S)

    def counts(self) -> dict[str, int]:
        """Return how much of each device is told to be flat; of all that are looked at."""
        counts = {device.id: 0 for device in self.devices() if device.flat.after_s}
        for line, still in self.still.items():
            counts[line.device] = counts.get(line.device, 0) + still.told
        return counts

    def look(self) -> None:
        """Look at everything that is to change."""
        before, self.still = self.still, {}
        for device in self.devices():
            if device.flat.after_s:
                for line, numbers in lines_of(device):
                    values = self.newest(device.id, numbers)
                    if values is not None:
                        after_s = device.flat.after_s
                        self.still[line] = self._look(line, before.get(line), values, after_s)

    def _look(self, line: Line, still: Still | None, values: str, after_s: float) -> Still:
        now_s = self.clock_s()
        if still is None or still.values != values:
            if still is not None and still.told:
                log.info("values_move", **about(line), flat_for_s=round(now_s - still.since_s))
            return Still(values, now_s)
        for_s = now_s - still.since_s
        if for_s >= after_s and not still.told:
            still.told = True
            log.warning("values_flat", **about(line), for_s=round(for_s))
        return still


def about(line: Line) -> dict[str, str]:
    """Say what is flat."""
    named = {"device": line.device, "point": line.point}
    return {name: told for name, told in named.items() if told}


def lines_of(device: Device) -> Iterator[tuple[Line, Index]]:
    """Yield what of a device is to change, and which points that is."""
    points = device.points
    for number in device.flat.each:
        yield Line(device.id, points[number].id), np.array([number], np.int32)
    if not device.flat.each:
        moving = [number for number, point in enumerate(points) if point.kind in MOVING]
        yield Line(device.id), np.array(moving, np.int32)
