"""What the registers of a SunSpec point say, and which of their values mean "not implemented"."""

import struct
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum, auto

from otgate_modbus.sunspec.definitions import BITFIELD, Entry
from otgate_modbus.sunspec.layout import Field, Registers

SIGNED = frozenset({"int16", "int32", "int64", "sunssf"})
ADDED_UP = frozenset({"acc16", "acc32", "acc64"})
"""Accumulators: zero means that nothing is accumulated."""

ZERO_IS_ABSENT = ADDED_UP | {"ipaddr", "ipv6addr"}
TEXTS = frozenset({"string", "ipaddr", "ipv6addr", "eui48"})
FLOATS = {"float32": struct.Struct(">f"), "float64": struct.Struct(">d")}
EXPONENTS = range(-10, 11)
"""What a scale factor may be: SunSpec Information Model Specification, sunssf."""


class Absent(Enum):
    """Why a point has no value."""

    NOT_IMPLEMENTED = auto()
    UNREADABLE = auto()
    NO_SCALE = auto()
    """Its scale factor is not implemented or none."""


Value = int | float | Decimal | str | Absent


def raw_value(entry: Entry, registers: Registers) -> int | float | str | Absent:
    """Return what the registers of one point say, without its scale factor."""
    words = [word for word in registers if word is not None]
    if len(words) != len(registers):
        return Absent.UNREADABLE
    packed = struct.pack(f">{len(words)}H", *words)
    if entry.type in FLOATS:
        number: float = FLOATS[entry.type].unpack(packed)[0]
        return Absent.NOT_IMPLEMENTED if number != number else number  # noqa: PLR0124  only NaN is unequal to itself
    if entry.type in TEXTS:
        return _text(entry, packed)
    raw = int.from_bytes(packed, signed=entry.type in SIGNED)
    return Absent.NOT_IMPLEMENTED if raw == missing(entry) else raw


def missing(entry: Entry) -> int:
    """Return the number that means "not implemented"."""
    bits = 16 * entry.size
    if entry.type in SIGNED:
        return -(1 << (bits - 1))
    return 0 if entry.type in ZERO_IS_ABSENT else (1 << bits) - 1


def _text(entry: Entry, packed: bytes) -> str | Absent:
    if entry.type == "string":
        text = packed.partition(b"\0")[0].decode("utf-8", "replace").rstrip()
        return text or Absent.NOT_IMPLEMENTED
    if not any(packed) or packed == b"\xff" * len(packed):
        return Absent.NOT_IMPLEMENTED
    if entry.type == "ipaddr":
        return ".".join(map(str, packed))
    return packed.hex(":") if entry.type == "eui48" else packed.hex(":", 2)


def value_of(field: Field, model: Registers) -> Value:
    """Return a point's value in its unit, from the registers of its model."""
    entry = field.entry
    raw = raw_value(entry, model[field.offset : field.offset + entry.size])
    if entry.sf is None or isinstance(raw, str | Absent | float):
        return raw
    exponent = exponent_of(field, model)
    return Absent.NO_SCALE if exponent is None else Decimal(raw).scaleb(exponent).normalize()


def exponent_of(field: Field, model: Registers) -> int | None:
    """Return the decimal exponent of a point, or None where the device gives none."""
    if isinstance(field.entry.sf, int):
        return field.entry.sf
    word = None if field.sf is None else model[field.sf]
    if word is None:
        return None
    exponent = word - 0x10000 if word & 0x8000 else word
    return exponent if exponent in EXPONENTS else None


def states_of(entry: Entry) -> Mapping[int, str]:
    """Return the names of codes or of bits, each code and each name once, none that is reserved."""
    found: dict[int, str] = {}
    for code, name in entry.symbols.items():
        if "reserved" not in name and name not in found.values():
            found.setdefault(code, name)
    return found


def is_bitfield(entry: Entry) -> bool:
    """Whether its symbols name bits."""
    return entry.type.startswith(BITFIELD)


def spelled(field: Field, value: Value) -> str:
    """Write a value for a person, with the names of its code or bits."""
    if isinstance(value, Absent):
        return {
            Absent.NOT_IMPLEMENTED: "not implemented",
            Absent.UNREADABLE: "cannot be read",
            Absent.NO_SCALE: "no scale factor",
        }[value]
    states = states_of(field.entry)
    if not states or not isinstance(value, int):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    if is_bitfield(field.entry):
        return " ".join(_bits(value, states)) or "none"
    return states.get(value, str(value))


def _bits(value: int, states: Mapping[int, str]) -> Sequence[str]:
    return [states.get(bit, f"bit {bit}") for bit in range(value.bit_length()) if value >> bit & 1]
