"""A point as the outstation has it: type, index, and how its value is held."""

from collections.abc import Iterable
from typing import NamedTuple

from otgate.cell import BadCell
from otgate.errors import Mistake
from otgate.model import Device, Kind, Point, ValueType
from otgate.readings import read_each
from otgate.scaling import Scaling, no_scale, scaling_of
from otgate_dnp3.address import SPELLED, Address, read_address
from otgate_dnp3.stack.points import PointType

HELD = {
    PointType.BINARY_INPUT: ValueType.BOOL,
    PointType.DOUBLE_BIT_INPUT: ValueType.I64,
    PointType.BINARY_OUTPUT: ValueType.BOOL,
    PointType.COUNTER: ValueType.U64,
    PointType.FROZEN_COUNTER: ValueType.U64,
    PointType.ANALOG_INPUT: ValueType.F64,
    PointType.FROZEN_ANALOG_INPUT: ValueType.F64,
    PointType.ANALOG_OUTPUT: ValueType.F64,
    PointType.OCTET_STRING: ValueType.TEXT,
}

TYPES = {
    ValueType.BOOL: ("bool",),
    ValueType.I64: ("enum",),
    ValueType.U64: ("u64", "u32", "u16", "i64"),
    ValueType.F64: ("f64", "f32", "i32", "i16"),
    ValueType.TEXT: ("string",),
}
"""What the type column may say; the outstation's variation decides what is sent."""

NUMBERS = frozenset({Kind.MEASUREMENT, Kind.COUNTER})
"""Kinds that only a number can be."""

SCALABLE = frozenset({ValueType.F64, ValueType.U64})

SUITED = {
    ValueType.BOOL: "a status or an event",
    ValueType.I64: "a status or an event",
    ValueType.U64: "a counter or a measurement",
    ValueType.F64: "a measurement or a counter",
    ValueType.TEXT: "a text",
}


class Reading(NamedTuple):
    """One point of a device."""

    address: Address
    number: int
    """Index into the device's points."""
    value_type: ValueType
    scaling: Scaling
    invert: bool


def read_point(number: int, point: Point) -> Reading:
    """Read a row of the point map.

    Raises:
        BadCell: one cell of it cannot be right.
    """
    address = read_address(point.address)
    _suits(address, point)
    value_type = _value_type(address, point)
    scaling = scaling_of(point)
    if scaling.linear and HELD[address.point_type] not in SCALABLE:
        raise no_scale(point, f"a point at `{point.address}`")
    if point.invert and value_type is not ValueType.BOOL:
        raise BadCell("bad-scale", "invert", "only a bool can be inverted", "use a scale of -1")
    if scaling.linear:
        value_type = ValueType.F64
    return Reading(address, number, value_type, scaling, point.invert)


def _suits(address: Address, point: Point) -> None:
    """Refuse a kind that makes a number of what is none, or a text of what is a number."""
    held = HELD[address.point_type]
    if (point.kind in NUMBERS and held not in SCALABLE) or (
        point.kind is Kind.TEXT and held is not ValueType.TEXT
    ):
        raise BadCell(
            "unsuitable-kind",
            "kind",
            f"`{point.address}` cannot be a {point.kind}",
            f"it can be {SUITED[held]}",
        )


def _value_type(address: Address, point: Point) -> ValueType:
    held = HELD[address.point_type]
    written = point.type.strip().lower()
    if not written:
        return held
    if written not in TYPES[held]:
        word, can = SPELLED[address.point_type], ", ".join(f"`{each}`" for each in TYPES[held])
        message = f"`{point.address}` cannot hold {point.type}"
        raise BadCell("unknown-type", "type", message, f"a point of type {word} is {can} or empty")
    return ValueType.I64 if written == "i64" else held


def readings_of(device: Device, mistakes: list[Mistake]) -> list[Reading]:
    """Read the points of a device; what cannot be read lands in ``mistakes``."""
    return read_each(device, read_point, mistakes)


def repeated(readings: Iterable[Reading], device: Device) -> list[Mistake]:
    """Find points whose place another one has."""
    first: dict[Address, Reading] = {}
    mistakes: list[Mistake] = []
    for reading in readings:
        other = first.setdefault(reading.address, reading)
        if other is not reading:
            mine, its = device.points[reading.number], device.points[other.number]
            message = f"`{mine.address}` is point `{its.id}` already"
            help_text = "one of the two has the wrong type or index"
            mistakes.append(Mistake("overlapping-address", message, mine.id, "address", help_text))
    return mistakes
