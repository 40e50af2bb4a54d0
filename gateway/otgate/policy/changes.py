"""Which of today's points cross otherwise under another policy or another point map."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from otgate.model import Device, Point, ValueType
from otgate.policy.crossing import Judge
from otgate.policy.decide import Restriction, Verdict, decide
from otgate.policy.explain import because, in_force, set_by
from otgate.policy.language import Policy, UnderTest
from otgate.policy.rounding import fraction


class Way(StrEnum):
    """How a point's crossing changes."""

    GAINS = "gains"
    FINER = "finer"
    COARSER = "coarser"
    LOSES = "loses"


class Side(NamedTuple):
    """A policy, and the points that it is held against; ``types`` by device, one per point."""

    policy: Policy
    devices: Sequence[Device]
    types: Mapping[str, Sequence[ValueType]]


MORE = frozenset({Way.GAINS, Way.FINER})
"""What lets something cross that did not."""


@dataclass(frozen=True, slots=True)
class Change:
    """One point that crosses one conduit otherwise, and what is responsible."""

    conduit: str
    path: str
    way: Way
    why: str

    @property
    def is_gain(self) -> bool:
        """Whether something crosses that did not."""
        return self.way in MORE


class Crossed(NamedTuple):
    """How a point crosses: its joined limits, and what becomes of its data under test."""

    restriction: Restriction
    test: UnderTest


Crossings = Mapping[tuple[str, str], Crossed]
"""By conduit and ``device/point``."""


def changes(old: Side, new: Side) -> list[Change]:
    """Return every point that crosses a conduit otherwise, those that gain first."""
    before, after = crossings(old), crossings(new)
    judged = Judged(old), Judged(new)
    found = [
        change(place, before.get(place), after.get(place), judged)
        for place in dict.fromkeys([*after, *before])
        if before.get(place) != after.get(place)
    ]
    return sorted(found, key=lambda one: (list(Way).index(one.way), one.conduit))


def crossings(side: Side) -> Crossings:
    """Return everything that crosses."""
    return {place: crossed for part in device_crossings(side) for place, crossed in part.items()}


def device_crossings(side: Side) -> Iterator[Crossings]:
    """Yield everything that crosses, a device at a time: a large site has a million places."""
    judge = Judge(side.policy)
    for device in side.devices:
        yield {
            (conduit, f"{device.id}/{device.points[one.point].id}"): Crossed(
                one.restriction, side.policy.conduits[conduit].test
            )
            for conduit, found in judge.crossings(device, side.types[device.id]).items()
            for one in found
        }


class Judged:
    """Says of single points what a side thinks of them."""

    def __init__(self, side: Side) -> None:
        self.policy = side.policy
        self.points: Mapping[str, tuple[Device, Point, ValueType]] = {
            f"{device.id}/{point.id}": (device, point, value_type)
            for device in side.devices
            for point, value_type in zip(device.points, side.types[device.id], strict=True)
        }

    def verdict(self, place: tuple[str, str]) -> Verdict:
        """Return the verdict on one point of a conduit; there are both."""
        conduit, path = place
        return decide(self.policy, self.policy.conduits[conduit], *self.points[path])

    def says(self, place: tuple[str, str]) -> str:
        """Say in half a sentence what decides about one point."""
        conduit, path = place
        if conduit not in self.policy.conduits:
            return "no such conduit"
        return because(self.verdict(place)) if path in self.points else "no such point"


def change(
    place: tuple[str, str],
    before: Crossed | None,
    after: Crossed | None,
    judged: tuple[Judged, Judged],
) -> Change:
    """Say how one point's crossing changes, and by what."""
    old, new = judged
    if before is None:
        return Change(*place, Way.GAINS, f"{new.says(place)}; before: {old.says(place)}")
    if after is None:
        return Change(*place, Way.LOSES, f"{new.says(place)}; before: {old.says(place)}")
    way = Way.FINER if finer(before, after) else Way.COARSER
    return Change(*place, way, "; ".join(limit_words(old.verdict(place), new.verdict(place))))


def finer(before: Crossed, after: Crossed) -> bool:
    """Tell whether something crosses that was kept back: a limit is less, or another grid tells."""
    was, now = before.restriction, after.restriction
    return (
        now.min_interval_s < was.min_interval_s
        or now.delay_s < was.delay_s
        or not coarsens(now.quantize, was.quantize)
        or not now.strip >= was.strip
        or (after.test is UnderTest.PASS and before.test is UnderTest.DROP)
    )


def coarsens(step: float, than: float) -> bool:
    """Tell whether values rounded to ``step`` tell no more than those rounded to ``than``."""
    if than in {step, 0}:
        return True
    return step != 0 and fraction(step) % fraction(than) == 0


def limit_words(before: Verdict, after: Verdict) -> Iterator[str]:
    """Say which limits are others, and who sets them."""
    if before.conduit.test is not after.conduit.test:
        yield f"test {before.conduit.test} -> {after.conduit.test}"
    was, now = in_force(before.restriction), in_force(after.restriction)
    for key in dict.fromkeys([*was, *now]):
        if was.get(key) != now.get(key):
            setters = set_by(after, key) if key in now else ["nothing"]
            yield f"{key} {word(was.get(key))} -> {word(now.get(key))}, by {' and '.join(setters)}"


def word(value: float | Sequence[str] | None) -> str:
    """Write a limit, or that there is none."""
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float | int) else "+".join(value)
