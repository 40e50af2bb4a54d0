"""Scale factors in registers of a simulated device: a power of ten for the points it is for.

A register's factor is the finest with which the greatest value of each of its points still fits.
"""

import math
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from otgate.model import Point
from otgate_sim.registers import Place, Table, highest_of, read_address

FINEST, COARSEST = -3, 10
"""Powers of ten: three decimals are as many as an instrument has."""

Register = tuple[Table, int]


def register_of(point: Point, base: int) -> Register | None:
    """Return the register with the point's scale factor, where it has one."""
    if not point.sf:
        return None
    address = read_address(point.sf, base)
    return address.table, address.number


def factors_of(points: Sequence[Point], base: int) -> Mapping[Register, int]:
    """Return the power of ten that each scale factor register of these points holds."""
    factors: dict[Register, int] = {}
    for point in points:
        register = register_of(point, base)
        if register is not None:
            factors[register] = max(factors.get(register, FINEST), finest(point))
    return factors


def finest(point: Point) -> int:
    """Return the least power of ten with which the values of a point fit its type."""
    ends = (abs(end) for end in (point.eu_lo, point.eu_hi) if end is not None)
    greatest = max(ends, default=100.0) / abs(point.scale * point.ratio)
    power = math.ceil(math.log10(max(greatest, 1e-9) / highest_of(point.type)))
    return min(COARSEST, max(FINEST, power))


def unfactored(point: Point, factors: Mapping[Register, int], base: int) -> Point:
    """Return ``point`` as it would be with its factor in its scale."""
    register = register_of(point, base)
    if register is None:
        return point
    return replace(point, sf="", scale=float(f"{point.scale!r}e{factors[register]}"))


def places_of(factors: Mapping[Register, int]) -> list[tuple[Place, list[int]]]:
    """Return where each factor stands and the word that spells it."""
    return [
        (Place(table, (number,)), [power & 0xFFFF]) for (table, number), power in factors.items()
    ]
