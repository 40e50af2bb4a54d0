"""Whether a point is what its engineer expects, at every place on its way out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isclose
from typing import Any

from otgate.model import Point


@dataclass(frozen=True, slots=True)
class Seen:
    """A value at one place; None where none was seen."""

    value: Any = None
    quality: tuple[str, ...] = ()

    @property
    def there(self) -> bool:
        """Whether there is a value."""
        return self.value is not None


ABSENT = Seen()


@dataclass(frozen=True, slots=True)
class Way:
    """What became of a point on one conduit."""

    conduit: str
    barred: str = ""
    """Why nothing of it may be seen; empty where it has to be."""
    spool: Seen = ABSENT
    broker: Seen = ABSENT
    step: float = 0.0
    """What the policy rounds values to."""


@dataclass(frozen=True, slots=True)
class Findings:
    """One point as it was found."""

    point: Point
    device: Seen
    failure: str = ""
    """Why the device could not be read."""
    ways: tuple[Way, ...] = ()


def doubts(found: Findings, expected: str, tolerance: float) -> Iterator[str]:
    """Yield what speaks against passing a point; nothing where all is well.

    ``expected`` is what the engineer reads elsewhere, empty where that is the device itself;
    ``tolerance`` is a share of the value.
    """
    if not found.device.there:
        yield f"the device gives no value: {found.failure or ', '.join(found.device.quality[1:])}"
    elif expected and not matches(found.point, expected, found.device.value, tolerance):
        yield f"the device says {spelled(found.point, found.device.value)}, expected {expected}"
    for way in found.ways:
        yield from _of_way(found, way, tolerance)


def _of_way(found: Findings, way: Way, tolerance: float) -> Iterator[str]:
    places: Mapping[str, Seen] = {"in the spool": way.spool, "at the broker": way.broker}
    for place, seen in places.items():
        if way.barred and seen.there:
            yield f"{way.conduit}: it is {place}, and must not be: {way.barred}"
        elif way.barred:
            continue
        elif not seen.there:
            yield f"{way.conduit}: not seen {place}"
        elif "invalid" in seen.quality:
            yield f"{way.conduit}: {place} it is {', '.join(seen.quality).replace('_', ' ')}"
        elif found.device.there and not alike(found.device.value, seen.value, tolerance, way.step):
            yield f"{way.conduit}: {place} it is {spelled(found.point, seen.value)}"


def alike(one: Any, other: Any, tolerance: float, step: float = 0.0) -> bool:
    """Tell whether two values are the same but for tolerance and rounding."""
    if isinstance(one, str) and isinstance(other, int | float):
        one, other = other, one
    if isinstance(one, int | float) and isinstance(other, str):
        try:
            other = float(other)  # integers beyond 2^53 travel as texts
        except ValueError:
            return False
    if isinstance(one, str) or isinstance(other, str):
        return str(one) == str(other)
    return isclose(float(one), float(other), rel_tol=tolerance, abs_tol=max(step, 1e-9))


def matches(point: Point, expected: str, value: Any, tolerance: float) -> bool:
    """Tell whether a value is what somebody typed: a number, a state's label, or a text."""
    wanted = expected.strip()
    label = point.states.get(int(value), "") if isinstance(value, int) else ""
    if label and wanted.casefold() == label.casefold():
        return True
    if isinstance(value, bool) and wanted.casefold() in WORDS:
        return WORDS[wanted.casefold()] is value
    return alike(value, wanted, tolerance)


WORDS = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}


def spelled(point: Point, value: Any) -> str:
    """Return a value as a person reads it, with its state or its unit."""
    if isinstance(value, int) and int(value) in point.states:
        return f"{int(value)} ({point.states[int(value)]})"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f"{text} {point.unit}".rstrip()
