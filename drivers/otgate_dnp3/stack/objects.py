"""Object headers without I/O: a fragment's objects as blocks, and blocks as octets.

IEEE 1815-2012, clause 4: qualifier octet with object prefix and range specifier. Reading never
raises: what cannot be read is handed back as the rest, with all that was good before it.
"""

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import NamedTuple

from otgate_dnp3.stack.layouts import LAYOUTS, Layout, Shape

ALL_OBJECTS = 0x06
INDEX_PREFIX = {0: 0, 1: 1, 2: 2, 3: 4}
"""Octets of an index prefix, by object prefix code."""
SIZE_PREFIX = {4: 1, 5: 2, 6: 4}
"""Octets of a size prefix, by object prefix code."""
RANGES = {0: Struct("<BB"), 1: Struct("<HH"), 2: Struct("<II")}
"""First and last index, by range specifier code."""
VIRTUAL = {3: RANGES[0], 4: RANGES[1], 5: RANGES[2]}
"""First and last virtual address: it can be stepped over, and says nothing of indices."""
COUNTS = {7: 1, 8: 2, 9: 4, 11: 1}
"""Octets of a count, by range specifier code."""
COUNT_WIDTHS = {1: 7, 2: 8, 4: 9}
WIDEST = {1: 0xFF, 2: 0xFFFF, 4: 0xFFFF_FFFF}


class Block(NamedTuple):
    """An object header with its objects.

    ``number`` is how many objects; ``prefix`` is the octets of the index before each of them,
    ``sized`` those of the length before each; ``start`` is the first index where the header
    gives a range, else None.
    """

    group: int
    variation: int
    qualifier: int
    number: int
    start: int | None
    prefix: int
    sized: int
    data: bytes

    @property
    def layout(self) -> Layout | None:
        """How its objects lie in ``data``; None where their length goes before each."""
        return None if self.sized else LAYOUTS.get((self.group, self.variation))

    def items(self) -> Iterator[bytes]:
        """Yield the objects of a block with size prefixes."""
        at = 0
        while at < len(self.data):
            first = at + self.sized
            at = first + int.from_bytes(self.data[at:first], "little")
            yield self.data[first:at]


class Walk(NamedTuple):
    """What a fragment's objects were read as. ``rest`` is what was not; ``why`` says why not."""

    blocks: list[Block]
    rest: bytes = b""
    why: str = ""


class _Unreadable(Exception):
    pass


def walk(objects: bytes, *, carried: bool = True) -> Walk:
    """Read the objects of a fragment; ``carried`` is whether headers are followed by objects."""
    blocks: list[Block] = []
    at = 0
    try:
        while at < len(objects):
            block, at = _read(objects, at, carried=carried)
            blocks.append(block)
    except _Unreadable as unreadable:
        return Walk(blocks, objects[at:], str(unreadable))
    return Walk(blocks)


def _read(objects: bytes, at: int, *, carried: bool) -> tuple[Block, int]:
    if len(objects) - at < 3:
        raise _Unreadable("an object header is cut off")
    group, variation, qualifier = objects[at : at + 3]
    prefix_code, range_code = qualifier >> 4, qualifier & 0x0F
    count, start, first = _range(objects, at + 3, range_code)
    prefix, sized = INDEX_PREFIX.get(prefix_code, 0), SIZE_PREFIX.get(prefix_code, 0)
    if prefix_code > 6 or (prefix_code and range_code <= max(VIRTUAL)):
        raise _Unreadable(f"qualifier 0x{qualifier:02x}")
    end = first
    if carried and range_code != ALL_OBJECTS:
        end = _end(objects, first, (group, variation), count, prefix, sized)
    elif prefix and range_code != ALL_OBJECTS:
        end = first + count * prefix
    if end > len(objects):
        raise _Unreadable(f"group {group} variation {variation} is cut off")
    data = objects[first:end]
    return Block(group, variation, qualifier, count, start, prefix, sized, data), end


def _range(objects: bytes, at: int, code: int) -> tuple[int, int | None, int]:
    """Return how many objects, the first index if any, and where the objects begin."""
    limits = RANGES.get(code) or VIRTUAL.get(code)
    if limits is not None:
        end = at + limits.size
        if end > len(objects):
            raise _Unreadable("a range is cut off")
        start, stop = limits.unpack_from(objects, at)
        if stop < start:
            raise _Unreadable(f"a range from {start} to {stop}")
        return stop - start + 1, start if code in RANGES else None, end
    if code in COUNTS:
        end = at + COUNTS[code]
        if end > len(objects):
            raise _Unreadable("a count is cut off")
        return int.from_bytes(objects[at:end], "little"), None, end
    if code == ALL_OBJECTS:
        return 0, None, at
    raise _Unreadable(f"range specifier code {code}")


def _end(
    objects: bytes, at: int, kind: tuple[int, int], count: int, prefix: int, sized: int
) -> int:
    """Return where the objects end that begin at ``at``."""
    if sized:
        return _end_of_sized(objects, at, count, sized)
    layout = LAYOUTS.get(kind)
    if layout is None or layout.shape is Shape.SIZED:
        raise _Unreadable(f"group {kind[0]} variation {kind[1]} is not known")
    shape = layout.shape
    if shape is Shape.FIXED or shape is Shape.STRING:
        return at + count * (prefix + layout.size)
    if shape is Shape.ATTRIBUTE:
        return _end_of_attributes(objects, at, count, prefix)
    if prefix:
        raise _Unreadable(f"group {kind[0]} variation {kind[1]} with an index each")
    if shape is Shape.BITS:
        return at + (count + 7) // 8
    return at + (count + 3) // 4 if shape is Shape.PAIRS else at


def _end_of_sized(objects: bytes, at: int, count: int, sized: int) -> int:
    for _ in range(count):
        first = at + sized
        if first > len(objects):
            raise _Unreadable("a size is cut off")
        at = first + int.from_bytes(objects[at:first], "little")
    return at


EXTENDED_LIST = 255
"""Data type of an attribute list longer than its length octet can say."""


def _end_of_attributes(objects: bytes, at: int, count: int, prefix: int) -> int:
    for _ in range(count):
        at += prefix
        if at + 2 > len(objects):
            raise _Unreadable("an attribute is cut off")
        at += 2 + objects[at + 1] + (256 if objects[at] == EXTENDED_LIST else 0)
    return at


def every(group: int, variation: int) -> bytes:
    """Return the header that names every object of a group and variation."""
    return bytes((group, variation, ALL_OBJECTS))


def ranged(group: int, variation: int, start: int, count: int, data: bytes = b"") -> bytes:
    """Return a block of consecutive indices, with its objects unless it only names them."""
    stop = start + count - 1
    code = next(code for code, width in enumerate((1, 2, 4)) if stop <= WIDEST[width])
    return bytes((group, variation, code)) + RANGES[code].pack(start, stop) + data


def counted(group: int, variation: int, data: Sequence[bytes], *, index_width: int = 0) -> bytes:
    """Return a block of objects with, if so, an index each; ``data`` includes the index."""
    width = index_width or next(width for width, most in WIDEST.items() if len(data) <= most)
    prefix_code = {0: 0, 1: 1, 2: 2, 4: 3}[index_width]
    qualifier = prefix_code << 4 | COUNT_WIDTHS[width]
    count = len(data).to_bytes(width, "little")
    return bytes((group, variation, qualifier)) + count + b"".join(data)


def sized(group: int, variation: int, items: Sequence[bytes]) -> bytes:
    """Return a block of objects with the length of each before it: qualifier 0x5B."""
    data = b"".join(len(item).to_bytes(2, "little") + item for item in items)
    return bytes((group, variation, 0x5B, len(items))) + data
