import pytest

from otgate.cell import BadCell
from otgate_dnp3.address import Address, moved, read_address
from otgate_dnp3.stack.points import PointType


@pytest.mark.parametrize(
    ("text", "kind", "index"),
    [
        ("ai 12", PointType.ANALOG_INPUT, 12),
        ("bi 3", PointType.BINARY_INPUT, 3),
        ("dbi 0", PointType.DOUBLE_BIT_INPUT, 0),
        ("BO 1", PointType.BINARY_OUTPUT, 1),
        ("ctr4", PointType.COUNTER, 4),
        ("fctr  4", PointType.FROZEN_COUNTER, 4),
        ("fai 2", PointType.FROZEN_ANALOG_INPUT, 2),
        (" aos 1 ", PointType.ANALOG_OUTPUT, 1),
        ("oct 65535", PointType.OCTET_STRING, 65535),
    ],
)
def test_an_address_is_a_type_and_an_index(text: str, kind: PointType, index: int) -> None:
    assert read_address(text) == Address(kind, index)


@pytest.mark.parametrize(
    ("text", "code", "help_text"),
    [
        ("12", "bad-address", "`ai 12`"),
        ("hr 12", "bad-address", "`ai 12`"),
        ("ai", "bad-address", "`bi 3`"),
        ("ai -1", "bad-address", "`bi 3`"),
        ("ai 1.5", "bad-address", "`bi 3`"),
        ("", "bad-address", "`bi 3`"),
        ("ai 65536", "address-out-of-range", "65535"),
    ],
)
def test_what_is_no_address_is_said_with_help(text: str, code: str, help_text: str) -> None:
    with pytest.raises(BadCell) as refused:
        read_address(text)
    assert (refused.value.code, refused.value.column) == (code, "address")
    assert help_text in refused.value.help_text


@pytest.mark.parametrize(
    ("text", "further"),
    [("ai 12", "ai 22"), ("BI3", "bi 13"), ("4", "14"), ("nowhere", "nowhere")],
)
def test_an_address_moves_on_by_its_index(text: str, further: str) -> None:
    assert moved(text, 10) == further
