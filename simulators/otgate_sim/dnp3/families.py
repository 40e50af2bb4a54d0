"""The types of points that the outstation serves, and the objects that carry them."""

from dataclasses import dataclass
from functools import cache

from otgate_dnp3.stack.layouts import LAYOUTS, Shape
from otgate_dnp3.stack.points import Flag, PointType

ONLINE = int(Flag.ONLINE)


@dataclass(frozen=True, slots=True)
class Family:
    """One type of points: its word in a point map, its groups, and what it is sent as."""

    word: str
    static_group: int
    event_group: int
    static_variation: int
    event_variation: int


FAMILIES = {
    PointType.BINARY_INPUT: Family("bi", 1, 2, 2, 2),
    PointType.DOUBLE_BIT_INPUT: Family("dbi", 3, 4, 2, 2),
    PointType.BINARY_OUTPUT: Family("bo", 10, 11, 2, 2),
    PointType.COUNTER: Family("ctr", 20, 22, 1, 5),
    PointType.FROZEN_COUNTER: Family("fctr", 21, 23, 1, 5),
    PointType.ANALOG_INPUT: Family("ai", 30, 32, 1, 3),
    PointType.ANALOG_OUTPUT: Family("aos", 40, 42, 1, 3),
    PointType.OCTET_STRING: Family("oct", 110, 111, 1, 1),
}
"""In the order in which class 0 reports them."""

OF_WORD = {family.word: point_type for point_type, family in FAMILIES.items()}
OF_STATIC = {family.static_group: point_type for point_type, family in FAMILIES.items()}
OF_EVENT = {family.event_group: point_type for point_type, family in FAMILIES.items()}

DEADBANDS = 34
"""Group of the deadbands of analog inputs; read and written by the input's index."""

WITH_FLAGS = {
    (1, 1): 2,
    (3, 1): 2,
    (10, 1): 2,
    (20, 5): 1,
    (20, 6): 2,
    (21, 9): 1,
    (21, 10): 2,
    (30, 3): 1,
    (30, 4): 2,
}
"""Variations without flags, and the ones to use where a point is anything but online."""

RELATIVE = frozenset({(2, 3), (4, 3)})
"""Event variations whose time counts from a common time of occurrence."""

INTEGERS = {"i": (-(1 << 31), (1 << 31) - 1), "h": (-(1 << 15), (1 << 15) - 1)}
UNSIGNED = {"I": (1 << 32) - 1, "H": (1 << 16) - 1}
LARGEST_FLOAT = 3.4028234663852886e38

Number = int | float
Value = Number | bytes


@cache
def value_code(group: int, variation: int) -> str:
    """Return how `struct` spells the value of a variation; "" where it is no number."""
    layout = LAYOUTS[group, variation]
    if layout.shape is not Shape.FIXED or "V" not in layout:
        return ""
    spelled = layout.structs[0].format.removeprefix("<")
    return spelled[1] if layout.members.startswith("F") else spelled[0]


def is_served(group: int, variation: int) -> bool:
    """Whether objects of a variation can be made: deltas and frozen times cannot."""
    if (group, variation) not in LAYOUTS:
        return False
    return not (group in {20, 22, 23} and variation in {3, 4, 7, 8}) and not (
        group == 21 and variation in {3, 4, 7, 8, 11, 12}
    )


def fitted(group: int, variation: int, value: Value, flags: int) -> tuple[Value, int]:
    """Return a value as a variation can carry it; what is too big is cut and flagged."""
    code = value_code(group, variation)
    if isinstance(value, bytes) or not code:
        return (value if isinstance(value, bytes) else int(value)), flags
    if code in UNSIGNED:
        return round(value) & UNSIGNED[code], flags
    if code in INTEGERS:
        lowest, highest = INTEGERS[code]
        if value != value:  # noqa: PLR0124  not a number
            return 0, flags | Flag.REFERENCE_ERR
        cut = min(max(value, lowest), highest)
        return round(cut), flags | (Flag.OVER_RANGE if cut != value else 0)
    if code == "f" and abs(value) > LARGEST_FLOAT and abs(value) != float("inf"):
        return (LARGEST_FLOAT if value > 0 else -LARGEST_FLOAT), flags | Flag.OVER_RANGE
    return float(value), flags
