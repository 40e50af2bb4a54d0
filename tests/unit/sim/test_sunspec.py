"""What stands around the points of a simulated SunSpec device."""

import pytest

from otgate.model import Device, Kind, Point
from otgate_sim.binding import Value, bind
from otgate_sim.plant import Plant
from otgate_sim.sunspec import NOT_IMPLEMENTED, shell_of
from sunspec_devices import encoded, image


def test_the_chain_has_marker_headers_and_end() -> None:
    over = shell_of(40000, ["1/66", "103/50"]).over
    assert over == {
        40000: 0x5375, 40001: 0x6E53, 40002: 1, 40003: 66, 40070: 103, 40071: 50,
        40122: 0xFFFF, 40123: 0,
    }  # fmt: skip


@pytest.mark.parametrize("model", [1, 103, 120, 203, 305, 802])
def test_what_no_point_covers_is_not_implemented_as_the_peer_encodes_it(model: int) -> None:
    words = encoded(model, {})
    shell = shell_of(0, [f"{model}/{len(words) - 2}"])
    fillers = {at: word for at, word in (shell.under | shell.over).items() if word != 0x8000}
    expected = {at: word for at, word in image(words, at=0).items() if at in fillers}
    assert fillers == expected


def test_a_group_repeats_to_the_end_and_is_counted() -> None:
    shell = shell_of(0, ["160/48"])
    assert shell.over[2 + 8] == 2
    assert set(shell.under) == set(range(4, 52))


def test_groups_within_groups_are_none() -> None:
    shell = shell_of(0, ["705/60"])
    counts = [word for at, word in shell.over.items() if 4 <= at < 64]
    assert counts == [0]


def test_a_model_that_nobody_knows_is_filled() -> None:
    shell = shell_of(0, ["64999/3"])
    assert shell.under == {4: 0xFFFF, 5: 0xFFFF, 6: 0xFFFF}


def test_every_type_has_registers_of_its_size() -> None:
    assert len(NOT_IMPLEMENTED["ipv6addr"]) == len(NOT_IMPLEMENTED["eui48"]) * 2 == 32
    assert {len(spelled) % 4 for spelled in NOT_IMPLEMENTED.values()} == {0}


def test_an_inverter_that_runs_says_so() -> None:
    states = {1: "off", 2: "sleeping", 4: "mppt", 8: "standby"}
    point = Point("m103_st", Kind.STATUS, name="Operating State", states=states)
    assert bound(point) == 4


def test_flags_of_a_device_that_is_well_are_none() -> None:
    states = {0: "ground_fault", 5: "cabinet_open"}
    assert bound(Point("m103_evt1", Kind.STATUS, type="flags32 na", states=states)) == 0


def test_a_power_factor_in_percent_is_a_hundred_times_one() -> None:
    shares = Point("pf", Kind.MEASUREMENT), Point("pf", Kind.MEASUREMENT, unit="%")
    assert bound(shares[1]) == pytest.approx(100 * float(bound(shares[0])))


def bound(point: Point) -> Value:
    return bind(Plant(1, 0), [Device("inv", "modbus", "bay", [point], {}, None)])["inv"][0]()
