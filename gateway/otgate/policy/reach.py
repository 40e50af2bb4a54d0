"""Find rules and conduits that do nothing: for any conceivable point, or for today's points."""

from collections.abc import Iterator, Mapping, Sequence

from otgate.model import Device, Sensitivity, ValueType
from otgate.policy.assertions import upholds
from otgate.policy.crossing import Judge, has_globs
from otgate.policy.decide import (
    BARRED_KINDS,
    Guard,
    Traits,
    applies,
    attributes_hold,
    delay_of,
    listed,
    names_hold,
    traits,
)
from otgate.policy.finding import Finding, Weight, Where
from otgate.policy.globs import Tangled, named
from otgate.policy.language import Assertion, Conduit, Effect, Match, Policy, Rule
from otgate.policy.region import terms


def contradictions(policy: Policy) -> Iterator[Finding]:
    """Find matches that hold for no conceivable point."""
    for number, rule in enumerate(policy.rules):
        for key, why in impossible(rule.match):
            yield Finding(
                "impossible-match",
                ("rules", number, "match", key),
                f"rule `{rule.name}` can match no point: {why}",
                "take the attribute out, or correct it",
            )
    for number, assertion in enumerate(policy.assertions):
        yield from pointless(assertion, ("assertions", number))


def pointless(assertion: Assertion, where: Where) -> Iterator[Finding]:
    """Find what keeps an assertion from speaking of any conceivable point."""
    for key, why in impossible(assertion.never):
        yield Finding(
            "impossible-match",
            (*where, "never", key),
            f"the assertion speaks of no point: {why}",
            "correct it; as it is, it would hold for nothing",
        )


def impossible(match: Match) -> Iterator[tuple[str, str]]:
    """Return the keys of ``match`` that never hold, and why."""
    for key in ("kind", "tags_any", "zone", "sensitivity", "device", "point"):
        listed = getattr(match, key)
        if listed is not None and not listed:
            yield key, f"`{key}` lists nothing"
    if both := match.tags_all & match.tags_none:
        yield "tags_none", f"`{min(both)}` is demanded and forbidden"
    if match.tags_any and match.tags_any <= match.tags_none:
        yield "tags_none", "every tag in `tags_any` is forbidden"
    yield from impossible_names(match)


def impossible_names(match: Match) -> Iterator[tuple[str, str]]:
    """Return the globs of ``match`` that no name fits, and why."""
    if match.device == () or match.point == ():
        return
    if match.device and all("/" in glob for glob in match.device):
        yield "device", "a device id has no `/`"
    elif match.point and not any("/" in glob or "*" in glob or "?" in glob for glob in match.point):
        yield "point", "a point is named `device/point`"
    elif no_name(match):
        yield ("point" if match.point else "device"), "no name fits its globs"


def no_name(match: Match) -> bool:
    """Tell whether no name fits the globs of ``match``; a doubt is a no."""
    try:
        return named(frozenset(terms(match, wanted=True))) is None
    except Tangled:
        return False


def blocked_rules(policy: Policy) -> Iterator[Finding]:
    """Find allow rules that a guard stops on a conduit, whatever the point."""
    for number, rule in enumerate(policy.rules):
        spoken = [conduit for conduit in policy.conduits.values() if applies(rule, conduit)]
        stopped = {c.id: guards for c in spoken if (guards := always_stopped(rule.match, c))}
        if rule.effect is not Effect.ALLOW:
            continue
        if rule.conduits is None and len(stopped) < len(spoken):
            continue
        for conduit, guards in stopped.items():
            named = () if rule.conduits is None else ("conduits", conduit)
            yield Finding(
                "blocked-rule",
                ("rules", number, *named),
                f"rule `{rule.name}` allows nothing on conduit `{conduit}`:"
                f" all it matches is stopped by the {listed(guards)}",
                "no rule lifts a guard; correct the rule or the conduit",
                Weight.WARNING,
            )


def spread_delays(policy: Policy) -> Iterator[Finding]:
    """Find rules whose delay holds back what other rules allow as well."""
    for conduit in policy.conduits.values():
        delay = delay_of(policy, conduit)
        if delay.seconds == conduit.limits.delay_s:
            continue
        for number, rule in enumerate(policy.rules):
            if rule.effect is not Effect.ALLOW or not applies(rule, conduit):
                continue
            if rule.limits.delay_s < delay.seconds:
                yield Finding(
                    "spread-delay",
                    ("rules", number, "name"),
                    f"what rule `{rule.name}` allows on conduit `{conduit.id}` waits"
                    f" {delay.seconds:g} s too, as {' and '.join(delay.asked_by)} asks:"
                    " a conduit has one delay",
                    "give the conduit the delay, or another conduit to what has to wait",
                    Weight.WARNING,
                )


def always_stopped(match: Match, conduit: Conduit) -> list[Guard]:
    """Return the guards of ``conduit`` that stop every point that ``match`` may hold for."""
    stops = {
        Guard.ZONE: match.zone is not None and match.zone.isdisjoint(conduit.from_zones),
        Guard.KIND: match.kind is not None and match.kind <= BARRED_KINDS[conduit.direction],
        Guard.SENSITIVITY: match.sensitivity is not None
        and min(match.sensitivity, default=Sensitivity.BCSI) > conduit.ceiling,
    }
    return [guard for guard, stopped in stops.items() if stopped]


def dead_rules(policy: Policy, devices: Sequence[Device]) -> Iterator[Finding]:
    """Find rules that match none of today's points."""
    classes = {traits(device, point) for device in devices for point in device.points}
    for number, rule in enumerate(policy.rules):
        if not matches_any(rule, devices, classes) and not upholds(policy, rule):
            yield Finding(
                "dead-rule",
                ("rules", number, "name"),
                f"rule `{rule.name}` matches no point of this site",
                "correct what it matches, or take it out",
                Weight.WARNING,
            )


def matches_any(rule: Rule, devices: Sequence[Device], classes: set[Traits]) -> bool:
    """Tell whether ``rule`` matches a point; ``classes`` is what all points show."""
    holding = {seen for seen in classes if attributes_hold(rule.match, seen)}
    if not holding or not has_globs(rule):
        return bool(holding)
    return any(
        names_hold(rule.match, device.id, point.id) and traits(device, point) in holding
        for device in devices
        for point in device.points
    )


def empty_conduits(policy: Policy, devices: Sequence[Device]) -> Iterator[Finding]:
    """Find conduits that none of today's points crosses."""
    judge, empty = Judge(policy), set(policy.conduits)
    for device in devices:
        for outcome in judge.outcomes(device):
            empty.difference_update(conduit for conduit, _ in outcome)
            if not empty:
                return
    for conduit in sorted(empty):
        yield Finding(
            "empty-conduit",
            ("conduits", conduit),
            f"no point of this site crosses conduit `{conduit}`",
            "ask `otgate policy explain` of a point that should; unclassified points are bcsi",
            Weight.WARNING,
        )


def unenforceable(
    policy: Policy, devices: Sequence[Device], value_types: Mapping[str, Sequence[ValueType]]
) -> Iterator[Finding]:
    """Find conduits where a step is asked of points whose values are no numbers."""
    judge, first = Judge(policy), dict[str, str]()
    for device in devices:
        types = value_types[device.id]
        for point, outcome in enumerate(judge.outcomes(device)):
            for conduit, restriction in outcome:
                if not restriction.enforceable(types[point]):
                    first.setdefault(conduit, f"{device.id}/{device.points[point].id}")
    for conduit, path in first.items():
        yield Finding(
            "unenforceable-limit",
            ("conduits", conduit),
            f"`{path}` cannot be quantised and does not cross conduit `{conduit}`:"
            " its values are no numbers",
            "keep it out of the rules that quantise, or give it another kind",
            Weight.WARNING,
        )


def held_latches(policy: Policy, devices: Sequence[Device]) -> Iterator[Finding]:
    """Find conduits that hold back points of which every change is wanted."""
    judge = Judge(policy)
    held: dict[str, list[tuple[str, float]]] = {}
    for device in devices:
        for point, outcome in zip(device.points, judge.outcomes(device), strict=True):
            for conduit, restriction in outcome if point.latch else ():
                if restriction.min_interval_s:
                    path = f"{device.id}/{point.id}"
                    held.setdefault(conduit, []).append((path, restriction.min_interval_s))
    for conduit, found in held.items():
        path, interval_s = found[0]
        who = f"`{path}` latches, but" if len(found) == 1 else f"{len(found)} points latch, but"
        at_most = f"`{path}` is sent each {interval_s:g} s at most"
        yield Finding(
            "held-latch",
            ("conduits", conduit),
            f"{who} on conduit `{conduit}` {at_most}: of the changes in between"
            " only the last is sent",
            "a latch lifts no limit; limit other points only, or leave `latch` empty",
            Weight.WARNING,
        )
