"""From raw numbers to engineering units, without the dust of binary fractions.

A scale is read as the decimal it was written as, so that everything becomes one division:
372 at 0.1 is 372 / 10 = 37.2, which multiplying would not give.
"""

from collections.abc import Collection
from fractions import Fraction
from functools import lru_cache
from math import inf, isfinite, lcm
from typing import NamedTuple

from otgate.cell import BadCell
from otgate.model import Point

EXACT = 2**40
"""Terms below this keep a 12-bit and most 32-bit raw values exact in a double's 53 bits."""


Ends = tuple[float | None, float | None]

SECONDARY = 10**6
"""The greatest whole number that a ratio is taken for the quotient by."""


class Scaling(NamedTuple):
    """``(raw * times + plus) / over``, and the raw range outside which a value is suspect."""

    times: float = 1.0
    plus: float = 0.0
    over: float = 1.0
    low: float = -inf
    high: float = inf

    @property
    def linear(self) -> bool:
        """Whether the value differs from the raw number."""
        return (self.times, self.plus, self.over) != (1.0, 0.0, 1.0)


PLAIN = Scaling()


def scaling_of(point: Point, besides: Collection[str] = ()) -> Scaling:
    """Return how a point's raw number becomes its value.

    A driver that does more than scaling names the columns of `MORE` that it heeds ``besides``.

    Raises:
        BadCell: bad-scale; bad-order where this driver has one order of bytes only.
    """
    for column, (code, why, help_) in MORE.items():
        if column not in besides and getattr(point, column):
            raise BadCell(code, column, why, help_)
    return _scaling(
        point.scale,
        point.ratio,
        point.offset,
        (point.raw_lo, point.raw_hi),
        (point.eu_lo, point.eu_hi),
    )


MORE = {
    "order": (
        "bad-order",
        "this driver's protocol fixes the order of bytes",
        "empty the cell",
    ),
    "sf": (
        "bad-scale",
        "this driver reads no scale factors",
        "empty the cell; a constant factor goes into `scale`",
    ),
    "rollover": (
        "bad-scale",
        "this driver counts no rollovers",
        "empty the cell: counts are sent as they are",
    ),
}
"""Columns that are about raw numbers and that only some drivers heed."""


def quotient(ratio: float) -> Fraction:
    """Return what a ratio was written as: 133.3... is 400/3, 133.33 as it stands."""
    near = Fraction(ratio).limit_denominator(SECONDARY)
    return near if float(near) == ratio else Fraction(repr(ratio))


def no_scale(point: Point, what: str) -> BadCell:
    """Return what is wrong where ``what``, such as "a bool", is to be scaled."""
    sources = {"ratio": point.ratio != 1.0, "sf": bool(point.sf)}
    column = next((name for name, given in sources.items() if given), "scale")
    return BadCell("bad-scale", column, f"{what} takes no {WHAT[column]}", "leave it empty")


WHAT = {"scale": "scale", "ratio": "ratio", "sf": "scale factor"}


@lru_cache(maxsize=4096)
def _scaling(
    scale: float,
    ratio: float,
    offset: float,
    raw_ends: Ends,
    eu_ends: Ends,
) -> Scaling:
    for column, number in (("scale", scale), ("offset", offset)):
        if not isfinite(number) or (column == "scale" and not number):
            raise BadCell("bad-scale", column, f"a {column} of {number} leaves no value")
    raw = _pair(*raw_ends, "raw")
    eu = None if raw is None else _pair(*eu_ends, "eu")
    if raw is None or eu is None:
        low, high = (-inf, inf) if raw is None else (min(raw), max(raw))
        slope = Fraction(repr(scale)) * quotient(ratio)
        return _compiled(slope, Fraction(repr(offset)), low, high)
    if (scale, ratio, offset) != (1.0, 1.0, 0.0):
        column, what = ("ratio", "ratio") if ratio != 1.0 else ("scale", "scale or offset")
        raise BadCell(
            "bad-scale",
            column,
            f"a {what} beside raw_lo, raw_hi, eu_lo and eu_hi is ambiguous",
            "keep either scale, ratio and offset or the four range columns",
        )
    low_raw, high_raw, low_eu, high_eu = (Fraction(repr(end)) for end in (*raw, *eu))
    slope = (high_eu - low_eu) / (high_raw - low_raw)
    return _compiled(slope, low_eu - low_raw * slope, min(raw), max(raw))


def _pair(low: float | None, high: float | None, name: str) -> tuple[float, float] | None:
    if low is None and high is None:
        return None
    if low is None or high is None:
        absent = f"{name}_lo" if low is None else f"{name}_hi"
        raise BadCell("bad-scale", absent, f"a range needs both {name}_lo and {name}_hi")
    if not (isfinite(low) and isfinite(high)) or low == high:
        raise BadCell("bad-scale", f"{name}_hi", f"{name}_lo to {name}_hi spans nothing")
    return low, high


def _compiled(slope: Fraction, intercept: Fraction, low: float, high: float) -> Scaling:
    over = lcm(slope.denominator, intercept.denominator)
    times, plus = int(slope * over), int(intercept * over)
    if max(abs(times), abs(plus), over) < EXACT:
        return Scaling(float(times), float(plus), float(over), low, high)
    return Scaling(float(slope), float(intercept), 1.0, low, high)
