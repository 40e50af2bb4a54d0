"""Whether a value can be what its point map says that it is.

The bounds are those of what a substation has, wide enough that nothing real is outside: a value
beyond them was read wrongly, or the map says the wrong unit or scale.
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from math import isfinite
from typing import Any

from otgate.model import Kind, Point
from otgate.quality import Quality, names

TINY, HUGE = 1e-6, 1e13
"""Beyond these no quantity of a substation is, in any unit: a float read in a wrong order is."""

PREFIXES = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9}

BOUNDS = {
    "V": (0.0, 1.2e6),
    "A": (0.0, 2e5),
    "W": (-1e10, 1e10),
    "VA": (0.0, 1e10),
    "var": (-1e10, 1e10),
    "Wh": (-1e16, 1e16),
    "VAh": (-1e16, 1e16),
    "varh": (-1e16, 1e16),
    "Hz": (0.0, 500.0),
    "°C": (-80.0, 400.0),
    "C": (-80.0, 400.0),
    "K": (0.0, 700.0),
    "°": (-360.0, 360.0),
    "deg": (-360.0, 360.0),
    "%": (-1000.0, 1000.0),
    "bar": (0.0, 1000.0),
    "Pa": (0.0, 1e8),
    "Ohm": (0.0, 1e9),
    "Ω": (0.0, 1e9),
}
"""By unit without its prefix, in that unit. Currents and voltages are amplitudes; direct current
is not meant by `SIGNED`'s names."""

LIKELY = {"Hz": ((45.0, 66.0),), "V": ((40.0, 600.0), (3e3, 8e5)), "°C": ((-40.0, 150.0),)}
"""Where values of a unit mostly are: evidence for a guess, never against a value."""

SIGNED = re.compile(r"(?i)\b(dc|batter|direct)")
"""A current or voltage named so may be negative."""

UNIT = re.compile(r"([mkMG]?)(VA|VAh|V|A|W|Wh|(?i:varh?)|Hz|Pa|[Oo]hm|Ω)")
SAME = {"degC": "°C", "ohm": "Ohm"}


class Plausibility(IntEnum):
    """How well a value suits its point."""

    IMPOSSIBLE = 0
    POSSIBLE = 1
    LIKELY = 2


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and why where it is not a good one."""

    plausibility: Plausibility
    why: str = ""


POSSIBLE = Judgement(Plausibility.POSSIBLE)


def judged(point: Point, value: Any, quality: int) -> Judgement:
    """Judge a value that was read; one without a value is impossible, for a reason of its own."""
    if quality & Quality.NO_VALUE:
        why = ", ".join(names(quality & ~Quality.NO_VALUE)[1:]).replace("_", " ")
        return Judgement(Plausibility.IMPOSSIBLE, why or "the device has none")
    if point.states and not point.has_flags and isinstance(value, int):
        return _of_states(point, int(value))
    if isinstance(value, str | bool) or point.kind in {Kind.STATUS, Kind.EVENT, Kind.TEXT}:
        return POSSIBLE
    return _of_number(point, float(value))


def _of_states(point: Point, code: int) -> Judgement:
    if code in point.states:
        return Judgement(Plausibility.LIKELY)
    known = ", ".join(map(str, point.states))
    return Judgement(Plausibility.IMPOSSIBLE, f"its states are {known}")


def _of_number(point: Point, value: float) -> Judgement:
    if not isfinite(value):
        return Judgement(Plausibility.IMPOSSIBLE, "it is no number")
    if value and not TINY <= abs(value) <= HUGE:
        size = "small" if abs(value) < 1 else "large"
        return Judgement(Plausibility.IMPOSSIBLE, f"no quantity is that {size}")
    if point.eu_lo is not None and point.eu_hi is not None:
        return _of_range(point.eu_lo, point.eu_hi, value)
    prefix, unit = split(point.unit)
    low, high = bounds(point, unit)
    at = value * PREFIXES[prefix]
    if not low <= at <= high:
        limits = f"{low / PREFIXES[prefix]:g} to {high / PREFIXES[prefix]:g}"
        return Judgement(Plausibility.IMPOSSIBLE, f"{point.unit} of a substation are {limits}")
    likely = any(first <= abs(at) <= last for first, last in LIKELY.get(unit, ()))
    return Judgement(Plausibility.LIKELY) if likely else POSSIBLE


def _of_range(low: float, high: float, value: float) -> Judgement:
    margin = 0.2 * abs(high - low)
    if not min(low, high) - margin <= value <= max(low, high) + margin:
        return Judgement(Plausibility.IMPOSSIBLE, f"its range is {low:g} to {high:g}")
    return Judgement(Plausibility.LIKELY) if value else POSSIBLE


def split(unit: str) -> tuple[str, str]:
    """Return a unit's prefix and the rest; both empty where it is not known."""
    found = UNIT.fullmatch(unit.strip())
    prefix, spelled = (found[1], found[2]) if found else ("", unit.strip())
    spelled = spelled.lower() if spelled.lower().startswith("var") else SAME.get(spelled, spelled)
    return (prefix, spelled) if spelled in BOUNDS else ("", "")


def bounds(point: Point, unit: str) -> tuple[float, float]:
    """Return within what values of a point are, in the unit without prefix."""
    low, high = BOUNDS.get(unit, (-HUGE, HUGE))
    signed = unit in {"V", "A"} and SIGNED.search(f"{point.id} {point.name} {point.description}")
    return (-high, high) if signed else (low, high)
