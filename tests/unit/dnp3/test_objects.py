"""Object headers read to the end, or as far as they can be."""

import pytest

from otgate_dnp3.stack.layouts import LAYOUTS, Shape
from otgate_dnp3.stack.objects import every, ranged, sized, walk

ONE = "1e01 00 00 00 01 2a000000"
"""Analog input 0, with flag: 42."""


def walked(text: str, *, carried: bool = True) -> tuple[list[tuple[int, int, int]], str]:
    walk_ = walk(bytes.fromhex(text), carried=carried)
    return [(each.group, each.variation, each.number) for each in walk_.blocks], walk_.rest.hex()


@pytest.mark.parametrize(
    ("header", "number"),
    [
        ("1e01 00 05 06", 2),
        ("1e01 01 0500 0600", 2),
        ("1e01 02 05000000 06000000", 2),
        ("1e01 03 05 06", 2),
        ("1e01 04 0500 0600", 2),
        ("1e01 05 05000000 06000000", 2),
        ("1e01 07 02", 2),
        ("1e01 08 0200", 2),
        ("1e01 09 02000000", 2),
    ],
)
def test_every_range_is_read(header: str, number: int) -> None:
    assert walked(header + "01 01000000" * number + ONE)[0] == [(30, 1, number), (30, 1, 1)]


@pytest.mark.parametrize(
    ("qualifier", "index"),
    [("17 02", "05"), ("27 02", "0500"), ("28 0200", "0500"), ("39 02000000", "05000000")],
)
def test_an_index_may_go_before_each_object(qualifier: str, index: str) -> None:
    assert walked(f"1e01 {qualifier}" + f"{index} 01 01000000" * 2 + ONE)[1] == ""


@pytest.mark.parametrize("code", ["4b 02", "5b 02", "6b 02", "57 02", "58 0200"])
def test_a_size_before_each_object_steps_over_what_is_not_known(code: str) -> None:
    size = {"4": "03", "5": "0300", "6": "03000000"}[code[0]]
    blocks, rest = walked(f"fa07 {code}" + f"{size} aabbcc" * 2 + ONE)
    assert (blocks, rest) == ([(250, 7, 2), (30, 1, 1)], "")


def test_objects_with_sizes_are_handed_out_one_by_one() -> None:
    block = walk(sized(70, 5, [b"first", b"", b"third"])).blocks[0]
    assert list(block.items()) == [b"first", b"", b"third"]


def test_attributes_are_stepped_over_by_their_own_length() -> None:
    attributes = "00fc 00 00 00 01 03 414243" + "00ff 00 00 00 ff 00" + "00" * 256
    assert walked(attributes + ONE) == ([(0, 252, 1), (0, 255, 1), (30, 1, 1)], "")


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("1e01 00 00 01 01 2a000000", "group 30 variation 1 is cut off"),
        ("1e01 00 05 04", "a range from 5 to 4"),
        ("1e01 02 00000000 ffffffff", "is cut off"),
        ("0101 02 00000000 ffffffff", "is cut off"),
        ("6e00 09 ffffffff", "group 110 variation 0 is not known"),
        ("fa07 00 00 00 01", "group 250 variation 7 is not known"),
        ("1e01 80 00 00", "qualifier 0x80"),
        ("1e01 10 00 00", "qualifier 0x10"),
        ("1e01 0a 00 00", "range specifier code 10"),
        ("1e01 13 00 00", "qualifier 0x13"),
        ("0101 17 01 00 01", "with an index each"),
        ("1e01", "an object header is cut off"),
        ("1e01 01 00", "a range is cut off"),
        ("1e01 28 01", "a count is cut off"),
        ("4605 5b 01 05", "a size is cut off"),
        ("4605 5b 01 0500 00", "group 70 variation 5 is cut off"),
        ("00fc 00 00 00 01", "an attribute is cut off"),
    ],
)
def test_what_cannot_be_read_is_the_rest_and_what_was_good_stays(bad: str, why: str) -> None:
    found = walk(bytes.fromhex(ONE + bad))
    assert [each.number for each in found.blocks] == [1]
    assert found.rest == bytes.fromhex(bad)
    assert why in found.why


def test_a_request_names_objects_without_carrying_them() -> None:
    read = "3c02 06 3c01 06 1e00 00 00 09 2000 28 0200 0100 0200"
    assert walked(read, carried=False) == (
        [(60, 2, 0), (60, 1, 0), (30, 0, 10), (32, 0, 2)],
        "",
    )


@pytest.mark.parametrize("kind", [k for k, v in LAYOUTS.items() if v.shape is Shape.FIXED])
def test_a_fixed_object_of_any_group_is_stepped_over(kind: tuple[int, int]) -> None:
    objects = ranged(*kind, 3, 2, bytes(2 * LAYOUTS[kind].size))
    assert walk(objects + bytes.fromhex(ONE)).blocks[1].group == 30


def test_the_narrowest_range_is_used() -> None:
    assert ranged(30, 1, 0, 256)[2:] == bytes.fromhex("00 00ff")
    assert ranged(30, 1, 0, 257)[2:] == bytes.fromhex("01 0000 0001")
    assert every(60, 2) == bytes.fromhex("3c0206")
