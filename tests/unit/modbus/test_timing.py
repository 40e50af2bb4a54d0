"""How long a read keeps a link busy: worked examples."""

from dataclasses import replace
from typing import Any

import pytest

from modbus_peers import device, point
from otgate.model import Scan
from otgate_modbus import Modbus
from otgate_modbus.settings import Settings
from otgate_modbus.timing import RTU_FRAMES, line, network


def settings(**given: Any) -> Settings:
    return Settings(url="tcp://h", **given)


def test_ten_registers_at_9600_baud() -> None:
    """8 and 25 characters of 11 bits, 3.5 of silence after each, and the device's own delay."""
    medium = line(settings(reply_delay_s=0.03), 9600, "even", 1)
    character_s = 11 / 9600
    assert medium.busy_s(20) == pytest.approx((8 + 25 + 7) * character_s + 0.03)
    assert medium.wire_bytes(20) == 33


@pytest.mark.parametrize(
    ("parity", "stop_bits", "bits"),
    [("none", 1, 10), ("none", 2, 11), ("even", 1, 11), ("odd", 1, 11), ("odd", 2, 12)],
)
def test_a_character_has_as_many_bits_as_parity_and_stop_bits_say(
    parity: str, stop_bits: int, bits: int
) -> None:
    medium = line(settings(), 1200, parity, stop_bits)
    assert medium.byte_s == pytest.approx(bits / 1200)
    assert f"{bits} bits a character" in medium.words


@pytest.mark.parametrize(
    ("baud", "silence_s"),
    [(9600, 3.5 * 11 / 9600), (19200, 3.5 * 11 / 19200), (38400, 0.00175), (115200, 0.00175)],
)
def test_the_silence_between_frames_is_fixed_above_19200_baud(baud: int, silence_s: float) -> None:
    assert line(settings(), baud, "even", 1).rest_s == pytest.approx(2 * silence_s)


def test_a_longer_gap_takes_the_place_of_the_silence() -> None:
    gapped = settings(quirks={"request_gap_s": 0.1})
    assert line(gapped, 115200, "even", 1).rest_s == pytest.approx(0.1 + 0.00175)
    assert network(gapped).busy_s(250) == pytest.approx(0.005 + 0.1)


def test_a_network_costs_a_round_trip_whatever_is_read() -> None:
    assert network(settings()).busy_s(2) == network(settings()).busy_s(250) == 0.005
    assert network(settings(reply_delay_s=0.2)).busy_s(2) == 0.2


def test_rtu_over_a_network_has_shorter_frames() -> None:
    assert network(settings(), RTU_FRAMES).wire_bytes(20) == 33
    assert network(settings()).wire_bytes(20) == 41


@pytest.mark.parametrize("medium", [network(settings()), line(settings(), 9600, "even", 1)])
def test_what_is_assumed_is_said(medium: Any) -> None:
    assert "(assumed)" in medium.words


def test_a_plan_tells_how_long_each_request_takes() -> None:
    (scan,) = Modbus().plan(device(point("a", "hr 0"), point("b", "hr 100"), reply_delay_s=0.02))
    assert [request.takes_s for request in scan.requests] == [0.02, 0.02]


def test_a_serial_url_says_how_fast_the_line_is() -> None:
    asked = device(point("a", "hr 0"), point("b", "hr 100"), reply_delay_s=0.05)
    url = "serial:///dev/ttyUSB0?baud=4800&parity=none&stop=2"
    serial = replace(asked, settings=Settings(url=url, reply_delay_s=0.05))
    (scan,) = Modbus().plan(serial)
    exchange_s = (8 + 7 + 7) * 11 / 4800 + 0.05
    assert [request.takes_s for request in scan.requests] == pytest.approx([exchange_s] * 2)
    assert Modbus().timing(serial).startswith("4800 baud, 11 bits a character, 8.02 ms between")


def test_a_change_of_units_costs_its_gap_once_a_poll() -> None:
    quirks = {"unit_gap_s": 0.1, "request_gap_s": 0.02}
    asked = device(point("a", "hr 0"), point("b", "hr 100"), reply_delay_s=0.05, quirks=quirks)
    (scan,) = Modbus().plan(asked)
    assert [request.takes_s for request in scan.requests] == pytest.approx([0.15, 0.07])
    assert "100 ms before another unit" in Modbus().timing(asked)


@pytest.mark.parametrize(("period_s", "limit_s"), [(10.0, 1.5), (1.0, 0.9)])
def test_a_poll_may_take_its_timeout_or_most_of_its_period(period_s: float, limit_s: float) -> None:
    scan = Scan("a", period_s, (), ())
    assert Modbus().limit_s(device(timeout_s=1.5), scan) == pytest.approx(limit_s)
