import json
from dataclasses import replace
from typing import Any

from inline_snapshot import snapshot

from otgate.model import Kind, Point, Sensitivity, ValueType
from otgate.policy.decide import Delay, delay_of
from otgate.policy.explain import as_json, as_text, explain
from otgate.policy.language import Limits, Policy, Rule, Strip, UnderTest
from policies import allow, conduit, deny, device, point, policy

LOADS = replace(
    allow("feeder-loads", Limits(min_interval_s=60, quantize=0.5), tags_all=frozenset({"feeder"})),
    ticket="CR-1190",
)
NO_PROTECTION = deny(tags_any=frozenset({"protection"}))


def text(held: Policy, which: Point, value_type: ValueType = ValueType.F64) -> str:
    return as_text(explain(held, device(which), which, value_type))


def told(*rules: Rule, which: Point | None = None) -> dict[str, Any]:
    asked = which or point()
    only: dict[str, Any] = as_json(explain(policy(*rules), device(asked), asked))["conduits"][0]
    return only


def test_a_crossing_point_is_explained_by_rule_reason_and_limits() -> None:
    way = conduit(limits=Limits(strip=frozenset({Strip.OWNER, Strip.NAME})))
    assert text(policy(LOADS, NO_PROTECTION, conduits=[way]), point()) == snapshot("""\
f3/ia  kind measurement, zone bay, sensitivity internal, tags feeder

analytics: crosses, allowed by feeder-loads
  guard zone         holds  bay; from bay, station
  guard kind         holds  measurement; direction out
  guard sensitivity  holds  internal; ceiling internal
  allow feeder-loads: load forecasting (CR-1190)
  limit min_interval_s 60, set by rule feeder-loads
  limit quantize 0.5, set by rule feeder-loads
  limit strip name, owner, set by conduit analytics
  lane data; data under test: dropped\
""")


def test_a_stopped_point_is_explained_on_every_conduit() -> None:
    held = policy(allow(), conduits=[conduit(), conduit("vendor", ceiling=Sensitivity.PUBLIC)])
    which = Point("trip", Kind.SETTING)
    assert text(held, which) == snapshot("""\
f3/trip  kind setting, zone bay, sensitivity bcsi, tags none

analytics: does not cross, stopped by the kind and sensitivity guards, which no rule lifts
  guard zone         holds  bay; from bay, station
  guard kind         stops  setting; direction out
  guard sensitivity  stops  bcsi; ceiling internal
  allow feeders: load forecasting

vendor: does not cross, stopped by the kind and sensitivity guards, which no rule lifts
  guard zone         holds  bay; from bay, station
  guard kind         stops  setting; direction out
  guard sensitivity  stops  bcsi; ceiling public
  allow feeders: load forecasting\
""")


def test_a_point_without_a_zone_is_said_to_have_none() -> None:
    lines = as_text(explain(policy(allow()), device(point(), zone=""), point())).splitlines()
    assert lines[0] == "f3/ia  kind measurement, zone none, sensitivity internal, tags feeder"
    assert "  guard zone         stops  no zone; from bay, station" in lines


def test_each_reason_is_said_in_words() -> None:
    assert "analytics: does not cross, no rule allows it" in text(policy(), point())
    both = point(tags=frozenset({"feeder", "protection"}))
    assert "does not cross, denied by no-protection" in text(policy(LOADS, NO_PROTECTION), both)
    assert "cannot be quantised" in text(policy(LOADS), point(), ValueType.TEXT)


def test_a_crossing_without_limits_says_so() -> None:
    assert "  limit none\n" in text(policy(allow()), point())


def test_a_joined_limit_names_everyone_who_set_it() -> None:
    minute, slower = Limits(min_interval_s=60), Limits(min_interval_s=5)
    statuses = Limits(min_interval_s=60, kinds=frozenset({Kind.STATUS}))
    rules = allow("a", minute), allow("b", slower), allow("c", statuses)
    held = policy(*rules, conduits=[conduit(limits=minute)])
    assert "limit min_interval_s 60, set by conduit analytics and rule a\n" in text(held, point())


def test_a_delay_is_the_conduits_whatever_rule_lets_the_point_cross() -> None:
    late = allow("late", Limits(delay_s=3600), tags_all=frozenset({"protection"}))
    held = policy(allow(), late, conduits=[conduit(limits=Limits(delay_s=60))])
    assert "limit delay_s 3600, set by rule late\n" in text(held, point())
    both = policy(allow(), late, conduits=[conduit(limits=Limits(delay_s=3600))])
    assert "limit delay_s 3600, set by conduit analytics and rule late\n" in text(both, point())


def test_a_delay_on_a_deny_or_for_another_conduit_delays_nothing() -> None:
    elsewhere = replace(allow("far", Limits(delay_s=0.5)), conduits=frozenset({"vendor"}))
    denying = replace(deny(), limits=Limits(delay_s=9))
    held = policy(allow(), elsewhere, denying, conduits=[conduit(), conduit("vendor")])
    delays = [delay_of(held, way) for way in held.conduits.values()]
    assert delays == [Delay(), Delay(0.5, ("rule far",))]


def test_a_conduit_that_carries_tests_says_so() -> None:
    held = policy(allow(), conduits=[conduit(test=UnderTest.PASS)])
    assert text(held, point()).endswith("data under test: passed")


def test_the_program_reads_rules_with_their_paperwork() -> None:
    said = told(LOADS)
    assert said["crosses"] is True
    assert said["allowed_by"] == [
        {"name": "feeder-loads", "why": "load forecasting", "ticket": "CR-1190"}
    ]
    assert said["limits"] == {
        "min_interval_s": 60,
        "quantize": 0.5,
        "strip": [],
        "delay_s": 0,
        "set_by": {"min_interval_s": ["rule feeder-loads"], "quantize": ["rule feeder-loads"]},
    }


def test_the_program_reads_guards_and_no_limits_of_what_stays() -> None:
    said = told(LOADS, which=point(sensitivity=Sensitivity.BCSI))
    assert (said["crosses"], said["reason"], said["limits"]) == (False, "guard", None)
    assert [guard["guard"] for guard in said["guards"] if not guard["holds"]] == ["sensitivity"]


def test_the_answer_for_a_program_is_json() -> None:
    which = point(kind=Kind.STATUS)
    verdicts = explain(policy(LOADS, NO_PROTECTION), device(which), which)
    assert json.loads(json.dumps(as_json(verdicts))) == as_json(verdicts)
    assert as_json(verdicts)["conduits"][0]["lane"] == "event"


def test_a_policy_without_conduits_lets_nothing_cross() -> None:
    assert as_text([]) == "no conduits: nothing crosses"
