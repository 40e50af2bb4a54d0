import pytest

from otgate.cell import BadCell
from otgate.model import ValueType
from otgate_modbus.encoding import Form, read_type, wire_order


@pytest.mark.parametrize(
    ("text", "form", "size", "value_type"),
    [
        ("bool", Form.BITS, 2, ValueType.BOOL),
        ("bit", Form.BITS, 2, ValueType.BOOL),
        ("bits", Form.BITS, 2, ValueType.U64),
        ("u8_high", Form.UNSIGNED, 1, ValueType.U64),
        ("i8_low", Form.SIGNED, 1, ValueType.I64),
        ("u16", Form.UNSIGNED, 2, ValueType.U64),
        ("I32", Form.SIGNED, 4, ValueType.I64),
        ("u64", Form.UNSIGNED, 8, ValueType.U64),
        ("f16", Form.FLOAT, 2, ValueType.F64),
        ("f64", Form.FLOAT, 8, ValueType.F64),
        ("bcd", Form.BCD, 2, ValueType.U64),
        ("bcd32", Form.BCD, 4, ValueType.U64),
        ("mod10000", Form.MODULUS, 4, ValueType.U64),
        ("mod10000(3)", Form.MODULUS, 6, ValueType.U64),
        ("string(7)", Form.TEXT, 7, ValueType.TEXT),
        ("latin1(7)", Form.TEXT, 7, ValueType.TEXT),
        ("chars(7)", Form.TEXT, 14, ValueType.TEXT),
        ("flags64", Form.UNSIGNED, 8, ValueType.U64),
        ("enum", Form.UNSIGNED, 2, ValueType.I64),
        ("flags32", Form.UNSIGNED, 4, ValueType.I64),
        ("time", Form.UNSIGNED, 4, ValueType.I64),
        ("cp56", Form.STAMP, 8, ValueType.I64),
        ("time64", Form.SIGNED, 8, ValueType.I64),
    ],
)
def test_a_type_has_a_form_a_size_and_a_value_type(
    text: str, form: Form, size: int, value_type: ValueType
) -> None:
    encoding = read_type(text)
    assert (encoding.form, encoding.size, encoding.value_type) == (form, size, value_type)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("u16 na", {0xFFFF}),
        ("i16 na", {0x8000}),
        ("u32 na", {0xFFFFFFFF}),
        ("i64 na", {1 << 63}),
        ("enum na", {0xFFFF}),
        ("bcd na", {0xFFFF}),
        ("u8_high na", {0xFF}),
        ("u16 na=32767", {32767}),
        ("i16 na=-1", {0xFFFF}),
        ("u16 na=0x7FFF", {0x7FFF}),
        ("u16 na = 0x7FFF|65535", {0x7FFF, 0xFFFF}),
        ("f32 na=-9999", {0xC61C3C00}),
        ("f64 na=1e300", {0x7E37E43C8800759C}),
        ("f32 na", set()),
        ("string(4) na", set()),
        ("u16", set()),
    ],
)
def test_a_type_may_say_which_value_means_not_implemented(text: str, missing: set[int]) -> None:
    encoding = read_type(text)
    assert set(encoding.missing) == missing
    assert encoding.lacking == (text in {"f32 na", "string(4) na"})


@pytest.mark.parametrize(
    "text",
    [
        "float", "u8", "u24", "string", "string(0)", "string(251)", "mod10000(5)", "bool na",
        "string(4) na=0", "f32 na=x", "f16 na=1e9", "u16 na=65536", "u16 na=1|", "mod10000 na",
        "chars(126)", "chars", "latin1(251)", "i16 na=-32769", "u16 na=x", "u16(2)", "",
    ],
)  # fmt: skip
def test_an_unknown_type_is_refused(text: str) -> None:
    with pytest.raises(BadCell) as bad:
        read_type(text)
    assert (bad.value.code, bad.value.column) == ("unknown-type", "type")


@pytest.mark.parametrize(
    ("order", "size", "places"),
    [
        ("ABCD", 2, (0, 1)),
        ("CDAB", 2, (0, 1)),
        ("BADC", 2, (1, 0)),
        ("DCBA", 2, (1, 0)),
        ("AB", 2, (0, 1)),
        ("BA", 2, (1, 0)),
        ("ABCD", 4, (0, 1, 2, 3)),
        ("CDAB", 4, (2, 3, 0, 1)),
        ("BADC", 4, (1, 0, 3, 2)),
        ("DCBA", 4, (3, 2, 1, 0)),
        ("ABCD", 6, (0, 1, 2, 3, 4, 5)),
        ("CDAB", 6, (4, 5, 2, 3, 0, 1)),
        ("ABCD", 8, (0, 1, 2, 3, 4, 5, 6, 7)),
        ("BADC", 8, (1, 0, 3, 2, 5, 4, 7, 6)),
        ("GHEFCDAB", 8, (6, 7, 4, 5, 2, 3, 0, 1)),
        ("CDABGHEF", 8, (2, 3, 0, 1, 6, 7, 4, 5)),
        ("DCBAHGFE", 8, (3, 2, 1, 0, 7, 6, 5, 4)),
        ("HGFEDCBA", 8, (7, 6, 5, 4, 3, 2, 1, 0)),
    ],
)
def test_an_order_says_where_each_byte_lies(order: str, size: int, places: tuple[int, ...]) -> None:
    assert wire_order(order, size) == places


@pytest.mark.parametrize("order", ["CDAB", "DCBA"])
def test_an_order_that_could_mean_two_is_refused_for_64_bits(order: str) -> None:
    with pytest.raises(BadCell, match="two orders") as bad:
        wire_order(order, 8)
    assert " or " in bad.value.help_text


@pytest.mark.parametrize(("order", "size"), [("ACBD", 4), ("", 2), ("ABCDEFGH", 4), ("big", 2)])
def test_an_unknown_order_is_refused(order: str, size: int) -> None:
    with pytest.raises(BadCell) as bad:
        wire_order(order, size)
    assert (bad.value.code, bad.value.column) == ("bad-order", "order")
