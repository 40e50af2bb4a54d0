"""READ requests: what is asked for, and the fragments that answer it one after the other.

IEEE 1815-2012, clause 4. Events go before static data, oldest first whatever their class.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from otgate_dnp3.stack import encode
from otgate_dnp3.stack.application import Iin
from otgate_dnp3.stack.layouts import LAYOUTS
from otgate_dnp3.stack.objects import ALL_OBJECTS, Block, Walk, ranged, walk
from otgate_dnp3.stack.points import GROUPS, Columns, PointType
from otgate_sim.dnp3.database import Entry
from otgate_sim.dnp3.events import Event, Selection
from otgate_sim.dnp3.families import (
    DEADBANDS,
    FAMILIES,
    OF_EVENT,
    OF_STATIC,
    ONLINE,
    WITH_FLAGS,
    is_served,
)
from otgate_sim.dnp3.packing import Packing, Row
from otgate_sim.dnp3.rtu import Rtu

LIMITS = frozenset({7, 8})
"""Qualifiers that say how many events at most."""
NONE = Iin(0)
RANGES = frozenset({0, 1, 2})
LISTS = frozenset({0x17, 0x28})
"""Qualifiers with an index for each object."""


@dataclass(frozen=True, slots=True)
class Static:
    """A point to be sent as it is when its turn comes."""

    entry: Entry
    group: int
    variation: int

    def row(self) -> Row:
        """Return the object to send."""
        entry, variation = self.entry, self.variation
        if self.group == DEADBANDS:
            return Row(DEADBANDS, variation, entry.index, entry.deadband, ONLINE, 0)
        if isinstance(entry.value, bytes):
            variation = len(entry.value)
        elif entry.flags != ONLINE:
            variation = WITH_FLAGS.get((self.group, variation), variation)
        return Row(self.group, variation, entry.index, entry.value, entry.flags, entry.time_ms)


@dataclass(slots=True)
class Reading:
    """What one READ asks for and has not been sent yet."""

    rtu: Rtu
    selections: list[Selection] = field(default_factory=list)
    statics: list[Static] = field(default_factory=list)
    blocks: list[bytes] = field(default_factory=list)
    refusals: Iin = NONE
    _at: int = 0

    def fill(self, packing: Packing) -> tuple[list[Event], bool]:
        """Pack what fits; return the events in it, and whether nothing is left."""
        events: list[Event] = []
        if self.selections:
            events, whole = self.rtu.buffer.write(self.selections, packing)
            if not whole:
                return events, False
        while self.blocks:
            if not packing.put(self.blocks[0]):
                return events, False
            del self.blocks[0]
        while self._at < len(self.statics):
            if not packing.offer(self.statics[self._at].row()):
                return events, False
            self._at += 1
        return events, True


def read(rtu: Rtu, objects: bytes) -> Reading:
    """Return what a READ with these object headers asks for."""
    reading = Reading(rtu)
    walked = walk(objects, carried=False)
    for block in walked.blocks:
        reading.refusals |= _part(reading, block)
    reading.refusals |= unread(walked)
    return reading


def unread(walked: Walk) -> Iin:
    """Return how to refuse what could not be read of a request."""
    if not walked.rest:
        return Iin(0)
    unknown = len(walked.rest) > 1 and tuple(walked.rest[:2]) not in LAYOUTS
    return Iin.OBJECT_UNKNOWN if unknown else Iin.PARAMETER_ERROR


def indices(block: Block, held: Iterable[int]) -> tuple[list[int], bool] | None:
    """Return which of the held indices a header names, and whether it names no others."""
    if block.qualifier == ALL_OBJECTS:
        return list(held), True
    if block.qualifier in RANGES and block.start is not None:
        named = range(block.start, block.start + block.number)
        found = [index for index in held if index in named]
        return found, len(found) == block.number
    if block.qualifier in LISTS:
        starts = range(0, len(block.data), len(block.data) // block.number if block.number else 1)
        each = [int.from_bytes(block.data[at : at + block.prefix], "little") for at in starts]
        have = set(held)
        return [index for index in each if index in have], have.issuperset(each)
    return None


def _part(reading: Reading, block: Block) -> Iin:
    if block.group == 60:
        return _classes(reading, block)
    if block.group in OF_EVENT:
        return _events(reading, block, OF_EVENT[block.group])
    if block.group in OF_STATIC:
        return _static(reading, block, OF_STATIC[block.group])
    if block.group == DEADBANDS:
        return _static(reading, block, PointType.ANALOG_INPUT)
    special = SPECIAL.get(block.group)
    return special(reading, block) if special else Iin.OBJECT_UNKNOWN


def _classes(reading: Reading, block: Block) -> Iin:
    if block.variation == 1:
        if block.qualifier != ALL_OBJECTS:
            return Iin.PARAMETER_ERROR
        for entry in reading.rtu.database:
            if entry.in_class_0:
                group = FAMILIES[entry.point_type].static_group
                reading.statics.append(Static(entry, group, entry.static_variation))
        return Iin(0)
    if not 2 <= block.variation <= 4:
        return Iin.OBJECT_UNKNOWN
    return _select(reading, block, Selection((block.variation - 1,)))


def _events(reading: Reading, block: Block, point_type: PointType) -> Iin:
    if not reading.rtu.database.of(point_type) or not _can(block):
        return Iin.OBJECT_UNKNOWN
    return _select(reading, block, Selection(point_type=point_type, variation=block.variation))


def _select(reading: Reading, block: Block, selection: Selection) -> Iin:
    if block.qualifier in LIMITS:
        selection.left = block.number
    elif block.qualifier != ALL_OBJECTS:
        return Iin.PARAMETER_ERROR
    selection.last = reading.rtu.last_serial
    reading.selections.append(selection)
    return Iin(0)


def _static(reading: Reading, block: Block, point_type: PointType) -> Iin:
    held = reading.rtu.database.of(point_type)
    if not held or not _can(block):
        return Iin.OBJECT_UNKNOWN
    named = indices(block, held)
    if named is None:
        return Iin.PARAMETER_ERROR
    default = 3 if block.group == DEADBANDS else 0
    for index in named[0]:
        entry = held[index]
        variation = block.variation or default or entry.static_variation
        reading.statics.append(Static(entry, block.group, variation))
    return Iin(0) if named[1] else Iin.PARAMETER_ERROR


def _can(block: Block) -> bool:
    return block.variation == 0 or is_served(block.group, block.variation)


def _time(reading: Reading, block: Block) -> Iin:
    if block.variation not in {0, 1}:
        return Iin.OBJECT_UNKNOWN
    now = [reading.rtu.time_ms()]
    times = Columns(50, 1, GROUPS[50].point_type, event=False, index=range(1), values=now)
    reading.blocks.append(encode.block(times))
    return Iin(0)


def _indications(reading: Reading, block: Block) -> Iin:
    if block.variation not in {0, 1}:
        return Iin.OBJECT_UNKNOWN
    shown = reading.rtu.indications().to_bytes(2, "little")
    reading.blocks.append(ranged(80, 1, 0, 16, shown))
    return Iin(0)


SPECIAL: dict[int, Callable[[Reading, Block], Iin]] = {50: _time, 80: _indications}
