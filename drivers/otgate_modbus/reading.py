"""A point as the wire sees it: which addresses hold it and how they spell it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from otgate.cell import BadCell
from otgate.errors import Mistake
from otgate.model import Device, Point, ValueType
from otgate.scaling import Scaling, scaling_of
from otgate_modbus.address import (
    ADDRESSES,
    BIT_TABLES,
    Address,
    Table,
    read_address,
)
from otgate_modbus.encoding import Encoding, Form, read_type, wire_order
from otgate_modbus.settings import Settings


class Reading(NamedTuple):
    """One point of a device. ``start`` and ``length`` are registers, or bits of a bit table."""

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

    @property
    def stop(self) -> int:
        """First address behind it."""
        return self.start + self.length

    @property
    def value_type(self) -> ValueType:
        """How its values are held."""
        return ValueType.F64 if self.scaling.linear else self.encoding.value_type


def readings_of(
    device: Device, settings: Settings, numbers: Iterable[int], mistakes: list[Mistake]
) -> list[Reading]:
    """Read the given points of a device; what cannot be read lands in ``mistakes``."""
    readings = []
    for number in numbers:
        point = device.points[number]
        try:
            readings.append(read_point(number, point, settings))
        except BadCell as bad:
            mistakes.append(bad.mistake(point.id))
    return readings


def read_point(number: int, point: Point, settings: Settings) -> Reading:
    """Read a row of the point map.

    Raises:
        BadCell: one cell of it cannot be right.
    """
    address = read_address(point.address, settings.base)
    encoding = read_type(point.type or usual_type(address, point))
    _suits(address, encoding, point)
    if address.bits is None:
        shift, width, length = 0, 0, encoding.registers
        if address.number + length > ADDRESSES:
            raise BadCell(
                "address-out-of-range",
                "address",
                f"a {encoding.name} at `{point.address}` ends beyond the last register",
            )
    else:
        encoding = encoding._replace(form=Form.BITS)
        shift, width = address.bits
        length = width if address.table in BIT_TABLES else 1
    return Reading(
        address.table,
        address.number,
        length,
        number,
        encoding,
        _order(point, encoding, settings),
        shift,
        width,
        _scaled(point, encoding),
        point.invert,
    )


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
    widest: Reading | None = None
    for reading in sorted(readings, key=lambda reading: reading[:4]):
        if widest is None or widest.table is not reading.table or widest.stop <= reading.start:
            widest = reading
            continue
        if not _agree(widest, reading):
            mistakes.append(_overlap(device, reading, widest))
        if reading.stop > widest.stop:
            widest = reading
    return mistakes


def _agree(one: Reading, other: Reading) -> bool:
    if one.table in BIT_TABLES or (_part(one) and _part(other)):
        return True
    same_place = (one.start, one.length) == (other.start, other.length)
    return same_place and (one.encoding.name, one.order) == (other.encoding.name, other.order)


def _part(reading: Reading) -> bool:
    """Whether it lies within one register that others may read in parts as well."""
    return reading.length == 1 and reading.encoding.form in PARTS


PARTS = frozenset({Form.BITS, Form.UNSIGNED, Form.SIGNED})


def _overlap(device: Device, *pair: Reading) -> Mistake:
    other, reading = sorted(pair, key=lambda reading: reading.number)
    mine, its = device.points[reading.number], device.points[other.number]
    return Mistake(
        "overlapping-address",
        f"`{mine.address}` as {reading.encoding.name} overlaps point `{its.id}`, "
        f"which reads `{its.address}` as {other.encoding.name}",
        mine.id,
        "address",
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
    elif encoding.missing is not None:
        raise BadCell("unknown-type", "type", "bits have no value that means not implemented")
    if point.invert and encoding.value_type is not ValueType.BOOL:
        raise BadCell("bad-scale", "invert", "only a bool can be inverted", "use a scale of -1")


BIT_TYPES = frozenset({"bool"})
RANGE_TYPES = frozenset({"bits", "enum16", "flags16"})


def _scaled(point: Point, encoding: Encoding) -> Scaling:
    scaling = scaling_of(point)
    if encoding.scalable or not scaling.linear:
        return scaling
    raise BadCell(
        "bad-scale", "scale", f"a point of type {encoding.name} takes no scale", "leave it empty"
    )


def _order(point: Point, encoding: Encoding, settings: Settings) -> str:
    order = point.order.strip().upper() or settings.order
    wire_order(order, max(2, 2 * encoding.registers))
    return order
