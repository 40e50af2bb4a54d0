from dataclasses import replace

import pytest

from otgate.model import Kind, Sensitivity
from otgate.policy import globs
from otgate.policy.gains import Gain, gains
from otgate.policy.language import Conduit, Limits, Policy, Rule, Strip, UnderTest
from otgate.policy.prover import Undecided, Witness
from otgate.policy.wording import such
from policies import allow, conduit, deny, policy

FEEDER, PROTECTION = frozenset({"feeder"}), frozenset({"protection"})
OLD = policy(allow("loads", tags_all=FEEDER), deny(tags_any=PROTECTION))


def with_rules(*rules: Rule) -> Policy:
    return replace(OLD, rules=rules)


def with_conduit(way: Conduit) -> Policy:
    return replace(OLD, conduits={way.id: way})


def only(old: Policy, new: Policy) -> Gain:
    [gain] = gains(old, new)
    return gain


def kind_of(gain: Gain) -> str:
    assert isinstance(gain.answer, Witness)
    return such(gain.answer)


def test_the_same_policy_gains_nothing() -> None:
    assert gains(OLD, replace(OLD, rules=tuple(OLD.rules))) == []
    assert gains(OLD, replace(OLD, name="another name", version=9)) == []


def test_a_rule_taken_out_gains_by_the_rules_that_it_held_back() -> None:
    gain = only(OLD, with_rules(OLD.rules[0]))
    assert (gain.conduit, gain.what, gain.source) == ("analytics", "crosses", "loads")
    assert gain.before == "denied by no-protection"
    assert kind_of(gain) == "tags feeder, protection"


def test_a_wider_rule_gains_only_what_is_new() -> None:
    gain = only(OLD, with_rules(allow("loads"), OLD.rules[1]))
    assert gain.before == "no rule allows it"
    assert kind_of(gain) == "without tags feeder, protection"


def test_a_lower_guard_gains() -> None:
    wider = conduit(ceiling=Sensitivity.RESTRICTED, from_zones=frozenset({"bay", "station"}))
    gain = only(OLD, with_conduit(wider))
    assert gain.before == "stopped by the sensitivity guard, which no rule lifts"
    assert kind_of(gain).startswith("sensitivity restricted; tags feeder")


def test_everything_that_crosses_a_new_conduit_is_a_gain() -> None:
    both = replace(OLD, conduits={**OLD.conduits, "spare": conduit("spare")})
    gain = only(OLD, both)
    assert (gain.conduit, gain.before) == ("spare", "there was no such conduit")
    assert gains(both, OLD) == []


@pytest.mark.parametrize(
    ("before", "after", "what", "said"),
    [
        (Limits(min_interval_s=60), Limits(min_interval_s=5), "min_interval_s", "60"),
        (Limits(quantize=0.5), Limits(), "quantize", "0.5"),
        (Limits(strip=frozenset({Strip.OWNER})), Limits(), "strip owner", "stripped"),
        (Limits(delay_s=3600), Limits(delay_s=60), "delay_s", "3600"),
        (
            Limits(min_interval_s=60),
            Limits(min_interval_s=60, kinds=frozenset({Kind.COUNTER})),
            "min_interval_s",
            "60",
        ),
    ],
    ids=["less often", "no step", "not stripped", "sooner", "fewer kinds"],
)
def test_a_limit_that_is_less_is_a_gain(
    before: Limits, after: Limits, what: str, said: str
) -> None:
    old, new = (with_rules(allow("loads", limits)) for limits in (before, after))
    gain = only(old, new)
    assert (gain.what, gain.source, gain.before) == (what, "rule loads", said)
    assert gains(new, old) == []


def test_a_coarser_step_of_another_grid_is_a_gain_both_ways() -> None:
    two, three, six = (with_rules(allow("loads", Limits(quantize=step))) for step in (2, 3, 6))
    assert only(two, three).what == only(three, two).what == "quantize"
    assert gains(two, six) == []


def test_a_limit_that_moves_to_the_conduit_is_no_gain() -> None:
    limits = Limits(min_interval_s=60, quantize=2, strip=frozenset({Strip.NAME}))
    on_rule = with_rules(allow("loads", limits))
    on_conduit = replace(with_rules(allow("loads")), conduits={"analytics": conduit(limits=limits)})
    assert gains(on_rule, on_conduit) == []
    assert gains(on_conduit, on_rule) == []


def test_a_limit_of_the_conduit_that_only_some_rules_take_over_is_a_gain() -> None:
    limits = Limits(min_interval_s=60)
    rules = allow("loads", tags_all=FEEDER), allow("rest")
    old = replace(OLD, rules=rules, conduits={"analytics": conduit(limits=limits)})
    gain = only(old, with_rules(replace(rules[0], limits=limits), rules[1]))
    assert gain.source == "conduit analytics"
    assert kind_of(gain) == "kind measurement or counter; without tags feeder"


def test_a_limit_for_kinds_that_its_rule_does_not_allow_is_none() -> None:
    counters = {"kind": frozenset({Kind.COUNTER})}
    rest = allow("rest", kind=frozenset({Kind.MEASUREMENT}))
    both = allow("loads", Limits(min_interval_s=60), **counters)
    less = allow("loads", Limits(min_interval_s=60, kinds=frozenset({Kind.COUNTER})), **counters)
    assert gains(with_rules(both, rest), with_rules(less, rest)) == []


def test_letting_data_under_test_pass_is_a_gain() -> None:
    passing = with_conduit(conduit(test=UnderTest.PASS))
    gain = only(OLD, passing)
    assert (gain.what, gain.before, gain.answer) == ("data under test", "dropped", None)
    assert gains(passing, OLD) == []
    assert gains(passing, replace(passing, rules=(*OLD.rules, deny("more")))) == []


def test_a_word_that_is_new_to_the_vocabulary_can_gain() -> None:
    spoken = replace(OLD, tags=OLD.tags | {"asset-health"})
    wider = replace(spoken, rules=(*OLD.rules, allow("h", tags_all=frozenset({"asset-health"}))))
    gain = only(OLD, wider)
    assert kind_of(gain) == "tags asset-health; without tags feeder, protection"


def test_a_tag_that_is_gone_is_on_no_conceivable_point() -> None:
    fewer = replace(OLD, tags=OLD.tags - PROTECTION, rules=OLD.rules[:1])
    assert gains(OLD, fewer) == []


def test_what_nobody_can_tell_counts_as_a_gain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(globs, "MAX_STATES", 1_000)
    gain = only(OLD, with_rules(*OLD.rules, allow("odd", point=(f"*a{'?' * 13}b",))))
    assert isinstance(gain.answer, Undecided)
    assert gain.before == ""


def test_a_deny_taken_out_that_nobody_can_tell_counts_as_a_gain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(globs, "MAX_STATES", 1_000)
    odd = with_rules(*OLD.rules, deny("odd", point=(f"*a{'?' * 13}b",)))
    assert isinstance(only(odd, OLD).answer, Undecided)


def test_a_rule_taken_out_with_the_longest_delay_lets_the_others_go_sooner() -> None:
    late = allow("late", Limits(delay_s=3600), tags_all=frozenset({"revenue"}))
    gain = only(policy(late, allow("loads")), policy(allow("loads")))
    assert (gain.what, gain.source, gain.before) == ("delay_s", "rule late", "3600")


def test_a_shorter_delay_of_a_conduit_that_nothing_could_cross_is_no_gain() -> None:
    ways = [conduit(limits=Limits(delay_s=seconds)) for seconds in (60, 5)]
    assert gains(*(policy(conduits=[way]) for way in ways)) == []
