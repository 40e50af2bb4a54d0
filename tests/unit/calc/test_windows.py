import pytest

from calculating import BOOL, F64, I64, Little, window
from otgate.calc.engine import Engine
from otgate.calc.panes import Aggregate
from otgate.model import Origin, ValueType
from otgate.quality import Quality

GOOD, QUESTIONABLE, INVALID = Quality.GOOD, Quality.QUESTIONABLE, Quality.INVALID
LOST = INVALID | Quality.COMM_LOST
CUT = QUESTIONABLE | Quality.RESTART
PARTLY = QUESTIONABLE | Quality.INACCURATE
ALL = [str(one) for one in Aggregate]


def followed(kind: ValueType = F64, *, now_s: float = 0.0, **more: float) -> Little:
    """Return every aggregate of one point, in windows of 10 s unless told otherwise."""
    names = [name for name in ALL if kind is not BOOL or name not in {"min", "max"}]
    return Little(
        {"d/a": kind}, {name: window("d/a", kind, name, **more) for name in names}, now_s=now_s
    )


def run(little: Little, until_s: int, value: float = 5.0, start_s: int = 0) -> None:
    """Read a value each second and look at the clock."""
    for second in range(start_s, until_s + 1):
        little.tick(second)
        little.read(second, a=value)


def said(little: Little) -> dict[str, object]:
    return {name: little.last(name)[0] for name in little.ids}


def test_a_window_says_what_stood_in_it() -> None:
    little = followed()
    for second in range(10):
        little.read(second, a=float(second))
    little.tick(10)
    assert said(little) == {
        "min": 0.0, "mean": 4.5, "max": 9.0, "last": 9.0, "count": 10, "good_share": 1.0, "late": 0
    }  # fmt: skip
    assert {little.got[name][0][1:] for name in ALL} == {(GOOD, 10.0)}


def test_windows_lie_on_the_grid_of_utc_whenever_they_began() -> None:
    little = followed(now_s=1003.0)
    run(little, 1025, start_s=1003)
    assert [time for _, _, time in little.got["mean"]] == [1010.0, 1020.0]


def test_a_value_stands_until_the_next_one() -> None:
    little = followed()
    little.read(0, a=100.0)
    little.events(10, ("a", 50.0, 7.5))
    little.tick(10)
    assert little.values("mean") == [87.5]
    assert (little.values("min"), little.values("max")) == ([50.0], [100.0])


def test_a_quiet_window_says_what_stood_all_along() -> None:
    little = followed()
    little.read(0, a=100.0)
    for second in (5, 10, 15, 20):
        little.tick(second)
    assert little.values("mean") == little.values("min") == [100.0, 100.0]
    assert little.values("count") == [1, 0]
    assert {quality for _, quality, _ in little.got["mean"]} == {GOOD}


def test_a_window_cut_by_a_start_says_so() -> None:
    little = followed(now_s=4.0)
    run(little, 20, start_s=4)
    assert [quality for _, quality, _ in little.got["mean"]] == [CUT | PARTLY, GOOD]
    assert [quality for _, quality, _ in little.got["count"]] == [CUT, GOOD]
    assert little.values("good_share") == [0.6, 1.0]
    assert little.values("count") == [6, 10]


def test_time_without_a_usable_value_is_not_in_the_mean_and_is_told() -> None:
    little = followed()
    little.read(0, a=10.0)
    little.mark(4, LOST, "a")
    little.read(6, a=20.0)
    little.tick(10)
    assert little.last("mean") == (15.0, PARTLY)
    assert little.last("good_share") == (0.8, GOOD)
    assert little.last("count") == (2, GOOD)


def test_a_device_that_is_lost_all_along_leaves_no_value() -> None:
    little = followed()
    little.read(0, a=10.0)
    little.mark(1, LOST, "a")
    for second in (5, 10, 15, 20):
        little.tick(second)
    assert little.last("mean") == (None, LOST | Quality.NO_VALUE)
    assert little.last("max") == (None, LOST | Quality.NO_VALUE)
    assert little.last("last") == (10.0, LOST)
    assert little.values("good_share") == [0.1, 0.0]


def test_a_point_that_was_never_read_leaves_no_value() -> None:
    little = followed()
    little.tick(5)
    little.tick(10)
    unread = INVALID | Quality.NOT_YET_READ | Quality.NO_VALUE
    assert little.last("mean") == little.last("last") == (None, unread)
    assert little.last("count") == (0, GOOD)


def test_questionable_values_are_used_and_leave_their_mark() -> None:
    little = followed()
    little.read(0, a=10.0)
    little.read(5, a=(20.0, QUESTIONABLE | Quality.OLD_DATA))
    little.tick(10)
    assert little.last("mean") == (15.0, QUESTIONABLE | Quality.OLD_DATA)
    assert little.last("good_share") == (0.5, GOOD)


def test_a_late_sample_is_counted_and_not_folded_in() -> None:
    little = followed()
    little.events(9.6, ("a", 5.0, 0.0), ("a", 5.0, 9.5))
    little.tick(10)
    little.events(12, ("a", 99.0, 9.0))
    little.tick(20)
    assert little.values("max") == little.values("mean") == [5.0, 5.0]
    assert little.values("late") == [0, 1]
    assert little.values("count") == [2, 0]


def test_a_window_waits_for_what_comes_within_its_grace() -> None:
    little = followed(grace_s=3.0)
    run(little, 11)
    little.events(12, ("a", 99.0, 9.0))
    little.tick(12)
    assert not little.got["max"]
    little.tick(13)
    assert little.got["max"] == [(99.0, GOOD, 10.0)]
    assert little.values("mean") == [5.0]


def test_an_event_that_is_older_counts_and_does_not_stand() -> None:
    little = followed()
    little.events(1, ("a", 10.0, 0.0))
    little.events(6, ("a", 20.0, 5.0))
    little.events(7, ("a", 40.0, 3.0))
    little.tick(10)
    assert (little.values("mean"), little.values("max")) == ([15.0], [40.0])
    assert little.values("last") == [20.0]
    assert little.values("count") == [3]


def test_what_is_read_now_stands_whatever_its_time() -> None:
    little = followed()
    little.events(1, ("a", 10.0, 1.0))
    little.take(little.batch("d", [("a", 30.0, GOOD, 0.5)], 5, Origin.INTEGRITY))
    little.tick(10)
    assert little.values("last") == [30.0]


def test_a_device_whose_clock_is_ahead_counts_as_late_and_stands_from_now() -> None:
    little = followed()
    little.read(0, a=10.0)
    little.events(5, ("a", 20.0, 1e6))
    little.events(6, ("a", 20.0, 1e6 + 1))
    little.tick(10)
    assert little.values("mean") == [15.0]
    assert (little.values("count"), little.values("late")) == ([1], [2])


def test_every_event_of_a_batch_counts_where_it_belongs() -> None:
    little = followed(grace_s=5.0)
    samples = [("a", float(n), float(n)) for n in range(20)]
    little.tick(8)
    little.events(14, *samples[:15])
    little.tick(15)
    little.events(20, *samples[15:])
    little.tick(25)
    assert little.values("count") == [10, 10]
    assert little.values("mean") == [4.5, 14.5]
    assert little.values("max") == [9.0, 19.0]


def test_whole_numbers_stay_exact() -> None:
    big = (1 << 53) + 1
    little = followed(I64)
    little.read(0, a=big)
    little.read(5, a=big + 2)
    little.tick(10)
    assert (little.values("min"), little.values("max")) == ([big], [big + 2])
    assert little.values("last") == [big + 2]


def test_a_truth_has_a_share_of_the_time() -> None:
    little = followed(BOOL)
    little.read(0, a=True)
    little.read(2, a=False)
    little.tick(10)
    assert little.last("mean") == (0.2, GOOD)
    assert little.last("last") == (False, GOOD)


@pytest.mark.parametrize("value", [0.1, 412.3, 1e9 + 0.7, -0.3])
def test_the_mean_of_one_value_is_that_value(value: float) -> None:
    little = followed()
    run(little, 10, value)
    assert little.values("mean") == [value]


def test_a_sliding_window_says_the_same_of_more() -> None:
    little = followed(over_s=30.0)
    for second in range(41):
        little.tick(second)
        little.read(second, a=float(second // 10))
    assert little.values("max") == [0.0, 1.0, 2.0, 3.0]
    assert little.values("mean") == [0.0, 0.5, 1.0, 2.0]
    assert little.values("count") == [10, 20, 30, 30]
    assert [bool(quality & CUT) for _, quality, _ in little.got["mean"]] == [
        True,
        True,
        False,
        False,
    ]


def test_a_clock_that_is_set_back_cuts_the_window_and_goes_on() -> None:
    little = followed(now_s=1000.0)
    run(little, 1015, start_s=1000)
    little.tick(505)
    run(little, 520, start_s=506)
    assert [time for _, _, time in little.got["mean"]] == [1010.0, 1020.0, 510.0, 520.0]
    assert [bool(q & QUESTIONABLE) for _, q, _ in little.got["mean"]] == [False, True, True, False]


def test_a_clock_that_is_set_ahead_makes_up_no_windows() -> None:
    little = followed()
    run(little, 15)
    little.tick(1e9 + 5)
    run(little, int(1e9) + 20, start_s=int(1e9) + 6)
    times = [time for _, _, time in little.got["mean"]]
    assert times == [10.0, 20.0, 1e9 + 10, 1e9 + 20]
    assert little.values("good_share") == [1.0, 0.5, 0.5, 1.0]


def test_what_comes_before_a_clock_is_looked_at_that_was_set_is_bounded_work() -> None:
    little = followed(every_s=1.0)
    run(little, 3)
    little.read(int(1e9), a=7.0)
    little.mark(int(1e9) + 1, LOST, "a")
    assert len(little.engine._feeds.groups) == 1
    (group,) = little.engine._feeds.groups.values()
    assert len(group.windows.open) <= 12
    little.tick(int(1e9) + 1)
    assert len(little.got["mean"]) <= 16


def test_windows_over_a_formula_follow_its_results() -> None:
    little = Little(
        {"d/a": F64, "d/b": F64},
        {
            "sum": "d/a + d/b",
            "mean": window("c/sum", F64, "mean"),
            "g": window("c/sum", F64, "good_share"),
        },
    )
    little.read(0, a=1.0, b=2.0)
    little.read(5, a=3.0, b=4.0)
    little.mark(8, LOST, "b")
    little.tick(10)
    assert little.last("mean") == ((3.0 * 5 + 7.0 * 3) / 8, PARTLY)
    assert little.last("g") == (0.8, GOOD)


def test_a_formula_follows_from_windows() -> None:
    little = Little(
        {"d/a": F64},
        {
            "high": window("d/a", F64, "max"),
            "low": window("d/a", F64, "min"),
            "range": "c/high - c/low",
        },
    )
    little.read(0, a=1.0)
    little.read(5, a=3.0)
    little.tick(10)
    assert little.got["range"] == [(2.0, GOOD, 10.0)]


def test_what_is_unchanged_goes_on_where_it_stood() -> None:
    little = followed()
    run(little, 6)
    after = followed(now_s=6.0)
    after.engine.inherit(little.engine, {"d"})
    run(after, 10, start_s=7)
    assert after.last("mean") == (5.0, GOOD)
    assert after.last("count") == (10, GOOD)


def test_what_follows_from_a_device_that_was_begun_anew_begins_anew() -> None:
    little = followed()
    run(little, 6)
    after = followed(now_s=6.0)
    after.engine.inherit(little.engine, set())
    run(after, 10, start_s=7)
    assert after.last("count") == (3, CUT)


def test_a_formula_that_changed_forgets_and_its_neighbour_does_not() -> None:
    points = {"d/a": F64, "d/b": F64}
    windows = {"m": window("c/x", F64, "mean"), "n": window("c/y", F64, "mean")}
    little = Little(points, {"x": "d/a + 1", "y": "d/b + 1", **windows})
    little.read(0, a=1.0, b=1.0)
    after = Little(points, {"x": "d/a + 2", "y": "d/b + 1", **windows}, now_s=4.0)
    after.engine.inherit(little.engine, {"d"})
    after.read(4, a=1.0, b=1.0)
    after.tick(10)
    assert after.last("n") == (2.0, GOOD)
    assert after.last("m") == (3.0, CUT | PARTLY)


def test_values_that_stood_before_a_reload_are_known_after_it() -> None:
    points = {"d/a": F64, "e/b": F64}
    little = Little(points, {"x": "d/a + e/b"})
    little.read(1, a=1.0)
    after = Little(points, {"x": "d/a + e/b"})
    after.engine.inherit(little.engine, {"d", "e"})
    after.take(after.batch("e", [("b", 2.0, GOOD, None)], 2))
    after.keep(after.engine.flush("e", 2))
    assert after.last("x") == (3.0, GOOD)


def test_an_engine_of_nothing_does_nothing() -> None:
    little = Little({"d/a": F64}, {})
    engine = Engine(little.devices, 0)
    assert not engine.take(little.batch("d", [("a", 1.0, GOOD, None)], 1))
    assert not engine.mark(little.batch("d", [("a", 1.0, LOST, None)], 1))
    assert not engine.flush("d", 1)
    assert not list(engine.tick(10**12))
