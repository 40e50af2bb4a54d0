from typing import Any

import pytest

from otgate.model import Kind, Sensitivity
from otgate.policy import globs, prover, solver
from otgate.policy.checks import findings
from otgate.policy.finding import Finding, Weight
from otgate.policy.language import Assertion, Match, Policy, Rule
from policies import allow, conduit, deny, device, point, policy

PROTECTION = frozenset({"protection"})
FEEDER = frozenset({"feeder"})
NEVER_PROTECTION = Assertion(Match(tags_any=PROTECTION))


def asserting(*rules: Rule, never: Assertion = NEVER_PROTECTION) -> Policy:
    held = policy(*rules, conduits=[conduit(), conduit("operations")])
    return Policy(held.name, 1, held.tags, held.zones, held.conduits, rules, [never])


def found(*rules: Rule, never: Assertion = NEVER_PROTECTION) -> list[Finding]:
    return findings(asserting(*rules, never=never))


def test_an_assertion_is_refused_on_every_conduit_that_a_point_could_cross() -> None:
    one, other = found(allow(tags_all=FEEDER))
    assert [f.code for f in (one, other)] == ["unproved-assertion"] * 2
    assert (one.where, one.severity) == (("assertions", 0, "never"), Weight.ERROR)
    assert "could cross conduit `analytics` that never may" in one.message
    assert "conduit `operations`" in other.message
    assert "in zone bay, public, tags feeder, protection, by rule `feeders`" in one.message
    assert one.help.endswith("so crosses: tags feeder, protection")


def test_a_point_that_crosses_without_a_tag_is_said_to_have_none() -> None:
    one, _ = found(allow(), never=Assertion(Match()))
    assert "in zone bay, public, no tags, by rule `feeders`" in one.message


def test_an_assertion_about_one_conduit_says_nothing_of_the_others() -> None:
    [only] = found(allow(), never=Assertion(Match(), on=frozenset({"operations"})))
    assert "conduit `operations`" in only.message


def test_a_deny_of_the_same_is_a_proof() -> None:
    assert found(allow(), deny(tags_any=PROTECTION)) == []


@pytest.mark.parametrize(
    "never",
    [
        Match(kind=frozenset({Kind.SETTING, Kind.CONTROL})),
        Match(sensitivity=frozenset({Sensitivity.RESTRICTED, Sensitivity.BCSI})),
        Match(zone=frozenset({"enterprise"})),
    ],
    ids=["kind", "sensitivity", "zone"],
)
def test_what_a_guard_stops_never_crosses(never: Match) -> None:
    assert found(allow(), never=Assertion(never)) == []


def test_every_rule_that_lets_the_point_cross_is_named() -> None:
    one, _ = found(allow("a"), allow("b", tags_any=PROTECTION))
    assert "by rule `a` and `b`" in one.message
    assert "narrow `a` or `b`" in one.help


def test_globs_of_allow_deny_and_assertion_are_weighed_together() -> None:
    never = Assertion(Match(device=("p*",)))
    one, _ = found(allow(point=("*/ia",)), deny(device=("p?", "p??*")), never=never)
    assert "measurement `p/ia`" in one.message
    assert found(allow(point=("??/ia",)), deny(point=("p?/ia",)), never=never) == []


def test_a_glob_that_nobody_can_tell_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(globs, "MAX_STATES", 1_000)
    tangled = f"*a{'?' * 13}b"
    one, _ = found(allow(), never=Assertion(Match(point=(tangled,))))
    assert one.code == "undecided-assertion"
    assert f"the globs `{tangled}` are too tangled" in one.message


def test_rules_that_combine_in_too_many_ways_are_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "MAX_TRIES", 0)
    one, _ = found(allow(tags_any=frozenset({"feeder", "revenue"})))
    assert one.code == "undecided-assertion"
    assert "combine in too many ways" in one.message


def test_an_assertion_that_speaks_of_no_point_is_an_error() -> None:
    never = Assertion(Match(device=("f3",), point=("f4/*",)))
    [only] = found(allow(), never=never)
    assert (only.code, only.where) == ("impossible-match", ("assertions", 0, "never", "point"))


def test_misspelt_words_of_an_assertion_are_errors_at_the_word() -> None:
    never = Assertion(
        Match(tags_none=frozenset({"feder"}), zone=frozenset({"by"})), on=frozenset({"analytic"})
    )
    assert [f.where for f in found(deny(), never=never)] == [
        ("assertions", 0, "on", "analytic"),
        ("assertions", 0, "never", "zone", "by"),
        ("assertions", 0, "never", "tags_none", "feder"),
    ]


@pytest.mark.parametrize("key", ["tags_all", "tags_any", "tags_none"])
def test_a_misspelt_tag_is_one_error_wherever_it_stands(key: str) -> None:
    match: dict[str, Any] = {key: frozenset({"protectoin"})}
    said = found(deny(), never=Assertion(Match(**match)))
    assert [(f.code, f.where[2]) for f in said] == [("unknown-tag", "never")]
    of_a_rule = found(deny(**match), never=Assertion(Match()))
    assert [(f.code, f.where[0]) for f in of_a_rule] == [("unknown-tag", "rules")]


def test_a_policy_that_takes_too_long_as_a_whole_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = allow(), deny(tags_any=PROTECTION)
    monkeypatch.setattr(prover, "MAX_WORK", 2)
    assert found(*rules) == []
    monkeypatch.setattr(prover, "MAX_WORK", 1)
    [one] = found(*rules)
    assert (one.code, "`operations`" in one.message) == ("undecided-assertion", True)
    assert "combine in too many ways" in one.message


def test_a_deny_that_an_assertion_rests_on_is_not_dead() -> None:
    devices = [device(point("ia"))]
    resting = asserting(allow(), deny("resting", tags_any=PROTECTION))
    assert findings(resting, devices) == []
    idle = deny("idle", tags_any=frozenset({"revenue"}))
    more = asserting(allow(), deny("resting", tags_any=PROTECTION), idle)
    [one] = findings(more, devices)
    assert (one.code, "`idle`" in one.message) == ("dead-rule", True)


def test_an_allow_that_matches_nothing_is_dead_whatever_is_asserted() -> None:
    rules = allow(), deny(tags_any=PROTECTION), allow("gone", point=("f9/*",))
    assert [one.code for one in findings(asserting(*rules), [device(point("ia"))])] == ["dead-rule"]


def test_what_a_proof_tries_is_taken_off_what_all_may_take() -> None:
    tags = frozenset({"feeder", "revenue"})
    held = policy(allow(tags_any=tags), allow("other", tags_any=tags))
    asking = prover.Prover(held, prover.space_of(held))
    [conduit] = held.conduits.values()
    assert asking.witness(conduit) is not None
    assert asking.left < prover.MAX_WORK - 1
