"""Find what is wrong with a policy as a whole, with no device and no network."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import NamedTuple

from otgate.model import Device, Sensitivity, ValueType
from otgate.policy.assertions import unproved
from otgate.policy.finding import Finding, Weight, Where, nearest
from otgate.policy.language import Assertion, Effect, Limits, Match, Policy
from otgate.policy.reach import (
    blocked_rules,
    contradictions,
    dead_rules,
    empty_conduits,
    held_latches,
    spread_delays,
    unenforceable,
)
from otgate.policy.rounding import QUANTISED_KINDS, STEP_RANGE
from otgate.policy.steps import unequal_steps

HELPED = 100
"""Unknown words that are compared with all that are declared."""

LONGEST_INTERVAL_S = 366 * 86400.0
"""A longer minimum interval or delay is a mistake: use no rule at all."""


def findings(
    policy: Policy,
    devices: Sequence[Device] = (),
    value_types: Mapping[str, Sequence[ValueType]] | None = None,
) -> list[Finding]:
    """Return everything wrong with ``policy``; with ``devices``, also what does nothing for them.

    ``value_types`` holds one per point, by device id; without it, limits on texts go unseen.
    """
    found = [
        *map(undeclared, unknown_words(policy), chain(repeat(nearest, HELPED), repeat(unhelped))),
        *duplicates(policy),
        *reasons(policy),
        *loops(policy),
        *open_ceilings(policy),
        *limits(policy),
        *spread_delays(policy),
        *unequal_steps(policy),
        *contradictions(policy),
        *blocked_rules(policy),
        *unproved(policy),
    ]
    if devices:
        said = {finding.where[:2] for finding in found}
        dead = dead_rules(policy, devices)
        found += [finding for finding in dead if finding.where[:2] not in said]
    if devices and not any(finding.severity is Weight.ERROR for finding in found):
        found += empty_conduits(policy, devices)
        found += held_latches(policy, devices)
        found += unenforceable(policy, devices, value_types) if value_types is not None else ()
    return found


class Unknown(NamedTuple):
    """A word that is not among those declared, and where it stands."""

    what: str
    word: str
    known: Iterable[str]
    where: Where


def unknown_words(policy: Policy) -> Iterator[Unknown]:
    """Find zones, tags and conduits that the policy does not declare."""
    for conduit in policy.conduits.values():
        where: Where = ("conduits", conduit.id)
        yield from unknown("zone", conduit.from_zones, policy.zones, (*where, "from"))
        if conduit.to not in policy.zones:
            yield Unknown("zone", conduit.to, policy.zones, (*where, "to"))
    for number, rule in enumerate(policy.rules):
        where = ("rules", number)
        yield from unknown("conduit", rule.conduits or (), policy.conduits, (*where, "conduits"))
        yield from unknown_in_match(policy, rule.match, (*where, "match"))
    for number, assertion in enumerate(policy.assertions):
        yield from unknown_in_assertion(policy, assertion, ("assertions", number))


def unknown_in_assertion(policy: Policy, assertion: Assertion, where: Where) -> Iterator[Unknown]:
    """Find conduits, zones and tags in one assertion that the policy does not declare."""
    yield from unknown("conduit", assertion.on or (), policy.conduits, (*where, "on"))
    yield from unknown_in_match(policy, assertion.never, (*where, "never"))


def unknown_in_match(policy: Policy, match: Match, where: Where) -> Iterator[Unknown]:
    """Find zones and tags in one match that the policy does not declare."""
    yield from unknown("zone", match.zone or (), policy.zones, (*where, "zone"))
    for key, tags in (
        ("tags_all", match.tags_all),
        ("tags_any", match.tags_any or ()),
        ("tags_none", match.tags_none),
    ):
        yield from unknown("tag", tags, policy.tags, (*where, key))


def unknown(
    what: str, words: Iterable[str], known: Iterable[str], where: Where
) -> Iterator[Unknown]:
    """Find those of ``words``, listed at ``where``, that are not ``known``."""
    for word in sorted(set(words).difference(known)):
        yield Unknown(what, word, known, (*where, word))


def undeclared(one: Unknown, suggest: Callable[[str, Iterable[str]], str] = nearest) -> Finding:
    """Say that a word is not declared, and what was probably meant."""
    message = f"unknown {one.what} `{one.word}`"
    return Finding(f"unknown-{one.what}", one.where, message, suggest(one.word, one.known))


def unhelped(_: str, __: Iterable[str]) -> str:
    """Suggest nothing."""
    return ""


def duplicates(policy: Policy) -> Iterator[Finding]:
    """Find rules that share a name."""
    seen: Counter[str] = Counter()
    for number, rule in enumerate(policy.rules):
        seen[rule.name] += 1
        if seen[rule.name] > 1:
            yield Finding(
                "duplicate-rule",
                ("rules", number, "name"),
                f"another rule is named `{rule.name}`",
                "explanations name rules: give each its own name",
            )


def reasons(policy: Policy) -> Iterator[Finding]:
    """Find rules without a why."""
    for number, rule in enumerate(policy.rules):
        if not rule.why.strip():
            yield Finding(
                "missing-why",
                ("rules", number, "why"),
                f"rule `{rule.name}` gives no reason",
                "write in `why` what an auditor should read",
            )


def loops(policy: Policy) -> Iterator[Finding]:
    """Find conduits that lead back to where they come from."""
    for conduit in policy.conduits.values():
        if conduit.to in conduit.from_zones:
            yield Finding(
                "conduit-to-itself",
                ("conduits", conduit.id, "to"),
                f"conduit `{conduit.id}` leads from zone `{conduit.to}` to itself",
                "a conduit joins two zones (IEC 62443-3-2)",
            )


def open_ceilings(policy: Policy) -> Iterator[Finding]:
    """Find conduits that let points leave which nobody classified."""
    for conduit in policy.conduits.values():
        if conduit.ceiling is Sensitivity.BCSI:
            yield Finding(
                "open-ceiling",
                ("conduits", conduit.id, "ceiling"),
                f"conduit `{conduit.id}` carries bcsi, and with it every unclassified point",
                "classify the points and lower the ceiling",
                Weight.WARNING,
            )


def limits(policy: Policy) -> Iterator[Finding]:
    """Find limits that cannot be kept, or that nothing heeds."""
    for conduit in policy.conduits.values():
        yield from limit_values(conduit.limits, ("conduits", conduit.id, "limits"))
    for number, rule in enumerate(policy.rules):
        where: Where = ("rules", number, "limits")
        yield from limit_values(rule.limits, where)
        if rule.effect is Effect.DENY and rule.limits != Limits():
            yield Finding(
                "limit-on-deny",
                where,
                f"rule `{rule.name}` denies: its limits restrict nothing",
                "put limits on an allow rule or on the conduit",
            )


def limit_values(given: Limits, where: Where) -> Iterator[Finding]:
    """Find limits out of range, and steps for kinds that have none."""
    if not 0 <= given.min_interval_s <= LONGEST_INTERVAL_S:
        yield Finding(
            "bad-limit",
            (*where, "min_interval_s"),
            f"{given.min_interval_s:g} s is no minimum interval",
            "write seconds, at most a year",
        )
    if not 0 <= given.delay_s <= LONGEST_INTERVAL_S:
        yield Finding(
            "bad-limit",
            (*where, "delay_s"),
            f"{given.delay_s:g} s is no delay",
            "write seconds, at most a year",
        )
    low, high = STEP_RANGE
    if given.quantize and not low <= given.quantize <= high:
        yield Finding(
            "bad-limit",
            (*where, "quantize"),
            f"{given.quantize:g} is no step",
            f"write a step from {low:g} to {high:g}",
        )
    stepless = given.kinds - QUANTISED_KINDS
    if given.quantize and stepless:
        yield Finding(
            "quantize-kind",
            (*where, "kinds"),
            f"{' and '.join(sorted(stepless))} cannot be quantised",
            "quantize is for measurements and counters; use a rule of its own for the others",
        )
