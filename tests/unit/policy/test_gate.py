from dataclasses import replace

import numpy as np
import pytest

from otgate.model import Kind, Lane, Origin, Sensitivity, ValueType
from otgate.policy.gate import compile_gates
from otgate.policy.language import Limits, Strip, UnderTest
from otgate.quality import Quality
from policies import SECOND, START, allow, batch, conduit, deny, device, gate, point, policy

HIDDEN = frozenset({"protection"})
NO_FEEDERS = deny(tags_any=HIDDEN)


def test_a_denied_column_is_gone_and_the_rest_is_numbered_as_the_catalog() -> None:
    points = [point("ia"), point("z1", tags=HIDDEN), point("ib")]
    held = gate(*points, rules=[allow(), NO_FEEDERS])
    [(lane, out)] = held.pass_(batch([1.0, 66.6, 3.0]), START)
    assert lane is Lane.DATA
    assert out.index.tolist() == [0, 1]
    assert out.values.tolist() == [1.0, 3.0]
    assert list(held.crossing) == [(0, 0), (0, 2)]
    assert held.withheld == 1


def test_when_nothing_crosses_nothing_comes_out() -> None:
    held = gate(point("z1", tags=HIDDEN), point("ia"), rules=[allow(), NO_FEEDERS])
    assert held.pass_(batch([66.6], index=[0]), START) == []
    assert held.pass_(batch([]), START) == []
    assert held.release(START) == []


def test_a_device_without_crossing_points_passes_nothing() -> None:
    held = gate(point("z1", tags=HIDDEN), rules=[NO_FEEDERS])
    assert held.pass_(batch([66.6]), START) == []
    assert held.withheld == 1
    assert list(held.crossing) == []


def test_a_point_denied_by_its_name_has_no_column() -> None:
    rules = [allow(), deny(point=("*/ib",))]
    [(_, out)] = gate(point("ia"), point("ib"), rules=rules).pass_(batch([1.0, 66.6]), START)
    assert out.values.tolist() == [1.0]


def test_a_deny_by_name_stops_on_the_one_conduit_that_it_speaks_of() -> None:
    no_ib = replace(deny(point=("*/ib",)), conduits=frozenset({"vendor"}))
    only_ia = replace(allow("ia", point=("*/ia",)), conduits=frozenset({"vendor"}))
    for rules in ([allow(), no_ib], [allow(), only_ia, no_ib]):
        held = policy(*rules, conduits=[conduit(), conduit("vendor")])
        types = {"f3": [ValueType.F64] * 2}
        gates = compile_gates(held, [device(point("ia"), point("ib"))], types)
        crossing = {name: list(one.crossing) for name, one in gates.items()}
        assert crossing == {"analytics": [(0, 0), (0, 1)], "vendor": [(0, 0)]}


def test_held_values_leave_by_their_own_lane() -> None:
    points, slow = [point("ia"), point("cb", Kind.STATUS)], Limits(60, kinds=frozenset(Kind))
    held = gate(*points, limits=slow)
    held.pass_(batch([1.0, 2.0]), START)
    held.pass_(batch([3.0, 4.0]), START + SECOND)
    lanes = dict(held.release(START + 60 * SECOND))
    assert lanes[Lane.EVENT].values.tolist() == [4.0]
    assert lanes[Lane.DATA].values.tolist() == [3.0]


def test_what_crosses_whole_keeps_its_columns_times_and_origin() -> None:
    given = batch([1.0, 2.0], [0, 3], origin=Origin.INTEGRITY, source_ns=[START - 5, START - 9])
    [(_, out)] = gate(point("ia"), point("ib")).pass_(given, START + 1)
    assert out.values is given.values
    assert out.quality is given.quality
    assert out.source_ns is given.source_ns
    assert (out.origin, out.received_ns) == (Origin.INTEGRITY, START)


def test_what_was_emitted_is_never_modified() -> None:
    given = batch([1.26, 2.74])
    held = gate(point("ia"), point("ib"), limits=Limits(min_interval_s=60, quantize=0.5))
    held.pass_(given, START)
    assert given.values.tolist() == [1.26, 2.74]
    assert given.index.tolist() == [0, 1]


def test_status_and_events_travel_in_their_own_lane() -> None:
    points = [point("ia"), point("cb", Kind.STATUS), point("trip", Kind.EVENT), point("ib")]
    lanes = dict(gate(*points).pass_(batch([1.0, 2.0, 3.0, 4.0]), START))
    assert lanes[Lane.EVENT].index.tolist() == [1, 2]
    assert lanes[Lane.DATA].values.tolist() == [1.0, 4.0]


def test_a_batch_of_one_lane_is_not_split() -> None:
    held = gate(point("ia"), point("cb", Kind.STATUS))
    assert [lane for lane, _ in held.pass_(batch([2.0], index=[1]), START)] == [Lane.EVENT]
    assert [lane for lane, _ in held.pass_(batch([2.0], index=[0]), START)] == [Lane.DATA]


def test_a_sample_of_another_type_than_its_point_does_not_cross() -> None:
    held = gate(point("ia"), limits=Limits(quantize=0.5))
    given = batch(["412.318"], value_type=ValueType.TEXT)
    assert held.pass_(given, START) == []
    assert held.withheld == 1


def test_a_sample_of_the_type_of_another_point_does_not_cross_either() -> None:
    types = {"f3": [ValueType.F64, ValueType.U64]}
    points = [device(point("ia"), point("n"))]
    held = compile_gates(policy(allow()), points, types)["analytics"]
    assert held.pass_(batch([412.318], index=[1]), START) == []
    assert held.withheld == 1


def test_points_of_several_types_and_devices_share_one_numbering() -> None:
    devices = [device(point("ia"), point("n"), name="f3"), device(point("x"), name="f4")]
    types = {"f3": [ValueType.F64, ValueType.U64], "f4": [ValueType.F64]}
    held = compile_gates(policy(allow()), devices, types)["analytics"]
    assert list(held.crossing) == [(0, 0), (0, 1), (1, 0)]
    assert (held.crossing[-1], held.crossing[1:]) == ((1, 0), [(0, 1), (1, 0)])
    [(_, out)] = held.pass_(batch([7], index=[1], value_type=ValueType.U64), START)
    assert out.index.tolist() == [1]


def test_devices_of_one_kind_have_one_table_and_numbers_of_their_own() -> None:
    devices = [device(point("ia"), point("ib"), name=name) for name in ("f3", "f4")]
    types = dict.fromkeys(("f3", "f4"), [ValueType.F64] * 2)
    held = compile_gates(policy(allow()), devices, types)["analytics"]
    one, other = (held.parts[name, ValueType.F64] for name in types)
    assert one.slots is other.slots
    numbers = [part.numbers_of(np.array([1, 0], np.int32)) for part in (one, other)]
    assert [found.tolist() for found in numbers] == [[1, 0], [3, 2]]
    assert {found.dtype for found in numbers} == {np.dtype(np.int32)}


def test_data_under_test_is_dropped_and_counted_unless_the_policy_passes_it() -> None:
    given = batch([1.0, 2.0], [0, Quality.TEST])
    held = gate(point("ia"), point("ib"))
    [(_, out)] = held.pass_(given, START)
    assert (out.values.tolist(), held.under_test) == ([1.0], 1)
    passing = gate(point("ia"), point("ib"), test=UnderTest.PASS)
    [(_, out)] = passing.pass_(given, START)
    assert (out.values.tolist(), passing.under_test) == ([1.0, 2.0], 0)


def test_a_sample_under_test_is_dropped_between_columns_that_are_clean() -> None:
    held = gate(point("ia"), point("ib"))
    clean, marked = batch([1.0, 2.0]), batch([3.0, 4.0], [0, Quality.TEST])
    passed = [held.pass_(given, START) for given in (clean, marked, clean, marked)]
    assert [len(out) for ((_, out),) in passed] == [2, 1, 2, 1]
    assert held.under_test == 2


def test_each_batch_is_numbered_by_its_own_points() -> None:
    held = gate(point("z1", tags=HIDDEN), point("ia"), point("ib"), rules=[allow(), NO_FEEDERS])
    one, other = batch([1.0], index=[1]), batch([2.0], index=[2])
    passed = [held.pass_(given, START) for given in (one, other, one, one)]
    assert [out.index.tolist() for ((_, out),) in passed] == [[0], [1], [0], [0]]


def test_a_device_under_test_is_silent() -> None:
    held = gate(point("ia"), limits=Limits(min_interval_s=1))
    assert held.pass_(batch([1.0], Quality.TEST | Quality.INVALID), START) == []
    assert held.release(START + 5 * SECOND) == []


def test_strips_are_told_per_crossing_point() -> None:
    strip = frozenset({Strip.NAME})
    rules = [allow(), allow("nameless", Limits(strip=strip), kind=frozenset({Kind.STATUS}))]
    held = gate(point("ia"), point("cb", Kind.STATUS), rules=rules)
    assert list(held.crossing.strips()) == [frozenset(), strip]


def test_steps_differ_from_point_to_point() -> None:
    rules = [allow(), allow("coarse", Limits(quantize=0.5), point=("f3/ib",))]
    [(_, out)] = gate(point("ia"), point("ib"), rules=rules).pass_(batch([1.26, 1.26]), START)
    assert out.values.tolist() == [1.26, 1.5]


def test_a_lost_point_is_quantised_like_a_living_one() -> None:
    lost = batch([412.318], Quality.INVALID | Quality.COMM_LOST, source_ns=[START - SECOND])
    [(_, out)] = gate(point("ia"), limits=Limits(quantize=0.5)).pass_(lost, START)
    assert out.values.tolist() == [412.5]
    assert out.quality.tolist() == [Quality.INVALID | Quality.COMM_LOST]


def test_integer_points_are_quantised_exactly() -> None:
    held = gate(point("wh", Kind.COUNTER), limits=Limits(quantize=10), value_type=ValueType.I64)
    [(_, out)] = held.pass_(batch([2**60 + 3], value_type=ValueType.I64), START)
    assert out.values.tolist() == [1_152_921_504_606_846_980]


def test_a_text_is_withheld_where_a_step_is_asked_of_it() -> None:
    held = gate(point("ia"), limits=Limits(quantize=10), value_type=ValueType.TEXT)
    assert held.pass_(batch(["412"], value_type=ValueType.TEXT), START) == []


def test_only_the_kinds_of_a_limit_are_limited() -> None:
    points = [point("ia"), point("cb", Kind.STATUS)]
    held = gate(*points, limits=Limits(min_interval_s=60))
    for second in range(3):
        out = dict(held.pass_(batch([1.0, 2.0], origin=Origin.EVENT), START + second * SECOND))
        assert Lane.EVENT in out
        assert (Lane.DATA in out) is (second == 0)


def test_two_gates_of_one_policy_keep_their_own_state() -> None:
    slow = conduit("vendor", limits=Limits(min_interval_s=60))
    held = policy(allow(), conduits=[conduit(), slow])
    gates = compile_gates(held, [device(point())], {"f3": [ValueType.F64]})
    for second in range(5):
        given = batch([float(second)])
        assert len(gates["analytics"].pass_(given, START + second * SECOND)) == 1
        assert len(gates["vendor"].pass_(given, START + second * SECOND)) == (second == 0)
    assert gates["vendor"].suppressed == 3


def test_what_a_limit_suppresses_of_a_latched_point_is_counted() -> None:
    points = [point("trip", latch=True), point("ib")]
    held = gate(*points, limits=Limits(min_interval_s=60))
    for second in range(5):
        held.pass_(batch([float(second), float(second)]), START + second * SECOND)
    assert (held.suppressed, held.latched_suppressed) == (6, 3)


def test_where_nothing_latches_nothing_latched_is_suppressed() -> None:
    held = gate(point("ia"), limits=Limits(min_interval_s=60))
    for second in range(5):
        held.pass_(batch([float(second)]), START + second * SECOND)
    assert (held.suppressed, held.latched_suppressed) == (3, 0)


@pytest.mark.parametrize("sensitivity", [Sensitivity.RESTRICTED, Sensitivity.BCSI])
def test_what_is_above_the_ceiling_has_no_column(sensitivity: Sensitivity) -> None:
    held = gate(point("ia", sensitivity=sensitivity), point("ib"))
    [(_, out)] = held.pass_(batch([66.6, 2.0]), START)
    assert out.values.tolist() == [2.0]


def test_the_index_column_is_what_a_spool_stores() -> None:
    [(_, out)] = gate(point("ia")).pass_(batch([1.0]), START)
    assert out.index.dtype == np.int32


def test_rounding_leaves_the_batch_that_was_given_as_it_was() -> None:
    given = batch([1.2, 1.4])
    values = given.values
    [(_, out)] = gate(point("ia"), point("ib"), limits=Limits(quantize=0.5)).pass_(given, START)
    assert out.values.tolist() == [1.0, 1.5]
    assert given.values is values
    assert values.tolist() == [1.2, 1.4]


def test_the_same_points_again_are_numbered_by_the_same_array() -> None:
    held, again = gate(point("ia"), point("ib")), batch([1.0, 2.0])
    first, second = (held.pass_(again, START + number * SECOND) for number in range(2))
    assert first[0][1].index is second[0][1].index


def test_a_gate_says_whether_it_may_hold_samples_back() -> None:
    assert gate(point(), limits=Limits(min_interval_s=5)).holds
    assert not gate(point(), limits=Limits(quantize=1)).holds


def test_a_gate_says_of_a_point_whether_it_has_a_column() -> None:
    held = gate(point("ia"), point("ib"), rules=[allow(point=("f3/ia",))])
    assert held.carries("f3", ValueType.F64, 0)
    assert not held.carries("f3", ValueType.F64, 1)
    assert not held.carries("f3", ValueType.I64, 0)
    assert not held.carries("f4", ValueType.F64, 0)


def test_a_gate_says_of_a_point_whether_it_keeps_a_sample_back() -> None:
    held = gate(point("ia"), point("ib"), limits=Limits(min_interval_s=60))
    assert not held.keeps_back("f3", ValueType.F64, 0)
    for second in (0, 1):
        held.pass_(
            batch([float(second)], received_ns=START + second * SECOND), START + second * SECOND
        )
    assert held.keeps_back("f3", ValueType.F64, 0)
    assert not held.keeps_back("f3", ValueType.F64, 1)
    held.release(START + 60 * SECOND)
    assert not held.keeps_back("f3", ValueType.F64, 0)


def test_of_a_denied_point_nothing_is_kept_back_beside_one_of_which_something_is() -> None:
    points = [point("z1", tags=HIDDEN), point("ia")]
    held = gate(*points, rules=[allow(limits=Limits(min_interval_s=60)), NO_FEEDERS])
    for value in (1.0, 2.0):
        held.pass_(batch([value], index=[1]), START)
    assert held.keeps_back("f3", ValueType.F64, 1)
    assert not held.keeps_back("f3", ValueType.F64, 0)


def test_steps_are_told_by_catalog_number() -> None:
    points = [point("ia"), point("cb", kind=Kind.STATUS), point("z1", tags=HIDDEN), point("ib")]
    coarse = allow(point=("f3/ib",), limits=Limits(quantize=2))
    rules = [allow(limits=Limits(quantize=0.5)), coarse, NO_FEEDERS]
    held = gate(*points, rules=rules)
    assert list(held.crossing.steps()) == [0.5, 0.0, 2.0]


def test_a_gate_without_intervals_keeps_nothing_back() -> None:
    held = gate(point("ia"))
    assert not held.keeps_back("f3", ValueType.F64, 0)
    assert not held.keeps_back("f9", ValueType.F64, 0)
