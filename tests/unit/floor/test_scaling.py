from fractions import Fraction
from math import inf
from typing import Any

import pytest

from modbus_peers import point
from otgate.cell import BadCell
from otgate.scaling import PLAIN, Scaling, no_scale, quotient, scaling_of


def scaled(raw: float, **cells: Any) -> float:
    scaling = scaling_of(point("a", "hr 0", **cells))
    return (raw * scaling.times + scaling.plus) / scaling.over


@pytest.mark.parametrize(
    ("raw", "cells", "value"),
    [
        (372, {"scale": 0.1}, 37.2),
        (3, {"scale": 0.1}, 0.3),
        (57, {"scale": 0.01}, 0.57),
        (7, {"scale": 0.05}, 0.35),
        (123, {"scale": 0.3}, 36.9),
        (-372, {"scale": 0.1}, -37.2),
        (3, {"scale": 10.0}, 30.0),
        (372, {"scale": 0.1, "offset": 0.1}, 37.3),
        (372, {"scale": 0.1, "offset": -40.0}, -2.8),
        (1, {"scale": 1e-9}, 1e-9),
        (1, {"offset": 0.1}, 1.1),
        (20000, {"raw_lo": 0.0, "raw_hi": 32000.0, "eu_lo": 0.0, "eu_hi": 20.0}, 12.5),
        (4, {"raw_lo": 4.0, "raw_hi": 20.0, "eu_lo": -50.0, "eu_hi": 150.0}, -50.0),
        (20, {"raw_lo": 4.0, "raw_hi": 20.0, "eu_lo": -50.0, "eu_hi": 150.0}, 150.0),
        (1, {"raw_lo": 0.0, "raw_hi": 10.0, "eu_lo": 1.0, "eu_hi": 0.0}, 0.9),
    ],
)
def test_a_scaled_value_prints_as_the_decimal_it_is(
    raw: float, cells: dict[str, Any], value: float
) -> None:
    assert scaled(raw, **cells) == value


def test_a_scale_that_is_no_short_decimal_multiplies() -> None:
    third = 0.3333333333333333
    assert scaling_of(point("a", "hr 0", scale=third)) == Scaling(third, 0.0, 1.0)


def test_a_point_without_scale_is_left_as_it_is() -> None:
    assert scaling_of(point("a", "hr 0", eu_lo=0.0, eu_hi=600.0)) == PLAIN
    assert not PLAIN.linear


def test_an_engineering_range_alone_is_not_the_drivers_business() -> None:
    assert scaling_of(point("a", "hr 0", eu_hi=600.0)) == PLAIN


def test_a_raw_range_alone_only_bounds() -> None:
    scaling = scaling_of(point("a", "hr 0", raw_lo=0.0, raw_hi=100.0))
    assert (scaling.linear, scaling.low, scaling.high) == (False, 0.0, 100.0)


def test_a_raw_range_may_run_backwards() -> None:
    scaling = scaling_of(point("a", "hr 0", raw_lo=100.0, raw_hi=0.0, eu_lo=0.0, eu_hi=1.0))
    assert (scaling.low, scaling.high) == (0.0, 100.0)


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("scale", {"scale": 0.0}),
        ("scale", {"scale": inf}),
        ("offset", {"offset": inf}),
        ("raw_hi", {"raw_lo": 1.0}),
        ("raw_lo", {"raw_hi": 1.0}),
        ("eu_hi", {"raw_lo": 0.0, "raw_hi": 1.0, "eu_lo": 1.0}),
        ("raw_hi", {"raw_lo": 1.0, "raw_hi": 1.0}),
        ("eu_hi", {"raw_lo": 0.0, "raw_hi": 1.0, "eu_lo": 1.0, "eu_hi": 1.0}),
        ("scale", {"raw_lo": 0.0, "raw_hi": 1.0, "eu_lo": 0.0, "eu_hi": 1.0, "scale": 2.0}),
    ],
)
def test_a_scale_that_leaves_no_value_is_refused(column: str, cells: dict[str, Any]) -> None:
    with pytest.raises(BadCell) as bad:
        scaling_of(point("a", "hr 0", **cells))
    assert (bad.value.code, bad.value.column) == ("bad-scale", column)


def test_a_driver_that_reads_no_scale_factors_refuses_one() -> None:
    with pytest.raises(BadCell, match="no scale factors") as refused:
        scaling_of(point("a", "ai 0", sf="ai 1"))
    assert refused.value.column == "sf"
    assert scaling_of(point("a", "hr 0", sf="hr 1"), ("sf",)) == PLAIN


def test_a_driver_that_counts_no_rollovers_refuses_one() -> None:
    with pytest.raises(BadCell, match="no rollovers") as refused:
        scaling_of(point("a", "ctr 0", rollover="2^32"), ("sf",))
    assert refused.value.column == "rollover"


@pytest.mark.parametrize(
    ("cells", "raw", "value"),
    [
        ({"ratio": 80.0}, 4.125, 330.0),
        ({"ratio": 80.0, "scale": 0.001}, 4123, 329.84),
        ({"ratio": 400 / 3, "scale": 0.001}, 4500, 600.0),
        ({"ratio": 0.1, "scale": 0.1, "offset": -40.0}, 372, -36.28),
        ({"ratio": 133.33}, 3, 399.99),
        ({"ratio": 0.3333331}, 10, 3.333331),
    ],
)
def test_a_ratio_multiplies_the_scale(cells: dict[str, float], raw: float, value: float) -> None:
    scaling = scaling_of(point("a", "hr 0", **cells))
    assert (raw * scaling.times + scaling.plus) / scaling.over == value


def test_a_ratio_is_the_quotient_that_it_was_written_as() -> None:
    assert quotient(400 / 3) == Fraction(400, 3)
    assert quotient(11000 / 110) == 100
    assert quotient(133.33) == Fraction("133.33")


def test_a_ratio_beside_ranges_is_ambiguous() -> None:
    ranges = {"raw_lo": 0.0, "raw_hi": 4000.0, "eu_lo": 0.0, "eu_hi": 5.0}
    with pytest.raises(BadCell, match="a ratio beside") as bad:
        scaling_of(point("a", "hr 0", ratio=80.0, **ranges))
    assert bad.value.column == "ratio"


@pytest.mark.parametrize(
    ("cells", "column", "said"),
    [
        ({"scale": 0.1}, "scale", "a bool takes no scale"),
        ({"ratio": 80.0}, "ratio", "a bool takes no ratio"),
        ({"sf": "hr 1"}, "sf", "a bool takes no scale factor"),
    ],
)
def test_what_cannot_be_scaled_is_said_of_the_cell_that_asks(
    cells: dict[str, Any], column: str, said: str
) -> None:
    bad = no_scale(point("a", "di 0", **cells), "a bool")
    assert (bad.column, bad.message) == (column, said)
