from dataclasses import replace
from typing import Any

import pytest

from otgate.model import Kind, Sensitivity
from otgate.policy.finding import Finding
from otgate.policy.language import Limits, Rule
from otgate.policy.steps import unequal_steps
from policies import allow, conduit, deny, policy

HALVES, THIRDS = Limits(quantize=0.5), Limits(quantize=0.3)


def found(*rules: Rule, own: float = 0.0) -> list[Finding]:
    ways = [conduit(limits=Limits(quantize=own)), conduit("vendor")]
    return list(unequal_steps(policy(*rules, conduits=ways)))


@pytest.mark.parametrize(("one", "other"), [(0.1, 0.3), (0.3, 0.1), (2.5, 0.5), (1e-3, 7), (1, 1)])
def test_steps_that_nest_may_meet(one: float, other: float) -> None:
    assert found(allow("a", Limits(quantize=one)), allow("b", Limits(quantize=other))) == []


def test_steps_that_do_not_nest_may_not_meet_and_are_told_once() -> None:
    [finding] = found(allow("a", HALVES), allow("b", THIRDS))
    assert finding.code == "unequal-steps"
    assert finding.where == ("rules", 1, "limits", "quantize")
    assert "0.5" in finding.message
    assert "0.3" in finding.message


def test_a_conduits_own_step_meets_every_rule_on_it() -> None:
    [finding] = found(allow("a", HALVES, device=("f3",)), own=0.3)
    assert "conduit `analytics`" in finding.message


def test_a_deny_has_no_step_to_meet() -> None:
    assert found(allow("a", HALVES), replace(deny(), limits=THIRDS)) == []


def test_steps_on_different_conduits_do_not_meet() -> None:
    one = replace(allow("a", HALVES), conduits=frozenset({"analytics"}))
    other = replace(allow("b", THIRDS), conduits=frozenset({"vendor"}))
    assert found(one, other) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"kind": frozenset({Kind.COUNTER})}, {"kind": frozenset({Kind.MEASUREMENT})}),
        ({"zone": frozenset({"bay"})}, {"zone": frozenset({"station"})}),
        (
            {"sensitivity": frozenset({Sensitivity.PUBLIC})},
            {"sensitivity": frozenset({Sensitivity.INTERNAL})},
        ),
        ({"tags_all": frozenset({"feeder"})}, {"tags_none": frozenset({"feeder"})}),
        ({"tags_any": frozenset({"feeder"})}, {"tags_none": frozenset({"feeder", "revenue"})}),
        ({"tags_any": frozenset({"feeder"})}, {"tags_none": frozenset({"feeder"})}),
        ({"device": ("f3", "f4")}, {"device": ("f5", "g*")}),
        ({"point": ("f3/*",)}, {"point": ("f4/i?",)}),
    ],
)
def test_rules_that_share_no_conceivable_point_do_not_meet(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert found(allow("a", HALVES, **one), allow("b", THIRDS, **other)) == []
    assert found(allow("a", HALVES, **other), allow("b", THIRDS, **one)) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"kind": frozenset({Kind.COUNTER})}, {"zone": frozenset({"bay"})}),
        ({"tags_all": frozenset({"feeder"})}, {"tags_all": frozenset({"revenue"})}),
        ({"tags_any": frozenset({"feeder", "revenue"})}, {"tags_none": frozenset({"feeder"})}),
        ({"zone": frozenset({"bay", "station"})}, {"zone": frozenset({"bay"})}),
        ({"device": ("f3",)}, {"device": ("f?",)}),
        ({"device": ("g1", "f3")}, {"device": ("f?",)}),
        ({"device": ("f3*",)}, {"device": ("f*",)}),
        ({"device": ("*3",)}, {"device": ("f*",)}),
        ({"point": ("f3/*",)}, {"device": ("f4",)}),
    ],
)
def test_rules_that_may_share_a_point_meet(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert found(allow("a", HALVES, **one), allow("b", THIRDS, **other))
    assert found(allow("a", HALVES, **other), allow("b", THIRDS, **one))


def test_limits_that_name_different_kinds_do_not_meet() -> None:
    counters = replace(HALVES, kinds=frozenset({Kind.COUNTER}))
    measurements = replace(THIRDS, kinds=frozenset({Kind.MEASUREMENT}))
    assert found(allow("a", counters), allow("b", measurements)) == []
