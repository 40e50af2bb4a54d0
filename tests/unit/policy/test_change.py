from itertools import product

import pytest

from otgate.model import Sensitivity, ValueType
from otgate.policy.change import Crossed, What, changes, coarsens, crossings, is_looser
from otgate.policy.decide import Restriction
from otgate.policy.language import Limits, Policy, Strip, UnderTest
from policies import allow, conduit, deny, device, point, policy

FEEDER = frozenset({"feeder"})
PLANT = [device(point(), point("ib", tags=frozenset({"revenue"})))]
TYPES = {"f3": [ValueType.F64, ValueType.F64]}


def told(old: Policy, new: Policy) -> list[tuple[str, str, str]]:
    before, after = crossings(old, PLANT, TYPES), crossings(new, PLANT, TYPES)
    return [(one.conduit, one.path, one.what.value) for one in changes(before, after)]


def test_nothing_changes_between_a_policy_and_itself() -> None:
    assert told(policy(allow()), policy(allow("renamed"))) == []


def test_what_newly_crosses_is_gained_and_what_no_longer_does_is_lost() -> None:
    feeders, all_ = policy(allow(tags_all=FEEDER)), policy(allow())
    assert told(feeders, all_) == [("analytics", "f3/ib", "gain")]
    assert told(all_, feeders) == [("analytics", "f3/ib", "loss")]
    assert told(all_, policy(allow(), deny(tags_any=FEEDER))) == [("analytics", "f3/ia", "loss")]


def test_a_new_conduit_gains_all_that_crosses_it() -> None:
    more = policy(allow(), conduits=[conduit(), conduit("vendor", ceiling=Sensitivity.BCSI)])
    gained = [("vendor", "f3/ia", "gain"), ("vendor", "f3/ib", "gain")]
    assert told(policy(allow()), more) == gained


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (Limits(min_interval_s=60), Limits(min_interval_s=5), What.LOOSER),
        (Limits(min_interval_s=5), Limits(min_interval_s=60), What.STRICTER),
        (Limits(quantize=1), Limits(), What.LOOSER),
        (Limits(), Limits(quantize=1), What.STRICTER),
        (Limits(quantize=1), Limits(quantize=2), What.STRICTER),
        (Limits(quantize=2), Limits(quantize=3), What.OTHER),
        (Limits(quantize=1, min_interval_s=5), Limits(min_interval_s=60), What.OTHER),
        (Limits(strip=frozenset({Strip.OWNER})), Limits(), What.LOOSER),
        (Limits(), Limits(strip=frozenset({Strip.OWNER})), What.STRICTER),
    ],
)
def test_a_change_of_limits_is_looser_stricter_or_both(
    before: Limits, after: Limits, what: What
) -> None:
    found = told(policy(allow(limits=before)), policy(allow(limits=after)))
    assert {one for _, _, one in found} == {what.value}


def test_data_under_test_that_newly_pass_are_a_gain() -> None:
    passing = policy(allow(), conduits=[conduit(test=UnderTest.PASS)])
    assert {what for _, _, what in told(policy(allow()), passing)} == {"looser"}


def test_no_crossing_is_looser_than_itself() -> None:
    for seconds, step, test in product((0.0, 5.0), (0.0, 0.1, 0.5), UnderTest):
        one = Crossed(Restriction(seconds, step), test)
        assert not is_looser(one, one)


@pytest.mark.parametrize(
    ("step", "than", "holds"),
    [(0.3, 0.1, True), (0.1, 0.3, False), (0, 0.1, False), (0.1, 0, True), (0.25, 0.1, False)],
)
def test_a_step_tells_no_more_than_one_it_is_a_multiple_of(
    step: float,
    than: float,
    holds: bool,  # noqa: FBT001
) -> None:
    assert coarsens(step, than) is holds
