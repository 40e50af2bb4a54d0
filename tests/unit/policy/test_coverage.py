from dataclasses import replace

import pytest

from otgate.model import Device, Kind, Sensitivity
from otgate.policy.coverage import coverage, glob_within, implies
from otgate.policy.language import Limits, Match, Rule
from policies import allow, conduit, deny, device, point, policy

FEEDER, REVENUE = frozenset({"feeder"}), frozenset({"revenue"})
EVERY = frozenset(Kind)
ONLY_VENDOR = frozenset({"vendor"})


def idle(*rules: Rule, points: Device | None = None) -> dict[str, str]:
    found = coverage(policy(*rules), [points or device(point(), point("kwh", Kind.COUNTER))])
    return {one.rule: one.why for one in found.rules}


def test_points_that_no_rule_matches_are_named() -> None:
    found = coverage(policy(allow(kind=frozenset({Kind.COUNTER}))), [device(point(), point("ib"))])
    assert (found.points, found.unmatched) == (2, ("f3/ia", "f3/ib"))


def test_a_denied_point_is_covered() -> None:
    assert coverage(policy(deny(tags_any=FEEDER)), [device(point())]).unmatched == ()


def test_a_rule_that_matches_nothing_is_idle() -> None:
    assert idle(allow(tags_all=REVENUE)) == {"feeders": "matches no point of this site"}


def test_a_rule_that_alone_lets_a_point_cross_is_not_idle() -> None:
    assert idle(allow(tags_all=FEEDER)) == {}


def test_a_narrower_rule_with_the_same_limits_is_redundant() -> None:
    wide = allow("wide", tags_all=FEEDER)
    narrow = allow("narrow", tags_all=FEEDER, kind=frozenset({Kind.COUNTER}))
    why = {"narrow": "redundant: whatever it matches, `wide` allows too, with the same limits"}
    assert idle(wide, narrow) == idle(narrow, wide) == why


@pytest.mark.parametrize(
    ("narrow", "wide", "redundant"),
    [
        ({"vendor"}, {"vendor", "analytics"}, True),
        ({"vendor"}, {"vendor"}, True),
        ({"vendor"}, None, True),
        ({"vendor", "analytics"}, {"vendor"}, False),
        (None, {"vendor"}, False),
    ],
)
def test_a_wider_rule_speaks_of_the_same_conduits(
    narrow: set[str] | None,
    wide: set[str] | None,
    redundant: bool,  # noqa: FBT001  a table
) -> None:
    rules = [
        replace(rule, conduits=None if ways is None else frozenset(ways))
        for rule, ways in ((allow("wide"), wide), (allow("narrow", tags_all=FEEDER), narrow))
    ]
    held = policy(*rules, conduits=[conduit(), conduit("vendor")])
    found = coverage(held, [device(point())]).rules
    assert any(one.rule == "narrow" and "redundant" in one.why for one in found) is redundant


def test_of_two_rules_that_do_the_same_the_second_is_redundant() -> None:
    assert list(idle(allow("a"), allow("b"))) == ["b"]
    denies = [deny(name, tags_any=FEEDER) for name in "ab"]
    plain = device(point(), point("f", tags=frozenset[str]()))
    why = "redundant: whatever it matches, `a` denies too"
    assert idle(*denies, allow(), points=plain) == {"b": why}


def test_a_rule_that_limits_what_another_allows_has_an_effect() -> None:
    slower = allow("slower", Limits(min_interval_s=60), tags_all=FEEDER)
    plain = device(point(), point("f", tags=frozenset[str]()))
    assert idle(allow("wide"), slower, points=plain) == {}


def test_a_rule_whose_limits_are_joined_already_has_none() -> None:
    slow = allow("slow", Limits(min_interval_s=60), kind=EVERY)
    assert idle(slow, allow("quick", Limits(min_interval_s=5))) == {
        "quick": "without effect here: what it matches is stopped, or crosses by others as it is"
    }


def test_a_deny_of_what_crosses_nowhere_has_no_effect() -> None:
    why = "without effect here: what it matches would not cross without it"
    counters = frozenset({Kind.COUNTER})
    assert idle(allow(kind=counters), deny("other", kind=EVERY - counters)) == {"other": why}
    settings = device(point("set", Kind.SETTING))
    assert idle(allow(kind=EVERY), deny(tags_any=FEEDER), points=settings) == {
        "feeders": "without effect here: what it matches is stopped, or crosses by others as it is",
        "no-protection": why,
    }


def test_of_two_denies_that_stop_the_same_points_neither_has_an_effect() -> None:
    denies = deny("tagged", tags_any=REVENUE), deny("named", device=("f3",))
    points = device(point(tags=REVENUE))
    assert list(idle(*denies, allow(), points=points)) == ["tagged", "named", "feeders"]


def test_a_rule_has_its_effect_on_a_later_conduit_too() -> None:
    closed = conduit("closed", from_zones=frozenset({"enterprise"}))
    found = coverage(policy(allow(), conduits=[closed, conduit()]), [device(point())])
    assert found.rules == ()
    no_first = replace(deny(tags_any=FEEDER), conduits=frozenset({"first"}))
    ways = [conduit("first"), conduit()]
    assert coverage(policy(allow(), no_first, conduits=ways), [device(point())]).rules == ()


def test_a_rule_is_judged_on_the_conduits_it_speaks_of() -> None:
    ways = [conduit(), conduit("vendor")]
    vendor = replace(allow("vendor"), conduits=frozenset({"vendor"}))
    found = coverage(policy(vendor, allow("all"), conduits=ways), [device(point())])
    assert [one.rule for one in found.rules] == ["vendor"]
    found = coverage(policy(vendor, conduits=ways), [device(point())])
    assert found.rules == ()


@pytest.mark.parametrize(
    ("narrow", "wide", "holds"),
    [
        (Match(kind=frozenset({Kind.COUNTER})), Match(), True),
        (Match(), Match(kind=frozenset({Kind.COUNTER})), False),
        (Match(kind=EVERY), Match(kind=frozenset({Kind.COUNTER})), False),
        (Match(kind=frozenset({Kind.COUNTER})), Match(kind=frozenset({Kind.COUNTER})), True),
        (Match(), Match(zone=frozenset({"bay"})), False),
        (Match(), Match(sensitivity=frozenset({Sensitivity.PUBLIC})), False),
        (Match(tags_all=FEEDER), Match(tags_any=FEEDER | REVENUE), True),
        (Match(tags_any=FEEDER), Match(tags_any=FEEDER | REVENUE), True),
        (Match(tags_any=FEEDER | REVENUE), Match(tags_any=FEEDER), False),
        (Match(), Match(tags_any=FEEDER), False),
        (Match(tags_none=FEEDER), Match(tags_none=FEEDER | REVENUE), False),
        (Match(tags_none=FEEDER | REVENUE), Match(tags_none=FEEDER), True),
        (Match(device=("f3",)), Match(device=("f*",)), True),
        (Match(device=("f*",)), Match(device=("f3",)), False),
        (Match(), Match(device=("f*",)), False),
        (Match(), Match(device=("*",)), True),
        (Match(device=("f3", "t1")), Match(device=("f*",)), False),
        (Match(device=("f3", "t1")), Match(device=("t*", "f*")), True),
    ],
)
def test_one_match_implies_another(narrow: Match, wide: Match, holds: bool) -> None:  # noqa: FBT001
    assert implies(narrow, wide) is holds


@pytest.mark.parametrize(
    ("narrow", "wide", "holds"),
    [
        ("f3", "f?", True),
        ("f3*", "f*", True),
        ("f?3", "f*", True),
        ("f3*", "f3", False),
        ("f3*", "f?*", False),
        ("f3", "f?*", True),
        ("*", "f*", False),
        ("f*", "f3*", False),
        ("f*", "f?", False),
        ("*_trip", "*_trip", True),
        ("f*_trip", "*_trip", False),
    ],
)
def test_one_glob_is_within_another_or_that_is_not_known(
    narrow: str,
    wide: str,
    holds: bool,  # noqa: FBT001
) -> None:
    assert glob_within(narrow, wide) is holds


def test_a_rule_that_makes_a_conduits_delay_what_it_is_is_not_idle() -> None:
    late = allow("late", Limits(delay_s=60), tags_all=REVENUE)
    assert idle(late, allow(tags_all=FEEDER)) == {}
    assert idle(late, allow("later", Limits(delay_s=90), tags_all=REVENUE), allow()) == {
        "late": "matches no point of this site"
    }


def test_a_rule_that_makes_the_delay_of_one_conduit_of_two_is_not_idle() -> None:
    late = replace(allow("late", Limits(delay_s=60)), conduits=ONLY_VENDOR)
    ways = [conduit(), conduit("vendor")]
    held = policy(late, allow(tags_all=FEEDER), allow("rest", tags_all=REVENUE), conduits=ways)
    assert [one.rule for one in coverage(held, [device(point())]).rules] == ["rest"]
