"""A gate that takes the place of another while samples flow."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from otgate.model import Batch, Device, Lane, Point, ValueType
from otgate.policy.gate import Gate, compile_gates
from otgate.policy.language import Limits, UnderTest
from otgate.quality import Quality
from policies import SECOND, START, allow, batch, device, gate, point, policy

EVERY_MINUTE = Limits(min_interval_s=60)


def passed(held: Gate, second: float, *values: float, quality: int = 0) -> list[list[float]]:
    now_ns = START + round(second * SECOND)
    out = held.pass_(batch(values, quality, received_ns=now_ns), now_ns)
    return [one.values.tolist() for _, one in out]


def released(held: Gate, second: float) -> list[list[float]]:
    return [one.values.tolist() for _, one in held.release(START + round(second * SECOND))]


def told(out: list[tuple[Lane, Batch]]) -> list[tuple[list[int], list[float]]]:
    return [(one.index.tolist(), one.values.tolist()) for _, one in out]


def slow(*names: str, **limits: float) -> Gate:
    return gate(*map(point, names or ("ia",)), limits=replace(EVERY_MINUTE, **limits))


def test_an_interval_that_runs_goes_on() -> None:
    before, after = slow(), slow()
    assert passed(before, 0, 1.0) == [[1.0]]
    assert after.inherit(before) == []
    assert passed(after, 30, 2.0) == []
    assert released(after, 60) == [[2.0]]


def test_a_held_sample_stays_held_and_goes_in_its_time() -> None:
    before, after = slow(), slow()
    passed(before, 0, 1.0)
    passed(before, 10, 2.0)
    after.inherit(before)
    assert released(after, 59) == []
    assert released(after, 60) == [[2.0]]


def test_a_longer_interval_holds_at_once_and_a_shorter_one_lets_go() -> None:
    before, longer, shorter = slow(), slow(min_interval_s=120), slow(min_interval_s=5)
    passed(before, 0, 1.0)
    passed(before, 10, 2.0)
    longer.inherit(before)
    assert released(longer, 119) == []
    shorter.inherit(before)
    assert released(shorter, 11) == [[2.0]]


def test_what_nothing_holds_any_more_goes_at_once_under_its_new_number() -> None:
    before = slow("ia", "ib")
    after = gate(*map(point, ("new", "ib", "ia")))
    passed(before, 0, 1.0, 2.0)
    passed(before, 10, 3.0, 4.0)
    assert told(after.inherit(before)) == [([1, 2], [4.0, 3.0])]


def test_what_no_longer_crosses_is_forgotten() -> None:
    before = slow("ia", "ib")
    after = gate(point("ia"), point("ib"), rules=[allow(limits=EVERY_MINUTE, point=("*/ia",))])
    passed(before, 0, 1.0, 2.0)
    passed(before, 10, 3.0, 4.0)
    assert after.inherit(before) == []
    assert released(after, 60) == [[3.0]]


def test_a_gate_that_held_nothing_leaves_nothing_behind() -> None:
    before, after = gate(point()), slow()
    passed(before, 0, 1.0)
    assert after.inherit(before) == gate(point()).inherit(before) == []
    assert passed(after, 1, 2.0) == [[2.0]]


def test_points_are_the_same_by_their_ids() -> None:
    before, after = slow("ia", "ib"), slow("ib", "ia")
    passed(before, 0, 1.0, 2.0)
    passed(before, 10, 3.0, 4.0)
    after.inherit(before)
    [out] = after.release(START + 60 * SECOND)
    assert told([out]) == [([0, 1], [4.0, 3.0])]


def test_a_coarser_step_rounds_what_is_held_and_what_would_be_sent_again() -> None:
    before, after = slow(quantize=1), slow(quantize=10)
    passed(before, 0, 14.0)
    passed(before, 10, 17.0)
    after.inherit(before)
    resent = after.pass_(
        batch([17.0], int(Quality.INVALID), received_ns=START), START + 20 * SECOND
    )
    assert [one.values.tolist() for _, one in resent] == [[10.0]]
    fine, coarse = slow(quantize=1), gate(point(), limits=Limits(quantize=10))
    passed(fine, 0, 14.0)
    passed(fine, 10, 17.0)
    assert told(coarse.inherit(fine)) == [([0], [20.0])]


def test_counts_go_on() -> None:
    before = gate(point(), limits=EVERY_MINUTE, test=UnderTest.DROP)
    passed(before, 0, 1.0)
    passed(before, 1, 2.0)
    passed(before, 2, 3.0)
    passed(before, 3, 4.0, quality=int(Quality.TEST))
    before.pass_(replace(batch([1.0]), device="f9"), START)
    after = slow()
    after.inherit(before)
    counts = after.withheld, after.suppressed, after.under_test
    assert counts == (before.withheld, before.suppressed, before.under_test) == (1, 1, 1)


NAMES = st.lists(st.sampled_from("abcdef"), unique=True, min_size=1)


@given(NAMES, NAMES, st.floats(0, 59), st.integers(0, 3))
def test_no_point_is_sent_more_often_for_a_change_of_gates(
    before: list[str], after: list[str], second: float, changes: int
) -> None:
    """Between a point's first sample and the end of its interval nothing of it goes."""
    old, points = slow(*before), [Point(name, point().kind) for name in after]
    passed(old, 0, *np.arange(len(before), dtype=float))
    for _ in range(changes):
        following = slow(*before)
        following.inherit(old)
        old = following
    new = slow(*after)
    new.inherit(old)
    values = np.arange(len(after), dtype=float)
    out = new.pass_(batch(values.tolist(), received_ns=START), START + round(second * SECOND))
    sent = {points[number].id for _, one in out for number in one.index.tolist()}
    assert sent == set(after) - set(before)


SOME = st.frozensets(st.sampled_from("abcdef"), min_size=1)


@given(SOME, SOME, st.sampled_from([0.0, 30.0, 600.0]))
def test_a_map_that_is_the_very_same_is_gone_on_with_as_an_equal_one_is(
    before: frozenset[str], after: frozenset[str], interval_s: float
) -> None:
    same = device(*map(point, "abcdef"))
    equal = replace(same, points=list(same.points))
    outcomes = []
    for map_of_after in (same, equal):
        old = gate_of(same, before, EVERY_MINUTE)
        for second in (0, 10):
            passed(old, second, *np.arange(6.0) + second)
        new = gate_of(map_of_after, after, Limits(min_interval_s=interval_s))
        at_once = told(new.inherit(old))
        outcomes.append((at_once, told(new.release(START + 60 * SECOND)), new.suppressed))
    assert outcomes[0] == outcomes[1]


def gate_of(held: Device, names: frozenset[str], limits: Limits) -> Gate:
    """Return the gate of one device of which some points cross."""
    rule = allow(limits=limits, point=tuple(f"f3/{name}" for name in sorted(names)))
    types = {"f3": [ValueType.F64] * len(held.points)}
    return compile_gates(policy(rule), [held], types)["analytics"]
