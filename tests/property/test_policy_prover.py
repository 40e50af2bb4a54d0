"""The prover against brute force: every point of a small world, judged by a naive reading."""

import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations, product
from random import Random
from typing import NamedTuple, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otgate.model import Kind, Sensitivity
from otgate.policy.decide import Verdict
from otgate.policy.language import Assertion, Conduit, Effect, Match, Policy, Rule, Zone
from otgate.policy.prover import Prover, Undecided, Witness, refutations, space_of

T = TypeVar("T")
TAGS, ZONES, CONDUITS = ("a", "b", "c"), ("bay", "station"), ("x", "y")
KINDS = (Kind.MEASUREMENT, Kind.STATUS, Kind.SETTING)
LEVELS = (Sensitivity.PUBLIC, Sensitivity.INTERNAL, Sensitivity.BCSI)
NAMES = [f"{d}/{p}" for d in ("d1", "d2", "1", "x", "d") for p in ("p1", "p", "1", "x")]
GLOBS = st.sampled_from(
    ["*", "d1", "d?", "?", "d1/*", "*/p1", "d?/p?", "d2/p", "p1", "*1", "*d*", "*1*", "?/?"]
)


class Seen(NamedTuple):
    kind: Kind
    zone: str
    level: Sensitivity
    tags: frozenset[str]


SUBSETS = [frozenset(some) for size in range(4) for some in combinations(TAGS, size)]
WORLD = [Seen(*each) for each in product(KINDS, ZONES, LEVELS, SUBSETS)]


def some(words: Sequence[T]) -> st.SearchStrategy[frozenset[T]]:
    return st.frozensets(st.sampled_from(words), min_size=1)


def perhaps(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    return st.none() | st.none() | strategy


MATCHES = st.builds(
    Match,
    kind=perhaps(some(KINDS)),
    tags_all=st.frozensets(st.sampled_from(TAGS), max_size=2),
    tags_any=perhaps(some(TAGS)),
    tags_none=st.frozensets(st.sampled_from(TAGS), max_size=2),
    zone=perhaps(some(ZONES)),
    sensitivity=perhaps(some(LEVELS)),
    device=perhaps(st.lists(GLOBS, min_size=1, max_size=2).map(tuple)),
    point=perhaps(st.lists(GLOBS, min_size=1, max_size=2).map(tuple)),
)
RULES = st.builds(
    Rule,
    name=st.just("r"),
    effect=st.sampled_from(Effect),
    match=MATCHES,
    why=st.just("because"),
    conduits=perhaps(some(CONDUITS)),
)
ASSERTIONS = st.builds(Assertion, never=MATCHES, on=perhaps(some(CONDUITS)))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    conduits = {
        name: Conduit(
            name,
            frozenset(draw(some(ZONES))),
            "enterprise",
            ceiling=draw(st.sampled_from(Sensitivity)),
        )
        for name in CONDUITS
    }
    zones = {zone: Zone(zone) for zone in (*ZONES, "enterprise")}
    return Policy(
        "p", 1, frozenset(TAGS), zones, conduits, tuple(draw(st.lists(RULES, max_size=8)))
    )


def globs_hold(globs: tuple[str, ...] | None, word: str) -> bool:
    return globs is None or any(fnmatch.fnmatchcase(word, glob) for glob in globs)


def holds(match: Match, seen: Seen) -> bool:
    return all(
        [
            match.kind is None or seen.kind in match.kind,
            match.zone is None or seen.zone in match.zone,
            match.sensitivity is None or seen.level in match.sensitivity,
            all(tag in seen.tags for tag in match.tags_all),
            match.tags_any is None or any(tag in seen.tags for tag in match.tags_any),
            not any(tag in seen.tags for tag in match.tags_none),
        ]
    )


def fits(match: Match, name: str) -> bool:
    return globs_hold(match.device, name.partition("/")[0]) and globs_hold(match.point, name)


def open_to(conduit: Conduit, seen: Seen) -> bool:
    return (
        seen.zone in conduit.from_zones
        and seen.kind not in {Kind.SETTING, Kind.CONTROL}
        and seen.level <= conduit.ceiling
    )


def crossing(
    policy: Policy, conduit: Conduit, world: Sequence[Seen], names: Sequence[str]
) -> set[tuple[Seen, str]]:
    """Judge every point of a world by the words of the guide, the slow and plain way."""
    rules = [r for r in policy.rules if r.conduits is None or conduit.id in r.conduits]
    allowed: set[tuple[Seen, str]] = set()
    denied: set[tuple[Seen, str]] = set()
    for rule in rules:
        seen = [one for one in world if open_to(conduit, one) and holds(rule.match, one)]
        called = [name for name in names if fits(rule.match, name)]
        (allowed if rule.effect is Effect.ALLOW else denied).update(product(seen, called))
    return allowed - denied


def refuted_by_force(policy: Policy, assertion: Assertion) -> Iterator[str]:
    world = [seen for seen in WORLD if holds(assertion.never, seen)]
    names = [name for name in NAMES if fits(assertion.never, name)]
    for conduit in policy.conduits.values():
        asked = assertion.on is None or conduit.id in assertion.on
        if asked and crossing(policy, conduit, world, names):
            yield conduit.id


def really(verdict: Verdict, policy: Policy, assertion: Assertion) -> bool:
    point, device = verdict.point, verdict.device
    seen = Seen(point.kind, device.zone, point.sensitivity, point.tags)
    name = f"{device.id}/{point.id}"
    return (
        holds(assertion.never, seen)
        and fits(assertion.never, name)
        and bool(crossing(policy, verdict.conduit, [seen], [name]))
    )


def against(policy: Policy, assertion: Assertion) -> list[Witness | Undecided]:
    return refutations(Prover(policy, space_of(policy, matches=[assertion.never])), assertion)


def agree(policy: Policy, assertion: Assertion) -> None:
    found = against(policy, assertion)
    assert all(isinstance(answer, Witness) for answer in found)
    verdicts = [answer.verdict for answer in found if isinstance(answer, Witness)]
    assert all(really(verdict, policy, assertion) for verdict in verdicts)
    named = {verdict.conduit.id for verdict in verdicts}
    assert named <= (assertion.on if assertion.on is not None else set(CONDUITS))
    assert named >= set(refuted_by_force(policy, assertion))


@given(policies(), ASSERTIONS)
@settings(max_examples=200)
def test_a_proof_holds_for_every_point_and_a_witness_crosses(
    policy: Policy, assertion: Assertion
) -> None:
    agree(policy, assertion)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
@given(policies(), ASSERTIONS)
@settings(max_examples=2_000, derandomize=False)
def test_ten_thousand_policies_are_proved_or_refuted_as_by_force(
    part: int, policy: Policy, assertion: Assertion
) -> None:
    agree(policy, assertion)


def refuted(policy: Policy, assertion: Assertion) -> set[str]:
    return {a.verdict.conduit.id for a in against(policy, assertion) if isinstance(a, Witness)}


@given(st.randoms(use_true_random=False), policies(), ASSERTIONS)
def test_the_order_of_rules_changes_no_proof(
    random: Random, policy: Policy, assertion: Assertion
) -> None:
    rules = list(policy.rules)
    random.shuffle(rules)
    assert refuted(replace(policy, rules=tuple(rules)), assertion) == refuted(policy, assertion)


@given(policies(), ASSERTIONS, RULES)
def test_another_deny_undoes_no_proof(policy: Policy, assertion: Assertion, rule: Rule) -> None:
    denying = replace(policy, rules=(*policy.rules, replace(rule, effect=Effect.DENY)))
    assert refuted(denying, assertion) <= refuted(policy, assertion)


@given(policies(), MATCHES, MATCHES)
def test_a_deny_of_what_never_may_cross_is_a_proof(
    policy: Policy, match: Match, other: Match
) -> None:
    rules = tuple(Rule(n, Effect.DENY, m, "never") for n, m in (("m", match), ("o", other)))
    denying = replace(policy, rules=(*policy.rules, *rules))
    assert refuted(denying, Assertion(match)) == set()


@given(policies(), MATCHES)
def test_what_is_only_allowed_crosses_where_the_guards_let_it(policy: Policy, match: Match) -> None:
    open_ = replace(policy, rules=(Rule("all", Effect.ALLOW, match, "because"),))
    assert refuted(open_, Assertion(match)) >= set(refuted_by_force(open_, Assertion(match)))
