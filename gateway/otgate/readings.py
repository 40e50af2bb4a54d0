"""What a driver makes of a device's points while it plans: one by one, and by scan class."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from otgate.cell import BadCell
from otgate.errors import Mistake
from otgate.model import Device, Point


class Numbered(Protocol):
    """How a driver reads a point, which it knows by its number."""

    @property
    def number(self) -> int:
        """The point's place in its device."""


Read = TypeVar("Read", bound=Numbered)


def read_each(
    device: Device, read: Callable[[int, Point], Read], mistakes: list[Mistake]
) -> list[Read]:
    """Return what ``read`` makes of each point; what is wrong with one lands in ``mistakes``."""
    readings: list[Read] = []
    for number, point in enumerate(device.points):
        try:
            readings.append(read(number, point))
        except BadCell as bad:
            mistakes.append(bad.mistake(point.id))
    return readings


def by_scan_class(
    device: Device, readings: Iterable[Read], mistakes: list[Mistake]
) -> dict[str, list[Read]]:
    """Return the scan classes that have points, in the device's order, with what is read in each.

    A point without one is in `normal`, or in the first where there is none of that name.
    """
    classes: dict[str, list[Read]] = {name: [] for name in device.scans}
    usual = "normal" if "normal" in classes else next(iter(classes), "")
    for reading in readings:
        point = device.points[reading.number]
        members = classes.get(point.scan or usual)
        if members is not None:
            members.append(reading)
            continue
        known = ", ".join(classes) or "none; add `scans:` to the device"
        message = f"`{point.scan}` is no scan class of this device"
        help_ = f"its scan classes: {known}"
        mistakes.append(Mistake("unknown-scan", message, point.id, "scan", help_))
    return {name: members for name, members in classes.items() if members}
