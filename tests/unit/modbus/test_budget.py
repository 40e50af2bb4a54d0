"""A map that needs more requests than its device is to be sent is refused."""

import pytest

from modbus_peers import device, point
from otgate.errors import Mistakes
from otgate_modbus import Modbus
from otgate_modbus.settings import Settings

FOUR = tuple(point(f"p{at}", f"hr {at * 200}") for at in range(4))


def refusal(rate: float, **scans: float) -> str:
    with pytest.raises(Mistakes) as refused:
        Modbus().plan(device(*FOUR, requests_per_s=rate, scans=scans))
    (mistake,) = refused.value.mistakes
    assert mistake.field == "modbus.requests_per_s"
    return f"{mistake.message}; {mistake.help}"


def test_a_map_that_fits_is_planned() -> None:
    assert Modbus().plan(device(*FOUR, requests_per_s=5.0))


def test_a_scan_that_cannot_be_read_in_its_period_is_refused() -> None:
    said = refusal(4.0, normal=1.0)
    assert "`normal` makes 4 requests each 1 s" in said
    assert "read it each 1.11 s or less often" in said


def test_scans_that_need_too_much_together_are_refused() -> None:
    points = (*FOUR, *(point(f"q{at}", f"ir {at * 200}", scan="fast") for at in range(4)))
    busy = device(*points, requests_per_s=5.0, scans={"normal": 1.0, "fast": 1.0})
    with pytest.raises(Mistakes, match=r"make 8 requests per second in all"):
        Modbus().plan(busy)


def test_without_a_rate_nothing_is_too_much() -> None:
    assert Modbus().plan(device(*FOUR, scans={"normal": 0.01}))


def test_a_rate_is_a_rest_between_requests() -> None:
    assert Settings(url="tcp://h", requests_per_s=20).spacing_s == 0.05
    assert Settings(url="tcp://h").spacing_s == 0.0
