"""What a substation's quantities can be, and what they cannot."""

import math
from typing import Any

import pytest

from otgate.live.plausible import Plausibility, judged, split
from otgate.model import Kind
from otgate.quality import Quality
from simulated import point

IMPOSSIBLE, POSSIBLE, LIKELY = Plausibility


def verdict(value: Any, quality: int = 0, **cells: Any) -> tuple[Plausibility, str]:
    judgement = judged(point("p", "hr 0", **cells), value, quality)
    return judgement.plausibility, judgement.why


@pytest.mark.parametrize(
    ("unit", "value", "wanted"),
    [
        ("Hz", 49.98, LIKELY),
        ("Hz", 0.0, POSSIBLE),
        ("Hz", 4998.0, IMPOSSIBLE),
        ("V", 229.6, LIKELY),
        ("kV", 11.2, LIKELY),
        ("kV", 11_200.0, IMPOSSIBLE),
        ("V", -3.0, IMPOSSIBLE),
        ("A", 630.0, POSSIBLE),
        ("MW", -120.0, POSSIBLE),
        ("kvar", 2e9, IMPOSSIBLE),
        ("°C", -200.0, IMPOSSIBLE),
        ("%", 2000.0, IMPOSSIBLE),
        ("furlong", 2000.0, POSSIBLE),
        ("", 1.4e-38, IMPOSSIBLE),
        ("", -9.4e28, IMPOSSIBLE),
        ("", math.nan, IMPOSSIBLE),
        ("", math.inf, IMPOSSIBLE),
    ],
)
def test_a_number_is_judged_by_its_unit(unit: str, value: float, wanted: Plausibility) -> None:
    assert verdict(value, unit=unit)[0] is wanted


def test_a_range_says_more_than_a_unit() -> None:
    assert verdict(700.0, unit="A", eu_lo=0.0, eu_hi=630.0)[0] is LIKELY
    assert verdict(800.0, unit="A", eu_lo=0.0, eu_hi=630.0) == (
        IMPOSSIBLE,
        "its range is 0 to 630",
    )
    assert verdict(0.0, unit="A", eu_lo=0.0, eu_hi=630.0)[0] is POSSIBLE
    assert verdict(-12.0, eu_lo=10.0, eu_hi=-10.0)[0] is LIKELY


def test_direct_current_may_be_negative() -> None:
    assert verdict(-3.0, unit="A")[0] is IMPOSSIBLE
    assert verdict(-3.0, unit="A", name="Battery current")[0] is POSSIBLE


def test_a_code_without_a_state_is_none() -> None:
    states = {1: "open", 2: "closed"}
    assert verdict(2, states=states, kind=Kind.STATUS)[0] is LIKELY
    assert verdict(7, states=states, kind=Kind.STATUS) == (IMPOSSIBLE, "its states are 1, 2")


def test_a_point_without_a_value_says_why() -> None:
    word = int(Quality.INVALID | Quality.NO_VALUE | Quality.ILLEGAL_ADDRESS)
    assert verdict(0.0, word) == (IMPOSSIBLE, "illegal address")
    assert verdict(0.0, int(Quality.NO_VALUE)) == (IMPOSSIBLE, "the device has none")


@pytest.mark.parametrize("value", ["relay 7", True])
def test_texts_and_switches_can_be_anything(value: object) -> None:
    assert verdict(value, kind=Kind.STATUS)[0] is POSSIBLE


@pytest.mark.parametrize(
    ("unit", "parts"),
    [
        ("kV", ("k", "V")),
        ("MVAr", ("M", "var")),
        ("VAr", ("", "var")),
        ("mA", ("m", "A")),
        ("x", ("", "")),
    ],
)
def test_a_unit_is_taken_apart(unit: str, parts: tuple[str, str]) -> None:
    assert split(unit) == parts
