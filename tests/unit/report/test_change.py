import math

import numpy as np
import pytest

from otgate.model import Deadband, Kind, Origin, ValueType
from reported import Bench, point

NAN, INF = math.nan, math.inf


def spelled(found: list[tuple[float, int]]) -> list[str]:
    return [str(value) for value, _ in found]


def test_the_first_sample_of_a_point_passes() -> None:
    assert Bench([point(), point()]).poll(0.0, 1.0) == [(0.0, 0), (1.0, 0)]


def test_of_many_points_the_changed_ones_pass() -> None:
    bench = Bench([point()] * 3)
    bench.poll(1.0, 2.0, 3.0)
    assert bench.poll(1.0, 2.5, 3.0) == [(2.5, 0)]
    assert (bench.report.passed, bench.report.suppressed) == (4, 2)


def test_the_same_columns_again_are_no_news() -> None:
    bench = Bench()
    bench.poll(1.0)
    assert bench.again() == []
    assert bench.report.suppressed == 1


def test_equal_columns_that_are_other_objects_are_no_news() -> None:
    bench = Bench()
    bench.poll(1.0)
    assert bench.poll(1.0) == []


def test_a_deadband_is_measured_from_what_was_sent_not_from_what_was_read() -> None:
    bench = Bench([point(deadband=Deadband(1.0))])
    bench.poll(10.0)
    assert bench.poll(10.6) == []
    assert bench.poll(11.2) == [(11.2, 0)]


def test_what_drifts_while_others_are_sent_is_measured_from_its_own_last_sending() -> None:
    bench = Bench([point(deadband=Deadband(1.0))] * 2)
    bench.poll(0.0, 0.0)
    assert bench.poll(5.0, 0.8) == [(5.0, 0)]
    assert bench.poll(9.0, 1.6) == [(9.0, 0), (1.6, 0)]


def test_points_without_a_deadband_are_compared_with_the_reply_before() -> None:
    bench = Bench([point()] * 2)
    bench.poll(0.0, 0.0)
    assert bench.poll(5.0, 0.0) == [(5.0, 0)]
    assert bench.poll(5.0, 1.0) == [(1.0, 0)]
    assert bench.poll(5.0, 1.0) == []


def test_a_change_of_exactly_the_deadband_does_not_pass_however_it_is_rounded() -> None:
    for lower in range(3000):
        bench = Bench([point(deadband=Deadband(0.1))])
        bench.poll(lower / 10)
        assert bench.poll((lower + 1) / 10) == [], lower


def test_a_percent_deadband_is_of_the_engineering_range() -> None:
    bench = Bench([point(deadband=Deadband(1.0, percent=True), eu=(-200.0, 200.0))])
    bench.poll(0.0)
    assert bench.poll(3.9) == []
    assert bench.poll(-4.1) == [(-4.1, 0)]


def test_a_percent_deadband_without_a_range_hides_nothing() -> None:
    bench = Bench([point(deadband=Deadband(1.0, percent=True))])
    bench.poll(0.0)
    assert bench.poll(1e-9) == [(1e-9, 0)]


@pytest.mark.parametrize("band", [None, Deadband(1.0)])
def test_nan_is_reported_when_it_comes_and_when_it_goes(band: Deadband | None) -> None:
    bench = Bench([point(deadband=band)])
    bench.poll(1.0)
    assert spelled(bench.poll(NAN)) == ["nan"]
    assert bench.poll(NAN) == []
    assert bench.poll(1.0) == [(1.0, 0)]


@pytest.mark.parametrize("band", [None, Deadband(1e300)])
def test_infinity_differs_from_every_number_and_from_the_other_infinity(
    band: Deadband | None,
) -> None:
    bench = Bench([point(deadband=band)])
    bench.poll(1.0)
    assert [bench.poll(value) for value in (INF, INF, -INF, 2.0)] == [
        [(INF, 0)],
        [],
        [(-INF, 0)],
        [(2.0, 0)],
    ]


def test_the_ends_of_the_range_do_not_overflow() -> None:
    bench = Bench([point(deadband=Deadband(1.0))])
    bench.poll(1.7e308)
    assert bench.poll(-1.7e308) == [(-1.7e308, 0)]


def test_minus_zero_is_zero() -> None:
    bench = Bench()
    bench.poll(0.0)
    assert bench.poll(-0.0) == []


@pytest.mark.parametrize("value_type", [ValueType.I64, ValueType.U64])
def test_integers_beyond_2_53_are_compared_exactly(value_type: ValueType) -> None:
    bench = Bench([point(kind=Kind.COUNTER)], value_type)
    bench.poll(2**62)
    assert bench.poll(2**62 + 1) == [(2**62 + 1, 0)]
    assert bench.poll(2**62 + 1) == []


def test_a_deadband_on_integers_is_exact_from_end_to_end() -> None:
    bench = Bench([point(deadband=Deadband(2.5))], ValueType.I64)
    bench.poll(-(2**63))
    assert bench.poll(2**63 - 1) == [(2**63 - 1, 0)]
    assert bench.poll(2**63 - 3) == []
    assert bench.poll(2**63 - 4) == [(2**63 - 4, 0)]


def test_a_deadband_on_unsigned_integers_counts_down_as_well() -> None:
    bench = Bench([point(deadband=Deadband(2.0))], ValueType.U64)
    bench.poll(2**64 - 1)
    assert bench.poll(2**64 - 3) == []
    assert bench.poll(2**64 - 4) == [(2**64 - 4, 0)]
    assert bench.poll(0) == [(0, 0)]


def test_a_deadband_never_hides_a_state() -> None:
    bench = Bench([point(kind=Kind.STATUS, deadband=Deadband(5.0))], ValueType.I64)
    bench.poll(1)
    assert bench.poll(2) == [(2, 0)]


@pytest.mark.parametrize(
    ("value_type", "one", "two"),
    [(ValueType.BOOL, True, False), (ValueType.TEXT, "open", "closed"), (ValueType.TEXT, "", "é")],
)
def test_booleans_and_texts_pass_when_they_differ(
    value_type: ValueType, one: object, two: object
) -> None:
    bench = Bench([point(kind=Kind.TEXT)], value_type)
    assert bench.poll(one) == [(one, 0)]
    assert bench.poll(one) == []
    assert bench.poll(two) == [(two, 0)]


def test_other_origins_pass_whole_and_count_as_sent() -> None:
    bench = Bench([point(), point()])
    bench.poll(1.0, 1.0)
    assert bench.emit(Origin.INTEGRITY) == [(1.0, 0), (1.0, 0)]
    assert bench.poll(1.0, 1.0) == []


def test_a_poll_that_contradicts_an_event_passes_even_as_the_same_columns() -> None:
    bench = Bench()
    bench.poll(1.0)
    polled, quality = bench.values, bench.quality
    bench.values = bench.values + 1.0
    bench.emit(Origin.EVENT)
    bench.values, bench.quality = polled, quality
    assert bench.again() == [(1.0, 0)]


def test_of_several_events_of_one_point_the_last_is_what_is_compared() -> None:
    bench = Bench()
    bench.poll(1.0)
    bench.index, one = bench.index.repeat(3), bench.index
    bench.values, bench.quality = np.array([2.0, 3.0, 4.0]), bench.quality.repeat(3)
    assert len(bench.emit(Origin.EVENT)) == 3
    bench.index = one
    assert bench.poll(4.0) == []


def test_a_session_that_makes_new_index_arrays_for_ever_is_compared_all_the_same() -> None:
    bench = Bench()
    for _ in range(2500):
        bench.index = bench.index.copy()
        bench.poll(1.0)
    assert bench.report.passed == 1
    assert len(bench.report._columns) <= 1024
