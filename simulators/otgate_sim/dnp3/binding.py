"""A DNP3 device of a site as a simulated outstation: its settings, its points, the plant.

The one place that knows what a site says of a DNP3 device: `url`, `outstation` and `master` of
its settings, and addresses such as ``ai 12``.
"""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from otgate.errors import Refused
from otgate.model import EVENT_KINDS, Device, Kind, Point
from otgate_dnp3.stack.points import PointType
from otgate_sim.binding import Read
from otgate_sim.binding import Value as PlantValue
from otgate_sim.dnp3.database import Database, Entry
from otgate_sim.dnp3.families import OF_WORD, Value
from otgate_sim.dnp3.faults import Dnp3Fault
from otgate_sim.dnp3.options import Options
from otgate_sim.dnp3.outstation import Outstation
from otgate_sim.faults import LATE_S, Trouble
from otgate_sim.registers import raw_of

DNP3 = "dnp3"
ADDRESS = re.compile(rf"({'|'.join(OF_WORD)}) +([0-9]+)")
HIGHEST_INDEX = 0xFFFF
FOLLOW_S = 0.2
"""How often an outstation looks at the plant."""

STATIC_VARIATIONS = {"i32": 1, "i16": 2, "f32": 5, "f64": 6}
OUTPUT_VARIATIONS = {"i32": 1, "i16": 2, "f32": 3, "f64": 4}
EVENT_VARIATIONS = {"i32": 3, "i16": 4, "f32": 7, "f64": 8}
"""Of analogs, by the type column; all with flags, events with time."""

DOUBLE_BIT_CODES = range(4)
OFF, ON = 1, 2


@dataclass(frozen=True, slots=True)
class Place:
    """Where a point is: its type and index."""

    point_type: PointType
    index: int


def place_of(point: Point) -> Place:
    """Read a point's address.

    Raises:
        Refused: it is none of DNP3.
    """
    found = ADDRESS.fullmatch(point.address.strip())
    if found is None or int(found[2]) > HIGHEST_INDEX:
        words = ", ".join(OF_WORD)
        raise Refused(f"point {point.id}: `{point.address}` is no address such as `ai 12`: {words}")
    return Place(OF_WORD[found[1]], int(found[2]))


def options_of(device: Device, options: Options) -> Options:
    """Return ``options`` with a device's addresses."""
    settings = device.settings
    return replace(options, outstation=settings.outstation, master=settings.master)


def default_class(point: Point) -> int:
    """Return the event class of a point: statuses 1, measurements 2, counters 3."""
    if point.kind in EVENT_KINDS:
        return 1
    return 3 if point.kind is Kind.COUNTER else 2


def entry_of(point: Point, options: Options) -> Entry:
    """Return the database's entry of a point.

    Raises:
        Refused: its address is none of DNP3.
    """
    place = place_of(point)
    point_type, type_name = place.point_type, point.type
    if not type_name and point.scale * point.ratio == 1.0 and point.raw_lo is None:
        type_name = "f32"
    static = event = 0
    if point_type is PointType.ANALOG_INPUT:
        static, event = (t.get(type_name, 0) for t in (STATIC_VARIATIONS, EVENT_VARIATIONS))
    elif point_type is PointType.ANALOG_OUTPUT:
        static, event = (t.get(type_name, 0) for t in (OUTPUT_VARIATIONS, EVENT_VARIATIONS))
    return Entry(
        point_type,
        place.index,
        options.classes.get(point_type, default_class(point)),
        options.static_variations.get(point_type, static),
        options.event_variations.get(point_type, event),
        deadband_of(point),
    )


def deadband_of(point: Point) -> float:
    """Return a tenth of the point's deadband in raw numbers: a device reports finer than we do."""
    if point.deadband is None:
        return 0.0
    amount = point.deadband.amount
    if point.deadband.percent:
        lo, hi = point.eu_lo or 0.0, point.eu_hi or 0.0
        amount *= (hi - lo) / 100.0
    return abs(raw_of(point, amount) - raw_of(point, 0.0)) / 10.0


def speller(point: Point, point_type: PointType) -> Callable[[PlantValue], Value]:
    """Return how a plant value is held: state bits, text as octets, raw numbers."""

    def spelled(value: PlantValue) -> Value:
        if isinstance(value, str) or point_type is PointType.OCTET_STRING:
            return (str(value) or " ").encode()[:255]
        if point_type in {PointType.BINARY_INPUT, PointType.BINARY_OUTPUT}:
            return int(bool(value) ^ point.invert)
        if point_type is PointType.DOUBLE_BIT_INPUT:
            code = int(value)
            return code if point.states and code in DOUBLE_BIT_CODES else (ON if value else OFF)
        raw = raw_of(point, value)
        is_counter = point_type in {PointType.COUNTER, PointType.FROZEN_COUNTER}
        return int(raw) & 0xFFFF_FFFF if is_counter else raw

    return spelled


@dataclass(slots=True)
class Driven:
    """An outstation that shows the plant."""

    outstation: Outstation
    advance: Callable[[int], None]
    points: list[tuple[Entry, Callable[[], Value]]] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)
    """Where each point is, by its id."""

    def settle(self) -> None:
        """Take the first values from the plant, which are no events."""
        rtu = self.outstation.rtu
        self.advance(rtu.clock())
        for entry, read in self.points:
            entry.settle(read(), rtu.time_ms())

    def look(self) -> None:
        """Take every point's value from the plant; frozen counters keep theirs."""
        rtu = self.outstation.rtu
        self.advance(rtu.clock())
        for entry, read in self.points:
            if entry.point_type is not PointType.FROZEN_COUNTER:
                rtu.follow(entry, read())

    async def follow(self) -> None:
        """Show the plant until cancelled."""
        while True:
            await asyncio.sleep(FOLLOW_S)
            self.look()


def driven(
    device: Device,
    reads: Sequence[Read],
    clock: Callable[[], int],
    advance: Callable[[int], None],
    options: Options | None = None,
    late_s: float = LATE_S,
) -> Driven:
    """Return the outstation that stands for a device.

    Raises:
        Refused: a point cannot be simulated, or two share an address.
    """
    chosen = options_of(device, options or Options())
    trouble = Trouble(time.monotonic, Dnp3Fault.NONE, Dnp3Fault, late_s=late_s)
    outstation = Outstation(chosen, Database(), clock, trouble)
    made = Driven(outstation, advance)
    for point, read in zip(device.points, reads, strict=True):
        entry, place = entry_of(point, chosen), place_of(point)
        if place in made.places.values():
            raise Refused(f"two points of {device.id} are {point.address}")
        made.places[point.id] = place
        spelled = speller(point, place.point_type)
        made.points.append((entry, lambda read=read, spelled=spelled: spelled(read())))  # type: ignore[misc]
    outstation.database.add(*(entry for entry, _ in made.points))
    made.settle()
    return made


def is_datagram(device: Device) -> bool:
    """Whether a device is reached by UDP."""
    return str(device.settings.url).startswith("udp:")
