"""Types of variables, as a server describes them: ISO 9506-2, TypeDescription."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from otgate_iec61850.mms.ber import (
    SEQUENCE,
    boolean,
    element,
    elements,
    fields,
    header,
    integer,
    read_boolean,
    read_integer,
    read_text,
    read_unsigned,
    required,
    text,
)
from otgate_iec61850.mms.errors import Malformed

ARRAY, STRUCTURE, FLOATING = 0xA1, 0xA2, 0xA7
COUNT, ELEMENT_TYPE, COMPONENTS, COMPONENT_NAME, COMPONENT_TYPE = 0x81, 0xA2, 0xA1, 0x80, 0xA1

DEEPEST = 20
MOST_COMPONENTS = 100_000
"""Components that one description may have, all levels together."""


class Kind(IntEnum):
    """Kinds of scalars, by the identifier of their values."""

    BOOLEAN = 0x83
    BIT_STRING = 0x84
    INTEGER = 0x85
    UNSIGNED = 0x86
    FLOAT = 0x87
    OCTET_STRING = 0x89
    VISIBLE_STRING = 0x8A
    GENERALIZED_TIME = 0x8B
    BINARY_TIME = 0x8C
    BCD = 0x8D
    OBJECT_ID = 0x8F
    MMS_STRING = 0x90
    UTC_TIME = 0x91


@dataclass(frozen=True, slots=True)
class Scalar:
    """A simple type; ``size`` is in bits of a number, in bits or octets of a string.

    A negative size is a string's largest: it may be shorter. A binary time of size 1 has a date.
    """

    kind: Kind
    size: int = 0


@dataclass(frozen=True, slots=True)
class ArrayType:
    """So many elements of one type."""

    count: int
    element: "Type"


@dataclass(frozen=True, slots=True)
class Structure:
    """Named components in the order in which their values come."""

    components: tuple[tuple[str, "Type"], ...]


Type = Scalar | ArrayType | Structure

_SIZED = {
    Kind.BIT_STRING, Kind.INTEGER, Kind.UNSIGNED, Kind.OCTET_STRING, Kind.VISIBLE_STRING,
    Kind.BCD, Kind.MMS_STRING,
}  # fmt: skip


def component(described: Type, path: str) -> tuple[tuple[int, ...], Type]:
    """Return where the component ``path`` (``mag$f`` or ``mag.f``) stands, and its type.

    Raises:
        KeyError: there is none of that name.
    """
    places: list[int] = []
    for name in path.replace(".", "$").split("$") if path else ():
        if not isinstance(described, Structure):
            raise KeyError(name)
        names = [each for each, _ in described.components]
        if name not in names:
            raise KeyError(name)
        places.append(names.index(name))
        described = described.components[places[-1]][1]
    return tuple(places), described


def leaves(described: Type, prefix: str = "") -> Iterator[tuple[str, Type]]:
    """Yield the path and type of every component that is no structure."""
    if not isinstance(described, Structure):
        yield prefix, described
        return
    for name, inner in described.components:
        yield from leaves(inner, f"{prefix}${name}" if prefix else name)


def named(described: Type, value: Any) -> Any:
    """Return a value with its structures as dictionaries by component name.

    Raises:
        Malformed: the value is not of that type.
    """
    if isinstance(described, Scalar):
        return value
    size = len(described.components) if isinstance(described, Structure) else described.count
    if not isinstance(value, tuple) or len(value) != size:
        raise Malformed("a value is not of the type that the server describes")
    if isinstance(described, ArrayType):
        return [named(described.element, each) for each in value]
    pairs = zip(described.components, value, strict=True)
    return {name: named(inner, each) for (name, inner), each in pairs}


def largest(described: Type) -> int:
    """Return how many octets a value of the type has on the wire at most."""
    if isinstance(described, Structure):
        size = sum(largest(inner) for _, inner in described.components)
    elif isinstance(described, ArrayType):
        size = described.count * largest(described.element)
    else:
        return _largest_scalar(described)
    return size + (2 if size < 0x80 else 4)


def _largest_scalar(scalar: Scalar) -> int:
    size = abs(scalar.size)
    if scalar.kind in {Kind.INTEGER, Kind.UNSIGNED}:
        return size // 8 + 3
    if scalar.kind in {Kind.FLOAT, Kind.BIT_STRING}:
        return (size + 7) // 8 + 4
    if scalar.kind in _SIZED:
        return size + 4
    return 18 if scalar.kind is Kind.GENERALIZED_TIME else 10


def type_octets(described: Type) -> bytes:
    """Return a TypeDescription."""
    if isinstance(described, Structure):
        return element(STRUCTURE, element(COMPONENTS, *map(_component, described.components)))
    if isinstance(described, ArrayType):
        inner = element(ELEMENT_TYPE, type_octets(described.element))
        return element(ARRAY, integer(COUNT, described.count), inner)
    if described.kind is Kind.FLOAT:
        exponent = 11 if described.size == 64 else 8
        return element(FLOATING, integer(0x02, described.size), integer(0x02, exponent))
    if described.kind is Kind.BINARY_TIME:
        return boolean(described.kind, bool(described.size))
    if described.kind in _SIZED:
        return integer(described.kind, described.size)
    return element(described.kind)


def _component(named_type: tuple[str, Type]) -> bytes:
    name, described = named_type
    return element(
        SEQUENCE, text(COMPONENT_NAME, name), element(COMPONENT_TYPE, type_octets(described))
    )


class _Budget:
    """What is left of the components that one description may have."""

    def __init__(self) -> None:
        self.left = MOST_COMPONENTS

    def spend(self, depth: int) -> None:
        self.left -= 1
        if self.left < 0 or depth > DEEPEST:
            raise Malformed("a type of too many components, or too deep")


def read_type(data: bytes, at: int, end: int) -> Type:
    """Return the TypeDescription at ``at``."""
    return _read(data, at, end, 0, _Budget())


def _read(data: bytes, at: int, end: int, depth: int, budget: _Budget) -> Type:
    budget.spend(depth)
    tag, start, stop = header(data, at, end)
    if tag == STRUCTURE:
        place = required(fields(data, start, stop), COMPONENTS)
        return Structure(
            tuple(
                _read_component(data, first, last, depth, budget)
                for _, first, last in elements(data, *place)
            )
        )
    if tag == ARRAY:
        found = fields(data, start, stop)
        count = read_unsigned(data, *required(found, COUNT))
        return ArrayType(count, _read(data, *required(found, ELEMENT_TYPE), depth + 1, budget))
    return _read_scalar(tag, data, start, stop)


def _read_component(
    data: bytes, at: int, end: int, depth: int, budget: _Budget
) -> tuple[str, Type]:
    found = fields(data, at, end)
    name = read_text(data, *found[COMPONENT_NAME]) if COMPONENT_NAME in found else ""
    return name, _read(data, *required(found, COMPONENT_TYPE), depth + 1, budget)


def _read_scalar(tag: int, data: bytes, start: int, stop: int) -> Scalar:
    if tag == FLOATING:
        _, first, last = header(data, start, stop)
        return Scalar(Kind.FLOAT, read_unsigned(data, first, last))
    if tag not in Kind.__members__.values():
        raise Malformed(f"no type has the identifier {tag:#x}")
    kind = Kind(tag)
    if kind in {Kind.BIT_STRING, Kind.OCTET_STRING, Kind.VISIBLE_STRING, Kind.MMS_STRING}:
        return Scalar(kind, read_integer(data, start, stop))
    if kind in _SIZED:
        return Scalar(kind, read_unsigned(data, start, stop))
    if kind is Kind.BINARY_TIME:
        return Scalar(kind, int(read_boolean(data, start, stop)))
    return Scalar(kind)
