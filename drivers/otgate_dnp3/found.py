"""What an outstation was found to have, and the points that say so."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from otgate.model import NO_STATES, Kind, Point
from otgate_dnp3.address import SPELLED, WORDS, Address
from otgate_dnp3.stack.decode import decoded
from otgate_dnp3.stack.objects import walk
from otgate_dnp3.stack.points import Columns, PointType

KINDS = {
    PointType.BINARY_INPUT: Kind.STATUS,
    PointType.DOUBLE_BIT_INPUT: Kind.STATUS,
    PointType.BINARY_OUTPUT: Kind.STATUS,
    PointType.COUNTER: Kind.COUNTER,
    PointType.FROZEN_COUNTER: Kind.COUNTER,
    PointType.ANALOG_INPUT: Kind.MEASUREMENT,
    PointType.FROZEN_ANALOG_INPUT: Kind.MEASUREMENT,
    PointType.ANALOG_OUTPUT: Kind.MEASUREMENT,
    PointType.OCTET_STRING: Kind.TEXT,
}
STATES = {
    PointType.BINARY_INPUT: {0: "off", 1: "on"},
    PointType.DOUBLE_BIT_INPUT: {0: "intermediate", 1: "off", 2: "on", 3: "indeterminate"},
    PointType.BINARY_OUTPUT: {0: "off", 1: "on"},
}
ORDER = {point_type: at for at, point_type in enumerate(WORDS.values())}
LONGEST = 24
"""Characters of a value that a table shows."""


@dataclass(slots=True)
class Found:
    """One point: how static data carries it, what it was, and its events."""

    static: str = ""
    value: str = ""
    flags: int | None = None
    events: set[str] = field(default_factory=set)
    classes: set[int] = field(default_factory=set)


class Survey:
    """Every point that an outstation has named."""

    def __init__(self) -> None:
        self.points: dict[Address, Found] = {}
        self.skipped: set[str] = set()
        """Objects that are no points of this driver."""

    def take(self, objects: bytes, event_class: int = 0) -> bool:
        """Note what a fragment names, of the class that was asked for; True if events are in it."""
        found = decoded(walk(objects).blocks)
        for block in found.skipped:
            self.skipped.add(f"g{block.group}v{block.variation}")
        for columns in found.columns:
            if columns.point_type in ORDER:
                self._note(columns, event_class)
            else:
                self.skipped.add(f"g{columns.group}v{columns.variation}")
        return any(columns.event for columns in found.columns)

    def __iter__(self) -> Iterator[tuple[Address, Found]]:
        """Yield the points by type and index."""
        order = sorted(self.points, key=lambda at: (ORDER[at.point_type], at.index))
        return ((address, self.points[address]) for address in order)

    def _note(self, columns: Columns, event_class: int) -> None:
        variation = f"g{columns.group}v{columns.variation}"
        for row, index in enumerate(columns.index):
            found = self.points.setdefault(Address(columns.point_type, index), Found())
            found.value = spelled(columns.values[row])
            found.flags = None if columns.flags is None else columns.flags[row]
            if not columns.event:
                found.static = variation
                continue
            found.events.add(variation)
            if event_class:
                found.classes.add(event_class)


def spelled(value: object) -> str:
    """Write a value as a table shows it."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else f"{value:g}"
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def as_table(survey: Survey) -> Iterator[str]:
    """Write what was found for a person."""
    yield f"{'point':<10} {'static':<8} {'events':<12} {'class':<6} {'flags':<6} value"
    for address, found in survey:
        flags = "-" if found.flags is None else f"0x{found.flags:02x}"
        classes = ",".join(map(str, sorted(found.classes))) or "-"
        events = ",".join(sorted(found.events)) or "-"
        static = found.static or "-"
        yield (
            f"{address!s:<10} {static:<8} {events:<12} {classes:<6} {flags:<6} {found.value}"
        ).rstrip()
    if survey.skipped:
        yield f"not read by this driver: {', '.join(sorted(survey.skipped))}"


def as_document(survey: Survey) -> Mapping[str, Any]:
    """Write the same for a program."""
    points = [
        {
            "point": str(address),
            "static": found.static or None,
            "events": sorted(found.events),
            "classes": sorted(found.classes),
            "flags": found.flags,
            "value": found.value,
        }
        for address, found in survey
    ]
    return {"points": points, "skipped": sorted(survey.skipped)}


def points_of(survey: Survey) -> list[Point]:
    """Return a point map, to be named and narrowed by a person."""
    return [
        Point(
            id=f"{SPELLED[address.point_type]}_{address.index}",
            description="as " + " ".join(filter(None, (found.static, *sorted(found.events)))),
            kind=KINDS[address.point_type],
            address=str(address),
            states=STATES.get(address.point_type, NO_STATES),
        )
        for address, found in survey
    ]
