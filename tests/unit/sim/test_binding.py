"""Points show the quantity that their unit, kind and names speak of."""

import math
from typing import Any

import pytest

from otgate.model import Kind, Point
from otgate_sim.binding import Read, bind, code, phase_of
from otgate_sim.plant import Plant
from simulated import START_NS, device, point

BREAKER = {0: "intermediate", 1: "open", 2: "closed", 3: "faulty"}


def bound(*points: Point) -> tuple[Plant, dict[str, Read]]:
    plant = Plant(1, START_NS)
    reads = bind(plant, [device("f1", *points)])["f1"]
    plant.step()
    return plant, {p.id: read for p, read in zip(points, reads, strict=True)}


def number(read: Read) -> float:
    value = read()
    assert not isinstance(value, str)
    return float(value)


def status(point_id: str, **cells: Any) -> Point:
    return point(point_id, kind=Kind.STATUS, **cells)


def test_a_current_shows_its_phase() -> None:
    plant, reads = bound(point("ia", unit="A", eu_hi=600.0), point("ib", unit="A"))
    bay = plant.bays["f1"]
    assert number(reads["ia"]) == bay.current_a(0)
    assert number(reads["ib"]) == bay.current_a(1)


def test_the_engineering_range_says_how_big_a_bay_is() -> None:
    plant, _ = bound(point("ia", unit="A", eu_hi=1000.0))
    assert plant.bays["f1"].rating.current_a == 700.0


def test_units_scale_the_same_quantity() -> None:
    _, reads = bound(point("p1", unit="kW"), point("p2", unit="MW"), point("p3", unit="W"))
    kilowatts = number(reads["p1"])
    assert number(reads["p2"]) == pytest.approx(kilowatts / 1000)
    assert number(reads["p3"]) == pytest.approx(kilowatts * 1000)


def test_a_voltage_between_phases_is_root_three_times_one_to_earth() -> None:
    place = ("", "11 kV", "", "", "")
    _, reads = bound(point("vab", unit="kV", place=place), point("va", unit="kV", place=place))
    assert number(reads["vab"]) == pytest.approx(11.0, rel=0.1)
    ratio = number(reads["vab"]) / number(reads["va"])
    assert ratio == pytest.approx(math.sqrt(3.0), rel=0.02)


def test_volts_without_a_level_are_low_voltage() -> None:
    _, reads = bound(point("va", unit="V"))
    assert number(reads["va"]) == pytest.approx(230.0, rel=0.1)


def test_a_quantity_too_big_for_the_range_is_drawn_into_it() -> None:
    _, reads = bound(point("vab", unit="V", eu_hi=120.0, place=("", "11 kV", "", "", "")))
    assert 80.0 < number(reads["vab"]) < 120.0


def test_a_range_made_for_a_phase_holds_its_voltage_unscaled() -> None:
    _, reads = bound(point("va", unit="V", eu_hi=300.0, place=("", "0.4 kV", "", "", "a")))
    assert number(reads["va"]) == pytest.approx(230.0, rel=0.1)


def test_points_of_one_bay_agree_across_devices() -> None:
    plant = Plant(1, START_NS)
    place = ("S", "11 kV", "F1", "", "a")
    reads = bind(
        plant,
        [
            device("relay", point("ia", unit="A", place=place)),
            device("meter", point("i", unit="A", place=place)),
        ],
    )
    assert reads["relay"][0]() == reads["meter"][0]()


def test_a_double_point_follows_the_breaker() -> None:
    plant, reads = bound(status("cb", states=BREAKER))
    assert reads["cb"]() == 2
    plant.bays["f1"].breaker.operate()
    assert reads["cb"]() == 1


def test_a_trip_is_shown_by_pickup_and_trip() -> None:
    plant, reads = bound(status("trip", states={0: "normal", 1: "tripped"}), status("pickup_51"))
    assert (reads["trip"](), reads["pickup_51"]()) == (0, 0)
    plant.bays["f1"].breaker.operate()
    assert (reads["trip"](), reads["pickup_51"]()) == (1, 1)


def test_temperatures_tell_oil_winding_and_air_apart() -> None:
    plant, reads = bound(
        point("oil_top", unit="°C"), point("winding", unit="°C"), point("ambient", unit="°C")
    )
    thermal = plant.bays["f1"].thermal
    found = [number(reads[name]) for name in ("oil_top", "winding", "ambient")]
    assert found == [thermal.oil_c, thermal.winding_c, plant.busbar.ambient_c]


def test_a_bay_with_oil_is_fed_by_the_others() -> None:
    plant = Plant(1, START_NS)
    bind(plant, [device("t1", point("oil", unit="°C")), device("f1", point("ia", unit="A"))])
    assert plant.bays["t1"].feeds == [plant.bays["f1"]]


def test_counters_show_energy_and_operations() -> None:
    plant, reads = bound(point("e", kind=Kind.COUNTER, unit="MWh"), point("ops", kind=Kind.COUNTER))
    bay = plant.bays["f1"]
    assert number(reads["e"]) == pytest.approx(bay.energy.imported_kwh / 1000)
    assert reads["ops"]() == bay.breaker.operations


def test_what_nothing_recognises_wanders_inside_its_range() -> None:
    plant, reads = bound(point("sf6", unit="bar", eu_lo=5.0, eu_hi=7.0))
    values = set()
    for _ in range(200):
        plant.step()
        values.add(number(reads["sf6"]))
    assert len(values) > 100
    assert 5.0 <= min(values) < max(values) <= 7.0


def test_a_battery_s_voltage_is_not_the_busbar_s() -> None:
    _, reads = bound(point("battery_v", unit="V", eu_lo=95.0, eu_hi=130.0))
    assert 95.0 <= number(reads["battery_v"]) <= 130.0


def test_a_setting_is_constant_and_inside_its_range() -> None:
    plant, reads = bound(point("set_51", kind=Kind.SETTING, unit="A", eu_lo=200.0, eu_hi=900.0))
    before = number(reads["set_51"])
    plant.step()
    assert 200.0 <= before == number(reads["set_51"]) <= 900.0


def test_a_text_names_its_device() -> None:
    _, reads = bound(point("serial", type_="string(16)", kind=Kind.TEXT))
    assert reads["serial"]() == "F1 SERIAL"


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_reads_something(kind: Kind) -> None:
    _, reads = bound(point("x", kind=kind))
    assert reads["x"]() is not None


@pytest.mark.parametrize(
    ("point_id", "phase"),
    [("ia", 0), ("v_b", 1), ("i_l3", 2), ("vab", None), ("p", None), ("status_a1", None)],
)
def test_a_phase_is_read_from_the_id(point_id: str, phase: int | None) -> None:
    assert phase_of(point(point_id)) == phase


def test_codes_without_labels_are_zero_and_one() -> None:
    assert (code({}, frozenset(), first=True), code({}, frozenset())) == (0, 1)
