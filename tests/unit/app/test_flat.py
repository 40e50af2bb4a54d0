"""Values that stay the same for longer than they should: real supervisors, a clock set by hand."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from daemons import eventually
from otgate.app import flat
from otgate.app.flat import FlatLines
from otgate.model import Device, Flat, Index, Kind
from puppet import Puppet, device, running, silence, until

HOUR_S = 3600.0


def watched(*each: int, after_s: float = HOUR_S) -> Device:
    """A device with two measurements and a status, of which something is to change."""
    made = device("d1", fast=0.05)
    ids = ("ia", Kind.MEASUREMENT), ("ib", Kind.MEASUREMENT), ("cb", Kind.STATUS)
    points = [replace_point(made, name, kind) for name, kind in ids]
    return replace(made, points=points, flat=Flat(after_s, each))


def replace_point(made: Device, name: str, kind: Kind) -> Any:
    first = made.points[0]
    return type(first)(name, kind, scan=first.scan)


class Hours:
    """What a device says, hour by hour; None is nothing."""

    def __init__(self, of: Device) -> None:
        self.now_s = 0.0
        self.values: list[float] | None = [1.0, 2.0, 3.0]
        self.lines = FlatLines(lambda: [of], self._newest, lambda: self.now_s)

    def _newest(self, _: str, numbers: Index) -> str | None:
        return None if self.values is None else str([self.values[number] for number in numbers])

    def say(self, *values: float) -> list[Any]:
        """Let an hour pass with these values; return what is logged."""
        self.values = list(values) or None
        with logged() as logs:
            self.lines.look()
        self.now_s += HOUR_S
        return [(one["event"], one.get("point", "d1")) for one in logs]


@contextmanager
def logged() -> Iterator[list[Any]]:
    with capture_logs() as logs:
        yield logs


def test_a_device_that_says_the_same_for_too_long_is_told_once_and_when_it_is_over() -> None:
    hours = Hours(watched())
    assert [hours.say(1, 2, 0) for _ in range(3)] == [[], [("values_flat", "d1")], []]
    assert hours.lines.counts() == {"d1": 1}
    assert hours.say(1, 2.5, 0) == [("values_move", "d1")]
    assert hours.lines.counts() == {"d1": 0}


def test_one_measurement_that_moves_is_a_sign_of_life_and_a_status_is_none() -> None:
    hours = Hours(watched())
    assert [hours.say(1, at, 0) for at in range(4)] == [[], [], [], []]
    assert hours.say(1, 3, 1) == [("values_flat", "d1")]


def test_each_point_that_is_named_has_to_move() -> None:
    hours = Hours(watched(1, 2))
    hours.say(1, 0, 5)
    assert hours.say(2, 0, 5) == [("values_flat", "ib"), ("values_flat", "cb")]
    assert hours.lines.counts() == {"d1": 2}
    assert hours.say(3, 1, 5) == [("values_move", "ib")]


def test_what_has_no_valid_value_is_not_flat_and_begins_anew() -> None:
    hours = Hours(watched())
    hours.say(1, 2, 0)
    assert [hours.say(), hours.say(1, 2, 0)] == [[], []]
    assert hours.say(1, 2, 0) == [("values_flat", "d1")]


def test_a_device_without_a_word_about_it_is_not_looked_at() -> None:
    hours = Hours(watched(after_s=0.0))
    assert [hours.say(1, 2, 0) for _ in range(9)] == [[]] * 9
    assert hours.lines.counts() == {}


async def test_a_device_that_answers_is_told_by_its_values_and_a_lost_one_is_not() -> None:
    driver, numbers = Puppet(timeout_s=0.01), np.array([0], np.int32)
    async with running(driver, [device("d1", fast=0.02)]) as now:
        assert now.supervisor.newest("d1", numbers) is None
        await until(lambda: now.supervisor.newest("d1", numbers))
        first = now.supervisor.newest("d1", numbers)
        await until(lambda: now.supervisor.newest("d1", numbers) != first)
        driver.deeds["d1"] = silence
        await until(lambda: now.supervisor.newest("d1", numbers) is None)
        assert now.supervisor.newest("nobody", numbers) is None


async def test_it_looks_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flat, "EVERY_S", 0.01)
    looks: list[int] = []

    def devices() -> list[Device]:
        looks.append(1)
        return []

    task = asyncio.ensure_future(FlatLines(devices, lambda *_: None).watch())
    await eventually(lambda: len(looks) > 2)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
