"""Tokens that say which point they are of, and a search for them in every spelling.

Every text of point ``n`` is ``qzvx``, three hexadecimal digits of ``n``, one for the column and a
check of both; every number has the same five leading bytes, ``n`` in twelve bits, a count in four
and a check of both in eight. So one look for what they have in common finds them all, and what a
freed memory holds half of is not taken for another point's.
"""

import base64
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from itertools import takewhile
from typing import Any

import zstandard

Found = set[tuple[int, str]]
"""Points, and what of them was found: `text 0`, `whole`, `real`, `address`."""

MARK = "qzvx"
WHOLE = 0x5A1CE7D93B << 24
REAL = struct.unpack(">Q", struct.pack(">d", 4817.30625914))[0] >> 24 << 24
LOW, COUNTS = 1 << 24, 1 << 4
FIRST_ADDRESS, REGISTERS_EACH = 4000, 8
TURN = {"whole": 0, "real": 1}
"""Points are whole, real and text in turn."""
DEEPEST = 3
MAX_UNPACKED, CHUNK = 64 << 20, 4096


def text(point: int, column: int) -> str:
    """The text of one column of a point."""
    return f"{MARK}{point:03x}{column:x}{check(point, column):02x}"


@cache
def check(point: int, column: int) -> int:
    return zlib.crc32(bytes((point >> 8, point & 0xFF, column))) & 0xFF


def address(point: int) -> int:
    """The first register of a point."""
    return FIRST_ADDRESS + REGISTERS_EACH * point


def number(first: int, point: int, count: int) -> bytes:
    """The eight bytes of a value, as the device sends them."""
    count %= COUNTS
    return (first | point << 12 | count << 8 | check(point, count)).to_bytes(8)


def point_of(low: int) -> int | None:
    """Read the last three bytes of a number; None where they contradict each other."""
    point, count = low >> 12, low >> 8 & COUNTS - 1
    return point if low & 0xFF == check(point, count) else None


def real(bits: int) -> float:
    value: float = struct.unpack(">d", bits.to_bytes(8))[0]
    return value


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way to write a token: what all have in common, and how to read the rest."""

    what: str
    needle: bytes
    point: Callable[[bytes, int], int | None]
    """The point, from the data and where the needle begins in it."""


def little(data: bytes, at: int) -> int | None:
    return point_of(int.from_bytes(data[at - 3 : at], "little")) if at >= 3 else None


def big(data: bytes, at: int) -> int | None:
    return point_of(int.from_bytes(data[at + 5 : at + 8])) if len(data) >= at + 8 else None


def hexadecimal(gap: bytes, data: bytes, at: int) -> int | None:
    digits = data[at : at + 16 + 7 * len(gap)].replace(gap, b"") if gap else data[at : at + 16]
    whole = re.fullmatch(rb"[0-9a-f]{16}", digits)
    return point_of(int(digits, 16) & LOW - 1) if whole else None


def decimal(first: int, bits: Callable[[str], int], data: bytes, at: int) -> int | None:
    written = DECIMAL.match(data, at)
    if written is None:
        return None
    away = bits(written.group().decode()) - first
    return point_of(away) if 0 <= away < LOW else None


def bits_of_real(written: str) -> int:
    bits: int = struct.unpack(">Q", struct.pack(">d", float(written)))[0]
    return bits


def spellings(
    what: str, first: int, write: Callable[[int], str], bits: Callable[[str], int]
) -> Iterator[Spelling]:
    """Every way to write a number whose bits begin as ``first`` does."""
    raw = first.to_bytes(8)[:5]
    yield Spelling(what, raw[::-1], little)
    yield Spelling(what, raw, big)
    for gap in (b"", b" ", b":"):
        needle = gap.join(b"%02x" % byte for byte in raw)
        yield Spelling(what, needle, partial(hexadecimal, gap))
    ends = zip(write(first), write(first + LOW - 1), strict=False)
    shared = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], ends))
    yield Spelling(what, shared.encode(), partial(decimal, first, bits))


SPELLINGS = (
    *spellings("whole", WHOLE, str, int),
    *spellings("real", REAL, lambda bits: repr(real(bits)), bits_of_real),
)
DECIMAL = re.compile(rb"[0-9]{19}|[0-9]{4}\.[0-9]{10,}")
TEXT = re.compile(MARK.encode() + rb"([0-9a-f]{3})([0-9a-f])([0-9a-f]{2})")
ADDRESS = re.compile(rb"\b(?:hr|ai|oct|address|register)s?\W{1,4}([0-9]{4,5})\b", re.IGNORECASE)
PACKED = re.compile(rb"[A-Za-z0-9+/]{64,}={0,2}")


def found(data: bytes) -> Found:
    """Return whose tokens stand in ``data``, also within what is compressed in it."""
    tokens: Found = set()
    for part in parts(data, DEEPEST):
        tokens |= plain(part)
    return tokens


def plain(data: bytes) -> Found:
    """Return whose tokens stand in ``data`` as it is, addresses included."""
    tokens = numbers_and_texts(data)
    for written in map(int, ADDRESS.findall(data)):
        if FIRST_ADDRESS <= written < address(0x1000):
            tokens.add(((written - FIRST_ADDRESS) // REGISTERS_EACH, "address"))
    return tokens


def numbers_and_texts(data: bytes) -> Found:
    """Return whose numbers and texts stand in ``data``; quick enough for a process's memory."""
    tokens = texts(data)
    for spelling in SPELLINGS:
        for at in every(spelling.needle, data):
            point = spelling.point(data, at)
            if point is not None and point % 3 == TURN[spelling.what]:
                tokens.add((point, spelling.what))
    return tokens


def texts(data: bytes) -> Found:
    """Return whose texts stand in ``data``."""
    written = ([int(part, 16) for part in parts] for parts in set(TEXT.findall(data)))
    return {(n, f"text {column}") for n, column, sum_ in written if sum_ == check(n, column)}


def every(needle: bytes, data: bytes) -> Iterator[int]:
    """Yield each place where ``needle`` begins."""
    at = data.find(needle)
    while at >= 0:
        yield at
        at = data.find(needle, at + 1)


def parts(data: bytes, depth: int) -> Iterator[bytes]:
    """Yield ``data`` and what can be unpacked of it, and of that in turn."""
    yield data
    if depth:
        for opened in unpacked(data):
            yield from parts(opened, depth - 1)


def unpacked(data: bytes) -> Iterator[bytes]:
    """Yield what zstd, zlib and base64 hold within ``data``."""
    for magic, (unpacker, errors) in UNPACKERS.items():
        for at in every(magic, data):
            with suppress(errors):
                yield unpacked_at(data, at, unpacker())
    for written in PACKED.findall(data):
        with suppress(ValueError):
            yield base64.b64decode(written[: len(written) // 4 * 4])


def unpacked_at(data: bytes, at: int, unpacker: Any) -> bytes:
    """Return what is packed from ``at`` on, to its end; the rest of ``data`` is not copied."""
    found = bytearray()
    while at < len(data) and not unpacker.eof and len(found) < MAX_UNPACKED:
        found += unpacker.decompress(data[at : at + CHUNK])
        at += CHUNK
    return bytes(found)


def unzstd() -> Any:
    """Return what unpacks one frame; threads cannot share what stands behind it."""
    return zstandard.ZstdDecompressor().decompressobj()


UNPACKERS: Mapping[bytes, tuple[Callable[[], Any], type[Exception]]] = {
    b"\x28\xb5\x2f\xfd": (unzstd, zstandard.ZstdError),
    b"\x78\x9c": (zlib.decompressobj, zlib.error),
}
"""By what such data begins with: RFC 8878, §3.1.1; RFC 1950, §2.2 at the default level."""
