"""What a server saw of its polls becomes lateness and missed slots."""

from collections.abc import Sequence

import numpy as np
import pytest

from bench.fleet_load import SWEEP, host
from bench.fleet_polls import Polls, beyond_ms, on_grids

MS = 1_000_000
S = 1000 * MS


def seen(*times_ms: float, device: int = 0) -> np.ndarray:
    rows = [(device, number, int(at * MS)) for number, at in enumerate(times_ms, 1)]
    return np.array(rows, SWEEP)


def polls(sweeps: np.ndarray, until_ms: float, devices: int = 1) -> Polls:
    return on_grids(sweeps, 0, int(until_ms * MS), devices, S)


def late_ms(found: Polls) -> Sequence[float]:
    return (found.late_ns / MS).tolist()


def test_a_poll_is_late_against_the_earliest_of_its_device() -> None:
    found = polls(seen(205, 1200, 2230), 3000)
    assert late_ms(found) == [5, 0, 30]
    assert found.missed.tolist() == [0]


def test_each_device_has_a_grid_of_its_own() -> None:
    found = polls(np.concatenate([seen(100, 1100), seen(900, 1902, device=1)]), 2000, 2)
    assert late_ms(found) == [0, 0, 0, 2]


def test_a_slot_without_a_poll_is_missed() -> None:
    assert polls(seen(100, 1100, 4100, 5100), 6000).missed.tolist() == [2]


def test_a_poll_half_a_period_late_is_late_and_not_missed() -> None:
    assert polls(seen(100, 1100, 2500, 3100), 4000).missed.tolist() == [0]


def test_a_device_that_is_never_polled_misses_every_slot() -> None:
    assert polls(seen(100, 1100, 2100, device=1), 3000, 2).missed.tolist() == [2, 0]


def test_a_device_that_falls_silent_misses_the_slots_from_then_on() -> None:
    assert polls(seen(100, 1100), 6000).missed.tolist() == [4]


def test_what_lies_outside_the_stretch_does_not_count() -> None:
    found = on_grids(seen(100, 1150, 2100, 3100), S, 3 * S, 1, S)
    assert late_ms(found) == [50, 0]


def test_a_sample_is_late_against_the_slot_it_was_due_in() -> None:
    found = polls(seen(205, 1200), 2000)
    arrivals = [(0, 1, 211 * MS), (0, 2, 1203 * MS), (0, 9, 9 * S)]
    assert beyond_ms(arrivals, found.due()) == pytest.approx([3, 11])


def test_a_thousand_devices_have_addresses_of_their_own() -> None:
    assert len({host(number) for number in range(1000)}) == 1000
    assert host(0) == "127.0.1.1"
    assert host(250) == "127.0.2.1"
