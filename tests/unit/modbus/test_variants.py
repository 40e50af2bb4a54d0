"""How points are commonly mistaken: order, base, type."""

from typing import Any

import pytest

from modbus_peers import device, point
from otgate_modbus import Modbus
from otgate_modbus.settings import Settings
from otgate_modbus.variants import variants


def told(cell: str, type_: str, *, base: int = 0, **cells: Any) -> dict[str, tuple[str, str]]:
    settings = Settings(url="tcp://h", base=base, order="ABCD")
    found = variants(point("p", cell, type_, **cells), settings)
    return {each.words: (each.cell, each.setting) for each in found}


def test_a_float_may_be_in_another_order_at_a_neighbour_or_an_integer() -> None:
    assert told("hr 100", "f32") == {
        "CDAB": ("order: CDAB", "order: CDAB"),
        "BADC": ("order: BADC", "order: BADC"),
        "DCBA": ("order: DCBA", "order: DCBA"),
        "one address lower": ("address: hr 99", "base: 1"),
        "one address higher": ("address: hr 101", ""),
        "u32": ("type: u32", ""),
        "i32": ("type: i32", ""),
    }


def test_a_register_has_no_order_to_mistake() -> None:
    assert told("ir 0", "u16") == {
        "one address higher": ("address: ir 1", ""),
        "i16": ("type: i16", ""),
    }


def test_a_point_with_an_order_of_its_own_says_nothing_of_the_device() -> None:
    assert told("hr 4", "f32", order="CDAB")["ABCD"] == ("order: ABCD", "")


def test_addresses_are_spelled_as_the_map_spells_them() -> None:
    assert told("40101", "u16", base=40001)["one address higher"] == ("address: 40102", "")
    assert told("hr 5", "u16", base=1)["one address higher"] == ("address: hr 6", "base: 0")


def test_what_lies_apart_in_bits_or_at_the_end_stays_where_it_is() -> None:
    assert set(told("hr 1+9", "u32")) >= {"CDAB"}
    assert not {"one address lower", "one address higher"} & set(told("hr 1+9", "u32"))
    assert told("hr 1.3", "bool") == {}
    assert "one address higher" not in told("hr 65535", "u16")


@pytest.mark.parametrize(("cell", "type_"), [("nonsense", "u16"), ("hr 0", "u17")])
def test_a_point_that_cannot_be_read_has_none(cell: str, type_: str) -> None:
    assert told(cell, type_) == {}


def test_the_driver_knows_them() -> None:
    one = point("p", "hr 0", "f32")
    assert Modbus().variants(device(one), one)
