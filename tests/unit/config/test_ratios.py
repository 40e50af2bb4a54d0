from fractions import Fraction

import pytest

from otgate.config.ratios import BadRatio, applied, read_ratio


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        ("400/5", Fraction(80)),
        ("400 / 5", Fraction(80)),
        ("400/3", Fraction(400, 3)),
        ("80", Fraction(80)),
        ("0.5", Fraction(1, 2)),
        ("110000/110", Fraction(1000)),
        ("63.5/110", Fraction(127, 220)),
    ],
)
def test_a_ratio_is_a_quotient_or_its_value(text: str, ratio: Fraction) -> None:
    assert read_ratio(text) == ratio


@pytest.mark.parametrize("text", ["", "x", "400:5", "-80", "1e3", "400/", "0", "5/0", "1/9999999"])
def test_what_is_no_ratio_is_refused(text: str) -> None:
    with pytest.raises(BadRatio, match="ratio"):
        read_ratio(text)


RATIOS = {"ct": 80.0, "pt": 1000.0, "third": 400 / 3}


@pytest.mark.parametrize(
    ("cell", "product"),
    [
        ("ct", 80.0),
        ("ct pt", 80_000.0),
        ("ct*pt", 80_000.0),
        ("third", 400 / 3),
        ("ct 0.001", 0.08),
        ("600/5", 120.0),
        ("third 3", 400.0),
    ],
)
def test_a_point_names_the_ratios_that_apply_to_it(cell: str, product: float) -> None:
    assert applied(cell, RATIOS) == product


def test_an_unknown_ratio_is_named_with_what_was_meant() -> None:
    with pytest.raises(BadRatio) as bad:
        applied("cd", RATIOS)
    assert bad.value.message == "the device has no ratio `cd`"
    assert "`ct`" in bad.value.help
    with pytest.raises(BadRatio) as bad:
        applied("ct", {})
    assert bad.value.help == "add `ratios: {ct: 400/5}` to the device"
