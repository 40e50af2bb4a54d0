"""The simulator's own encoder, against bytes written by hand and against `struct`."""

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otgate.errors import Refused
from otgate.model import Kind
from otgate_sim.registers import Table, read_address, slot_of
from simulated import point


def words(type_: str, value: float | str, order: str = "ABCD", **cells: Any) -> list[int]:
    return slot_of(point("p", "hr 10", type_, **cells), 0, order).words(value)


def wire(found: list[int]) -> bytes:
    return b"".join(word.to_bytes(2) for word in found)


@pytest.mark.parametrize(
    ("text", "base", "table", "number"),
    [
        ("hr 100", 0, Table.HOLDING, 100),
        ("hr 100", 1, Table.HOLDING, 99),
        ("hr100", 0, Table.HOLDING, 100),
        ("ir 0x10", 0, Table.INPUT, 16),
        ("40101", 40001, Table.HOLDING, 100),
        ("hr 40101", 40001, Table.HOLDING, 100),
        ("400101", 40001, Table.HOLDING, 100),
        ("30001", 40001, Table.INPUT, 0),
        ("10009", 40001, Table.DISCRETE, 8),
        ("00001", 40001, Table.COIL, 0),
        ("co 1", 1, Table.COIL, 0),
    ],
)
def test_an_address_is_read_in_each_notation(
    text: str, base: int, table: Table, number: int
) -> None:
    found = read_address(text, base)
    assert (found.table, found.number) == (table, number)


@pytest.mark.parametrize("text", ["", "xx", "hr", "hr 1.2.3", "hr -1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="address"):
        read_address(text, 0)


@pytest.mark.parametrize("type_", ["u17x", "matrix", "string[4]"])
def test_an_unknown_type_is_refused(type_: str) -> None:
    with pytest.raises(Refused, match="type"):
        words(type_, 1)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("ABCD", "0a 0b 0c 0d"),
        ("CDAB", "0c 0d 0a 0b"),
        ("BADC", "0b 0a 0d 0c"),
        ("DCBA", "0d 0c 0b 0a"),
    ],
)
def test_32_bits_lie_on_the_wire_in_the_order_named(order: str, expected: str) -> None:
    assert wire(words("u32", 0x0A0B0C0D, order)).hex(" ") == expected


@pytest.mark.parametrize(
    "order", ["ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA", "CDABGHEF", "DCBAHGFE"]
)
def test_64_bits_lie_on_the_wire_in_the_order_named(order: str) -> None:
    value = int.from_bytes(b"ABCDEFGH")
    assert wire(words("u64", value, order)).decode() == order


@pytest.mark.parametrize("order", ["AB", "ABCD", "CDAB"])
def test_16_bits_are_not_swapped_by_word_orders(order: str) -> None:
    assert words("u16", 0x1234, order) == [0x1234]


@pytest.mark.parametrize("order", ["BA", "BADC", "DCBA"])
def test_16_bits_are_swapped_by_byte_orders(order: str) -> None:
    assert words("u16", 0x1234, order) == [0x3412]


@given(value=st.integers(-(2**31), 2**31 - 1))
def test_i32_is_two_s_complement(value: int) -> None:
    assert struct.unpack(">i", wire(words("i32", value))) == (value,)


@given(value=st.integers(0, 2**64 - 1))
def test_u64_keeps_every_digit(value: int) -> None:
    assert struct.unpack(">Q", wire(words("u64", value))) == (value,)


@given(value=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_f32_is_ieee_754(value: float) -> None:
    assert struct.unpack(">f", wire(words("f32", value))) == (value,)


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_f64_is_ieee_754(value: float) -> None:
    assert struct.unpack(">d", wire(words("f64", value))) == (value,)


def test_f16_takes_one_register() -> None:
    assert words("f16", 1.5) == [0x3E00]


@given(value=st.integers(0, 99_999_999))
def test_bcd32_spells_decimal_digits(value: int) -> None:
    assert wire(words("bcd32", value)).hex() == f"{value:08d}"


@given(value=st.integers(0, 999_999_999_999))
def test_modulus_registers_count_ten_thousands(value: int) -> None:
    high, middle, low = words("mod10000(3)", value)
    assert high * 10**8 + middle * 10**4 + low == value


def test_text_is_two_characters_in_a_register_and_padded() -> None:
    assert wire(words("string(5)", "GW1")) == b"GW1\0\0\0"


def test_text_that_is_too_long_is_cut() -> None:
    assert wire(words("string(4)", "TRANSFORMER")) == b"TRAN"


def test_a_scale_is_undone() -> None:
    assert words("u16", 37.2, scale=0.1) == [372]


def test_a_live_zero_range_is_undone() -> None:
    ends: dict[str, Any] = {"raw_lo": 4000.0, "raw_hi": 20000.0, "eu_lo": -20.0, "eu_hi": 140.0}
    assert words("u16", 60.0, **ends) == [12000]


def test_a_value_outside_a_live_zero_range_stays_at_its_end() -> None:
    ends: dict[str, Any] = {"raw_lo": 4000.0, "raw_hi": 20000.0, "eu_lo": 0.0, "eu_hi": 100.0}
    assert words("u16", -5.0, **ends) == [4000]


def test_a_measurement_too_big_for_its_type_stays_at_the_end() -> None:
    assert words("i16", 99_999.0) == [0x7FFF]


def test_a_full_counter_starts_again() -> None:
    assert words("u16", 65_536 + 7, kind=Kind.COUNTER) == [7]


def test_halves_of_a_register_do_not_touch_each_other() -> None:
    high = slot_of(point("p", "hr 1", "u8_high"), 0, "ABCD")
    low = slot_of(point("p", "hr 1", "u8_low"), 0, "ABCD")
    held = high.place.merged(0, high.words(0xAB)[0])
    assert low.place.merged(held, low.words(0xCD)[0]) == 0xABCD


def test_bits_of_a_register_do_not_touch_each_other() -> None:
    pair = slot_of(point("p", "hr 1.0-1", "enum"), 0, "ABCD")
    single = slot_of(point("p", "hr 1.3", "bool"), 0, "ABCD")
    held = pair.place.merged(0xFFFF, pair.words(2)[0])
    assert single.place.merged(held, single.words(0)[0]) == 0xFFF6


def test_an_inverted_bit_is_inverted() -> None:
    assert slot_of(point("p", "di 5", "bool", invert=True), 0, "ABCD").words(1) == [0]


def test_a_range_in_a_bit_table_puts_the_lowest_bit_first() -> None:
    slot = slot_of(point("p", "di 4-5", "enum"), 0, "ABCD")
    assert (slot.place.addresses, slot.words(2)) == ((4, 5), [0, 1])


def test_a_range_in_a_bit_table_counts_from_the_base() -> None:
    assert slot_of(point("p", "di 4-5", "enum"), 1, "ABCD").place.addresses == (3, 4)


@pytest.mark.parametrize(
    ("order", "spelled"), [("ABCD", b"ABCD"), ("CDAB", b"ABCD"), ("DCBA", b"BADC")]
)
def test_an_order_swaps_characters_and_never_the_registers_of_a_text(
    order: str, spelled: bytes
) -> None:
    assert wire(words("string(4)", "ABCD", order)) == spelled
