"""A point map is read once for all devices of a kind, and what is kept of it is bounded."""

from typing import Any

import pytest

from at_once import at_once
from modbus_peers import device, point
from otgate_modbus import reading
from otgate_modbus.planner import plan
from otgate_modbus.reading import Reading, Recent, read_point, readings_of
from otgate_modbus.settings import Settings, settings_of

MAP = [point(f"p{at}", f"hr {at}", "u16") for at in range(4)]
SETTINGS = Settings(url="tcp://127.0.0.1:502", base=0)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the points that are read, in order."""
    seen: list[int] = []

    def noted(number: int, *rest: object) -> Reading:
        seen.append(number)
        return read_point(number, *rest)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(reading, "read_point", noted)
    return seen


def test_a_map_is_read_once_for_all_that_have_it(reads: list[int]) -> None:
    recent = Recent(100)
    other = SETTINGS.model_copy(update={"unit": 7})
    first, _ = recent.of(MAP, SETTINGS, (0, 1, 2, 3))
    again, _ = recent.of(MAP, other, (0, 1, 2, 3))
    assert again == first
    assert reads == [0, 1, 2, 3]


@pytest.mark.parametrize("difference", [{"base": 1}, {"order": "CDAB"}])
def test_other_settings_read_the_same_map_otherwise(
    difference: dict[str, object], reads: list[int]
) -> None:
    recent = Recent(100)
    for settings in (SETTINGS, SETTINGS.model_copy(update=difference)):
        recent.of(MAP, settings, (1,))
    assert reads == [1, 1]


def test_an_equal_map_of_another_device_is_not_mistaken_for_it(reads: list[int]) -> None:
    recent = Recent(100)
    recent.of(MAP, SETTINGS, (1,))
    recent.of(list(MAP), SETTINGS, (1,))
    recent.of(MAP, SETTINGS, (2,))
    assert reads == [1, 1, 2]


def test_what_was_read_longest_ago_makes_room(reads: list[int]) -> None:
    recent = Recent(4)
    for numbers in ((0, 1), (2, 3), (0, 1), (1, 2), (0, 1), (2, 3)):
        recent.of(MAP, SETTINGS, numbers)
    assert reads == [0, 1, 2, 3, 1, 2, 2, 3]


def test_a_map_beyond_the_bound_is_read_and_not_kept(reads: list[int]) -> None:
    recent = Recent(3)
    for _ in range(2):
        found, _ = recent.of(MAP, SETTINGS, (0, 1, 2, 3))
        assert len(found) == 4
    assert len(reads) == 8


def test_a_mistake_is_told_each_time_and_what_is_returned_is_the_callers_own() -> None:
    wrong = device(point("ok", "hr 1", "u16"), point("bad", "hr nonsense", "u16"))
    for _ in range(2):
        mistakes: list[Any] = []
        found = readings_of(wrong, settings_of(wrong.settings), range(2), mistakes)
        assert [each.number for each in found] == [0]
        assert [mistake.point for mistake in mistakes] == ["bad"]
        found.clear()


def test_a_reload_and_links_read_maps_at_once() -> None:
    recent = Recent(4)

    def work(thread: int) -> None:
        for number in range(6000):
            first = number * (thread + 1) % 3
            found, _ = recent.of(MAP, SETTINGS, (first, first + 1))
            assert [each.number for each in found] == [first, first + 1]

    at_once(work)
    assert recent.of(MAP, SETTINGS, (0, 1, 2, 3))[1] == []


def test_a_reload_and_links_plan_devices_at_once() -> None:
    def work(thread: int) -> None:
        for number in range(250):
            made = device(*MAP, base=0, gap=number * (thread + 1) % 40)
            assert sum(len(scan.points) for scan in plan(made)) == len(MAP)

    at_once(work)
