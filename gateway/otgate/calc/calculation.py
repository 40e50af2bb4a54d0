"""What calculated points are, as a site says it, and in which order they follow from each other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from otgate.calc.meaning import Term
from otgate.calc.panes import Aggregate
from otgate.calc.windows import Span
from otgate.model import Device, ValueType

CALC = "calc"
"""What stands for a driver where a device is calculated."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A point that follows from the newest values of others."""

    term: Term

    @property
    def inputs(self) -> Mapping[str, ValueType]:
        """The points it follows from, and what each is held as."""
        return dict(points(self.term))

    @property
    def kind(self) -> ValueType:
        """The type of its values."""
        return self.term.kind


@dataclass(frozen=True, slots=True)
class Window:
    """A point that says what stood of another in windows over time."""

    of: str
    of_kind: ValueType
    aggregate: Aggregate
    span: Span

    @property
    def inputs(self) -> Mapping[str, ValueType]:
        """The point it follows from, and what that is held as."""
        return {self.of: self.of_kind}

    @property
    def kind(self) -> ValueType:
        """The type of its values."""
        return KINDS.get(self.aggregate, self.of_kind)


KINDS = {
    **dict.fromkeys((Aggregate.MEAN, Aggregate.GOOD_SHARE), ValueType.F64),
    **dict.fromkeys((Aggregate.COUNT, Aggregate.LATE), ValueType.I64),
}
Definition: TypeAlias = Formula | Window


@dataclass(frozen=True, slots=True)
class Calculations:
    """The settings of a calculated device: a definition per point, in the order of its points."""

    definitions: Sequence[Definition]


def points(term: Term) -> Iterator[tuple[str, ValueType]]:
    """Yield the path and the type of every point of a formula."""
    if term.operation == "point":
        yield term.value, term.kind
    for part in term.parts:
        yield from points(part)


def definitions(devices: Sequence[Device]) -> dict[str, Definition]:
    """Return every calculated point's definition, by ``device/point``."""
    return {
        f"{device.id}/{point.id}": definition
        for device in devices
        if isinstance(device.settings, Calculations)
        for point, definition in zip(device.points, device.settings.definitions, strict=True)
    }


def in_order(inputs: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str]]:
    """Return points so that each stands behind its inputs, or the first cycle that there is.

    ``inputs`` says what each calculated point follows from; points that are read are not in it.
    """
    ordered: dict[str, None] = {}
    for start in inputs:
        waiting: dict[str, Iterator[str]] = {}
        ahead: str | None = start if start not in ordered else None
        while ahead is not None or waiting:
            if ahead is not None:
                waiting[ahead] = iter(inputs[ahead])
            current = next(reversed(waiting))
            ahead = next(
                (one for one in waiting[current] if one in inputs and one not in ordered), None
            )
            if ahead is None:
                ordered[current] = None
                del waiting[current]
            elif ahead in waiting:
                trail = list(waiting)
                return [], [*trail[trail.index(ahead) :], ahead]
    return list(ordered), []
