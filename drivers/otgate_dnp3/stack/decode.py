"""Blocks of objects to columns, one `struct` iteration per object header."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from otgate_dnp3.stack.layouts import Layout, Shape
from otgate_dnp3.stack.objects import Block
from otgate_dnp3.stack.points import GROUPS, Columns, Group, TimeQuality, Values

COARSE = (52, 1)
"""Time delay in seconds; the fine one is in milliseconds."""

COMMON_TIMES = {1: TimeQuality.SYNCHRONISED, 2: TimeQuality.UNSYNCHRONISED}
"""Variations of group 51."""

BITS = [bytes(octet >> bit & 1 for bit in range(8)) for octet in range(256)]
PAIRS = [bytes(octet >> bit & 3 for bit in range(0, 8, 2)) for octet in range(256)]
STATES = {shift: bytes(octet >> shift for octet in range(256)) for shift in (6, 7)}
FLAGS = {shift: bytes(octet & (1 << shift) - 1 for octet in range(256)) for shift in (6, 7)}


class Decoded(NamedTuple):
    """A fragment's columns in the order of the wire, and the blocks that are no points of ours."""

    columns: list[Columns]
    skipped: list[Block]


class Common(NamedTuple):
    """The common time of occurrence that relative times behind it count from."""

    time_ms: int
    quality: TimeQuality


def decoded(blocks: Iterable[Block]) -> Decoded:
    """Return the columns of a fragment's blocks."""
    columns: list[Columns] = []
    skipped: list[Block] = []
    common: Common | None = None
    for block in blocks:
        found = _columns(block, common)
        if found is None:
            skipped.append(block)
            continue
        columns.append(found)
        if block.group == 51 and len(found):
            common = Common(found.values[-1], COMMON_TIMES[block.variation])
    return Decoded(columns, skipped)


def _columns(block: Block, common: Common | None) -> Columns | None:
    group, layout = GROUPS.get(block.group), block.layout
    if group is None or layout is None or block.variation in group.deltas or not block.data:
        return None
    if block.start is None and not block.prefix and not 50 <= block.group <= 52:
        return None  # nothing says which points these are
    return READERS[layout.shape](block, layout, group, common)


def _index(block: Block) -> range:
    start = block.start or 0
    return range(start, start + block.number)


def _fixed(block: Block, layout: Layout, group: Group, common: Common | None) -> Columns:
    read = zip(*layout.structs[block.prefix].iter_unpack(block.data), strict=True)
    index: Sequence[int] = next(read) if block.prefix else _index(block)
    columns = Columns(block.group, block.variation, group.point_type, group.event, index, ())
    for member in layout.members:
        if member == "V":
            columns.values = next(read)
        elif member == "T":
            _absolute(columns, read, layout)
        elif member == "R":
            _relative(columns, next(read), common)
        else:
            columns.flags = next(read)
    if group.state_shift:
        _split(columns, group.state_shift)
    if (block.group, block.variation) == COARSE:
        columns.values = [value * 1000 for value in columns.values]
    return columns


def _absolute(columns: Columns, read: Iterator[Sequence[int]], layout: Layout) -> None:
    times = [low | high << 16 for low, high in zip(next(read), next(read), strict=True)]
    if layout.group in {50, 51}:
        columns.values = times
    else:
        columns.time_ms, columns.time_quality = times, TimeQuality.GIVEN


def _relative(columns: Columns, after: Sequence[int], common: Common | None) -> None:
    if common is None:
        columns.time_quality = TimeQuality.UNRELATED
        return
    base = common.time_ms
    columns.time_ms, columns.time_quality = [base + ms for ms in after], common.quality


def _split(columns: Columns, shift: int) -> None:
    """Take the state out of the flags octet."""
    octets = bytes(columns.flags or ())
    columns.values, columns.flags = octets.translate(STATES[shift]), octets.translate(FLAGS[shift])


def _packed(block: Block, group: Group, unpacked: list[bytes]) -> Columns:
    values = b"".join(map(unpacked.__getitem__, block.data))[: block.number]
    kind = (block.group, block.variation, group.point_type)
    return Columns(*kind, group.event, _index(block), values)


def _bits(block: Block, _: Layout, group: Group, __: Common | None) -> Columns:
    return _packed(block, group, BITS)


def _pairs(block: Block, _: Layout, group: Group, __: Common | None) -> Columns:
    return _packed(block, group, PAIRS)


def _strings(block: Block, layout: Layout, group: Group, _: Common | None) -> Columns:
    data, width, step = block.data, block.prefix, block.prefix + layout.size
    starts = range(0, len(data), step)
    values: Values = [data[at + width : at + step] for at in starts]
    index: Sequence[int] = _index(block)
    if width:
        index = [int.from_bytes(data[at : at + width], "little") for at in starts]
    kind = (block.group, block.variation, group.point_type)
    return Columns(*kind, group.event, index, values)


def _none(_: Block, __: Layout, ___: Group, ____: Common | None) -> None:
    return None


Reader = Callable[[Block, Layout, Group, Common | None], Columns | None]

READERS: dict[Shape, Reader] = {
    Shape.FIXED: _fixed,
    Shape.BITS: _bits,
    Shape.PAIRS: _pairs,
    Shape.STRING: _strings,
    Shape.ATTRIBUTE: _none,
    Shape.EMPTY: _none,
}
