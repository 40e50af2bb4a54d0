"""Say why a point crosses a conduit or does not, in words and as JSON."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from otgate.model import EVENT_KINDS, Device, Lane, Point, ValueType
from otgate.policy.decide import Guard, Reason, Restriction, Verdict, decide, listed
from otgate.policy.language import Limits, Policy, Rule, UnderTest
from otgate.policy.miss import Miss, Near, nearest_allow


class Explained(NamedTuple):
    """A verdict and, where no allow matches, the one that misses least."""

    verdict: Verdict
    near: Near | None


def explain(
    policy: Policy, device: Device, point: Point, value_type: ValueType | None = None
) -> list[Explained]:
    """Judge ``point`` on every conduit, in the order of the policy."""
    return [
        Explained(
            decide(policy, conduit, device, point, value_type),
            nearest_allow(policy, conduit, device, point),
        )
        for conduit in policy.conduits.values()
    ]


def as_text(explained: Sequence[Explained]) -> str:
    """Write the verdicts on one point for a person."""
    if not explained:
        return "no conduits: nothing crosses"
    lines = [heading(explained[0].verdict)]
    for one in explained:
        lines.extend(("", *conduit_lines(one.verdict)))
        lines.extend(near_lines(one.near))
    return "\n".join(lines)


def heading(verdict: Verdict) -> str:
    """Name the point and what rules and guards see of it."""
    seen = verdict.seen
    tags = ", ".join(sorted(seen.tags)) or "none"
    return (
        f"{verdict.device.id}/{verdict.point.id}"
        f"  kind {seen.kind}, zone {seen.zone or 'none'}"
        f", sensitivity {seen.sensitivity.name.lower()}, tags {tags}"
    )


def conduit_lines(verdict: Verdict) -> Iterator[str]:
    """Write one conduit's verdict: the outcome, then everything that decided it."""
    outcome = "crosses" if verdict.crosses else "does not cross"
    yield f"{verdict.conduit.id}: {outcome}, {because(verdict)}"
    for guard, says in guards(verdict).items():
        holds = "stops" if guard in verdict.stopped_by else "holds"
        yield f"  guard {guard:<12} {holds}  {says}"
    for rule in (*verdict.denies, *verdict.allows):
        yield f"  {rule.effect} {rule.name}: {reason_given(rule)}"
    if verdict.crosses:
        yield from (f"  limit {limit}" for limit in limit_lines(verdict))
        yield f"  lane {lane(verdict.point)}; data under test: {under_test(verdict)}"


def near_lines(near: Near | None) -> Iterator[str]:
    """Write which allow misses least, and what."""
    if near is not None:
        yield f"  nearest allow {near.rule.name} misses {'; '.join(map(missed, near.misses))}"


def missed(miss: Miss) -> str:
    """Say what an attribute asks for and what the point has."""
    return f"{miss.key} {', '.join(miss.asked)} (the point has {miss.has or 'none'})"


def because(verdict: Verdict) -> str:
    """Say in half a sentence what decided."""
    match verdict.reason:
        case Reason.GUARD:
            return f"stopped by the {listed(verdict.stopped_by)}, which no rule lifts"
        case Reason.DENIED:
            return f"denied by {names(verdict.denies)}"
        case Reason.NOT_ALLOWED:
            return "no rule allows it"
        case Reason.UNENFORCEABLE:
            return "allowed, but its values are no numbers and cannot be quantised"
        case Reason.ALLOWED:
            return f"allowed by {names(verdict.allows)}"


def guards(verdict: Verdict) -> dict[Guard, str]:
    """Say what each guard compared."""
    conduit, seen = verdict.conduit, verdict.seen
    return {
        Guard.ZONE: f"{seen.zone or 'no zone'}; from {', '.join(sorted(conduit.from_zones))}",
        Guard.KIND: f"{seen.kind}; direction {conduit.direction}",
        Guard.SENSITIVITY: (
            f"{seen.sensitivity.name.lower()}; ceiling {conduit.ceiling.name.lower()}"
        ),
    }


def names(rules: Sequence[Rule]) -> str:
    """List the names of ``rules``."""
    return ", ".join(rule.name for rule in rules)


def reason_given(rule: Rule) -> str:
    """Return the rule's why, with its ticket where it has one."""
    return f"{rule.why} ({rule.ticket})" if rule.ticket else rule.why


def limit_lines(verdict: Verdict) -> Iterator[str]:
    """Write each joined limit and who set it, or that there is none."""
    for key, value in in_force(verdict.restriction).items():
        said = f"{value:g}" if isinstance(value, float | int) else ", ".join(value)
        yield f"{key} {said}, set by {' and '.join(set_by(verdict, key))}"
    if verdict.restriction == Restriction():
        yield "none"


def in_force(restriction: Restriction | Limits) -> dict[str, float | list[str]]:
    """Return the limits that restrict something, as a policy file spells them."""
    limits: dict[str, float | list[str]] = {
        "min_interval_s": restriction.min_interval_s,
        "quantize": restriction.quantize,
        "strip": sorted(restriction.strip),
        "delay_s": restriction.delay_s,
    }
    return {key: value for key, value in limits.items() if value}


def set_by(verdict: Verdict, key: str) -> list[str]:
    """Name the conduit and the rules that a joined limit comes from."""
    if key == "delay_s":
        return list(verdict.delayed_by)
    given = {f"conduit {verdict.conduit.id}": verdict.conduit.limits}
    given |= {f"rule {rule.name}": rule.limits for rule in verdict.allows}
    joined_to = getattr(verdict.restriction, key)
    if key == "strip":
        return [source for source, limits in given.items() if limits.strip]
    return [
        source
        for source, limits in given.items()
        if getattr(limits, key) == joined_to and verdict.seen.kind in limits.kinds
    ]


def lane(point: Point) -> Lane:
    """Return the lane that the point's samples travel in."""
    return Lane.EVENT if point.kind in EVENT_KINDS else Lane.DATA


def under_test(verdict: Verdict) -> str:
    """Say what becomes of the point's samples while it is under test."""
    return "passed" if verdict.conduit.test is UnderTest.PASS else "dropped"


def as_json(explained: Sequence[Explained]) -> dict[str, Any]:
    """Describe the verdicts on one point for a program."""
    first = explained[0].verdict
    return {
        "point": f"{first.device.id}/{first.point.id}",
        "kind": str(first.seen.kind),
        "zone": first.seen.zone,
        "sensitivity": first.seen.sensitivity.name.lower(),
        "tags": sorted(first.seen.tags),
        "conduits": [conduit_json(one.verdict) | near_json(one.near) for one in explained],
    }


def conduit_json(verdict: Verdict) -> dict[str, Any]:
    """Describe one conduit's verdict."""
    return {
        "conduit": verdict.conduit.id,
        "crosses": verdict.crosses,
        "reason": str(verdict.reason),
        "guards": [
            {"guard": str(guard), "holds": guard not in verdict.stopped_by, "compared": says}
            for guard, says in guards(verdict).items()
        ],
        "denied_by": [rule_json(rule) for rule in verdict.denies],
        "allowed_by": [rule_json(rule) for rule in verdict.allows],
        "limits": limits_json(verdict) if verdict.crosses else None,
        "lane": str(lane(verdict.point)),
        "under_test": under_test(verdict),
    }


def near_json(near: Near | None) -> dict[str, Any]:
    """Describe the allow that misses least; nothing where one matches, or there is none."""
    if near is None:
        return {}
    misses = [{"key": one.key, "asked": list(one.asked), "has": one.has} for one in near.misses]
    return {"nearest_allow": {"name": near.rule.name, "misses": misses}}


def rule_json(rule: Rule) -> dict[str, str]:
    """Describe a rule by its name and its paperwork; what is not given is left out."""
    paperwork = {
        "why": rule.why,
        "owner": rule.owner,
        "ticket": rule.ticket,
        "approved_by": rule.approved_by,
        "review_by": rule.review_by,
    }
    return {"name": rule.name, **{key: said for key, said in paperwork.items() if said}}


def limits_json(verdict: Verdict) -> dict[str, Any]:
    """Describe joined limits, 0 being none, and who set them."""
    restriction = verdict.restriction
    return {
        "min_interval_s": restriction.min_interval_s,
        "quantize": restriction.quantize,
        "strip": sorted(restriction.strip),
        "delay_s": restriction.delay_s,
        "set_by": {key: set_by(verdict, key) for key in in_force(restriction)},
    }
