"""Blocks of objects to columns, one `struct` iteration per object header."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from otgate_dnp3.stack.layouts import LAYOUTS, Layout, Shape
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
    kind = KINDS.get((block.group, block.variation))
    if kind is None or block.sized or not block.data:
        return None
    if block.start is None and not block.prefix and not 50 <= block.group <= 52:
        return None  # nothing says which points these are
    return kind.reader(block, kind, common)


def _index(block: Block) -> range:
    start = block.start or 0
    return range(start, start + block.number)


def _fixed(block: Block, kind: "Kind", common: Common | None) -> Columns:
    layout, group, prefix = kind.layout, kind.group, block.prefix
    read = list(zip(*layout.structs[prefix].iter_unpack(block.data)))  # noqa: B905  they are rows
    index, at = (read[0], 1) if prefix else (_index(block), 0)
    flags: Sequence[int] | None = read[kind.flags + at] if kind.flags >= 0 else None
    values: Values = read[kind.value + at]
    if group.state_shift:
        octets = bytes(flags or ())
        values = octets.translate(STATES[group.state_shift])
        flags = octets.translate(FLAGS[group.state_shift])
    columns = Columns(
        block.group, block.variation, group.point_type, group.event, index, values, flags
    )
    if kind.time >= 0:
        low, high = read[kind.time + at], read[kind.time + at + 1]
        times = [a | b << 16 for a, b in zip(low, high)]  # noqa: B905  of one length
        if kind.is_time:
            columns.values = times
        else:
            columns.time_ms, columns.time_quality = times, TimeQuality.GIVEN
    elif kind.relative >= 0:
        _relative(columns, read[kind.relative + at], common)
    elif (block.group, block.variation) == COARSE:
        columns.values = [value * 1000 for value in columns.values]
    return columns


def _relative(columns: Columns, after: Sequence[int], common: Common | None) -> None:
    if common is None:
        columns.time_quality = TimeQuality.UNRELATED
        return
    base = common.time_ms
    columns.time_ms, columns.time_quality = [base + ms for ms in after], common.quality


def _packed(block: Block, kind: "Kind", unpacked: list[bytes]) -> Columns:
    values = b"".join(map(unpacked.__getitem__, block.data))[: block.number]
    return _plain(block, kind, _index(block), values)


def _bits(block: Block, kind: "Kind", _: Common | None) -> Columns:
    return _packed(block, kind, BITS)


def _pairs(block: Block, kind: "Kind", _: Common | None) -> Columns:
    return _packed(block, kind, PAIRS)


def _strings(block: Block, kind: "Kind", _: Common | None) -> Columns:
    data, width, step = block.data, block.prefix, block.prefix + kind.layout.size
    starts = range(0, len(data), step)
    values: Values = [data[at + width : at + step] for at in starts]
    index: Sequence[int] = _index(block)
    if width:
        index = [int.from_bytes(data[at : at + width], "little") for at in starts]
    return _plain(block, kind, index, values)


def _plain(block: Block, kind: "Kind", index: Sequence[int], values: Values) -> Columns:
    group = kind.group
    return Columns(block.group, block.variation, group.point_type, group.event, index, values)


class Kind(NamedTuple):
    """How to read one group and variation that is delivered.

    The places are among what its `struct` unpacks, without index; -1 is nowhere.
    """

    layout: Layout
    group: Group
    reader: Callable[[Block, "Kind", Common | None], Columns]
    value: int = -1
    flags: int = -1
    time: int = -1
    relative: int = -1
    is_time: bool = False


READERS = {
    Shape.FIXED: _fixed,
    Shape.BITS: _bits,
    Shape.PAIRS: _pairs,
    Shape.STRING: _strings,
}


def _kind(layout: Layout, group: Group) -> Kind:
    places: dict[str, int] = {}
    at = 0
    for member in layout.members.replace("S", "F"):
        places.setdefault(member, at)
        at += 2 if member == "T" else 1
    value, flags, time, relative = (places.get(member, -1) for member in "VFTR")
    is_time = layout.group in {50, 51}
    reader = READERS[layout.shape]
    return Kind(layout, group, reader, max(value, 0), flags, time, relative, is_time)


KINDS = {
    kind: _kind(layout, GROUPS[kind[0]])
    for kind, layout in LAYOUTS.items()
    if kind[0] in GROUPS and kind[1] not in GROUPS[kind[0]].deltas
}
