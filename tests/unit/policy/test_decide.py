from dataclasses import replace
from typing import Any

import pytest

from otgate.model import Kind, Point, Sensitivity, ValueType
from otgate.policy.decide import Guard, Reason, Verdict, decide
from otgate.policy.language import Limits, Match, Rule, Strip
from policies import allow, conduit, deny, device, point, policy


def judged(*rules: Rule, **given: Any) -> Verdict:
    held = policy(*rules)
    which = point(**given)
    return decide(held, held.conduits["analytics"], device(which), which)


def test_nothing_crosses_without_a_rule_that_allows_it() -> None:
    assert judged().reason is Reason.NOT_ALLOWED
    assert judged(allow()).crosses


def test_any_deny_beats_every_allow_in_either_order() -> None:
    tags = frozenset({"feeder", "protection"})
    rules = (allow(), allow("again"), deny(tags_any=frozenset({"protection"})))
    assert judged(*rules, tags=tags).reason is Reason.DENIED
    assert judged(*reversed(rules), tags=tags).reason is Reason.DENIED
    assert judged(*rules).crosses


def test_a_point_of_another_zone_is_stopped_by_a_guard() -> None:
    assert judged(allow(), zone="enterprise").stopped_by == (Guard.ZONE,)


def test_a_point_takes_the_zone_of_its_device_unless_it_has_its_own() -> None:
    held, which = policy(allow()), point(zone="station")
    way = held.conduits["analytics"]
    assert decide(held, way, device(which, zone="dmz"), which).crosses
    assert not decide(held, way, device(point(), zone="dmz"), point()).crosses


def test_a_point_without_any_zone_crosses_nothing() -> None:
    held = policy(allow())
    way = held.conduits["analytics"]
    assert decide(held, way, device(point(), zone=""), point()).stopped_by == (Guard.ZONE,)


@pytest.mark.parametrize("kind", [Kind.CONTROL, Kind.SETTING])
def test_an_outward_conduit_never_carries_controls_or_settings(kind: Kind) -> None:
    verdict = judged(allow(kind=frozenset({kind})), kind=kind)
    assert verdict.stopped_by == (Guard.KIND,)
    assert verdict.allows
    assert verdict.reason is Reason.GUARD


def test_a_point_above_the_ceiling_is_stopped_though_a_rule_names_it() -> None:
    verdict = judged(allow(point=("f3/ia",)), sensitivity=Sensitivity.RESTRICTED)
    assert verdict.stopped_by == (Guard.SENSITIVITY,)


def test_an_unclassified_point_leaves_only_where_bcsi_does() -> None:
    which = Point("ia", Kind.MEASUREMENT)
    for ceiling in Sensitivity:
        held = policy(allow(), conduits=[conduit(ceiling=ceiling)])
        verdict = decide(held, held.conduits["analytics"], device(which), which)
        assert verdict.crosses is (ceiling is Sensitivity.BCSI)


@pytest.mark.parametrize(
    ("match", "holds"),
    [
        (Match(), True),
        (Match(kind=frozenset({Kind.STATUS})), False),
        (Match(tags_all=frozenset({"feeder", "revenue"})), True),
        (Match(tags_all=frozenset({"feeder", "protection"})), False),
        (Match(tags_any=frozenset({"protection", "revenue"})), True),
        (Match(tags_any=frozenset()), False),
        (Match(tags_none=frozenset({"protection"})), True),
        (Match(tags_none=frozenset({"revenue"})), False),
        (Match(zone=frozenset({"bay"})), True),
        (Match(zone=frozenset({"station"})), False),
        (Match(sensitivity=frozenset({Sensitivity.PUBLIC})), False),
        (Match(sensitivity=frozenset({Sensitivity.PUBLIC, Sensitivity.INTERNAL})), True),
        (Match(device=("f*",)), True),
        (Match(device=("g3", "f4")), False),
        (Match(point=("f3/i?",)), True),
        (Match(point=("*ia",)), True),
        (Match(point=("ia",)), False),
        (Match(point=("f3/i",)), False),
        (Match(point=()), False),
        (Match(point=("f3/[i]a",)), False),
        (Match(device=("f3",), kind=frozenset({Kind.COUNTER})), False),
    ],
)
def test_every_attribute_given_has_to_hold(match: Match, holds: bool) -> None:  # noqa: FBT001  a table
    rule = replace(allow(), match=match)
    assert judged(rule, tags=frozenset({"feeder", "revenue"})).crosses is holds


def test_a_rule_speaks_only_of_the_conduits_it_names() -> None:
    rule = replace(allow(), conduits=frozenset({"vendor"}))
    assert judged(rule).reason is Reason.NOT_ALLOWED
    assert judged(replace(rule, conduits=frozenset({"vendor", "analytics"}))).crosses


def test_limits_of_conduit_and_matching_allows_join_to_the_strictest() -> None:
    own = Limits(min_interval_s=5, quantize=0.5, strip=frozenset({Strip.OWNER}))
    rules = (
        allow("a", Limits(min_interval_s=60, strip=frozenset({Strip.NAME}))),
        allow("b", Limits(min_interval_s=10, quantize=0.1)),
        allow("elsewhere", Limits(min_interval_s=3600), tags_all=frozenset({"revenue"})),
    )
    held = policy(*rules, conduits=[conduit(limits=own)])
    verdict = decide(held, held.conduits["analytics"], device(point()), point())
    assert verdict.restriction.min_interval_s == 60
    assert verdict.restriction.quantize == 0.5
    assert verdict.restriction.strip == {Strip.OWNER, Strip.NAME}


def test_rates_and_steps_are_for_measurements_and_counters_unless_others_are_named() -> None:
    slow = Limits(min_interval_s=60, strip=frozenset({Strip.NAME}))
    assert judged(allow(limits=slow), kind=Kind.COUNTER).restriction.min_interval_s == 60
    status = judged(allow(limits=slow), kind=Kind.STATUS).restriction
    assert status.min_interval_s == 0
    assert status.strip == {Strip.NAME}
    named = replace(slow, kinds=frozenset({Kind.STATUS}))
    assert judged(allow(limits=named), kind=Kind.STATUS).restriction.min_interval_s == 60
    assert judged(allow(limits=named)).restriction.min_interval_s == 0


def test_what_cannot_be_quantised_does_not_cross_a_step() -> None:
    held = policy(allow(limits=Limits(quantize=0.5)))
    way, which = held.conduits["analytics"], point()
    text = decide(held, way, device(which), which, ValueType.TEXT)
    assert text.reason is Reason.UNENFORCEABLE
    assert decide(held, way, device(which), which, ValueType.U64).crosses
