"""Find quantise steps that meet on a point and are no multiples of each other.

Two grids that do not nest would together tell more than either: each step that can meet
another on one point of a conduit has to be a multiple of it. Whether two rules can meet is
judged for any conceivable point, from what they match alone.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

from otgate.model import Kind
from otgate.policy.decide import applies, globbed
from otgate.policy.finding import Finding, Where
from otgate.policy.language import Conduit, Effect, Limits, Match, Policy
from otgate.policy.rounding import STEP_RANGE, fraction


class Step(NamedTuple):
    """A step, where it is written, and the points it is for."""

    where: Where
    step: float
    kinds: frozenset[Kind]
    match: Match


def unequal_steps(policy: Policy) -> Iterator[Finding]:
    """Find steps that can meet on a conduit and are no multiples of each other."""
    said = set()
    for conduit in policy.conduits.values():
        for one, other in combinations(steps_on(policy, conduit), 2):
            key = (one.where, other.where)
            if key not in said and can_meet(one, other) and not nested(one.step, other.step):
                said.add(key)
                yield Finding(
                    "unequal-steps",
                    other.where,
                    f"step {other.step:g} meets step {one.step:g} on conduit `{conduit.id}`"
                    " and neither is a multiple of the other",
                    f"write a multiple of {one.step:g}, or keep the two from meeting",
                )


def steps_on(policy: Policy, conduit: Conduit) -> list[Step]:
    """Return every step that may apply on ``conduit``, the conduit's own first."""
    low, high = STEP_RANGE
    own = step(("conduits", conduit.id, "limits", "quantize"), conduit.limits, Match())
    ruled = (
        step(("rules", number, "limits", "quantize"), rule.limits, rule.match)
        for number, rule in enumerate(policy.rules)
        if rule.effect is Effect.ALLOW and applies(rule, conduit)
    )
    return [found for found in (own, *ruled) if low <= found.step <= high]


def step(where: Where, limits: Limits, match: Match) -> Step:
    """Return the step of ``limits``, for the kinds that both it and ``match`` speak of."""
    kinds = limits.kinds if match.kind is None else limits.kinds & match.kind
    return Step(where, limits.quantize, kinds, match)


def nested(one: float, other: float) -> bool:
    """Tell whether one step is a multiple of the other, as they are written."""
    fine, coarse = sorted((fraction(one), fraction(other)))
    return coarse % fine == 0


def can_meet(one: Step, other: Step) -> bool:
    """Tell whether a point is conceivable that both steps apply to."""
    return not (
        one.kinds.isdisjoint(other.kinds)
        or apart(one.match.zone, other.match.zone)
        or apart(one.match.sensitivity, other.match.sensitivity)
        or excluded(one.match, other.match)
        or excluded(other.match, one.match)
        or globs_apart(one.match.device, other.match.device)
        or globs_apart(one.match.point, other.match.point)
    )


def apart(one: frozenset[object] | None, other: frozenset[object] | None) -> bool:
    """Tell whether no value is in both; None is any value."""
    return one is not None and other is not None and one.isdisjoint(other)


def excluded(one: Match, other: Match) -> bool:
    """Tell whether ``one`` demands a tag that ``other`` forbids."""
    return not one.tags_all.isdisjoint(other.tags_none) or (
        one.tags_any is not None and one.tags_any <= other.tags_none
    )


def globs_apart(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> bool:
    """Tell whether no name matches both; a doubt is a no. None is any name."""
    if one is None or other is None:
        return False
    return all(glob_apart(left, right) for left in one for right in other)


def glob_apart(one: str, other: str) -> bool:
    """Tell whether no name matches both, from literal names and literal beginnings."""
    if literal(one) == one:
        return globbed((other,)).match(one) is None
    if literal(other) == other:
        return globbed((one,)).match(other) is None
    first, second = literal(one), literal(other)
    return not first.startswith(second) and not second.startswith(first)


def literal(glob: str) -> str:
    """Return the beginning of ``glob`` before its first wildcard."""
    return glob.replace("?", "*").partition("*")[0]
