"""The one table of objects: how every group and variation lies on the wire.

IEEE 1815-2012, Annex A. It lists what a response may carry, delivered or not, so that an object
nobody asked for is stepped over and what follows it is read. Both directions use it.

A row spells its members in wire order: ``F`` flags, ``S`` command status, ``T`` absolute time of
48 bits, ``R`` relative time of 16 bits; a lower-case word is the value as `struct` spells it.
"""

from dataclasses import dataclass, field
from enum import Enum, auto
from struct import Struct


class Shape(Enum):
    """What decides the size of an object."""

    FIXED = auto()
    BITS = auto()
    """One bit each, packed."""
    PAIRS = auto()
    """Two bits each, packed."""
    STRING = auto()
    """The variation is the size."""
    SIZED = auto()
    """Each object carries its size in the prefix."""
    ATTRIBUTE = auto()
    """Data type, length and value: group 0."""
    EMPTY = auto()
    """It names objects and carries none: group 60."""


MEMBERS = {"F": "B", "S": "B", "T": "HI", "R": "H"}
PREFIXES = {0: "", 1: "B", 2: "H", 4: "I"}
"""Index prefixes by their size in octets."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """How one group and variation lies on the wire; ``size`` is of one object, FIXED or STRING.

    There is one for each, in `LAYOUTS`, known by identity.
    """

    group: int
    variation: int
    shape: Shape
    members: str = ""
    size: int = 0
    structs: dict[int, Struct] = field(default_factory=dict, repr=False)
    """By the size of the index prefix: the prefix and one object."""

    def __contains__(self, member: str) -> bool:
        return member in self.members


def _fixed(group: int, variation: int, spec: str) -> Layout:
    words = spec.split()
    wire = "".join(MEMBERS.get(word, word) for word in words)
    structs = {width: Struct(f"<{prefix}{wire}") for width, prefix in PREFIXES.items()}
    members = "".join(word if word in MEMBERS else "V" for word in words)
    return Layout(group, variation, Shape.FIXED, members, structs[0].size, structs)


COUNTER_EVENTS = ("F I", "F H", "F I", "F H", "F I T", "F H T", "F I T", "F H T")
ANALOG_EVENTS = ("F i", "F h", "F i T", "F h T", "F f", "F d", "F f T", "F d T")

FIXED = {
    1: ("", "F"),
    2: ("F", "F T", "F R"),
    3: ("", "F"),
    4: ("F", "F T", "F R"),
    10: ("", "F"),
    11: ("F", "F T"),
    12: ("BBIIB", "BBIIB"),
    13: ("S", "S T"),
    20: ("F I", "F H", "F I", "F H", "I", "H", "I", "H"),
    21: (
        *("F I", "F H", "F I", "F H", "F I T", "F H T"),
        *("F I T", "F H T", "I", "H", "I", "H"),
    ),
    22: COUNTER_EVENTS,
    23: COUNTER_EVENTS,
    30: ("F i", "F h", "i", "h", "F f", "F d"),
    31: ("F i", "F h", "F i T", "F h T", "i", "h", "F f", "F d"),
    32: ANALOG_EVENTS,
    33: ANALOG_EVENTS,
    34: ("H", "I", "f"),
    40: ("F i", "F h", "F f", "F d"),
    41: ("i S", "h S", "f S", "d S"),
    42: ANALOG_EVENTS,
    43: ("S i", "S h", "S i T", "S h T", "S f", "S d", "S f T", "S d T"),
    50: ("T", "T I", "T", "T I B"),
    51: ("T", "T"),
    52: ("H", "H"),
    81: ("BBB",),
    86: ("", "B"),
    101: ("H", "I", "Q"),
    102: ("B",),
    120: ("", "", "IH", "H"),
    121: ("F HI",),
    122: ("F HI", "F HI T"),
}
"""By group, the rows from variation 1 on; "" is listed elsewhere."""

OTHERS: dict[Shape, dict[int, range]] = {
    Shape.BITS: {1: range(1, 2), 10: range(1, 2), 12: range(3, 4), 80: range(1, 2)},
    Shape.PAIRS: {3: range(1, 2)},
    Shape.STRING: {group: range(1, 256) for group in (110, 111, 112, 113)},
    Shape.ATTRIBUTE: {0: range(1, 256)},
    Shape.EMPTY: {60: range(1, 5)},
}
"""Groups whose variations are not of fixed members.

What is in no table (files, data sets, authentication, private objects) carries its size in the
prefix and needs no row.
"""


def _rows() -> dict[tuple[int, int], Layout]:
    rows = {
        (group, variation): _fixed(group, variation, spec)
        for group, specs in FIXED.items()
        for variation, spec in enumerate(specs, 1)
        if spec
    }
    for shape, groups in OTHERS.items():
        for group, variations in groups.items():
            for variation in variations:
                size = variation if shape is Shape.STRING else 0
                rows[group, variation] = Layout(group, variation, shape, "V", size)
    return rows


LAYOUTS = _rows()
