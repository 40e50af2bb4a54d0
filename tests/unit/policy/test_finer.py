from itertools import product

import pytest

from otgate.model import ValueType
from otgate.policy.changes import Crossed, Side, Way, changes, coarsens, finer
from otgate.policy.decide import Restriction
from otgate.policy.language import Limits, Policy, Strip, UnderTest
from policies import allow, conduit, device, point, policy


def told(old: Policy, new: Policy) -> list[tuple[Way, str]]:
    plant = [device(point())]
    sides = (Side(each, plant, {"f3": [ValueType.F64]}) for each in (old, new))
    return [(one.way, one.why) for one in changes(*sides)]


@pytest.mark.parametrize(
    ("before", "after", "way"),
    [
        (Limits(min_interval_s=60), Limits(min_interval_s=5), Way.FINER),
        (Limits(min_interval_s=5), Limits(min_interval_s=60), Way.COARSER),
        (Limits(quantize=1), Limits(), Way.FINER),
        (Limits(), Limits(quantize=1), Way.COARSER),
        (Limits(quantize=1), Limits(quantize=2), Way.COARSER),
        (Limits(quantize=2), Limits(quantize=3), Way.FINER),
        (Limits(quantize=1, min_interval_s=5), Limits(min_interval_s=60), Way.FINER),
        (Limits(strip=frozenset({Strip.OWNER})), Limits(), Way.FINER),
        (Limits(delay_s=60), Limits(delay_s=30), Way.FINER),
        (Limits(delay_s=30), Limits(delay_s=60, quantize=1), Way.COARSER),
    ],
)
def test_whatever_newly_tells_something_is_finer(before: Limits, after: Limits, way: Way) -> None:
    found = told(policy(allow(limits=before)), policy(allow(limits=after)))
    assert [one for one, _ in found] == [way]


def test_data_under_test_that_newly_pass_are_a_gain() -> None:
    passing = policy(allow(), conduits=[conduit(test=UnderTest.PASS)])
    assert told(policy(allow()), passing) == [(Way.FINER, "test drop -> pass")]
    assert told(passing, policy(allow())) == [(Way.COARSER, "test pass -> drop")]


def test_no_crossing_is_finer_than_itself() -> None:
    for seconds, step, test in product((0.0, 5.0), (0.0, 0.1, 0.5), UnderTest):
        one = Crossed(Restriction(seconds, step), test)
        assert not finer(one, one)


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
