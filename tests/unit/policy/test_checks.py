from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from otgate.model import Kind, Sensitivity, ValueType
from otgate.policy.checks import HELPED, findings
from otgate.policy.finding import Finding, Weight, Where
from otgate.policy.language import Conduit, Limits, Policy, Rule
from policies import allow, conduit, deny, device, point, policy

ONLY_VENDOR = frozenset({"vendor"})


def only(held: Policy, *given: Any) -> Finding:
    found = findings(held, *given)
    assert len(found) == 1, found
    return found[0]


def of_rule(rule: Rule, conduits: Sequence[Conduit] = (conduit(),)) -> Finding:
    return only(policy(rule, conduits=conduits))


def of_conduit(**given: Any) -> Finding:
    return only(policy(allow(), conduits=[conduit(**given)]))


def test_a_sound_policy_has_no_findings() -> None:
    sound = policy(
        allow(limits=Limits(min_interval_s=60, quantize=0.5)),
        deny(tags_any=frozenset({"protection"})),
        conduits=[conduit(limits=Limits(quantize=2))],
    )
    which = point(tags=frozenset({"feeder"})), point("z", tags=frozenset({"protection"}))
    assert findings(sound, [device(*which)], {"f3": [ValueType.F64] * 2}) == []


@pytest.mark.parametrize("key", ["tags_all", "tags_any", "tags_none"])
def test_a_tag_outside_the_vocabulary_is_an_error_at_the_tag(key: str) -> None:
    match: dict[str, Any] = {key: frozenset({"feeder", "protectoin"})}
    found = of_rule(allow(**match))
    assert (found.code, found.severity) == ("unknown-tag", Weight.ERROR)
    assert found.where == ("rules", 0, "match", key, "protectoin")
    assert found.help == "did you mean `protection`?"


def test_of_very_many_unknown_words_the_first_are_helped_and_all_are_told() -> None:
    words = frozenset(f"feedr{number}" for number in range(HELPED + 2))
    helped = [bool(one.help) for one in findings(policy(allow(tags_any=words)))]
    assert helped == [True] * HELPED + [False] * 2


def test_an_unknown_zone_is_an_error_wherever_it_stands() -> None:
    where: list[tuple[Finding, Where]] = [
        (of_conduit(from_zones=frozenset({"bay", "by"})), ("conduits", "analytics", "from", "by")),
        (of_conduit(to="moon"), ("conduits", "analytics", "to")),
        (of_rule(deny(zone=frozenset({"by"}))), ("rules", 0, "match", "zone", "by")),
    ]
    for found, place in where:
        assert (found.code, found.where) == ("unknown-zone", place)
    assert "`bay`, `enterprise`, `station`" in where[1][0].help


def test_an_unknown_conduit_is_an_error_at_its_name() -> None:
    found = of_rule(replace(allow(), conduits=frozenset({"analytcs", "analytics"})))
    assert (found.code, found.where) == ("unknown-conduit", ("rules", 0, "conduits", "analytcs"))


def test_the_second_rule_of_a_name_is_the_mistake() -> None:
    found = only(policy(allow("a"), allow("b"), allow("a")))
    assert (found.code, found.where) == ("duplicate-rule", ("rules", 2, "name"))


def test_a_rule_without_a_reason_is_an_error() -> None:
    found = of_rule(replace(allow(), why="  "))
    assert (found.code, found.where) == ("missing-why", ("rules", 0, "why"))


def test_a_conduit_leads_somewhere_else() -> None:
    assert of_conduit(to="bay").code == "conduit-to-itself"


def test_a_ceiling_of_bcsi_is_a_warning_about_the_unclassified() -> None:
    found = of_conduit(ceiling=Sensitivity.BCSI)
    assert (found.code, found.severity) == ("open-ceiling", Weight.WARNING)


@pytest.mark.parametrize(
    ("limits", "code", "key"),
    [
        (Limits(min_interval_s=-1), "bad-limit", "min_interval_s"),
        (Limits(min_interval_s=float("nan")), "bad-limit", "min_interval_s"),
        (Limits(min_interval_s=1e12), "bad-limit", "min_interval_s"),
        (Limits(delay_s=-1), "bad-limit", "delay_s"),
        (Limits(delay_s=1e12), "bad-limit", "delay_s"),
        (Limits(delay_s=float("nan")), "bad-limit", "delay_s"),
        (Limits(quantize=-0.5), "bad-limit", "quantize"),
        (Limits(quantize=float("inf")), "bad-limit", "quantize"),
        (Limits(quantize=float("nan")), "bad-limit", "quantize"),
        (Limits(quantize=1e-12), "bad-limit", "quantize"),
        (Limits(quantize=1, kinds=frozenset({Kind.STATUS})), "quantize-kind", "kinds"),
    ],
)
def test_a_limit_that_cannot_be_kept_is_an_error(limits: Limits, code: str, key: str) -> None:
    found = of_rule(allow(limits=limits))
    assert (found.code, found.where) == (code, ("rules", 0, "limits", key))
    found = of_conduit(limits=limits)
    assert (found.code, found.where) == (code, ("conduits", "analytics", "limits", key))


def test_kinds_without_steps_are_no_mistake_where_no_step_is_asked_for() -> None:
    slow = Limits(min_interval_s=5, kinds=frozenset({Kind.STATUS}))
    assert findings(policy(allow(limits=slow))) == []


def test_a_delay_that_one_rule_asks_of_all_others_is_told_of_each_of_them() -> None:
    late = allow("late", Limits(delay_s=3600), tags_all=frozenset({"protection"}))
    far = replace(allow("far"), conduits=frozenset({"vendor"}))
    denying = deny(tags_any=frozenset({"protection"}), kind=frozenset({Kind.COUNTER}))
    ways = [conduit(), conduit("vendor")]
    found = findings(policy(late, allow(), far, denying, conduits=ways))
    told = [one for one in found if one.code == "spread-delay"]
    assert [one.where for one in told] == [
        ("rules", 1, "name"),
        *[("rules", n, "name") for n in (1, 2)],
    ]
    assert told[0].message == (
        "what rule `feeders` allows on conduit `analytics` waits 3600 s too, as rule late asks:"
        " a conduit has one delay"
    )
    assert {one.severity for one in told} == {Weight.WARNING}


def test_a_delay_that_the_conduit_has_anyway_needs_no_word() -> None:
    late, way = allow("late", Limits(delay_s=60)), conduit(limits=Limits(delay_s=60))
    assert findings(policy(late, allow(tags_all=frozenset({"feeder"})), conduits=[way])) == []


def test_a_delay_is_told_of_each_conduit_and_rule_that_it_spreads_to() -> None:
    ways = [conduit(limits=Limits(delay_s=60)), conduit("vendor"), conduit("partner")]
    elsewhere = replace(allow("elsewhere"), conduits=frozenset({"analytics"}))
    rules = deny(), elsewhere, allow("late", Limits(delay_s=60)), allow()
    told = [(f.code, f.where[1]) for f in findings(policy(*rules, conduits=ways))]
    assert told == [("spread-delay", 3)] * 2


def test_limits_on_a_deny_restrict_nothing() -> None:
    found = of_rule(replace(deny(), limits=Limits(min_interval_s=5)))
    assert (found.code, found.where) == ("limit-on-deny", ("rules", 0, "limits"))


@pytest.mark.parametrize(
    ("match", "key"),
    [
        ({"kind": frozenset()}, "kind"),
        ({"zone": frozenset()}, "zone"),
        ({"point": ()}, "point"),
        ({"device": ()}, "device"),
        ({"point": ("ia", "ib")}, "point"),
        ({"device": ("f3/ia",)}, "device"),
        ({"device": ("_gateway",)}, "device"),
        ({"device": ("f3",), "point": ("f4/*",)}, "point"),
        ({"tags_all": frozenset({"feeder"}), "tags_none": frozenset({"feeder"})}, "tags_none"),
        ({"tags_any": frozenset({"feeder"}), "tags_none": frozenset({"feeder"})}, "tags_none"),
    ],
)
def test_a_match_that_holds_for_no_conceivable_point_is_an_error(
    match: dict[str, Any], key: str
) -> None:
    found = of_rule(deny(**match))
    assert (found.code, found.where) == ("impossible-match", ("rules", 0, "match", key))
    assert found.severity is Weight.ERROR


@pytest.mark.parametrize(
    "match",
    [
        {"point": ("f3/ia",)},
        {"point": ("ia", "f3/ia")},
        {"point": ("*ia",)},
        {"point": ("f3?ia",)},
        {"device": ("f3/ia", "f4")},
        {"device": ("f3",), "point": ("f3/*",)},
    ],
)
def test_one_glob_that_a_name_can_fit_is_enough(match: dict[str, Any]) -> None:
    assert findings(policy(deny(**match))) == []


def test_the_first_of_the_tags_that_are_demanded_and_forbidden_is_named() -> None:
    tags = frozenset({"revenue", "feeder"})
    assert "`feeder`" in of_rule(deny(tags_all=tags, tags_none=tags)).message


@pytest.mark.parametrize(
    ("match", "guard"),
    [
        ({"kind": frozenset({Kind.CONTROL, Kind.SETTING})}, "kind"),
        ({"zone": frozenset({"enterprise"})}, "zone"),
        ({"sensitivity": frozenset({Sensitivity.RESTRICTED})}, "sensitivity"),
    ],
)
def test_an_allow_that_a_guard_always_stops_is_a_warning(match: dict[str, Any], guard: str) -> None:
    found = of_rule(allow(**match))
    assert (found.code, found.severity) == ("blocked-rule", Weight.WARNING)
    assert (found.where, f"the {guard} guard" in found.message) == (("rules", 0), True)
    named = of_rule(replace(allow(**match), conduits=frozenset({"analytics"})))
    assert named.where == ("rules", 0, "conduits", "analytics")


def test_an_allow_on_all_conduits_need_not_suit_each() -> None:
    ways = [conduit(), conduit("partner", ceiling=Sensitivity.RESTRICTED)]
    rule = allow(sensitivity=frozenset({Sensitivity.RESTRICTED}))
    assert findings(policy(rule, conduits=ways)) == []


@pytest.mark.parametrize(
    "match",
    [
        {"zone": frozenset({"bay", "enterprise"})},
        {"kind": frozenset({Kind.CONTROL, Kind.STATUS})},
        {"sensitivity": frozenset({Sensitivity.PUBLIC, Sensitivity.BCSI})},
    ],
)
def test_an_allow_of_which_a_guard_stops_a_part_is_no_finding(match: dict[str, Any]) -> None:
    assert findings(policy(allow(**match))) == []


def test_an_allow_on_two_conduits_is_warned_of_the_one_that_stops_it() -> None:
    ways = [conduit(), conduit("vendor", ceiling=Sensitivity.RESTRICTED)]
    restricted = {"sensitivity": frozenset({Sensitivity.RESTRICTED})}
    rule = replace(allow(**restricted), conduits=frozenset({"analytics", "vendor"}))
    rules = deny(), allow("anywhere", **restricted), rule
    assert only(policy(*rules, conduits=ways)).where == ("rules", 2, "conduits", "analytics")


def test_a_rule_that_matches_none_of_the_points_is_dead() -> None:
    held = policy(allow(), deny("gone", point=("f4/*",)), deny("tagged", tags_all={"revenue"}))
    found = findings(held, [device(point())])
    assert [(f.code, f.where) for f in found] == [
        ("dead-rule", ("rules", 1, "name")),
        ("dead-rule", ("rules", 2, "name")),
    ]
    assert {f.severity for f in found} == {Weight.WARNING}
    assert findings(held) == []


def test_a_rule_that_matches_one_point_of_many_by_its_name_lives() -> None:
    held = policy(allow(), deny("named", point=("*/ib",)))
    assert findings(held, [device(point("ia"), point("ib"), point("ic"))]) == []


def test_globs_and_attributes_have_to_hold_for_one_and_the_same_point() -> None:
    held = policy(allow(), deny(kind=frozenset({Kind.STATUS}), point=("*/ia",)))
    points = point("ia"), point("cb", Kind.STATUS)
    assert only(held, [device(*points)]).code == "dead-rule"


def test_a_rule_with_a_mistake_is_not_called_dead_besides() -> None:
    held = policy(allow(), deny(tags_any=frozenset({"protectoin"})))
    assert only(held, [device(point())]).code == "unknown-tag"


def test_a_conduit_that_nothing_crosses_is_a_warning() -> None:
    found = only(policy(allow()), [device(point(sensitivity=Sensitivity.BCSI))])
    assert (found.code, found.where) == ("empty-conduit", ("conduits", "analytics"))
    assert found.severity is Weight.WARNING


def test_what_a_policy_does_to_points_is_not_told_while_it_has_mistakes() -> None:
    held = policy(allow("a"), allow("a"))
    assert only(held, [device(point(sensitivity=Sensitivity.BCSI))]).code == "duplicate-rule"


def test_a_step_asked_of_a_text_is_a_warning_that_names_the_point() -> None:
    held = policy(allow(limits=Limits(quantize=0.5)))
    points = point("ia"), point("mode")
    found = only(held, [device(*points)], {"f3": [ValueType.F64, ValueType.TEXT]})
    assert (found.code, found.severity) == ("unenforceable-limit", Weight.WARNING)
    assert "`f3/mode`" in found.message


def test_all_mistakes_are_told_at_once() -> None:
    held = policy(
        replace(allow("a", zone=frozenset({"by"})), why=""),
        allow("a", tags_any=frozenset({"x"})),
        conduits=[conduit(to="bay", limits=Limits(quantize=-1))],
    )
    assert {found.code for found in findings(held)} == {
        "unknown-zone",
        "missing-why",
        "duplicate-rule",
        "unknown-tag",
        "conduit-to-itself",
        "bad-limit",
        "blocked-rule",
    }


def test_a_rule_of_another_conduit_is_not_judged_by_this_ones_guards() -> None:
    vendor = conduit("vendor", ceiling=Sensitivity.RESTRICTED)
    rule = replace(allow(sensitivity=frozenset({Sensitivity.RESTRICTED})), conduits=ONLY_VENDOR)
    assert findings(policy(rule, conduits=[conduit(), vendor])) == []


def held_latches(*names: str, interval_s: float = 60) -> list[Finding]:
    held = policy(allow(limits=Limits(min_interval_s=interval_s)), allow("all"))
    points = [*(point(name, latch=True) for name in names), point("plain")]
    return [one for one in findings(held, [device(*points)]) if one.code == "held-latch"]


def test_a_latch_that_a_limit_holds_back_is_warned_of() -> None:
    [one] = held_latches("trip")
    assert (one.severity, one.where) == (Weight.WARNING, ("conduits", "analytics"))
    assert one.message.startswith("`f3/trip` latches, but on conduit `analytics` `f3/trip` is sent")


def test_of_many_held_latches_one_is_named() -> None:
    [one] = held_latches("trip", "alarm")
    assert one.message.startswith("2 points latch, but on conduit `analytics` `f3/trip` is sent")


def test_a_latch_that_no_limit_holds_back_is_no_finding() -> None:
    assert held_latches("trip", interval_s=0) == held_latches() == []
