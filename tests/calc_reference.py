"""What formulas and windows mean, said again in plain Python, sample by sample."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otgate.calc.meaning import Term
from otgate.model import ValueType
from otgate.quality import Quality

Said = tuple[Any, int]
"""A value, None where there is none, and its quality."""

F64 = ValueType.F64
OVERFLOW = int(Quality.INVALID | Quality.OVERFLOW | Quality.NO_VALUE)
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}
ADD: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "sum": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "min": min,
    "max": max,
}


def evaluated(term: Term, points: Mapping[str, Said]) -> Said:
    """Return what a formula says."""
    if term.operation == "point":
        return points[term.value]
    if term.operation == "constant":
        return term.value, 0
    value, quality = operated(term, [evaluated(part, points) for part in term.parts])
    return value if value is None or term.kind is not F64 else float(value), quality


def operated(term: Term, given: list[Said]) -> Said:
    name = term.operation
    if name == "valid":
        (value, quality) = given[0]
        return value is not None and quality & 3 != 3, 0
    if name == "if":
        return chosen(given)
    if name in {"and", "or"}:
        return logical(name, given)
    if any(part.kind is F64 for part in term.parts):
        given = [(None if v is None else float(v), q) for v, q in given]
    return calculated(name, given)


def chosen(given: Sequence[Said]) -> Said:
    condition, left, right = given
    used = None if condition[0] is None else left if condition[0] else right
    if used is None or used[0] is None:
        return None, condition[1] | (used[1] if used else 0)
    return used[0], condition[1] | used[1]


def logical(name: str, given: Sequence[Said]) -> Said:
    left, right = given
    if left[0] is None or left[0] is (name == "or"):
        return left
    value = None if right[0] is None else right[0]
    return value, left[1] | right[1]


def calculated(name: str, given: Sequence[Said]) -> Said:
    quality = 0
    for _, one in given:
        quality |= one
    values = [value for value, _ in given]
    if None in values:
        return None, quality
    if name in COMPARE:
        return COMPARE[name](*values), quality
    if name == "not":
        return not values[0], quality
    if name == "negative":
        return bounded(0 - values[0], quality)
    if name == "abs":
        return bounded(abs(values[0]), quality)
    return arithmetic(name, values, quality)


def arithmetic(name: str, values: Sequence[Any], quality: int) -> Said:
    if name in {"/", "sqrt"}:
        try:
            return bounded(values[0] / values[1] if name == "/" else math.sqrt(*values), quality)
        except (ZeroDivisionError, ValueError):
            return None, quality | OVERFLOW
    if name == "^":
        return folded("*", [values[0]] * int(values[1]), quality)
    if name == "mean":
        return mean(values, quality)
    return folded(name, values, quality)


def mean(values: Sequence[Any], quality: int) -> Said:
    total, quality = folded("+", list(map(float, values)), quality)
    if total is None:
        return None, quality
    return min(max(total / len(values), float(min(values))), float(max(values))), quality


def folded(name: str, values: Sequence[Any], quality: int) -> Said:
    total = values[0]
    for value in values[1:]:
        total, quality = bounded(ADD[name](total, value), quality)
        if total is None:
            return None, quality
    return total, quality


def bounded(value: Any, quality: int) -> Said:
    if isinstance(value, float) and not math.isfinite(value):
        return None, quality | OVERFLOW
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return None, quality | OVERFLOW
    return value, quality


@dataclass
class Stood:
    """A value with its quality from one time to another, in seconds."""

    value: Any
    quality: int
    start: float
    end: float


def usable(value: Any, quality: int) -> bool:
    return value is not None and quality & 3 != 3


def windowed(
    stood: Sequence[Stood],
    samples: Sequence[tuple[float, Any, int]],
    start: float,
    end: float,
) -> Mapping[str, Any]:
    """Return what a window says, given what stood and which samples were in time."""
    parts = [(one, min(one.end, end) - max(one.start, start)) for one in stood]
    parts = [(one, length) for one, length in parts if length > 0]
    used = [(one, length) for one, length in parts if usable(one.value, one.quality)]
    came = [(v, q) for t, v, q in samples if start <= t < end]
    values = [one.value for one, _ in used] + [v for v, q in came if usable(v, q)]
    length = sum(length for _, length in used)
    quality = 0
    for one, _ in used:
        quality |= one.quality
    for value, said in came:
        quality |= said if usable(value, said) else 0
    area = sum(one.value * length for one, length in used)
    return {
        "min": min(values, default=None),
        "max": max(values, default=None),
        "mean": area / length if length else None,
        "count": len(came),
        "good_share": sum(n for one, n in parts if one.quality & 3 == 0) / (end - start),
        "whole": math.isclose(length, end - start),
        "quality": quality,
        "last": (parts[-1][0].value, parts[-1][0].quality) if parts else None,
    }
