"""From reply bytes to columns, without a link."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import isnan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modbus_peers import device, point
from otgate.model import Batch, Device, Point, ValueType
from otgate.quality import Quality
from otgate_modbus.decode import Layout, pick_for
from otgate_modbus.learned import Learned
from otgate_modbus.planner import Ground
from otgate_modbus.reading import readings_of

GONE = Quality.INVALID | Quality.NO_VALUE
GOOD = Quality.GOOD


def layout_of(asked: Device) -> Layout:
    readings = sorted(readings_of(asked, asked.settings, range(len(asked.points)), []))
    return Layout(asked.id, readings, Ground(asked.settings, Learned()).pack(readings))


def decoded(asked: Point, payload: str, **settings: Any) -> tuple[Any, int]:
    """Value and quality of one point whose block's reply is ``payload``."""
    layout = layout_of(device(asked, **settings))
    (batch,) = layout.decode([bytes.fromhex(payload)], (0,), 7)
    return batch.values.tolist()[0], int(batch.quality[0])


@pytest.mark.parametrize(
    ("kind", "size", "order"),
    [
        *(("u16", 1, order) for order in ("ABCD", "BADC")),
        *(
            (kind, 2, order)
            for kind in ("i32", "f32")
            for order in ("ABCD", "BADC", "CDAB", "DCBA")
        ),
        *(("u64", 4, order) for order in ("ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA")),
    ],
)
def test_points_side_by_side_are_what_each_is_alone(kind: str, size: int, order: str) -> None:
    raw = bytes(range(1, 1 + 2 * size * 20))
    row = [point(f"p{at}", f"hr {at * size}", kind, order=order) for at in range(20)]
    (together,) = layout_of(device(*row)).decode([raw], (0,), 7)
    alone = [
        decoded(each, raw[at : at + 2 * size].hex())[0]
        for each, at in zip(row, range(0, len(raw), 2 * size), strict=True)
    ]
    assert together.values.tolist() == alone


@given(st.lists(st.integers(0, 63), min_size=1, max_size=24), st.sampled_from([1, 2, 4, 8]))
def test_whatever_bytes_are_picked_are_those_that_were_asked_for(
    some: list[int], width: int
) -> None:
    replies = np.arange(100, 164, dtype=np.uint8)
    swapped = [at - at % width + width - 1 - at % width for at in range(some[0] % 8, 48)]
    for picks in (some, swapped):
        assert pick_for(picks)(replies).tolist() == replies[picks].tolist()


def samples(batches: list[Batch]) -> dict[int, tuple[Any, int]]:
    return {
        number: (value, quality)
        for batch in batches
        for number, value, quality in zip(
            batch.index.tolist(), batch.values.tolist(), batch.quality.tolist(), strict=True
        )
    }


@pytest.mark.parametrize(
    ("address", "type_", "payload", "value"),
    [
        ("hr 0", "u16", "ffff", 65535),
        ("hr 0", "i16", "ffff", -1),
        ("hr 0", "u8_high", "12ff", 0x12),
        ("hr 0", "u8_low", "12ff", 0xFF),
        ("hr 0", "i8_high", "fe01", -2),
        ("hr 0", "i8_low", "01fe", -2),
        ("hr 0", "u32", "00010000", 65536),
        ("hr 0", "i32", "fffffffe", -2),
        ("hr 0", "u64", "ffffffffffffffff", 2**64 - 1),
        ("hr 0", "u64", "0020000000000001", 2**53 + 1),
        ("hr 0", "i64", "8000000000000001", -(2**63) + 1),
        ("hr 0", "f32", "3dcccccd", 0.1),
        ("hr 0", "f32", "43ce2666", 412.3),
        ("hr 0", "f32", "80000000", -0.0),
        ("hr 0", "f32", "00000001", 1e-45),
        ("hr 0", "f32", "7f7fffff", 3.4028235e38),
        ("hr 0", "f16", "2e66", 0.1),
        ("hr 0", "f64", "3fb999999999999a", 0.1),
        ("hr 0", "bcd", "1234", 1234),
        ("hr 0", "bcd32", "12345678", 12345678),
        ("hr 0", "bcd64", "1234567890123456", 1234567890123456),
        ("hr 0", "mod10000", "0001270f", 19999),
        ("hr 0", "mod10000(3)", "000100020003", 100020003),
        ("hr 0", "string(4)", "46656564", "Feed"),
        ("hr 0", "string(5)", "466565646572", "Feede"),
        ("hr 0", "string(6)", "463300000000", "F3"),
        ("hr 0", "string(6)", "463320202020", "F3"),
        ("hr 0", "string(4)", "c3bc6200", "üb"),
        ("hr 0", "string(4)", "46330000", "F3"),
        ("hr 0", "string(4)", "4600ffff", "F"),
        ("hr 0", "latin1(4)", "b0430000", "°C"),
        ("hr 0", "latin1(3)", "b04320ff", "°C"),
        ("hr 0", "chars(3)", "0046003300b0", "F3°"),
        ("hr 0", "chars(3)", "00460020 0020", "F"),
        ("hr 0", "chars(3)", "0046 0000 d800", "F"),
        ("hr 0", "flags64", "8000000000000001", 2**63 + 1),
        ("hr 0", "enum", "0003", 3),
        ("hr 0", "enum32", "00010003", 65539),
        ("hr 0", "flags", "8001", 0x8001),
        ("hr 0", "time", "67748580", 1735689600),
        ("hr 0", "time64", "000001941f297c00", 1735689600000),
        ("hr 0.3", "bool", "0008", True),
        ("hr 0.3", "bool", "fff7", False),
        ("hr 0.15", "bool", "8000", True),
        ("hr 0.3-5", "bits", "0030", 6),
        ("hr 0.3-5", "enum", "0030", 6),
        ("hr 0.0-15", "flags", "8001", 0x8001),
        ("co 0", "bool", "01", True),
        ("di 0-1", "enum", "02", 2),
    ],
)
def test_each_type_is_read(address: str, type_: str, payload: str, value: object) -> None:
    got, quality = decoded(point("a", address, type_), payload)
    assert (got, type(got), quality) == (value, type(value), GOOD)


@pytest.mark.parametrize(
    ("type_", "order", "payload", "value"),
    [
        ("u16", "BADC", "3412", 0x1234),
        ("u32", "ABCD", "12345678", 0x12345678),
        ("u32", "CDAB", "56781234", 0x12345678),
        ("u32", "BADC", "34127856", 0x12345678),
        ("u32", "DCBA", "78563412", 0x12345678),
        ("f32", "CDAB", "266643ce", 412.3),
        ("u64", "GHEFCDAB", "cdef89ab45670123", 0x0123456789ABCDEF),
        ("u64", "CDABGHEF", "45670123cdef89ab", 0x0123456789ABCDEF),
        ("u64", "DCBAHGFE", "67452301efcdab89", 0x0123456789ABCDEF),
        ("u64", "HGFEDCBA", "efcdab8967452301", 0x0123456789ABCDEF),
        ("u64", "BADC", "23016745ab89efcd", 0x0123456789ABCDEF),
        ("mod10000", "CDAB", "270f0001", 19999),
        ("string(4)", "BADC", "65466465", "Feed"),
        ("string(3)", "DCBA", "65460065", "Fee"),
        ("latin1(2)", "BADC", "43b0", "°C"),
        ("chars(2)", "BADC", "46003300", "F3"),
    ],
)
def test_each_order_is_read(type_: str, order: str, payload: str, value: object) -> None:
    assert decoded(point("a", "hr 0", type_, order=order), payload) == (value, GOOD)


@pytest.mark.parametrize("order", ["CDAB", "DCBA"])
def test_a_text_of_eight_bytes_is_no_number_of_64_bits(order: str) -> None:
    swapped = order == "DCBA"
    payload = "65466465 20723320" if swapped else "46656564 72203320"
    assert decoded(point("a", "hr 0", "string(8)"), payload, order=order)[1] == GOOD


def test_parts_of_a_register_do_not_follow_the_byte_order() -> None:
    assert decoded(point("a", "hr 0.3", order="BADC"), "0008") == (True, GOOD)
    assert decoded(point("a", "hr 0", "u8_high", order="BADC"), "1234") == (0x12, GOOD)


def test_the_devices_order_holds_where_the_point_has_none() -> None:
    assert decoded(point("a", "hr 0", "u32"), "56781234", order="CDAB") == (0x12345678, GOOD)


NOT_IMPLEMENTED = GONE | Quality.NOT_IMPLEMENTED
FAILED = GONE | Quality.FAILURE
OVERFLOW = GONE | Quality.OVERFLOW
INCONSISTENT = GONE | Quality.INCONSISTENT


@pytest.mark.parametrize(
    ("type_", "payload", "quality"),
    [
        ("u16", "ffff", GOOD),
        ("u16 na", "ffff", NOT_IMPLEMENTED),
        ("u16 na", "fffe", GOOD),
        ("i16 na", "8000", NOT_IMPLEMENTED),
        ("u32 na", "ffffffff", NOT_IMPLEMENTED),
        ("i32 na", "80000000", NOT_IMPLEMENTED),
        ("u64 na", "ffffffffffffffff", NOT_IMPLEMENTED),
        ("i64 na", "8000000000000000", NOT_IMPLEMENTED),
        ("enum na", "ffff", NOT_IMPLEMENTED),
        ("i16 na=-1", "ffff", NOT_IMPLEMENTED),
        ("f32 na", "7fc00000", NOT_IMPLEMENTED),
        ("u16 na=1|2", "0001", NOT_IMPLEMENTED),
        ("u16 na=1|2", "0002", NOT_IMPLEMENTED),
        ("u16 na=1|2", "0003", GOOD),
        ("f32 na=-9999", "c61c3c00", NOT_IMPLEMENTED),
        ("f32 na=-9999", "7fc00000", FAILED),
        ("f16 na=-1", "bc00", NOT_IMPLEMENTED),
        ("bcd na", "ffff", NOT_IMPLEMENTED),
        ("string(2) na", "0041", NOT_IMPLEMENTED),
        ("string(2) na", "2020", NOT_IMPLEMENTED),
        ("string(2) na", "4100", GOOD),
        ("string(2)", "0000", GOOD),
        ("chars(1)", "d800", INCONSISTENT),
        ("f32", "7fc00000", FAILED),
        ("f64", "7ff8000000000000", FAILED),
        ("f16", "7e00", FAILED),
        ("f32", "7f800000", OVERFLOW),
        ("f32", "ff800000", OVERFLOW),
        ("f64", "7ff0000000000000", OVERFLOW),
        ("f16", "7c00", OVERFLOW),
        ("bcd", "123a", INCONSISTENT),
        ("bcd32", "a2345678", INCONSISTENT),
        ("mod10000", "00012710", INCONSISTENT),
        ("string(2)", "ffff", INCONSISTENT),
    ],
)
def test_what_is_no_value_is_invalid_without_one(
    type_: str, payload: str, quality: Quality
) -> None:
    value, got = decoded(point("a", "hr 0", type_), payload)
    assert got == quality
    if quality:
        assert value in {0, ""} or isnan(value)


def test_a_raw_value_outside_its_range_is_questionable() -> None:
    limited = point("a", "hr 0", "u16", raw_lo=4.0, raw_hi=20.0, eu_lo=0.0, eu_hi=100.0)
    assert decoded(limited, "0014") == (100.0, GOOD)
    assert decoded(limited, "0018") == (125.0, Quality.QUESTIONABLE | Quality.OUT_OF_RANGE)
    assert decoded(limited, "0000") == (-25.0, Quality.QUESTIONABLE | Quality.OUT_OF_RANGE)


DOUBTFUL = Quality.QUESTIONABLE | Quality.CLOCK_UNSYNCHRONISED


@pytest.mark.parametrize(
    ("payload", "order", "zone", "iso", "quality"),
    [
        ("001a 0b9a 0729 1532", "", "", "2026-11-26T07:41:05.426Z", GOOD),
        ("1532 0729 0b9a 001a", "GHEFCDAB", "", "2026-11-26T07:41:05.426Z", GOOD),
        ("001a 0b1a 0729 0000", "", "UTC", "2026-11-26T07:41:00.000Z", GOOD),
        ("001a 0b1a 07a9 0000", "", "", "2026-11-26T07:41:00.000Z", DOUBTFUL),
        ("001a 0b1a 0729 0000", "", "Europe/Zurich", "2026-11-26T06:41:00.000Z", GOOD),
        ("001a 0701 0c00 0000", "", "Europe/Zurich", "2026-07-01T10:00:00.000Z", GOOD),
        ("001a 0a19 0200 0000", "", "Europe/Zurich", "2026-10-25T00:00:00.000Z", DOUBTFUL),
        ("001a 0a19 8200 0000", "", "Europe/Zurich", "2026-10-25T00:00:00.000Z", GOOD),
        ("001a 031d 0200 0000", "", "Europe/Zurich", "2026-03-29T01:00:00.000Z", DOUBTFUL),
        ("001a 031d 8200 0000", "", "Europe/Zurich", "2026-03-29T01:00:00.000Z", DOUBTFUL),
        ("007f 0c1f 173b ea5f", "", "", "2127-12-31T23:59:59.999Z", GOOD),
    ],
)
def test_a_date_in_four_registers_is_read_in_its_time_zone(
    payload: str, order: str, zone: str, iso: str, quality: Quality
) -> None:
    asked = replace(device(point("a", "hr 0", "cp56", order=order)), time_zone=zone)
    layout = layout_of(asked)
    (batch,) = layout.decode([bytes.fromhex(payload)], (0,), 7)
    moment = datetime.fromisoformat(iso)
    ms = round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))
    assert (batch.values.tolist(), batch.quality.tolist()) == ([ms], [quality])


@pytest.mark.parametrize(
    ("type_", "payload", "quality"),
    [
        ("cp56", "0000 0000 0000 0000", INCONSISTENT),
        ("cp56", "001a 021e 0000 0000", INCONSISTENT),
        ("cp56", "001a 0b1a 1800 0000", INCONSISTENT),
        ("cp56", "001a 0b1a 0000 ea60", INCONSISTENT),
        ("cp56 na", "ffff ffff ffff ffff", NOT_IMPLEMENTED),
        ("cp56 na=0", "0000 0000 0000 0000", NOT_IMPLEMENTED),
    ],
)
def test_what_is_no_date_has_no_value(type_: str, payload: str, quality: Quality) -> None:
    assert decoded(point("a", "hr 0", type_), payload) == (0, quality)


STRANGE = Quality.QUESTIONABLE | Quality.OUT_OF_RANGE
BREAKER = {0: "moving", 1: "open", 2: "closed"}


@pytest.mark.parametrize(
    ("address", "type_", "payload", "value", "quality"),
    [
        ("hr 0", "enum", "0002", 2, GOOD),
        ("hr 0", "", "0003", 3, STRANGE),
        ("hr 0", "enum32", "00000001", 1, GOOD),
        ("hr 0", "enum32", "00010001", 65537, STRANGE),
        ("hr 0.4-5", "", "0030", 3, STRANGE),
        ("di 0-1", "enum", "03", 3, STRANGE),
        ("hr 0", "u16", "0003", 3, GOOD),
        ("hr 0", "flags", "0003", 3, GOOD),
        ("hr 0", "enum na", "ffff", 0, NOT_IMPLEMENTED),
    ],
)
def test_a_code_that_is_no_state_is_questionable(
    address: str, type_: str, payload: str, value: int, quality: Quality
) -> None:
    assert decoded(point("a", address, type_, states=BREAKER), payload) == (value, quality)


def test_each_enumeration_has_its_own_states() -> None:
    points = [
        point("a", "hr 0", states={0: "off", 1: "on"}),
        point("b", "hr 1", states={5: "five"}),
        point("c", "hr 2", "enum"),
    ]
    layout = layout_of(device(*points))
    got = samples(layout.decode([bytes.fromhex("0005 0005 0005")], (0,), 7))
    assert got == {0: (5, STRANGE), 1: (5, GOOD), 2: (5, GOOD)}


def test_a_missing_value_outside_its_range_is_missing_and_no_more() -> None:
    limited = point("a", "hr 0", "u16 na", raw_lo=4.0, raw_hi=20.0)
    assert decoded(limited, "ffff")[1] == NOT_IMPLEMENTED


def test_a_missing_value_is_not_scaled() -> None:
    value, quality = decoded(point("a", "hr 0", "i16 na", scale=0.1), "8000")
    assert isnan(value)
    assert quality == NOT_IMPLEMENTED


def test_a_bool_can_be_inverted() -> None:
    assert decoded(point("a", "co 0", invert=True), "01") == (False, GOOD)
    assert decoded(point("a", "hr 0.3", invert=True), "0000") == (True, GOOD)


def test_bits_are_found_across_the_bytes_of_a_reply() -> None:
    coils = [point(f"c{at}", f"co {at}") for at in range(20)] + [point("pair", "co 7-8")]
    layout = layout_of(device(*coils))
    got = samples(layout.decode([bytes.fromhex("80 01 08")], (0,), 7))
    assert [number for number in range(20) if got[number][0]] == [7, 8, 19]
    assert got[20] == (3, GOOD)


MIXED = (
    point("a", "hr 0", "u16", scale=0.1),
    point("b", "hr 1", "i16"),
    point("c", "hr 2", "f32"),
    point("d", "hr 4.0"),
    point("e", "hr 5", "string(2)"),
    point("f", "ir 0", "u16"),
)


def test_a_batch_per_value_type_names_its_points() -> None:
    layout = layout_of(device(*MIXED))
    words = np.array([372, 65535, 0x43CE, 0x2666, 1, 0x4142], ">u2").tobytes()
    batches = layout.decode([words, b"\x00\x05"], (0, 0), 7)
    assert [batch.value_type for batch in batches] == list(ValueType)
    assert all(batch.device == "f1" and batch.received_ns == 7 for batch in batches)
    assert samples(batches) == {
        0: (37.2, 0), 1: (-1, 0), 2: (412.3, 0), 3: (True, 0), 4: ("AB", 0), 5: (5, 0),
    }  # fmt: skip


def test_columns_are_reused_while_nothing_changes() -> None:
    layout = layout_of(device(*MIXED))
    first = layout.decode([bytes(12), bytes(2)], (0, 0), 7)
    again = layout.decode([bytes(12), bytes(2)], (0, 0), 8)
    for one, two in zip(first, again, strict=True):
        assert one.index is two.index
        assert one.values is two.values
        assert one.quality is two.quality
    assert [batch.received_ns for batch in again] == [8] * len(again)


def test_a_change_touches_the_columns_it_is_in() -> None:
    layout = layout_of(device(*MIXED))
    first = {batch.value_type: batch for batch in layout.decode([bytes(12), bytes(2)], (0, 0), 7)}
    later = {batch.value_type: batch for batch in layout.decode([bytes(12), b"\0\1"], (0, 0), 8)}
    same = [each for each in ValueType if first[each].values is later[each].values]
    assert same == [ValueType.F64, ValueType.I64, ValueType.BOOL, ValueType.TEXT]
    assert first[ValueType.U64].values.tolist() == [0]


def test_what_was_emitted_is_never_modified() -> None:
    layout = layout_of(device(point("a", "hr 0", "f32"), point("b", "hr 2", "u16", scale=0.1)))
    first = layout.decode([bytes.fromhex("3dcccccd 0001")], (0,), 7)[0]
    before = first.values.copy()
    for payload in ("43ce2666 0002", "3dcccccd 0003", "7fc00000 0004"):
        layout.decode([bytes.fromhex(payload)], (0,), 8)
    assert first.values.tolist() == before.tolist()
    assert first.quality.tolist() == [0, 0]


def test_a_block_without_a_reply_gives_its_points_its_quality_and_no_value() -> None:
    layout = layout_of(device(*MIXED))
    got = samples(layout.decode([None, b"\x00\x05"], (int(FAILED), 0), 7))
    assert got.pop(5) == (5, GOOD)
    assert {quality for _, quality in got.values()} == {FAILED}
    assert isnan(got[0][0])


def test_a_failed_block_says_no_more_than_that_it_failed() -> None:
    strict = point("a", "hr 0", "u16 na=0", raw_lo=5.0, raw_hi=9.0)
    layout = layout_of(device(strict))
    assert samples(layout.decode([None], (int(FAILED),), 7)) == {0: (0, FAILED)}


def test_a_value_that_comes_back_after_a_failure_is_good_again() -> None:
    layout = layout_of(device(point("a", "hr 0", "f32")))
    payload = bytes.fromhex("3dcccccd")
    for replies, states, quality in (([payload], (0,), 0), ([None], (3,), 3), ([payload], (0,), 0)):
        ((_, got),) = samples(layout.decode(replies, states, 7)).values()
        assert got == quality


def test_an_infinite_result_of_scaling_is_an_overflow() -> None:
    value, quality = decoded(point("a", "hr 0", "f64", scale=1e300), "7fefffffffffffff")
    assert isnan(value)
    assert quality == OVERFLOW


def test_devices_of_one_kind_have_their_tables_once_and_values_of_their_own() -> None:
    points = [point(f"p{at}", f"hr {at}", scale=0.1) for at in range(3)]
    batches = []
    for name, reply in (("f3", "000100020003"), ("f4", "000400050006")):
        batches += layout_of(device(*points, name=name)).decode([bytes.fromhex(reply)], (0,), 7)
    one, other = batches
    assert one.index is other.index
    assert one.quality is other.quality
    assert [batch.values.tolist() for batch in batches] == [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]
