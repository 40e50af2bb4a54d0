"""How points of Modbus devices are commonly mistaken: order, base, type."""

from collections.abc import Iterator
from typing import Literal

from msgspec.structs import replace

from otgate.cell import BadCell
from otgate.driver import Variant
from otgate.model import Point
from otgate_modbus.address import ADDRESSES, Address, read_address, written
from otgate_modbus.encoding import Form
from otgate_modbus.reading import Reading, read_point
from otgate_modbus.settings import Settings

ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
NUMERIC = frozenset({Form.UNSIGNED, Form.SIGNED, Form.FLOAT})
TYPES = {
    "u16": ("i16",), "i16": ("u16",), "u32": ("f32", "i32"), "i32": ("f32", "u32"),
    "f32": ("u32", "i32"), "u64": ("f64", "i64"), "i64": ("f64", "u64"), "f64": ("u64", "i64"),
}  # fmt: skip
"""What a type is taken for by mistake: another reading of as many registers."""

SHIFTS: dict[tuple[int, int], Literal["base: 0", "base: 1"]] = {
    (0, -1): "base: 1",
    (1, 1): "base: 0",
}
"""Base as it is and what the addresses are off by, to the setting that mends all of them."""


def variants(point: Point, settings: Settings) -> list[Variant]:
    """Return other ways in which a point may have been meant; none of one that cannot be read."""
    try:
        reading = read_point(0, point, settings)
        address = read_address(point.address, settings.base)
    except BadCell:
        return []
    found = [*_orders(point, reading), *_places(point, address, settings), *_types(point, reading)]
    return [each for each in found if _readable(each.point, settings)]


def _orders(point: Point, reading: Reading) -> Iterator[Variant]:
    if reading.encoding.form not in NUMERIC or reading.encoding.registers < 2:
        return
    for order in ORDERS:
        if order != reading.order[: len(order)]:
            setting = "" if point.order else f"order: {order}"
            yield Variant(order, replace(point, order=order), "order", setting)


def _places(point: Point, address: Address, settings: Settings) -> Iterator[Variant]:
    if address.bits is not None or address.others:
        return
    for shift, words in ((-1, "one address lower"), (1, "one address higher")):
        at = address.number + shift
        if 0 <= at < ADDRESSES:
            cell = written(address.table, at, settings.base)
            setting = SHIFTS.get((settings.base, shift), "")
            yield Variant(words, replace(point, address=cell), "address", setting)


def _types(point: Point, reading: Reading) -> Iterator[Variant]:
    for name in TYPES.get(reading.encoding.name, ()):
        yield Variant(name, replace(point, type=name), "type")


def _readable(point: Point, settings: Settings) -> bool:
    try:
        read_point(0, point, settings)
    except BadCell:
        return False
    return True
