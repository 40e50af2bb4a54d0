"""The labels of a calculated point: the join of those of its inputs, each at its strictest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from otgate.model import Kind, Point, Sensitivity
from otgate.policy.language import Effect, Policy

BARRED = (Kind.CONTROL, Kind.SETTING)
"""Kinds that no outward conduit carries: what follows from one of them is one."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What a policy sees of a point, and who answers for it where."""

    zones: frozenset[str]
    kinds: frozenset[Kind]
    tags: frozenset[str]
    sensitivity: Sensitivity
    owner: str
    place: tuple[str, str, str, str, str]

    @property
    def barred(self) -> Kind | None:
        """The kind that keeps it inside, if there is one."""
        return next((kind for kind in BARRED if kind in self.kinds), None)


def joined(inputs: Sequence[Point]) -> Labels:
    """Join the labels of points that carry their own zones."""
    first, *others = inputs
    a, b, c, d, e = (
        one if all(other.place[at] == one for other in others) else ""
        for at, one in enumerate(first.place)
    )
    return Labels(
        frozenset(point.zone for point in inputs),
        frozenset(point.kind for point in inputs),
        frozenset[str]().union(*(point.tags for point in inputs)),
        max(point.sensitivity for point in inputs),
        first.owner if all(other.owner == first.owner for other in others) else "",
        (a, b, c, d, e),
    )


def strictest(zones: Iterable[str], policy: Policy | None) -> str | None:
    """Return the zone that lets nothing cross which any other of ``zones`` would stop.

    None where each lets something cross that another stops: then no one zone stands for all.
    """
    ordered = sorted(zones)
    if policy is None or len(ordered) == 1:
        return ordered[0]
    return next(
        (one for one in ordered if all(within(one, other, policy) for other in ordered)), None
    )


def within(zone: str, other: str, policy: Policy) -> bool:
    """Tell whether every conduit and rule treats ``zone`` at least as strictly as ``other``."""
    opened = [conduit.from_zones for conduit in policy.conduits.values()]
    stopped: list[frozenset[str]] = []
    for rule in policy.rules:
        if rule.match.zone is not None:
            (opened if rule.effect is Effect.ALLOW else stopped).append(rule.match.zone)
    return all(other in zones for zones in opened if zone in zones) and all(
        zone in zones for zones in stopped if other in zones
    )
