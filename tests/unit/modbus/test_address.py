import pytest

from otgate.cell import BadCell
from otgate_modbus.address import (
    Address,
    Stretch,
    Table,
    moved,
    read_address,
    read_stretch,
    written,
)


@pytest.mark.parametrize(
    ("text", "base", "place"),
    [
        ("hr 100", 0, Address(Table.HR, 100, None)),
        ("hr 100", 1, Address(Table.HR, 99, None)),
        ("HR100", 0, Address(Table.HR, 100, None)),
        (" ir 0x1F ", 0, Address(Table.IR, 31, None)),
        ("hr 65535", 0, Address(Table.HR, 65535, None)),
        ("hr 65536", 1, Address(Table.HR, 65535, None)),
        ("hr 40101", 0, Address(Table.HR, 40101, None)),
        ("co 3", 0, Address(Table.CO, 3, (0, 1))),
        ("di 4-5", 0, Address(Table.DI, 4, (0, 2))),
        ("di 4-5", 1, Address(Table.DI, 3, (0, 2))),
        ("hr 100.0", 0, Address(Table.HR, 100, (0, 1))),
        ("hr 100.15", 0, Address(Table.HR, 100, (15, 1))),
        ("hr 100.3-5", 0, Address(Table.HR, 100, (3, 3))),
        ("40001", 40001, Address(Table.HR, 0, None)),
        ("40101", 40001, Address(Table.HR, 100, None)),
        ("465536", 40001, Address(Table.HR, 65535, None)),
        ("30001", 40001, Address(Table.IR, 0, None)),
        ("10001", 40001, Address(Table.DI, 0, (0, 1))),
        ("00017", 40001, Address(Table.CO, 16, (0, 1))),
        ("010001", 40001, Address(Table.CO, 10000, (0, 1))),
        ("10004-10005", 40001, Address(Table.DI, 3, (0, 2))),
        ("40101.7", 40001, Address(Table.HR, 100, (7, 1))),
        ("hr 40101", 40001, Address(Table.HR, 100, None)),
        ("hr 100+150", 0, Address(Table.HR, 100, None, (150,))),
        ("IR 9 + 0x1F + 3", 1, Address(Table.IR, 8, None, (30, 2))),
        ("40101+40151", 40001, Address(Table.HR, 100, None, (150,))),
    ],
)
def test_an_address_is_read_in_its_notation(text: str, base: int, place: Address) -> None:
    assert read_address(text, base) == place


@pytest.mark.parametrize(
    ("text", "base", "code", "said"),
    [
        ("", 0, "bad-address", "no Modbus address"),
        ("hr", 0, "bad-address", "no Modbus address"),
        ("hr -1", 0, "bad-address", "no Modbus address"),
        ("hr 1,5", 0, "bad-address", "no Modbus address"),
        ("xy 100", 0, "bad-address", "`xy` is no table"),
        ("100", 0, "bad-address", "does not say which table"),
        ("40101", 0, "bad-address", "does not say which table"),
        ("40101", 1, "bad-address", "does not say which table"),
        ("hr 100", 40001, "bad-address", "40001 notation"),
        ("17", 40001, "bad-address", "40001 notation"),
        ("20001", 40001, "bad-address", "first digit"),
        ("ir 40101", 40001, "bad-address", "first digit"),
        ("hr 65536", 0, "address-out-of-range", "outside"),
        ("hr 0", 1, "address-out-of-range", "outside"),
        ("40000", 40001, "address-out-of-range", "outside"),
        ("465537", 40001, "address-out-of-range", "outside"),
        ("co 3.1", 0, "bad-address", "a bit of a bit"),
        ("di 5-4", 0, "bad-address", "no range of 2 to 8"),
        ("hr 100+", 0, "bad-address", "no list of registers"),
        ("hr 100+hr 150", 0, "bad-address", "no list of registers"),
        ("hr 100+150.3", 0, "bad-address", "no list of registers"),
        ("hr 100.3+150", 0, "bad-address", "joins bits"),
        ("di 4+7", 0, "bad-address", "joins bits"),
        ("hr 100+150+100", 0, "bad-address", "names a register twice"),
        ("hr 100+65536", 0, "address-out-of-range", "outside"),
        ("40101+30151", 40001, "bad-address", "contradicts itself"),
        ("di 4-12", 0, "bad-address", "no range of 2 to 8"),
        ("di 65535-65536", 0, "address-out-of-range", "outside"),
        ("hr 100.16", 0, "bad-address", "bits that a register lacks"),
        ("hr 100.5-3", 0, "bad-address", "bits that a register lacks"),
        ("hr 100-101", 0, "bad-address", "range of registers"),
    ],
)
def test_a_wrong_or_ambiguous_address_says_what_to_write(
    text: str, base: int, code: str, said: str
) -> None:
    with pytest.raises(BadCell, match=said) as bad:
        read_address(text, base)
    assert (bad.value.code, bad.value.column) == (code, "address")
    assert bad.value.help_text


def test_a_bare_number_is_helped_towards_its_table() -> None:
    with pytest.raises(BadCell) as bad:
        read_address("40101", 0)
    assert "modbus.base: 40001" in bad.value.help_text


@pytest.mark.parametrize(
    ("text", "base", "stretch"),
    [
        ("hr 0-99", 0, Stretch(Table.HR, 0, 100)),
        ("hr 1-100", 1, Stretch(Table.HR, 0, 100)),
        ("40001-40100", 40001, Stretch(Table.HR, 0, 100)),
        ("co 7", 0, Stretch(Table.CO, 7, 8)),
    ],
)
def test_a_stretch_includes_both_ends(text: str, base: int, stretch: Stretch) -> None:
    assert read_stretch(text, base) == stretch


@pytest.mark.parametrize("text", ["hr 9-1", "hr 1.3", "all", "40001-30002"])
def test_a_wrong_stretch_is_refused(text: str) -> None:
    with pytest.raises(BadCell):
        read_stretch(text, 40001 if text[0] == "4" else 0)


@pytest.mark.parametrize("base", [0, 1, 40001])
@pytest.mark.parametrize("number", [0, 1, 9998, 9999, 65534])
@pytest.mark.parametrize("table", Table)
def test_what_is_written_reads_the_same(table: Table, number: int, base: int) -> None:
    assert read_address(written(table, number, base), base)[:2] == (table, number)


@pytest.mark.parametrize(
    ("text", "further"),
    [
        ("hr 100", "hr 140"),
        ("hr100.3-5", "hr140.3-5"),
        ("HR 0x64", "hr 140"),
        ("hr 100+150", "hr 140+190"),
        ("di 4-5", "di 44-45"),
        ("40101", "40141"),
        ("hr 40101", "hr 40141"),
        ("00009", "00049"),
        ("nowhere", "nowhere"),
    ],
)
def test_an_address_moves_on_without_its_bits(text: str, further: str) -> None:
    assert moved(text, 40) == further


@pytest.mark.parametrize("text", ["49990", "09990", "99999"])
def test_in_40001_notation_no_address_moves_to_another_table(text: str) -> None:
    with pytest.raises(BadCell, match="another table"):
        moved(text, 40)
