"""A point as the server has it: its reference, and how its value is held."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from otgate.cell import BadCell
from otgate.errors import Mistake
from otgate.model import Device, Kind, Point, ValueType
from otgate.readings import read_each
from otgate.scaling import Scaling, no_scale, scaling_of
from otgate_iec61850.address import BadReference, Fc, Reference, read_reference

SIGNED = ("INT8", "INT16", "INT24", "INT32", "INT64")
UNSIGNED = ("INT8U", "INT16U", "INT24U", "INT32U", "INT64U")
TEXTS = (
    *("VisString32", "VisString64", "VisString65", "VisString129", "VisString255"),
    *("Unicode255", "ObjRef", "Currency"),
)

TYPES: Mapping[str, ValueType] = {
    "BOOLEAN": ValueType.BOOL,
    **dict.fromkeys((*SIGNED, "Enum", "Dbpos", "Tcmd"), ValueType.I64),
    **dict.fromkeys(UNSIGNED, ValueType.U64),
    **dict.fromkeys(("FLOAT32", "FLOAT64"), ValueType.F64),
    **dict.fromkeys(TEXTS, ValueType.TEXT),
}
"""Basic types of IEC 61850-7-2 and -7-3 that are values of points."""

ENUMS = frozenset({"Enum", "Dbpos", "Tcmd"})
FOLDED = {name.lower(): name for name in TYPES}

NUMBERS = frozenset({Kind.MEASUREMENT, Kind.COUNTER})
"""Kinds that only a number can be."""

NUMERIC = frozenset({ValueType.F64, ValueType.I64, ValueType.U64})

NOT_READABLE = {Fc.CO: "a control", Fc.SE: "a setting under edit"}
"""Constraints whose values are for writing: IEC 61850-8-1."""

USUAL = {
    Kind.MEASUREMENT: ValueType.F64,
    Kind.COUNTER: ValueType.I64,
    Kind.TEXT: ValueType.TEXT,
    Kind.SETTING: ValueType.F64,
}


class Reading(NamedTuple):
    """One point of a device."""

    reference: Reference
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
    reference = _reference(point)
    held = _held(reference, point)
    _suits(held, point)
    scaling = scaling_of(point)
    if scaling.linear and held not in NUMERIC:
        raise no_scale(point, f"a {_said(point, held)}")
    if point.invert and held is not ValueType.BOOL:
        raise BadCell("bad-scale", "invert", "only a BOOLEAN can be inverted", "use a scale of -1")
    return Reading(
        reference, number, ValueType.F64 if scaling.linear else held, scaling, point.invert
    )


def readings_of(device: Device, mistakes: list[Mistake]) -> list[Reading]:
    """Read the points of a device; what cannot be read lands in ``mistakes``."""
    return read_each(device, read_point, mistakes)


def repeated(readings: Iterable[Reading], device: Device) -> list[Mistake]:
    """Find points whose value another one has."""
    first: dict[Reference, Reading] = {}
    mistakes: list[Mistake] = []
    for reading in readings:
        other = first.setdefault(reading.reference, reading)
        if other is not reading:
            point, its = device.points[reading.number], device.points[other.number].id
            message = f"`{reading.reference}` is point `{its}` already"
            mistakes.append(
                Mistake(
                    "overlapping-address", message, point.id, "address", "leave one of them out"
                )
            )
    return mistakes


def _reference(point: Point) -> Reference:
    try:
        reference = read_reference(point.address)
    except BadReference as bad:
        raise BadCell("bad-address", "address", bad.message, bad.help) from None
    if reference.fc in NOT_READABLE:
        what = NOT_READABLE[reference.fc]
        message = f"`[{reference.fc}]` is {what}, which is not read"
        raise BadCell("address-not-readable", "address", message, "name the status or the setting")
    if len(reference.indices) > 1:
        message = f"`{reference.path}` has two indices; MMS selects one"
        raise BadCell("bad-address", "address", message, "name an array with one index")
    return reference


def _held(reference: Reference, point: Point) -> ValueType:
    written = point.type.strip()
    if not written:
        return _usual(reference, point)
    if written.lower() not in FOLDED:
        message = f"IEC 61850 has no type {written}"
        raise BadCell("unknown-type", "type", message, f"one of: {', '.join(TYPES)}")
    return TYPES[FOLDED[written.lower()]]


def _usual(reference: Reference, point: Point) -> ValueType:
    """Return what a point holds whose map leaves the type empty."""
    last = reference.plain.rpartition(".")[2]
    if last == "f":
        return ValueType.F64
    if last == "i" or point.states:
        return ValueType.I64
    return USUAL.get(point.kind, ValueType.BOOL)


def _suits(held: ValueType, point: Point) -> None:
    """Refuse a kind that makes a number of what is none, or a text of what is a number."""
    label = point.type.strip().lower() in {name.lower() for name in ENUMS}
    number = held in NUMERIC and not label
    if (point.kind in NUMBERS and not number) or (
        point.kind is Kind.TEXT and held is not ValueType.TEXT
    ):
        message = f"a {_said(point, held)} cannot be a {point.kind}"
        raise BadCell("unsuitable-kind", "kind", message, f"it can be {_suited(held, label=label)}")


def _suited(held: ValueType, *, label: bool) -> str:
    if held is ValueType.TEXT:
        return "a text"
    numbers = held in NUMERIC and not label
    return "a measurement, a counter or a setting" if numbers else "a status or an event"


def _said(point: Point, held: ValueType) -> str:
    return point.type.strip() or {ValueType.BOOL: "BOOLEAN", ValueType.TEXT: "string"}.get(
        held, "number"
    )
