"""Where a point is in an outstation: its type and its index, as in ``ai 12``."""

import re
from dataclasses import dataclass

from otgate.cell import BadCell
from otgate_dnp3.stack.points import PointType

WORDS = {
    "bi": PointType.BINARY_INPUT,
    "dbi": PointType.DOUBLE_BIT_INPUT,
    "bo": PointType.BINARY_OUTPUT,
    "ctr": PointType.COUNTER,
    "fctr": PointType.FROZEN_COUNTER,
    "ai": PointType.ANALOG_INPUT,
    "fai": PointType.FROZEN_ANALOG_INPUT,
    "aos": PointType.ANALOG_OUTPUT,
    "oct": PointType.OCTET_STRING,
}
"""Types of points by the word that a point map writes, in the order in which they are read."""

SPELLED = {point_type: word for word, point_type in WORDS.items()}

HIGHEST_INDEX = 0xFFFF
"""The highest index that the range of a request may name."""

SYNTAX = re.compile(r"(?P<word>[a-z]+)?\s*(?P<index>[0-9]+)")
HELP = (
    "write a type and an index: `bi 3`, `dbi 0`, `bo 1`, `ctr 4`, `fctr 4`, `ai 12`, `fai 2`, "
    "`aos 1`, `oct 2`"
)


@dataclass(frozen=True, slots=True)
class Address:
    """A point's type, and its index among those of its type."""

    point_type: PointType
    index: int

    def __str__(self) -> str:
        return f"{SPELLED[self.point_type]} {self.index}"


def read_address(text: str) -> Address:
    """Read a point's address as its map writes it.

    Raises:
        BadCell: bad-address or address-out-of-range.
    """
    found = SYNTAX.fullmatch(text.strip().lower())
    if found is None:
        raise BadCell("bad-address", "address", f"`{text}` is no DNP3 address", HELP)
    word, index = found["word"], int(found["index"])
    if word is None:
        message = f"`{text}` does not say which type of point"
        raise BadCell("bad-address", "address", message, f"write `ai {index}`, `bi {index}` or so")
    if word not in WORDS:
        raise BadCell("bad-address", "address", f"`{word}` is no type of point", HELP)
    if index > HIGHEST_INDEX:
        message = f"`{text}` is beyond the last index"
        raise BadCell(
            "address-out-of-range", "address", message, f"indices run from 0 to {HIGHEST_INDEX}"
        )
    return Address(WORDS[word], index)


def moved(text: str, by: int) -> str:
    """Return an address with its index ``by`` further on; as it is where it is none."""
    found = SYNTAX.fullmatch(text.strip().lower())
    return text if found is None else f"{found['word'] or ''} {int(found['index']) + by}".strip()
