"""The prover against brute force: every point of a small world, judged by a naive reading."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otgate.policy.decide import Verdict
from otgate.policy.gains import gains
from otgate.policy.language import Assertion, Effect, Limits, Match, Policy, Rule
from otgate.policy.prover import Prover, Undecided, Witness, refutations, space_of
from small_world import (
    ASSERTIONS,
    CONDUITS,
    LIMITS,
    MATCHES,
    NAMES,
    RULES,
    WORLD,
    Seen,
    crossing,
    fits,
    holds,
    policies,
    strictness,
)


def refuted_by_force(policy: Policy, assertion: Assertion) -> Iterator[str]:
    world = [seen for seen in WORLD if holds(assertion.never, seen)]
    names = [name for name in NAMES if fits(assertion.never, name)]
    for conduit in policy.conduits.values():
        asked = assertion.on is None or conduit.id in assertion.on
        if asked and crossing(policy, conduit, world, names):
            yield conduit.id


def shown(verdict: Verdict) -> tuple[Seen, str]:
    point, device = verdict.point, verdict.device
    seen = Seen(point.kind, device.zone, point.sensitivity, point.tags)
    return seen, f"{device.id}/{point.id}"


def really(verdict: Verdict, policy: Policy, assertion: Assertion) -> bool:
    seen, name = shown(verdict)
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
    assert all(verdict.crosses and really(verdict, policy, assertion) for verdict in verdicts)
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
@settings(max_examples=50)
def test_the_order_of_rules_changes_no_proof(
    random: Random, policy: Policy, assertion: Assertion
) -> None:
    rules = list(policy.rules)
    random.shuffle(rules)
    assert refuted(replace(policy, rules=tuple(rules)), assertion) == refuted(policy, assertion)


@given(policies(), ASSERTIONS, RULES)
@settings(max_examples=50)
def test_another_deny_undoes_no_proof(policy: Policy, assertion: Assertion, rule: Rule) -> None:
    denying = replace(policy, rules=(*policy.rules, replace(rule, effect=Effect.DENY)))
    assert refuted(denying, assertion) <= refuted(policy, assertion)


@given(policies(), MATCHES, MATCHES)
@settings(max_examples=50)
def test_a_deny_of_what_never_may_cross_is_a_proof(
    policy: Policy, match: Match, other: Match
) -> None:
    rules = tuple(Rule(n, Effect.DENY, m, "never") for n, m in (("m", match), ("o", other)))
    denying = replace(policy, rules=(*policy.rules, *rules))
    assert refuted(denying, Assertion(match)) == set()


@given(policies(), MATCHES)
@settings(max_examples=50)
def test_what_is_only_allowed_crosses_where_the_guards_let_it(policy: Policy, match: Match) -> None:
    open_ = replace(policy, rules=(Rule("all", Effect.ALLOW, match, "because"),))
    assert refuted(open_, Assertion(match)) >= set(refuted_by_force(open_, Assertion(match)))


NEWS = st.tuples(policies(), policies()) | st.builds(
    lambda policy, rule, at: (policy, replace(policy, rules=(*policy.rules[at:], rule))),
    policies(),
    RULES,
    st.integers(0, 2),
)
"""Two policies that share nothing, or that differ by a rule or two."""


def by_force(old: Policy, new: Policy) -> set[tuple[str, str]]:
    """Say what gains on which conduit: the crossing itself, or a limit."""
    found = set()
    for name, conduit in new.conduits.items():
        before = old.conduits[name]
        was, now = (
            crossing(policy, way, WORLD, NAMES) for policy, way in ((old, before), (new, conduit))
        )
        if now - was:
            found.add((name, "crosses"))
        for point in now & was:
            strict = strictness(new, conduit, *point)
            found |= {
                (name, limit)
                for limit, amount in strictness(old, before, *point).items()
                if strict.get(limit, 0) < amount
            }
    return found


def really_gains(old: Policy, new: Policy, what: str, verdict: Verdict) -> bool:
    point = shown(verdict)
    before, conduit = old.conduits[verdict.conduit.id], verdict.conduit
    was, now = (
        bool(crossing(policy, way, [point[0]], [point[1]]))
        for policy, way in ((old, before), (new, conduit))
    )
    if what == "crosses":
        return now and not was
    less = strictness(new, conduit, *point).get(what, 0) < strictness(old, before, *point)[what]
    return now and was and less


def agree_on_gains(old: Policy, new: Policy) -> None:
    found = gains(old, new)
    for gain in found:
        assert isinstance(gain.answer, Witness)
        assert really_gains(old, new, gain.what, gain.answer.verdict)
    assert {(gain.conduit, gain.what) for gain in found} >= by_force(old, new)


@given(NEWS)
@settings(max_examples=50)
def test_gains_are_found_as_by_force(both: tuple[Policy, Policy]) -> None:
    agree_on_gains(*both)


@pytest.mark.slow
@given(NEWS)
@settings(max_examples=500, derandomize=False)
def test_five_hundred_pairs_of_policies_gain_as_by_force(both: tuple[Policy, Policy]) -> None:
    agree_on_gains(*both)


@given(policies(), RULES)
@settings(max_examples=50)
def test_another_deny_lets_nothing_newly_cross(policy: Policy, rule: Rule) -> None:
    denying = replace(policy, rules=(*policy.rules, replace(rule, effect=Effect.DENY)))
    assert gains(policy, denying) == []


@given(st.randoms(use_true_random=False), policies())
@settings(max_examples=50)
def test_another_order_of_rules_is_no_gain(random: Random, policy: Policy) -> None:
    rules = list(policy.rules)
    random.shuffle(rules)
    assert gains(policy, replace(policy, rules=tuple(rules))) == []


@given(policies(), LIMITS)
@settings(max_examples=50)
def test_another_limit_is_no_gain(policy: Policy, limits: Limits) -> None:
    limiting = tuple(replace(r, limits=stricter(r.limits, limits)) for r in policy.rules)
    assert gains(policy, replace(policy, rules=limiting)) == []


def stricter(one: Limits, other: Limits) -> Limits:
    return Limits(
        max(one.min_interval_s, other.min_interval_s),
        max(one.quantize, other.quantize),
        one.strip | other.strip,
        one.kinds | other.kinds,
        max(one.delay_s, other.delay_s),
    )


@given(policies(), RULES)
@settings(max_examples=50)
def test_another_allow_makes_no_limit_less(policy: Policy, rule: Rule) -> None:
    allowing = replace(policy, rules=(*policy.rules, replace(rule, effect=Effect.ALLOW)))
    assert {gain.what for gain in gains(policy, allowing)} <= {"crosses"}
