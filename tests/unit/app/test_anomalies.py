import asyncio
from contextlib import suppress
from typing import Any

import pytest
from structlog.testing import capture_logs

from daemons import eventually
from otgate.app import anomalies
from otgate.app.anomalies import Anomalies
from otgate.supervisor.status import DeviceStatus


class Devices:
    """Devices whose counts grow by what each minute brings."""

    def __init__(self) -> None:
        self.of = {"f1": DeviceStatus(), "f2": DeviceStatus()}
        self.anomalies = Anomalies(lambda: self.of)
        self.anomalies.look()

    def minutes(self, *each: int, kind: str = "exceptions") -> list[Any]:
        """Let minutes pass with so many of a kind; return what is logged, by minute."""
        told = []
        for new in each:
            setattr(self.of["f1"], kind, getattr(self.of["f1"], kind) + new)
            with capture_logs() as logs:
                self.anomalies.look()
            told.append([(one["event"], one["device"], one["in_a_minute"]) for one in logs])
        return told


def odd(count: int) -> list[Any]:
    return [("device_odd", "f1", count)]


def usual(count: int) -> list[Any]:
    return [("device_usual", "f1", count)]


def test_a_spike_of_exceptions_is_told_as_it_begins_and_ends() -> None:
    assert Devices().minutes(0, 60, 60, 0, 0) == [[], odd(60), [], usual(0), []]


def test_what_is_usual_is_not_told() -> None:
    devices = Devices()
    devices.minutes(*[20] * 30)
    assert devices.minutes(25, 30, 80) == [[], [], []]
    assert devices.minutes(300) == [odd(300)]


def test_few_exceptions_are_no_spike() -> None:
    assert Devices().minutes(9, 9) == [[], []]


@pytest.mark.parametrize("kind", ["malformed", "unexpected"])
def test_one_frame_of_a_stranger_is_told(kind: str) -> None:
    assert Devices().minutes(0, 1, 0, kind=kind) == [[], odd(1), usual(0)]


def test_what_came_before_the_first_look_is_no_news() -> None:
    devices = Devices()
    devices.of["f3"] = DeviceStatus(exceptions=1000)
    assert devices.minutes(0) == [[]]


def test_counts_that_begin_anew_are_no_news() -> None:
    devices = Devices()
    devices.minutes(60)
    devices.of["f1"] = DeviceStatus(exceptions=5)
    assert devices.minutes(0) == [usual(0)]


def test_a_device_that_is_gone_is_forgotten() -> None:
    devices = Devices()
    del devices.of["f1"]
    devices.anomalies.look()
    assert {device for device, _ in devices.anomalies.habits} == {"f2"}


async def test_it_looks_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anomalies, "EVERY_S", 0.01)
    looks: list[int] = []

    def statuses() -> dict[str, DeviceStatus]:
        looks.append(1)
        return {}

    task = asyncio.ensure_future(Anomalies(statuses).watch())
    await eventually(lambda: len(looks) > 2)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
