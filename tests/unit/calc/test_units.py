import pytest

from otgate.calc.units import clash, multiplied, raised, rooted, scaled, unit_of


def said(left: str, right: str) -> tuple[str, str] | None:
    found = clash(unit_of(left), unit_of(right))
    return found and (found.message, found.help)


@pytest.mark.parametrize(
    ("left", "right"),
    [("kW", "kW"), ("Wh", "J"), ("VAr", "var"), ("bags", "bags"), ("", "A"), ("m3/h", "m³/h")],
)
def test_like_units_go_together(left: str, right: str) -> None:
    if (left, right) == ("Wh", "J"):
        assert said(left, right) == ("`Wh` and `J` differ in size",
                                     "convert: write `* 3600` behind what is in `Wh`")  # fmt: skip
    else:
        assert said(left, right) is None


def test_what_differs_in_size_is_told_its_factor() -> None:
    assert said("kW", "W") == (
        "`kW` and `W` differ in size",
        "convert: write `* 1000` behind what is in `kW`",
    )
    assert said("W", "MW") == (
        "`W` and `MW` differ in size",
        "convert: write `/ 1000000` behind what is in `W`",
    )
    assert said("h", "min") == (
        "`h` and `min` differ in size",
        "convert: write `* 60` behind what is in `h`",
    )


def test_volts_are_not_amperes() -> None:
    assert said("V", "A") == ("`V` and `A` measure different things", "calculate with like units")
    assert said("°C", "K") is not None
    assert said("%", "A") is not None


def test_active_and_reactive_power_add_as_squares_only() -> None:
    found = said("kW", "kvar")
    assert found is not None
    assert found[0] == "`kW` and `kvar` are active power and reactive power"
    active, reactive = raised(unit_of("kW"), 2), raised(unit_of("kvar"), 2)
    assert clash(active, reactive) is None
    assert clash(rooted(active), unit_of("kVA")) is None


def test_products_measure_what_they_are() -> None:
    assert clash(multiplied(unit_of("V"), unit_of("A")), unit_of("W")) is None
    assert clash(multiplied(unit_of("kW"), unit_of("h")), unit_of("kWh")) is None
    assert clash(multiplied(unit_of("kWh"), unit_of("h"), -1), unit_of("kW")) is None
    assert clash(multiplied(unit_of("V"), unit_of("A"), -1), unit_of("Ω")) is None


def test_a_number_may_have_converted() -> None:
    assert clash(scaled(unit_of("kW")), unit_of("W")) is None
    assert clash(scaled(unit_of("kW")), unit_of("A")) is not None


def test_a_unit_that_nobody_knows_is_doubtful_beside_another() -> None:
    found = clash(unit_of("bags"), unit_of("A"))
    assert found is not None
    assert not found.sure


@pytest.mark.parametrize("text", ["kW", "m³/h", "V^2", "1/s", "µA", "%", "l/s"])
def test_what_the_field_writes_is_known(text: str) -> None:
    unit = unit_of(text)
    assert unit is not None
    assert unit.known


@pytest.mark.parametrize("text", ["bags", "W/bag", "k", "mmW", "2", "W//h", "^", "³", " / "])
def test_what_nobody_writes_is_unknown_and_no_failure(text: str) -> None:
    unit = unit_of(text)
    assert unit is not None
    assert not unit.known
