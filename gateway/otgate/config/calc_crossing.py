"""Calculated points that cross a conduit which one of their inputs does not cross.

Tags are joined, so what an allow asks for may come from another input. Where a rule means the
calculated point itself, by its name or by a tag of its own, that is no doubt.
"""

from collections.abc import Iterator, Mapping, Sequence

from otgate.config.calc_point import Draft
from otgate.model import Device, Point
from otgate.policy.crossing import Judge
from otgate.policy.decide import decide
from otgate.policy.language import Policy, Rule

Crossed = Mapping[str, frozenset[str]]
"""The conduits that each point crosses, by ``device/point``."""


def crossed(policy: Policy, devices: Sequence[Device]) -> Crossed:
    """Return which conduits the points of ``devices`` cross."""
    judge = Judge(policy)
    return {
        f"{device.id}/{point.id}": frozenset(conduit for conduit, _ in outcome)
        for device in devices
        for point, outcome in zip(device.points, judge.outcomes(device), strict=True)
    }


def alone(
    policy: Policy, devices: Sequence[Device], made: Sequence[tuple[Draft, Point]]
) -> Iterator[tuple[Draft, str, str]]:
    """Yield calculated points, each with a conduit that it crosses, and an input that does not."""
    known = {device.id: device for device in devices}
    named = {path.partition("/")[0] for draft, _ in made for path in (draft.path, *draft.inputs)}
    crosses = crossed(policy, [device for device in devices if device.id in named])
    for draft, point in made:
        for conduit in sorted(crosses[draft.path]):
            kept = next((one for one in draft.inputs if conduit not in crosses[one]), None)
            if kept is None:
                continue
            device = known[draft.path.partition("/")[0]]
            verdict = decide(policy, policy.conduits[conduit], device, point)
            if not any(means(rule, draft) for rule in verdict.allows):
                yield draft, conduit, kept
                break


def means(rule: Rule, draft: Draft) -> bool:
    """Tell whether a rule asks for something that only the calculated point itself has."""
    match = rule.match
    own = frozenset[str](draft.given["tags"])
    tags = frozenset[str]().union(match.tags_all or (), match.tags_any or ())
    return match.device is not None or match.point is not None or bool(own & tags)
