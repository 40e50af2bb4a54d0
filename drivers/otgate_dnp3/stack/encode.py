"""Columns to blocks of objects, by the table that decoding uses."""

import struct
from collections.abc import Iterable, Sequence
from typing import Any

from otgate_dnp3.stack.layouts import LAYOUTS, Layout, Shape
from otgate_dnp3.stack.objects import counted, ranged
from otgate_dnp3.stack.points import GROUPS, Columns


def block(columns: Columns, *, index_width: int = 0, common_ms: int = 0) -> bytes:
    """Return an object header with its objects.

    ``index_width`` octets of index go before each object; 0 is a header with a range, or with a
    count for times. Relative times count from ``common_ms``.

    Raises:
        ValueError: a value does not fit the variation, or the indices are no range.
    """
    group, variation = columns.group, columns.variation
    layout = LAYOUTS[group, variation]
    try:
        objects = _objects(columns, layout, common_ms)
        if index_width:
            pairs = zip(columns.index, objects, strict=True)
            data = [at.to_bytes(index_width, "little") + each for at, each in pairs]
            return counted(group, variation, data, index_width=index_width)
    except (OverflowError, struct.error, TypeError, ValueError) as error:
        raise ValueError(f"group {group} variation {variation}: {error}") from error
    if 50 <= group <= 52:
        return counted(group, variation, objects)
    start = columns.index[0]
    if list(columns.index) != list(range(start, start + len(columns))):
        raise ValueError("the indices are no range")
    return ranged(group, variation, start, len(columns), b"".join(objects))


def _objects(columns: Columns, layout: Layout, common_ms: int) -> list[bytes]:
    """Return each object; of a packed variation all of them as one."""
    if layout.shape is Shape.BITS:
        return [_packed(columns.values, 1)]
    if layout.shape is Shape.PAIRS:
        return [_packed(columns.values, 2)]
    if layout.shape is Shape.STRING:
        return [_sized(value, layout.size) for value in columns.values]
    pack = layout.structs[0].pack
    return [pack(*row) for row in zip(*_members(columns, layout, common_ms), strict=True)]


def _members(columns: Columns, layout: Layout, common_ms: int) -> Iterable[Sequence[Any]]:
    shift = GROUPS[columns.group].state_shift
    times = columns.values if columns.group in {50, 51} else columns.time_ms or ()
    for member in layout.members:
        if member == "V":
            coarse = columns.group == 52 and columns.variation == 1
            yield [value // 1000 for value in columns.values] if coarse else columns.values
        elif member == "T":
            yield [time & 0xFFFF for time in times]
            yield [time >> 16 for time in times]
        elif member == "R":
            yield [time - common_ms for time in times]
        elif shift:
            pairs = zip(columns.flags or (), columns.values, strict=True)
            yield [flag | state << shift for flag, state in pairs]
        else:
            yield columns.flags or ()


def _packed(values: Sequence[Any], width: int) -> bytes:
    whole = 0
    for at, value in enumerate(values):
        if value >> width:
            raise ValueError(f"{value} in {width} bits")
        whole |= value << at * width
    return whole.to_bytes((len(values) * width + 7) // 8, "little")


def _sized(value: bytes, size: int) -> bytes:
    if len(value) != size:
        raise ValueError(f"{len(value)} octets in a string of {size}")
    return value
