"""What counts as a change of value: beyond the deadband, exact for integers, safe for NaN."""

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from otgate.alike import shared
from otgate.model import Device, Kind, Mask, Point, Values, ValueType

CONTINUOUS = frozenset({Kind.MEASUREMENT, Kind.COUNTER})
"""Kinds with a deadband and a pace; a change of any other kind is news at once."""

ROUNDING = 1.0 + 1e-9
"""A change of exactly the deadband stays one after a scale of 10^-k has rounded both values."""

Changed = Callable[[Values, Values], Mask]
"""Compare newer with older values of one column."""


def deadband(point: Point) -> float:
    """Return how far a value may move unreported, in engineering units; 0 is not at all."""
    if point.deadband is None or point.kind not in CONTINUOUS:
        return 0.0
    if not point.deadband.percent:
        return point.deadband.amount
    if point.eu_lo is None or point.eu_hi is None:
        return 0.0
    return point.deadband.amount / 100.0 * abs(point.eu_hi - point.eu_lo)


def deadbands(device: Device) -> NDArray[np.float64]:
    """Return the deadband of each point."""
    return shared(np.array([deadband(point) for point in device.points], np.float64))


def comparison(value_type: ValueType, bands: NDArray[np.float64]) -> Changed:
    """Return how columns of ``value_type`` with these deadbands are compared."""
    if value_type is ValueType.F64:
        return beyond(shared(bands * ROUNDING)) if bands.any() else other_number
    if value_type in WHOLE and bands.any():
        whole = np.minimum(np.floor(bands), 2.0**63).astype(np.uint64)
        return WHOLE[value_type](shared(whole))
    return other


def other(new: Values, old: Values) -> Mask:
    """Say where values differ."""
    changed: Mask = new != old
    return changed


def other_number(new: Values, old: Values) -> Mask:
    """Say where values differ; NaN is the same as NaN."""
    changed: Mask = new != old
    missing = np.isnan(new)
    if np.count_nonzero(missing):
        changed &= ~(missing & np.isnan(old))
    return changed


EXACT: Collection[Changed] = (other, other_number)
"""Comparisons that call every other value a change."""


def beyond(bands: NDArray[np.float64]) -> Changed:
    """Compare reals: they differ by more than ``bands``, or one alone is NaN or infinite."""

    def changed(new: Values, old: Values) -> Mask:
        with np.errstate(invalid="ignore", over="ignore"):
            near = np.abs(new - old) <= bands
        far: Mask = other_number(new, old) & ~near
        return far

    return changed


def beyond_signed(bands: NDArray[np.uint64]) -> Changed:
    """Compare int64 exactly: their distance is taken in uint64, where it cannot overflow."""

    def changed(new: Values, old: Values) -> Mask:
        high, low = np.maximum(new, old), np.minimum(new, old)
        far: Mask = high.view(np.uint64) - low.view(np.uint64) > bands
        return far

    return changed


def beyond_unsigned(bands: NDArray[np.uint64]) -> Changed:
    """Compare uint64 exactly."""

    def changed(new: Values, old: Values) -> Mask:
        far: Mask = np.maximum(new, old) - np.minimum(new, old) > bands
        return far

    return changed


WHOLE: Mapping[ValueType, Callable[[NDArray[np.uint64]], Changed]] = {
    ValueType.I64: beyond_signed,
    ValueType.U64: beyond_unsigned,
}


def paced(device: Device) -> Mask:
    """Say which points a ``min_interval_s`` holds back: continuous ones that do not latch."""
    held = [point.kind in CONTINUOUS and not point.latch for point in device.points]
    return shared(np.array(held, np.bool_))


def max_ages_ns(points: Sequence[Point]) -> NDArray[np.int64]:
    """Return how old each point's last read may be; 0 is any age."""
    return shared(np.array([round(point.max_age_s * 1e9) for point in points], np.int64))
