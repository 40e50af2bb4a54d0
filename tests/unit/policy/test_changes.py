from collections.abc import Sequence

import msgspec
import pytest

from otgate.model import Device, Kind, Sensitivity, ValueType
from otgate.policy import globs
from otgate.policy.changes import Change, Side, Way, changes
from otgate.policy.difference import as_json, as_text, difference
from otgate.policy.language import Limits, Policy, Strip, UnderTest
from policies import allow, conduit, deny, device, point, policy

IA, TRIP = point("ia"), point("trip", tags=frozenset({"feeder", "protection"}))
FEEDERS = allow("loads", tags_all=frozenset({"feeder"}))
NO_PROTECTION = deny(tags_any=frozenset({"protection"}))


def side(held: Policy, devices: Sequence[Device] | None = None) -> Side:
    held_against = [device(IA, TRIP)] if devices is None else devices
    types = {one.id: [ValueType.F64] * len(one.points) for one in held_against}
    return Side(held, held_against, types)


OLD = side(policy(FEEDERS, NO_PROTECTION))


def test_a_deny_taken_out_lets_its_points_cross() -> None:
    assert changes(OLD, side(policy(FEEDERS))) == [
        Change(
            "analytics",
            "f3/trip",
            Way.GAINS,
            "allowed by loads; before: denied by no-protection",
        )
    ]


def test_a_point_that_loses_is_told_by_what() -> None:
    [lost] = changes(side(policy(FEEDERS)), OLD)
    assert (lost.way, lost.why) == (
        Way.LOSES,
        "denied by no-protection; before: allowed by loads",
    )


def test_a_point_that_is_new_or_gone_says_so() -> None:
    fewer = side(OLD.policy, [device(TRIP)])
    [gained] = changes(fewer, OLD)
    [lost] = changes(OLD, fewer)
    assert gained.why == "allowed by loads; before: no such point"
    assert lost.why == "no such point; before: allowed by loads"


def test_a_point_that_is_classified_otherwise_changes_though_the_policy_does_not() -> None:
    secret = point("ia", sensitivity=Sensitivity.BCSI)
    [lost] = changes(OLD, side(OLD.policy, [device(secret, TRIP)]))
    assert lost.why.startswith("stopped by the sensitivity guard")


def test_a_conduit_that_is_new_or_gone_says_so() -> None:
    both = side(policy(FEEDERS, NO_PROTECTION, conduits=[conduit(), conduit("spare")]))
    [gained] = changes(OLD, both)
    [lost] = changes(both, OLD)
    assert (gained.conduit, gained.why) == ("spare", "allowed by loads; before: no such conduit")
    assert lost.why == "no such conduit; before: allowed by loads"


def limited(limits: Limits) -> Side:
    return side(policy(allow("loads", limits), NO_PROTECTION))


def test_less_of_any_limit_is_finer_and_more_is_coarser() -> None:
    strict = limited(Limits(60, 0.5, frozenset({Strip.OWNER, Strip.NAME})))
    loose = limited(Limits(5, strip=frozenset({Strip.NAME, Strip.PLACE})))
    [finer] = changes(strict, loose)
    assert finer.way is Way.FINER
    assert finer.why == (
        "min_interval_s 60 -> 5, by rule loads; quantize 0.5 -> none, by nothing;"
        " strip name+owner -> name+place, by rule loads"
    )
    [coarser] = changes(limited(Limits()), strict)
    assert coarser.way is Way.COARSER


def test_more_points_and_less_limits_are_gains_and_the_reverse_is_none() -> None:
    slow, quick = limited(Limits(60)), limited(Limits(5))
    gaining = [*changes(OLD, side(policy(FEEDERS))), *changes(slow, quick)]
    losing = [*changes(side(policy(FEEDERS)), OLD), *changes(quick, slow)]
    assert [one.is_gain for one in gaining] == [True, True]
    assert [one.is_gain for one in losing] == [False, False]


def test_gains_come_before_losses() -> None:
    new = side(
        policy(allow("states", kind=frozenset({Kind.STATUS}))), [device(point("cb", Kind.STATUS))]
    )
    assert [one.way for one in changes(OLD, new)] == [Way.GAINS, Way.LOSES]


def test_no_difference_says_so() -> None:
    same = difference(OLD, OLD)
    assert as_text(same) == "nothing crosses otherwise, and nothing newly could"
    assert as_json(same) == {"gain": False, "points": [], "kinds": []}
    assert not same.gain


def test_a_difference_shows_points_and_kinds() -> None:
    found = difference(OLD, side(policy(FEEDERS)))
    assert found.gain
    assert as_text(found) == (
        "gains on analytics: 1 point\n"
        "  f3/trip: allowed by loads; before: denied by no-protection\n"
        "newly could cross analytics: by loads; before: denied by no-protection\n"
        "    all points of  tags feeder, protection\n"
        "    for example    x/x  kind measurement, zone bay, sensitivity public,"
        " tags feeder, protection"
    )


def test_a_kind_that_newly_could_is_a_gain_though_no_point_is_of_it() -> None:
    found = difference(side(OLD.policy, []), side(policy(FEEDERS), []))
    assert (found.points, found.gain) == ([], True)


def test_a_point_that_is_new_is_a_gain_though_its_kind_could_cross_before() -> None:
    found = difference(side(OLD.policy, [device(TRIP)]), side(OLD.policy, [device(IA, TRIP)]))
    assert (found.kinds, found.gain) == ([], True)


def test_points_are_counted_in_words() -> None:
    held = OLD.policy, policy(FEEDERS)
    two = [device(TRIP, msgspec.structs.replace(TRIP, id="lockout"))]
    before, after = (side(one, two) for one in held)
    assert as_text(difference(before, after)).startswith("gains on analytics: 2 points\n")


def test_json_names_the_rule_and_the_kind() -> None:
    told = as_json(difference(limited(Limits(60)), limited(Limits(5))))
    assert told["gain"]
    assert told["points"] == [
        {
            "point": "f3/ia",
            "conduit": "analytics",
            "change": "finer",
            "why": "min_interval_s 60 -> 5, by rule loads",
        }
    ]
    [kind] = told["kinds"]
    assert (kind["gain"], kind["by"], kind["before"], kind["decided"]) == (
        "min_interval_s",
        "rule loads",
        "60",
        True,
    )
    assert kind["points"] == {"kind": ["measurement", "counter"], "tags_none": ["protection"]}


def test_what_nobody_can_tell_is_written_with_its_globs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(globs, "MAX_STATES", 1_000)
    odd = side(policy(FEEDERS, NO_PROTECTION, allow("odd", point=(f"*a{'?' * 13}b",))))
    found = difference(OLD, odd)
    assert "  cannot be told, the globs `*a?????????????b` are too tangled" in as_text(found)
    [kind] = as_json(found)["kinds"]
    assert (kind["decided"], kind["by"]) == (False, "odd")


def test_data_under_test_that_newly_pass_are_written_as_a_gain() -> None:
    passing = policy(FEEDERS, NO_PROTECTION, conduits=[conduit(test=UnderTest.PASS)])
    assert as_text(difference(OLD, side(passing))).splitlines() == [
        "finer on analytics: 1 point",
        "  f3/ia: test drop -> pass",
        "less limited on analytics: data under test, was dropped by conduit analytics",
    ]
