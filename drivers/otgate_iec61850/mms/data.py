"""MMS Data on the wire: ISO 9506-2, Data and AccessResult.

`values` is the hottest loop of a client: kinds that reports are made of are decoded in place.
"""

from collections.abc import Callable, Sequence
from enum import IntEnum, IntFlag
from struct import Struct
from typing import Any

from otgate_iec61850.mms.ber import (
    element,
    header,
    integer_octets,
    length,
    read_boolean,
    read_integer,
    read_text,
    read_unsigned,
)
from otgate_iec61850.mms.errors import Malformed
from otgate_iec61850.mms.values import (
    AccessResult,
    Array,
    BinaryTime,
    Bits,
    Double,
    Failure,
    GeneralizedTime,
    MmsString,
    Opaque,
    Unsigned,
    UtcTime,
)

FAILURE, ARRAY, STRUCTURE, BOOLEAN, BIT_STRING, SIGNED, UNSIGNED = (
    0x80, 0xA1, 0xA2, 0x83, 0x84, 0x85, 0x86,
)  # fmt: skip
FLOAT, OCTETS, VISIBLE, GENERALIZED, BINARY_TIME, BCD, BOOLEANS, OBJECT, TEXT, UTC = (
    0x87, 0x89, 0x8A, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90, 0x91,
)  # fmt: skip

DEEPEST = 20
"""Structures within structures; the models of IEC 61850-7-3 need about six."""

SINGLE, DOUBLE = Struct(">f"), Struct(">d")
SINGLE_FORMAT, DOUBLE_FORMAT = b"\x08", b"\x0b"
"""Width of the exponent, the first octet of a float: ISO 9506-2, FloatingPoint."""

_single = SINGLE.unpack_from

MOST_KNOWN = 4096
_known: dict[bytes, Bits] = {}
"""Short bit strings by their octets: qualities are few and come again and again."""


def values(data: bytes, at: int, end: int, depth: int = 0) -> list[Any]:
    """Return the values, or failures, that stand from ``at`` to ``end``.

    Raises:
        Malformed: they are none.
    """
    found: list[AccessResult] = []
    append = found.append
    while at < end:
        tag, start = data[at], at + 2
        if start > end:
            raise Malformed("a value is cut short")
        stop = start + data[at + 1]
        if stop > end or stop >= start + 0x80:
            tag, start, stop = header(data, at, end)
        if tag == FLOAT and stop - start == 5:
            append(_single(data, start + 1)[0])
        elif tag == STRUCTURE:
            if depth == DEEPEST:
                raise Malformed(f"structures more than {DEEPEST} deep")
            append(tuple(values(data, start, stop, depth + 1)))
        elif tag == BIT_STRING:
            append(_known.get(data[start:stop]) or _bits(data, start, stop))
        elif tag == UTC and stop - start == 8:
            append(UtcTime(data[start:stop]))
        else:
            append(_other(tag, data, start, stop, depth))
        at = stop
    return found


def value(data: bytes, at: int, end: int) -> AccessResult:
    """Return the one value that stands from ``at`` to ``end``."""
    found = values(data, at, end)
    if len(found) != 1:
        raise Malformed(f"{len(found)} values where one belongs")
    only: AccessResult = found[0]
    return only


def read_bits(data: bytes, start: int, stop: int) -> Bits:
    """Return a bit string from its contents."""
    if stop == start or data[start] > 7:
        raise Malformed("a bit string without its count of unused bits")
    unused = data[start]
    size = (stop - start - 1) * 8 - unused
    if size < 0:
        raise Malformed("a bit string of less than no bits")
    return Bits(size, int.from_bytes(data[start + 1 : stop], "big") >> unused)


def bits_octets(bits: Bits) -> bytes:
    """Return a bit string's contents octets."""
    unused = -bits.size % 8
    octets = (bits.value << unused).to_bytes((bits.size + unused) // 8, "big")
    return bytes((unused,)) + octets


def encoded(value: AccessResult) -> bytes:
    """Return a value's octets.

    Raises:
        TypeError: MMS has no such value.
    """
    encode = _ENCODERS.get(type(value))
    if encode is not None:
        return encode(value)
    if isinstance(value, IntEnum | IntFlag):
        return _signed(value)
    raise TypeError(f"MMS has no {type(value).__name__}")


def joined(values_: Sequence[AccessResult]) -> bytes:
    """Return the octets of values one after another."""
    return b"".join(map(encoded, values_))


def _bits(data: bytes, start: int, stop: int) -> Bits:
    bits = read_bits(data, start, stop)
    if len(_known) < MOST_KNOWN and stop - start <= 5:
        _known[bytes(data[start:stop])] = bits
    return bits


def _other(tag: int, data: bytes, start: int, stop: int, depth: int) -> AccessResult:
    if tag == ARRAY:
        if depth == DEEPEST:
            raise Malformed(f"arrays more than {DEEPEST} deep")
        return Array(values(data, start, stop, depth + 1))
    try:
        decode = _DECODERS[tag]
    except KeyError:
        raise Malformed(f"no value has the identifier {tag:#x}") from None
    return decode(data, start, stop)


def _float(data: bytes, start: int, stop: int) -> float:
    if stop - start == 9 and data[start : start + 1] == DOUBLE_FORMAT:
        found: float = DOUBLE.unpack_from(data, start + 1)[0]
        return Double(found)
    raise Malformed(f"a float of {stop - start} octets")


def _time(data: bytes, start: int, stop: int) -> BinaryTime:
    if stop - start not in {4, 6}:
        raise Malformed(f"a time of day of {stop - start} octets")
    return BinaryTime(data[start:stop])


def _utc(_: bytes, start: int, stop: int) -> UtcTime:
    raise Malformed(f"a UTC time of {stop - start} octets")


def _opaque(tag: int) -> Callable[[bytes, int, int], AccessResult]:
    return lambda data, start, stop: Opaque(tag, bytes(data[start:stop]))


_DECODERS: dict[int, Callable[[bytes, int, int], AccessResult]] = {
    FAILURE: lambda data, start, stop: Failure(read_unsigned(data, start, stop)),
    BOOLEAN: read_boolean,
    SIGNED: read_integer,
    UNSIGNED: lambda data, start, stop: Unsigned(read_unsigned(data, start, stop)),
    FLOAT: _float,
    OCTETS: lambda data, start, stop: bytes(data[start:stop]),
    VISIBLE: read_text,
    GENERALIZED: lambda data, start, stop: GeneralizedTime(read_text(data, start, stop)),
    BINARY_TIME: _time,
    BCD: _opaque(BCD),
    BOOLEANS: _opaque(BOOLEANS),
    OBJECT: _opaque(OBJECT),
    TEXT: lambda data, start, stop: MmsString(read_text(data, start, stop)),
    UTC: _utc,
}


def _signed(value: int) -> bytes:
    octets = integer_octets(value)
    return bytes((SIGNED, len(octets))) + octets


def _string(tag: int) -> Callable[[Any], bytes]:
    return lambda value: element(tag, value.encode())


def _octets(tag: int) -> Callable[[Any], bytes]:
    return lambda value: element(tag, value)


def _several(tag: int) -> Callable[[Any], bytes]:
    def encode(members: Sequence[AccessResult]) -> bytes:
        body = joined(members)
        return bytes((tag,)) + length(len(body)) + body

    return encode


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    bool: lambda value: b"\x83\x01\xff" if value else b"\x83\x01\0",
    int: _signed,
    Unsigned: lambda value: element(UNSIGNED, integer_octets(value)),
    float: lambda value: b"\x87\x05\x08" + SINGLE.pack(value),
    Double: lambda value: b"\x87\x09\x0b" + DOUBLE.pack(value),
    str: _string(VISIBLE),
    MmsString: _string(TEXT),
    GeneralizedTime: _string(GENERALIZED),
    bytes: _octets(OCTETS),
    UtcTime: _octets(UTC),
    BinaryTime: _octets(BINARY_TIME),
    Bits: lambda value: element(BIT_STRING, bits_octets(value)),
    tuple: _several(STRUCTURE),
    Array: _several(ARRAY),
    Opaque: lambda value: element(value.tag, value.octets),
    Failure: lambda value: element(FAILURE, integer_octets(value.error)),
}
