"""A point as the wire sees it: which addresses hold it and how they spell it."""

from collections.abc import Collection, Iterable, Sequence
from threading import Lock
from typing import NamedTuple

from otgate.cell import BadCell
from otgate.errors import MOST_MISTAKES, Mistake
from otgate.model import Device, Point, ValueType
from otgate.scaling import Scaling, no_scale, scaling_of
from otgate_modbus.address import (
    ADDRESSES,
    BIT_TABLES,
    Address,
    Table,
    read_address,
    read_register,
)
from otgate_modbus.encoding import Encoding, Form, read_type, wire_order
from otgate_modbus.rollover import read_modulus
from otgate_modbus.settings import Settings


class Span(NamedTuple):
    """Neighbouring addresses that a point needs beside those at which its `Reading` begins."""

    table: Table
    start: int
    length: int
    number: int
    """Index into the device's points."""

    @property
    def stop(self) -> int:
        """First address behind it."""
        return self.start + self.length


class Reading(NamedTuple):
    """One point of a device. ``start`` and ``length`` are registers, or bits of a bit table.

    A value whose registers lie apart has the first of them there and the rest in ``others``.
    """

    table: Table
    start: int
    length: int
    number: int
    """Index into the device's points."""
    encoding: Encoding
    order: str
    shift: int
    """First bit within the register."""
    width: int
    """Bits, where the form is BITS."""
    scaling: Scaling
    invert: bool
    modulus: int = 0
    """What a counter counts to before it starts again at zero; 0 where it does not."""
    zone: str = ""
    """Of the clock that a stamp was read from."""
    codes: Collection[int] = ()
    """The only values that an enumeration with states may have."""
    others: tuple[Span, ...] = ()
    """Further registers of the value, in its order."""
    factor: Span | None = None
    """The register that holds the power of ten by which the value is multiplied."""

    @property
    def stop(self) -> int:
        """First address behind it."""
        return self.start + self.length

    @property
    def value_type(self) -> ValueType:
        """How its values are held."""
        linear = self.scaling.linear or self.factor is not None
        return ValueType.F64 if linear else self.encoding.value_type

    @property
    def scattered(self) -> bool:
        """Whether it needs more than the addresses at which it begins."""
        return bool(self.others) or self.factor is not None

    @property
    def spans(self) -> "tuple[Reading | Span, ...]":
        """All that one poll has to read for it: itself, and what it needs elsewhere."""
        factor = () if self.factor is None else (self.factor,)
        return (self, *self.others, *factor)


Extent = Reading | Span
"""What a read covers as a whole: table, start, length, and whose it is."""


def spans_of(readings: Sequence[Reading]) -> list[Extent]:
    """Return all that ``readings``, sorted by place, need; sorted by place again."""
    ordered: list[Extent] = list(readings)
    more = [span for reading in readings if reading.scattered for span in reading.spans[1:]]
    return sorted([*ordered, *more], key=lambda span: span[:4]) if more else ordered


Key = tuple[int, object, str, tuple[int, ...]]


Found = tuple[Sequence[Point], list[Reading], list[Mistake]]


class Recent:
    """The point maps read last: devices of a kind share theirs, and each link opens them again.

    A reload reads them in a thread of its own while links open theirs.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._held = 0
        self._read: dict[Key, Found] = {}

    def of(
        self, points: Sequence[Point], settings: Settings, numbers: tuple[int, ...]
    ) -> tuple[list[Reading], list[Mistake]]:
        """Return the readings of some points, and what cannot be read."""
        key = (id(points), settings.base, settings.order, numbers)
        found = self._read.get(key)
        if found is None:  # with `points`, so that nothing else can come to have its id
            found = (points, *_read(points, settings, numbers))
        self._keep(key, found)
        return found[1:]

    def _keep(self, key: Key, found: Found) -> None:
        """Hold ``found`` as what was read last."""
        with self._lock:
            if self._read.pop(key, None) is None:
                self._held += len(key[-1])
            self._read[key] = found
            while self._held > self._most:
                oldest = next(iter(self._read))
                self._held -= len(oldest[-1])
                del self._read[oldest]


RECENT = Recent(8_192)
"""About 3 MB."""


def readings_of(
    device: Device, settings: Settings, numbers: Iterable[int], mistakes: list[Mistake]
) -> list[Reading]:
    """Read the given points of a device; what cannot be read lands in ``mistakes``."""
    readings, wrong = RECENT.of(device.points, settings, tuple(numbers))
    mistakes.extend(wrong)
    if not device.time_zone:
        return list(readings)
    return [
        each._replace(zone=device.time_zone) if each.encoding.form is Form.STAMP else each
        for each in readings
    ]


def _read(
    points: Sequence[Point], settings: Settings, numbers: Iterable[int]
) -> tuple[list[Reading], list[Mistake]]:
    readings: list[Reading] = []
    mistakes: list[Mistake] = []
    for number in numbers:
        point = points[number]
        try:
            readings.append(read_point(number, point, settings))
        except BadCell as bad:
            mistakes.append(bad.mistake(point.id))
            if len(mistakes) >= MOST_MISTAKES:
                break
    return readings, mistakes


def read_point(number: int, point: Point, settings: Settings) -> Reading:
    """Read a row of the point map.

    Raises:
        BadCell: one cell of it cannot be right.
    """
    address = read_address(point.address, settings.base)
    encoding = read_type(point.type or usual_type(address, point))
    _suits(address, encoding, point)
    if address.bits is None:
        shift, width = 0, 0
        first, *others = _registers(number, address, encoding, point)
    else:
        encoding = encoding._replace(form=Form.BITS)
        shift, width = address.bits
        length = width if address.table in BIT_TABLES else 1
        first, others = Span(address.table, address.number, length, number), []
    factor = _factor(number, point, encoding, settings)
    if factor is not None and any(meet(factor, span) for span in (first, *others)):
        message = f"`{point.sf}` is a register of the value itself"
        raise BadCell("bad-address", "sf", message, FACTOR_HELP)
    return Reading(
        *first,
        encoding,
        _order(point, encoding, settings),
        shift,
        width,
        _scaled(point, encoding),
        point.invert,
        read_modulus(point, encoding),
        codes=_codes(point, encoding, width),
        others=tuple(others),
        factor=factor,
    )


def meet(one: Extent, other: Extent) -> bool:
    """Say whether two spans have an address in common."""
    return one.table is other.table and one.start < other.stop and other.start < one.stop


def _registers(number: int, address: Address, encoding: Encoding, point: Point) -> list[Span]:
    """Return the registers of a value, neighbours together, in the order of the value."""
    table, count = address.table, encoding.registers
    if not address.others:
        if address.number + count > ADDRESSES:
            raise BadCell(
                "address-out-of-range",
                "address",
                f"a {encoding.name} at `{point.address}` ends beyond the last register",
            )
        return [Span(table, address.number, count, number)]
    named = (address.number, *address.others)
    if len(named) != count:
        raise BadCell(
            "bad-address",
            "address",
            f"`{point.address}` names {len(named)} registers, {encoding.name} takes {count}",
            "name every register of the value, in its order",
        )
    spans: list[Span] = []
    for at in named:
        if spans and spans[-1].stop == at:
            spans[-1] = spans[-1]._replace(length=spans[-1].length + 1)
        else:
            spans.append(Span(table, at, 1, number))
    return spans


FACTOR_HELP = "name the register with the power of ten, as in `hr 100`; a fixed factor is a `scale`"


def _factor(number: int, point: Point, encoding: Encoding, settings: Settings) -> Span | None:
    """Return the register that holds the point's scale factor."""
    if not point.sf:
        return None
    if not encoding.scalable:
        raise no_scale(point, f"a point of type {encoding.name}")
    if point.eu_lo is not None and point.raw_lo is not None:
        raise BadCell(
            "bad-scale",
            "sf",
            "a scale factor beside raw_lo, raw_hi, eu_lo and eu_hi is ambiguous",
            "keep either the scale factor or the four range columns",
        )
    address = read_register(point.sf, settings.base, "sf", FACTOR_HELP)
    return Span(address.table, address.number, 1, number)


def usual_type(address: Address, point: Point) -> str:
    """Return the type of a point whose map leaves the column empty."""
    if address.bits is None:
        return "enum" if point.states else "u16"
    if address.bits[1] == 1:
        return "bool"
    return "enum" if point.states else "bits"


def overlaps(readings: Sequence[Reading], device: Device) -> list[Mistake]:
    """Find points that read the same registers as something else."""
    mistakes: list[Mistake] = []
    uses = [Use(span, reading) for reading in readings for span in reading.spans]
    widest: Use | None = None
    for use in sorted(uses, key=lambda use: use.span[:4]):
        if widest is None or not use.meets(widest):
            widest = use
            continue
        if not widest.agrees(use):
            mistakes.append(_overlap(device, use, widest))
        if use.span.stop > widest.span.stop:
            widest = use
    return mistakes


class Use(NamedTuple):
    """Addresses, and the point that reads them."""

    span: Extent
    reading: Reading

    def meets(self, before: "Use") -> bool:
        """Say whether it begins within what one before it reads."""
        return self.span.table is before.span.table and self.span.start < before.span.stop

    def agrees(self, other: "Use") -> bool:
        """Say whether both may read their addresses as they do."""
        if self.span.table in BIT_TABLES or (self.is_part and other.is_part):
            return True
        if self.span[1:3] != other.span[1:3] or not (self.is_whole and other.is_whole):
            return False
        mine, its = self.reading, other.reading
        return (mine.encoding.name, mine.order) == (its.encoding.name, its.order)

    @property
    def is_part(self) -> bool:
        """Whether it lies within one register that others may read in parts as well."""
        alone = self.span.length == 1
        return alone and (not self.is_whole or self.reading.encoding.form in PARTS)

    @property
    def is_whole(self) -> bool:
        """Whether nothing but these addresses makes up the value."""
        return self.span is self.reading and not self.reading.others

    def said(self, device: Device) -> str:
        """Say how the addresses are read."""
        point = device.points[self.reading.number]
        if self.span is self.reading.factor:
            return f"`{point.sf}` as a scale factor"
        return f"`{point.address}` as {self.reading.encoding.name}"


PARTS = frozenset({Form.BITS, Form.UNSIGNED, Form.SIGNED})


def _overlap(device: Device, *pair: Use) -> Mistake:
    other, use = sorted(pair, key=lambda use: use.reading.number)
    its = device.points[other.reading.number]
    return Mistake(
        "overlapping-address",
        f"{use.said(device)} overlaps point `{its.id}`, which reads {other.said(device)}",
        device.points[use.reading.number].id,
        "sf" if use.span is use.reading.factor else "address",
        "one of the two has the wrong address or type",
    )


def _suits(address: Address, encoding: Encoding, point: Point) -> None:
    if address.bits is None:
        if encoding.form is Form.BITS:
            raise BadCell(
                "unknown-type",
                "type",
                f"`{point.type}` needs a bit, and `{point.address}` is a whole register",
                f"write the bit, as in `{point.address}.0`",
            )
    elif encoding.name not in (BIT_TYPES if address.bits[1] == 1 else RANGE_TYPES):
        raise BadCell(
            "unknown-type",
            "type",
            f"`{point.address}` is of bits and cannot hold {encoding.name}",
            "one bit is a bool; a range is bits, enum or flags",
        )
    elif encoding.missing:
        raise BadCell("unknown-type", "type", "bits have no value that means not implemented")
    if point.invert and encoding.value_type is not ValueType.BOOL:
        raise BadCell("bad-scale", "invert", "only a bool can be inverted", "use a scale of -1")


def _codes(point: Point, encoding: Encoding, width: int) -> Collection[int]:
    """Check that every state is one the point can be in; return them if it has no others."""
    if not point.states:
        return ()
    if encoding.form in {Form.TEXT, Form.FLOAT, Form.STAMP} or point.scaled:
        message = f"a point of type {encoding.name} has no states"
        if point.scaled:
            message = "a value in engineering units has no states"
        raise BadCell("bad-states", "states", message, "states go with enum, flags and bool")
    bits = width or 8 * encoding.size
    low = -(1 << bits - 1) if encoding.form is Form.SIGNED else 0
    high, what = low + (1 << bits) - 1, "codes"
    if point.has_flags:
        low, high, what = 0, bits - 1, "bits"
    for code in point.states:
        if not low <= code <= high:
            message = f"state {code} cannot be: the {what} of this point run from {low} to {high}"
            raise BadCell("bad-states", "states", message, STATES_HELP[point.has_flags])
    return tuple(point.states) if encoding.name in ENUMS else ()


ENUMS = frozenset({"enum16", "enum32"})
STATES_HELP = {
    False: "write the codes that the device sends, as in `0=open|1=closed`",
    True: "flags name their bits by number, 0 being the lowest, as in `0=trip|1=alarm`",
}

BIT_TYPES = frozenset({"bool"})
RANGE_TYPES = frozenset({"bits", "enum16", "flags16"})


def _scaled(point: Point, encoding: Encoding) -> Scaling:
    scaling = scaling_of(point, besides=("order", "sf", "rollover"))
    if encoding.scalable or not scaling.linear:
        return scaling
    raise no_scale(point, f"a point of type {encoding.name}")


def _order(point: Point, encoding: Encoding, settings: Settings) -> str:
    order = point.order.strip().upper() or settings.order
    alone = encoding.form is Form.TEXT  # its registers stay in order, whatever their number
    wire_order(order, 2 if alone else max(2, 2 * encoding.registers))
    return order
