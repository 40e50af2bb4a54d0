import math
from typing import Any

import pytest

from calculating import BOOL, F64, I64, U64, Little, value_of
from otgate.model import Clock, Origin
from otgate.quality import Quality

GOOD, QUESTIONABLE, INVALID = Quality.GOOD, Quality.QUESTIONABLE, Quality.INVALID
OVERFLOW = INVALID | Quality.OVERFLOW | Quality.NO_VALUE
UNREAD = INVALID | Quality.NOT_YET_READ | Quality.NO_VALUE
LOST = INVALID | Quality.COMM_LOST
BIG = 1 << 62


@pytest.mark.parametrize(
    ("text", "points", "value"),
    [
        ("d/a + d/b * 2", {"a": 1.5, "b": 3}, 7.5),
        ("d/a - d/b", {"a": 5, "b": 7}, -2),
        ("d/a / d/b", {"a": 7, "b": 2}, 3.5),
        ("d/a ^ 3", {"a": -2}, -8),
        ("d/a ^ 2", {"a": 372.1}, 372.1 * 372.1),
        ("-d/a", {"a": 3}, -3),
        ("abs(d/a)", {"a": -2.5}, 2.5),
        ("sqrt(d/a ^ 2 + d/b ^ 2)", {"a": 3.0, "b": 4.0}, 5.0),
        ("min(d/a, d/b, 2)", {"a": 3, "b": 4}, 2),
        ("max(d/a, d/b)", {"a": 3.5, "b": 4}, 4.0),
        ("mean(d/a, d/b)", {"a": 3, "b": 4}, 3.5),
        ("mean(d/a, d/a, d/a)", {"a": 0.1}, 0.1),
        ("sum(d/a, d/b, 1)", {"a": 3, "b": 4}, 8),
        ("d/a > 2 and not d/b", {"a": 3, "b": False}, True),
        ("d/a == d/b", {"a": 3, "b": 3.0}, True),
        ("d/a != 'auto'", {"a": "manual"}, True),
        ("if(d/c, d/a, d/b)", {"c": False, "a": 1, "b": 2}, 2),
        ("valid(d/a)", {"a": 1.0}, True),
        ("d/a + d/b", {"a": BIG - 1, "b": BIG}, 2 * BIG - 1),
        ("d/a + d/b", {"a": -BIG, "b": -BIG}, -2 * BIG),
        ("d/a * 3", {"a": (1 << 53) + 1}, 3 * ((1 << 53) + 1)),
    ],
)
def test_what_is_calculated_is_exact_and_good(
    text: str, points: dict[str, Any], value: object
) -> None:
    assert value_of(text, **points) == (value, GOOD)


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("d/a / d/b", {"a": 1.0, "b": 0.0}),
        ("d/a / d/b", {"a": 0, "b": 0}),
        ("d/a + d/b", {"a": BIG, "b": BIG}),
        ("d/a - d/b", {"a": -BIG - 1, "b": BIG}),
        ("d/a * d/a", {"a": 1 << 32}),
        ("-d/a", {"a": -(1 << 63)}),
        ("abs(d/a)", {"a": -(1 << 63)}),
        ("d/a * 1e300", {"a": 1e300}),
        ("sqrt(d/a)", {"a": -1.0}),
        ("d/a ^ 8", {"a": 1e60}),
        ("5 / (1 / d/a)", {"a": 0.0}),
        ("1 / d/a > 3", {"a": 0.0}),
    ],
)
def test_what_cannot_be_said_is_overflow_without_a_value(text: str, points: dict[str, Any]) -> None:
    assert value_of(text, **points) == (None, OVERFLOW)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("text", ["d/a + 1", "d/a > 1", "not d/a > 1", "min(d/a, 1)"])
def test_what_is_no_number_is_no_value_whatever_is_asked_of_it(text: str, value: float) -> None:
    assert value_of(text, a=value) == (None, INVALID | Quality.NO_VALUE)


def test_quality_is_the_worst_of_what_was_used() -> None:
    doubtful, lost = (1.0, QUESTIONABLE | Quality.OLD_DATA), (2.0, LOST)
    assert value_of("d/a + d/b", a=doubtful, b=lost) == (3.0, LOST | Quality.OLD_DATA)
    assert value_of("if(d/c, d/a, d/b)", c=True, a=1.0, b=lost) == (1.0, GOOD)
    assert value_of("if(d/c, d/a, d/b)", c=False, a=1.0, b=lost) == (2.0, LOST)
    assert value_of("if(d/c, d/a, d/b)", c=(True, QUESTIONABLE), a=1.0, b=2.0)[1] == QUESTIONABLE


def test_the_right_of_and_and_or_counts_where_it_is_looked_at() -> None:
    lost = (True, LOST)
    assert value_of("d/a and d/b", a=False, b=lost) == (False, GOOD)
    assert value_of("d/a and d/b", a=True, b=lost) == (True, LOST)
    assert value_of("d/a or d/b", a=True, b=lost) == (True, GOOD)
    assert value_of("d/a or d/b", a=False, b=lost) == (True, LOST)


def test_nothing_is_calculated_from_no_value() -> None:
    none = (0.0, INVALID | Quality.NO_VALUE)
    for text in ("d/a + 1", "d/a / 0", "d/a > 5", "mean(d/a, 3)", "abs(d/a)", "d/a ^ 2"):
        assert value_of(text, a=none) == (None, INVALID | Quality.NO_VALUE)


def test_valid_chooses_the_measurement_that_is_left() -> None:
    text = "if(valid(d/a), d/a, d/b)"
    assert value_of(text, a=(7.0, LOST), b=8.0) == (8.0, GOOD)
    assert value_of(text, a=(7.0, QUESTIONABLE), b=8.0) == (7.0, QUESTIONABLE)
    assert value_of("valid(d/a)", a=(0.0, INVALID | Quality.NO_VALUE)) == (False, GOOD)


def test_a_point_that_was_never_read_is_said_to_be_so() -> None:
    little = Little({"d/a": F64, "e/b": F64}, {"x": "d/a + e/b"})
    little.read(1, a=1.0)
    assert little.last("x") == (None, UNREAD)


def test_points_of_other_devices_count_with_their_last_value() -> None:
    little = Little({"d/a": F64, "e/b": F64}, {"x": "d/a + e/b"})
    little.take(little.batch("e", [("b", 10.0, GOOD, None)], 1))
    little.keep(little.engine.flush("e", 1))
    little.read(2, a=1.0)
    little.read(3, a=2.0)
    assert little.values("x")[1:] == [11.0, 12.0]


def test_a_scan_is_calculated_once_and_whole() -> None:
    little = Little({"d/a": F64, "d/on": BOOL}, {"x": "if(d/on, d/a, 0)"})
    little.read(1, a=1.0, on=True)
    little.read(2, a=2.0, on=False)
    assert little.values("x") == [1.0, 0.0]


def test_a_pulse_within_one_batch_of_events_is_not_lost() -> None:
    little = Little({"d/a": BOOL, "d/b": BOOL}, {"x": "d/a or d/b"})
    little.read(1, a=False, b=False)
    little.events(5, ("a", True, 2.0), ("b", True, 2.5), ("a", False, 3.0), ("b", False, 3.5))
    assert little.got["x"][1:] == [
        (True, GOOD, 2.0), (True, GOOD, 2.5), (True, GOOD, 3.0), (False, GOOD, 3.5)
    ]  # fmt: skip


def test_events_are_taken_in_the_order_of_their_times() -> None:
    little = Little({"d/a": I64}, {"x": "d/a * 10"})
    little.events(5, ("a", 3, 3.0), ("a", 1, 1.0), ("a", 2, 2.0))
    assert little.got["x"] == [(10, GOOD, 1.0), (20, GOOD, 2.0), (30, GOOD, 3.0)]


def test_events_of_one_moment_and_point_all_count() -> None:
    little = Little({"d/a": BOOL}, {"x": "not d/a"})
    little.events(5, ("a", True, 1.0), ("a", False, 1.0))
    assert little.values("x") == [False, True]


def test_the_time_is_the_newest_of_its_inputs_and_by_whose_clock() -> None:
    little = Little({"d/a": F64, "e/b": F64}, {"x": "d/a + e/b", "y": "d/a"})
    little.read(9, a=1.0)
    assert little.batches[-1].source_ns is None
    little.events(11, ("b", 2.0, 10.5), device="e")
    assert little.got["x"][-1] == (3.0, GOOD, 10.5)
    assert little.batches[-1].clock is Clock.DEVICE
    little.read(12, a=1.0)
    assert little.batches[-1].clock is Clock.GATEWAY


def test_results_by_two_clocks_go_apart() -> None:
    little = Little({"d/a": F64, "e/b": F64}, {"x": "d/a", "y": "max(d/a, e/b)"})
    little.events(20, ("b", 2.0, 19.0), device="e")
    little.read(10, a=1.0)
    assert [(batch.clock, batch.index.tolist()) for batch in little.batches[-2:]] == [
        (Clock.GATEWAY, [0]), (Clock.DEVICE, [1])
    ]  # fmt: skip


def test_a_formula_follows_from_formulas() -> None:
    little = Little({"d/a": I64}, {"z": "d/a", "y": "c/z + 1", "x": "c/y * c/z"})
    little.read(1, a=4)
    assert (little.values("y"), little.values("x")) == ([5], [20])


def test_what_the_gateway_finds_passes_through() -> None:
    little = Little({"d/a": F64}, {"x": "d/a * 2", "y": "if(valid(d/a), d/a, -1)"})
    little.read(1, a=4.0)
    little.mark(9, LOST, "a")
    assert little.got["x"][-1] == (8.0, LOST, 1.0)
    assert little.last("y") == (-1.0, GOOD)
    little.mark(10, LOST, "a")
    assert len(little.got["x"]) == 2
    little.read(11, a=5.0)
    assert little.last("x") == (10.0, GOOD)


def test_a_mark_does_not_give_back_a_value_that_was_no_number() -> None:
    little = Little({"d/a": F64}, {"x": "d/a * 2"})
    little.read(1, a=math.nan)
    little.mark(2, QUESTIONABLE | Quality.STALE, "a")
    assert little.last("x") == (None, INVALID | Quality.NO_VALUE | Quality.STALE)


def test_a_device_under_test_makes_its_calculations_test() -> None:
    little = Little({"d/a": F64}, {"x": "d/a * 2"}, maintenance=True)
    little.read(1, a=4.0)
    assert little.last("x") == (8.0, Quality.TEST)


def test_an_unsigned_value_beyond_63_bits_has_no_value() -> None:
    little = Little({"d/a": U64}, {"x": "d/a + 1"})
    little.read(1, a=(1 << 63) - 2)
    assert little.last("x") == ((1 << 63) - 1, GOOD)
    little.read(2, a=1 << 63)
    assert little.last("x") == (None, OVERFLOW)


def test_a_point_that_comes_as_another_type_has_no_value() -> None:
    little = Little({"d/a": F64}, {"x": "d/a"})
    little.types["d"]["a"] = I64
    little.read(1, a=4)
    assert little.last("x") == (None, INVALID | Quality.NO_VALUE | Quality.INCONSISTENT)


def test_points_that_take_no_part_cost_nothing_and_change_nothing() -> None:
    little = Little({"d/a": F64, "d/b": F64, "e/q": F64}, {"x": "d/a"})
    little.read(1, b=4.0)
    little.take(little.batch("e", [("q", 1.0, GOOD, None)], 1))
    assert not little.engine.flush("e", 1)
    assert not little.batches


def test_a_session_that_makes_new_columns_for_ever_costs_no_memory() -> None:
    little = Little({"d/a": F64}, {"x": "d/a"})
    for second in range(3000):
        little.read(second, a=float(second))
    little.read(3001, Origin.INTEGRITY, a=1.0)
    assert len(little.engine._inlets) <= 1024
    assert len(little.engine._plans) <= 1024


def test_formulas_of_one_shape_are_calculated_together() -> None:
    points = {f"d/p{n}": F64 for n in range(20)}
    little = Little(points, {f"x{n}": f"d/p{n} * {n} + 1" for n in range(20)})
    assert len(little.engine._graph._programs) == 1
    little.read(1, **{f"p{n}": 2.0 for n in range(20)})
    assert [little.last(f"x{n}")[0] for n in range(20)] == [2.0 * n + 1 for n in range(20)]
