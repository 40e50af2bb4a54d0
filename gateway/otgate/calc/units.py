"""What is known of units: their dimension and size, so that volts are not added to amperes.

A unit that is not in the table is a dimension of its own: equal texts add, others are doubtful.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

Dimension = tuple[tuple[str, int], ...]
"""Base units and their powers, in order; nothing for a plain number."""

PREFIXES = {"": 1.0, "n": 1e-9, "µ": 1e-6, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9}
HOUR, MINUTE, DAY = 3600.0, 60.0, 86_400.0

PREFIXED: Mapping[str, tuple[Mapping[str, int], float]] = {
    "V": ({"V": 1}, 1.0),
    "A": ({"A": 1}, 1.0),
    "W": ({"V": 1, "A": 1}, 1.0),
    "VA": ({"V": 1, "A": 1}, 1.0),
    "var": ({"V": 1, "A": 1}, 1.0),
    "VAr": ({"V": 1, "A": 1}, 1.0),
    "Wh": ({"V": 1, "A": 1, "s": 1}, HOUR),
    "VAh": ({"V": 1, "A": 1, "s": 1}, HOUR),
    "varh": ({"V": 1, "A": 1, "s": 1}, HOUR),
    "J": ({"V": 1, "A": 1, "s": 1}, 1.0),
    "Ah": ({"A": 1, "s": 1}, HOUR),
    "Ω": ({"V": 1, "A": -1}, 1.0),
    "ohm": ({"V": 1, "A": -1}, 1.0),
    "S": ({"A": 1, "V": -1}, 1.0),
    "Hz": ({"s": -1}, 1.0),
    "s": ({"s": 1}, 1.0),
    "m": ({"m": 1}, 1.0),
    "g": ({"g": 1}, 1.0),
    "l": ({"m": 3}, 1e-3),
    "Pa": ({"Pa": 1}, 1.0),
    "bar": ({"Pa": 1}, 1e5),
}
SINGLE: Mapping[str, tuple[Mapping[str, int], float]] = {
    "min": ({"s": 1}, MINUTE),
    "h": ({"s": 1}, HOUR),
    "d": ({"s": 1}, DAY),
    "°C": ({"°C": 1}, 1.0),
    "degC": ({"°C": 1}, 1.0),
    "K": ({"K": 1}, 1.0),
    "°": ({"°": 1}, 1.0),
    "deg": ({"°": 1}, 1.0),
    "rad": ({"°": 1}, 57.29577951308232),
    "%": ({}, 0.01),
    "1": ({}, 1.0),
}
FLAVOURS: Mapping[str, str] = {
    "W": "active power",
    "VA": "apparent power",
    "var": "reactive power",
    "VAr": "reactive power",
    "Wh": "active energy",
    "J": "active energy",
    "VAh": "apparent energy",
    "varh": "reactive energy",
}
"""What units of one dimension measure that are not to be added to each other."""

PART = re.compile(r"([^0-9²³^]+)(?:\^?(-?[0-9])|([²³]))?|(1)")
RAISED = {"²": 2, "³": 3}


@dataclass(frozen=True, slots=True)
class Unit:
    """What a value is measured in."""

    text: str
    """As somebody wrote it; nothing where it was calculated."""
    dimension: Dimension
    factor: float | None
    """How many base units it is; None where a number was multiplied, which may have converted."""
    flavour: str = ""
    known: bool = True
    """Whether all of it is in the table."""

    @property
    def shown(self) -> str:
        """The unit in words."""
        if self.text:
            return f"`{self.text}`"
        parts = (base + (f"^{power}" if power != 1 else "") for base, power in self.dimension)
        return f"`{'·'.join(parts) or '1'}`"


@cache
def unit_of(text: str) -> Unit | None:
    """Return what ``text`` says, or None where it says nothing."""
    if not text.strip():
        return None
    powers: dict[str, int] = {}
    factor, flavour = 1.0, ""
    pieces = re.split(r"([/·*])", text.strip())
    for joint, piece in zip(["", *pieces[1::2]], pieces[::2], strict=True):
        symbol = _symbol(piece.strip())
        if symbol is None:
            return Unit(text, ((text, 1),), 1.0, known=False)
        sign = -1 if joint == "/" else 1
        bases, size, what = symbol
        flavour = "" if joint else what
        factor *= size**sign
        for base, power in bases.items():
            powers[base] = powers.get(base, 0) + sign * power
    return Unit(text, dimension(powers), factor, flavour)


Symbol = tuple[Mapping[str, int], float, str]
"""Base units, size and flavour."""


def _symbol(piece: str) -> Symbol | None:
    """Return what one symbol with its power says, or None where it is not in the table."""
    found = PART.fullmatch(piece)
    if found is None:
        return None
    name, digits, raised_, one = found.groups()
    if one:
        return {}, 1.0, ""
    named = _named(name)
    if named is None:
        return None
    bases, size, what = named
    power = int(digits) if digits else RAISED.get(raised_, 1)
    return {base: count * power for base, count in bases.items()}, size**power, what * (power == 1)


def _named(name: str) -> Symbol | None:
    if name in SINGLE:
        return (*SINGLE[name], "")
    for prefix, size in PREFIXES.items():
        rest = name.removeprefix(prefix)
        if name.startswith(prefix) and rest in PREFIXED:
            bases, own = PREFIXED[rest]
            return bases, size * own, FLAVOURS.get(rest, "")
    return None


def dimension(powers: Mapping[str, int]) -> Dimension:
    """Return powers of base units in order, without those that cancel."""
    return tuple(sorted((base, power) for base, power in powers.items() if power))


def multiplied(left: Unit | None, right: Unit | None, sign: int = 1) -> Unit | None:
    """Return the unit of a product, or with ``sign`` -1 of a quotient."""
    if left is None or right is None:
        return None
    powers = dict(left.dimension)
    for base, power in right.dimension:
        powers[base] = powers.get(base, 0) + sign * power
    factor = None
    if left.factor is not None and right.factor is not None:
        factor = left.factor * right.factor**sign
    return Unit("", dimension(powers), factor, known=left.known and right.known)


def scaled(unit: Unit | None) -> Unit | None:
    """Return the unit of a value times a number, which may have converted it."""
    return None if unit is None else Unit("", unit.dimension, None, unit.flavour, unit.known)


def raised(unit: Unit | None, power: int) -> Unit | None:
    """Return the unit of a power."""
    if unit is None or power == 1:
        return unit
    powers = {base: count * power for base, count in unit.dimension}
    factor = None if unit.factor is None else unit.factor**power
    return Unit("", dimension(powers), factor, known=unit.known)


def rooted(unit: Unit | None) -> Unit | None:
    """Return the unit of a square root; nothing is known of it where powers are odd."""
    if unit is None or any(power % 2 for _, power in unit.dimension):
        return None
    powers = {base: power // 2 for base, power in unit.dimension}
    factor = None if unit.factor is None else unit.factor**0.5
    return Unit("", dimension(powers), factor, known=unit.known)


@dataclass(frozen=True, slots=True)
class Clash:
    """Why two units do not go together, and what to do."""

    message: str
    help: str
    sure: bool
    """False where one of them is not in the table."""


def clash(left: Unit | None, right: Unit | None) -> Clash | None:
    """Say why values in these units cannot be added or compared, or None where they can."""
    if left is None or right is None or (left.text and left.text == right.text):
        return None
    both = f"{left.shown} and {right.shown}"
    if left.dimension != right.dimension:
        if left.known and right.known:
            return Clash(f"{both} measure different things", "calculate with like units", sure=True)
        return Clash(f"{both} may not go together", "write one unit alike in both", sure=False)
    if left.flavour and right.flavour and left.flavour != right.flavour:
        what = f"{both} are {left.flavour} and {right.flavour}"
        return Clash(what, "they add as squares: `sqrt(p^2 + q^2)`", sure=True)
    if left.factor is None or right.factor is None or same(left.factor, right.factor):
        return None
    ratio = left.factor / right.factor
    converted = f"`* {ratio:.12g}`" if ratio >= 1 else f"`/ {1 / ratio:.12g}`"
    help_ = f"convert: write {converted} behind what is in {left.shown}"
    return Clash(f"{both} differ in size", help_, sure=True)


def same(one: float, other: float) -> bool:
    """Tell whether two factors are equal but for rounding."""
    return abs(one - other) <= 1e-9 * abs(other)


def agreed(left: Unit | None, right: Unit | None) -> Unit | None:
    """Return the unit of a sum of values that go together: what is known best."""
    if left is None or right is None:
        return left or right
    return right if left.factor is None else left
