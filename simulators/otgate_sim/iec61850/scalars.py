"""Basic types of SCL as types of MMS, the values they begin with, and how values are spelled."""

from collections.abc import Callable, Mapping

from otgate_iec61850.mms.typespec import Kind, Scalar
from otgate_iec61850.mms.values import (
    BinaryTime,
    Bits,
    Double,
    MmsString,
    Unsigned,
    UtcTime,
    Value,
)

QUALITY = Scalar(Kind.BIT_STRING, -13)
TIMESTAMP = Scalar(Kind.UTC_TIME)
GOOD = Bits(13, 0)

OTHER = Scalar(Kind.OCTET_STRING, -64)

SCALARS: Mapping[str, Scalar] = {
    "BOOLEAN": Scalar(Kind.BOOLEAN),
    "INT8": Scalar(Kind.INTEGER, 8),
    "INT16": Scalar(Kind.INTEGER, 16),
    "INT24": Scalar(Kind.INTEGER, 32),
    "INT32": Scalar(Kind.INTEGER, 32),
    "INT64": Scalar(Kind.INTEGER, 64),
    "INT128": Scalar(Kind.INTEGER, 64),
    "INT8U": Scalar(Kind.UNSIGNED, 8),
    "INT16U": Scalar(Kind.UNSIGNED, 16),
    "INT24U": Scalar(Kind.UNSIGNED, 32),
    "INT32U": Scalar(Kind.UNSIGNED, 32),
    "INT64U": Scalar(Kind.UNSIGNED, 64),
    "FLOAT32": Scalar(Kind.FLOAT, 32),
    "FLOAT64": Scalar(Kind.FLOAT, 64),
    "Enum": Scalar(Kind.INTEGER, 8),
    "Dbpos": Scalar(Kind.BIT_STRING, 2),
    "Tcmd": Scalar(Kind.BIT_STRING, 2),
    "Quality": QUALITY,
    "Timestamp": TIMESTAMP,
    "EntryTime": Scalar(Kind.BINARY_TIME, 1),
    "Check": Scalar(Kind.BIT_STRING, -2),
    "OptFlds": Scalar(Kind.BIT_STRING, -10),
    "TrgOps": Scalar(Kind.BIT_STRING, -6),
    "ObjRef": Scalar(Kind.VISIBLE_STRING, -129),
    "Currency": Scalar(Kind.VISIBLE_STRING, -3),
    "Unicode255": Scalar(Kind.MMS_STRING, -255),
    "Octet64": OTHER,
}
"""By bType: IEC 61850-6, mapped by IEC 61850-8-1."""


def scalar(b_type: str) -> Scalar:
    """Return the type of MMS that stands for a basic type; octets where none is known."""
    if b_type.startswith("VisString") and b_type[9:].isdecimal():
        return Scalar(Kind.VISIBLE_STRING, -int(b_type[9:]))
    return SCALARS.get(b_type, OTHER)


def first_value(type_: Scalar) -> Value:
    """Return the value that a type begins with where nothing is configured."""
    if type_.kind is Kind.BIT_STRING:
        return Bits(abs(type_.size), 0)
    return spelled(type_, 0) if type_.kind in _NUMBERS else _FIRST[type_.kind]


_FIRST: Mapping[Kind, Value] = {
    Kind.OCTET_STRING: b"",
    Kind.VISIBLE_STRING: "",
    Kind.MMS_STRING: MmsString(""),
    Kind.UTC_TIME: UtcTime(bytes(8)),
    Kind.BINARY_TIME: BinaryTime(bytes(6)),
}


def _signed(size: int, value: float) -> int:
    bound = 1 << size - 1
    return max(-bound, min(bound - 1, round(value)))


def _unsigned(size: int, value: float) -> Unsigned:
    return Unsigned(max(0, min((1 << size) - 1, round(value))))


_NUMBERS: Mapping[Kind, Callable[[int, float], Value]] = {
    Kind.BOOLEAN: lambda _, value: bool(value),
    Kind.INTEGER: _signed,
    Kind.UNSIGNED: _unsigned,
    Kind.FLOAT: lambda size, value: Double(value) if size == 64 else float(value),
}


def spelled(type_: Scalar, value: Value) -> Value:
    """Return a plain number or text as a value of a type; what is of it already stays.

    Raises:
        TypeError: there is no such value of that type.
    """
    if type_.kind in _NUMBERS and isinstance(value, bool | int | float):
        return _NUMBERS[type_.kind](type_.size, value)
    if type_.kind is Kind.BIT_STRING and type(value) in {int, bool}:
        return Bits(abs(type_.size), int(value))  # type: ignore[arg-type]  # told above
    if type_.kind is Kind.MMS_STRING and isinstance(value, str):
        return MmsString(value)
    if not fits(type_, value):
        raise TypeError(f"{value!r} is no {type_.kind.name}")
    return value


_CLASSES: Mapping[Kind, type] = {
    Kind.BOOLEAN: bool,
    Kind.INTEGER: int,
    Kind.UNSIGNED: Unsigned,
    Kind.BIT_STRING: Bits,
    Kind.OCTET_STRING: bytes,
    Kind.VISIBLE_STRING: str,
    Kind.MMS_STRING: MmsString,
    Kind.UTC_TIME: UtcTime,
    Kind.BINARY_TIME: BinaryTime,
}


def fits(type_: Scalar, value: Value) -> bool:
    """Tell whether a value from the wire is of a type."""
    if type_.kind is Kind.FLOAT:
        return type(value) is (Double if type_.size == 64 else float)
    if type(value) is not _CLASSES[type_.kind]:
        return False
    if type_.kind in {Kind.INTEGER, Kind.UNSIGNED}:
        return spelled(type_, value) == value
    size = _size(value)
    return size <= -type_.size if type_.size < 0 else not type_.size or _fixed(type_, size)


def _size(value: Value) -> int:
    if isinstance(value, Bits):
        return value.size
    return len(value) if isinstance(value, bytes | str) else 0


def _fixed(type_: Scalar, size: int) -> bool:
    return size == type_.size or type_.kind in {Kind.BOOLEAN, Kind.BINARY_TIME}
