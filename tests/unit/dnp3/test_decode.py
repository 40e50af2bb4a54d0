"""Objects to columns: IEEE 1815-2012, Annex A."""

from collections.abc import Sequence
from typing import Any

import pytest

from otgate_dnp3.stack.decode import decoded
from otgate_dnp3.stack.objects import walk
from otgate_dnp3.stack.points import PointType, TimeQuality

STAMP = "0068e5cf8b01"
STAMP_MS = 0x018BCFE56800


def columns(text: str) -> list[Any]:
    return decoded(walk(bytes.fromhex(text)).blocks).columns


def one(text: str) -> Any:
    (column,) = columns(text)
    return column


def listed(values: Sequence[Any] | None) -> list[Any] | None:
    return None if values is None else list(values)


@pytest.mark.parametrize(
    ("objects", "point_type", "event", "index", "values", "flags"),
    [
        ("0101 00 03 0c 8d 02", PointType.BINARY_INPUT, False, range(3, 13),
         [1, 0, 1, 1, 0, 0, 0, 1, 0, 1], None),
        ("0102 00 00 01 81 02", PointType.BINARY_INPUT, False, [0, 1], [1, 0], [1, 2]),
        ("0201 17 01 05 a1", PointType.BINARY_INPUT, True, [5], [1], [0x21]),
        ("0301 00 00 04 e4 01", PointType.DOUBLE_BIT_INPUT, False, range(5),
         [0, 1, 2, 3, 1], None),
        ("0302 00 00 00 a1", PointType.DOUBLE_BIT_INPUT, False, [0], [2], [0x21]),
        ("0401 28 0100 0501 c1", PointType.DOUBLE_BIT_INPUT, True, [261], [3], [1]),
        ("0a02 00 00 00 81", PointType.BINARY_OUTPUT, False, [0], [1], [1]),
        ("0b01 17 01 02 01", PointType.BINARY_OUTPUT, True, [2], [0], [1]),
        ("0d01 17 01 02 84", PointType.BINARY_COMMAND, True, [2], [1], [4]),
        ("1401 00 00 00 01 ffffffff", PointType.COUNTER, False, [0], [0xFFFFFFFF], [1]),
        ("1406 00 00 00 ffff", PointType.COUNTER, False, [0], [0xFFFF], None),
        ("150a 00 00 00 0200", PointType.FROZEN_COUNTER, False, [0], [2], None),
        ("1602 17 01 07 01 0100", PointType.COUNTER, True, [7], [1], [1]),
        ("1701 17 01 07 01 01000000", PointType.FROZEN_COUNTER, True, [7], [1], [1]),
        ("1e01 00 00 00 01 ffffffff", PointType.ANALOG_INPUT, False, [0], [-1], [1]),
        ("1e02 00 00 00 21 0080", PointType.ANALOG_INPUT, False, [0], [-32768], [0x21]),
        ("1e03 00 00 00 01000000", PointType.ANALOG_INPUT, False, [0], [1], None),
        ("1e05 00 00 00 01 0000c03f", PointType.ANALOG_INPUT, False, [0], [1.5], [1]),
        ("1e06 00 00 00 01 000000000000f83f", PointType.ANALOG_INPUT, False, [0], [1.5], [1]),
        ("1f05 00 00 00 01000000", PointType.FROZEN_ANALOG_INPUT, False, [0], [1], None),
        ("2202 00 00 00 01000000", PointType.ANALOG_DEADBAND, False, [0], [1], None),
        ("2803 00 00 00 01 0000c03f", PointType.ANALOG_OUTPUT, False, [0], [1.5], [1]),
        ("2b01 17 01 00 04 01000000", PointType.ANALOG_COMMAND, True, [0], [1], [4]),
        ("3202 07 01 0068e5cf8b01 10000000", PointType.TIME, False, [0], [STAMP_MS], None),
        ("3401 07 01 0200", PointType.DELAY_MS, False, [0], [2000], None),
        ("3402 07 01 0200", PointType.DELAY_MS, False, [0], [2], None),
        ("6e03 00 00 01 414243 444546", PointType.OCTET_STRING, False, [0, 1],
         [b"ABC", b"DEF"], None),
        ("6f02 28 0200 0100 4142 0200 4344", PointType.OCTET_STRING, True, [1, 2],
         [b"AB", b"CD"], None),
    ],
)  # fmt: skip
def test_an_object_is_its_columns(
    objects: str,
    point_type: PointType,
    event: bool,  # noqa: FBT001
    index: Sequence[int],
    values: list[Any],
    flags: list[int] | None,
) -> None:
    column = one(objects)
    assert (column.point_type, column.event) == (point_type, event)
    assert (list(column.index), list(column.values)) == (list(index), values)
    assert listed(column.flags) == flags


@pytest.mark.parametrize(
    "objects",
    [
        f"0202 17 01 05 81 {STAMP}",
        f"0402 17 01 05 81 {STAMP}",
        f"0b02 17 01 05 81 {STAMP}",
        f"0d02 17 01 05 80 {STAMP}",
        f"1505 00 05 05 01 01000000 {STAMP}",
        f"1605 17 01 05 01 01000000 {STAMP}",
        f"1706 17 01 05 01 0100 {STAMP}",
        f"1f03 00 05 05 01 01000000 {STAMP}",
        f"2003 17 01 05 01 01000000 {STAMP}",
        f"2008 17 01 05 01 000000000000f83f {STAMP}",
        f"2107 17 01 05 01 0000c03f {STAMP}",
        f"2a04 17 01 05 01 0100 {STAMP}",
        f"2b03 17 01 05 00 01000000 {STAMP}",
    ],
)
def test_a_time_is_milliseconds_since_the_epoch(objects: str) -> None:
    column = one(objects)
    assert column.time_ms == [STAMP_MS]
    assert column.time_quality is TimeQuality.GIVEN
    assert list(column.index) == [5]


@pytest.mark.parametrize(
    ("variation", "quality"),
    [("01", TimeQuality.SYNCHRONISED), ("02", TimeQuality.UNSYNCHRONISED)],
)
def test_a_relative_time_counts_from_the_common_one(variation: str, quality: TimeQuality) -> None:
    common, events = columns(f"33{variation} 07 01 {STAMP} 0203 17 02 05 81 0a00 06 01 ffff")
    assert common.values == [STAMP_MS]
    assert events.time_ms == [STAMP_MS + 10, STAMP_MS + 65535]
    assert events.time_quality is quality


def test_a_relative_time_without_a_common_one_is_not_known() -> None:
    column = one("0403 17 01 05 81 0a00")
    assert column.time_ms is None
    assert column.time_quality is TimeQuality.UNRELATED


def test_a_common_time_does_not_reach_into_the_next_fragment() -> None:
    columns(f"3301 07 01 {STAMP}")
    assert one("0203 17 01 05 81 0a00").time_ms is None


@pytest.mark.parametrize(
    "objects",
    [
        "1403 00 00 00 01 01000000",  # a change since the last report is no counter
        "1e01 07 01 01 01000000",  # which point?
        "1e01 03 00 00 01 01000000",  # an address is no index
        "3c01 06",
        "00fc 00 00 00 01 01 41",
        "5001 00 07 07 00",
        "4605 5b 01 0100 00",
    ],
)
def test_what_is_no_point_is_skipped(objects: str) -> None:
    found = decoded(walk(bytes.fromhex(objects)).blocks)
    assert (len(found.columns), len(found.skipped)) == (0, 1)
