"""The plant behaves like a substation, and the same way every time."""

import pytest

from otgate_sim.plant import Bay, Plant, Rating, daily_load, oil_rise_k
from simulated import START_NS

MINUTE_NS = 60 * 10**9


def plant_with_bays(seed: int = 1, speed: float = 1.0) -> Plant:
    plant = Plant(seed, START_NS, speed=speed)
    for name in ("f1", "f2"):
        plant.bay(name, Rating())
    plant.feed(plant.bay("t1", Rating(1200.0)))
    return plant


def seen(plant: Plant) -> list[float]:
    return [
        value
        for bay in plant.bays.values()
        for value in (bay.load, bay.p_kw, bay.thermal.oil_c, bay.energy.imported_kwh)
    ]


def lived(plant: Plant, minutes: float) -> Plant:
    plant.advance(START_NS + int(minutes * MINUTE_NS))
    return plant


def test_the_same_seed_gives_the_same_numbers() -> None:
    assert seen(lived(plant_with_bays(7), 3)) == seen(lived(plant_with_bays(7), 3))


def test_another_seed_gives_other_numbers() -> None:
    assert seen(lived(plant_with_bays(7), 3)) != seen(lived(plant_with_bays(8), 3))


def test_how_often_somebody_looks_changes_nothing() -> None:
    often = plant_with_bays()
    for second in range(181):
        often.advance(START_NS + second * 10**9)
    assert seen(often) == seen(lived(plant_with_bays(), 3))


def test_time_that_goes_back_changes_nothing() -> None:
    plant = lived(plant_with_bays(), 1)
    before = seen(plant)
    plant.advance(START_NS)
    assert seen(plant) == before


def test_an_open_breaker_carries_no_current() -> None:
    plant = plant_with_bays()
    feeder = plant.bays["f1"]
    feeder.breaker.operate()
    plant.step()
    assert (feeder.current_a(0), feeder.p_kw) == (0.0, 0.0)


def test_a_trip_is_shown_and_then_recloses() -> None:
    plant = plant_with_bays()
    breaker = plant.bays["f1"].breaker
    breaker.operate()
    assert breaker.tripped
    lived(plant, 4)
    assert breaker.closed
    assert not breaker.tripped


def test_every_breaker_operates_within_an_hour() -> None:
    plant = plant_with_bays()
    before = [bay.breaker.operations for bay in plant.feeders]
    lived(plant, 60)
    assert all(bay.breaker.operations > was for bay, was in zip(plant.feeders, before, strict=True))


def test_energy_is_power_over_time() -> None:
    plant = lived(plant_with_bays(), 0.1)
    bay = plant.bays["f1"]
    before, integral = bay.energy.imported_kwh, 0.0
    for _ in range(600):
        plant.step()
        integral += bay.p_kw * plant.step_s / 3600.0
    assert bay.energy.imported_kwh - before == pytest.approx(integral)


def test_energy_never_runs_backwards() -> None:
    plant = plant_with_bays()
    readings = [lived(plant, minutes).bays["f1"].energy.imported_kwh for minutes in range(1, 20)]
    assert readings == sorted(readings)


def test_the_transformer_carries_its_feeders() -> None:
    plant = lived(plant_with_bays(), 1)
    feeders = [plant.bays[name].load for name in ("f1", "f2")]
    assert plant.bays["t1"].load == pytest.approx(sum(feeders) / 2, rel=0.15)


def test_oil_lags_behind_the_winding() -> None:
    bay = plant_with_bays().bays["t1"]
    oil, winding = bay.thermal.oil_c, bay.thermal.winding_c
    bay.thermal.advance(1.2, 15.0, 600.0)
    assert 0 < bay.thermal.oil_c - oil < bay.thermal.winding_c - winding


def test_rated_load_warms_the_oil_by_its_rated_rise() -> None:
    assert oil_rise_k(1.0) == pytest.approx(52.0)


def test_the_tap_changer_brings_a_high_voltage_back() -> None:
    plant = plant_with_bays()
    plant.busbar.tap = 17
    plant.step()
    assert plant.busbar.voltage > 1.05
    lived(plant, 5)
    assert plant.busbar.voltage == pytest.approx(1.0, abs=0.03)


def test_load_follows_the_day() -> None:
    night, evening = daily_load(3.5 * 3600), daily_load(19 * 3600)
    assert 0.3 < night < 0.5 < evening < 1.0


def test_a_day_stays_within_what_a_substation_can_show() -> None:
    plant = plant_with_bays(speed=600.0)
    for minutes in range(0, 145, 5):
        lived(plant, minutes)
        assert all(plausible(bay) for bay in plant.bays.values())
        assert 49.9 < plant.busbar.frequency_hz < 50.1


def plausible(bay: Bay) -> bool:
    bounds = (
        (0.0, bay.load, 1.5),
        (10.2, bay.voltage_kv(None), 11.8),
        (0.0, bay.thermal.oil_c, 110.0),
        (bay.thermal.oil_c - 1e-6, bay.thermal.winding_c, 140.0),
        (0.0, bay.p_kw, bay.s_kva),
    )
    return all(low <= value <= high for low, value, high in bounds)
