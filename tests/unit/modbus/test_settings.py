import pytest

from otgate.errors import Mistakes
from otgate_modbus.settings import Settings, endpoint, settings_of


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("tcp://10.0.0.5", ("10.0.0.5", 502)),
        ("tcp://10.0.0.5:1502", ("10.0.0.5", 1502)),
        ("tcp://[fe80::1]:502", ("fe80::1", 502)),
        ("tcp://relay-7.station.example", ("relay-7.station.example", 502)),
    ],
)
def test_an_endpoint_is_a_host_and_a_port(url: str, place: tuple[str, int]) -> None:
    assert endpoint(url) == place


@pytest.mark.parametrize(
    "url",
    [
        "10.0.0.5", "10.0.0.5:502", "http://10.0.0.5", "rtu:///dev/ttyS0", "tcp://", "tcp://:502",
        "tcp://h:0", "tcp://h:65536", "tcp://h:x", "tcp://h/1", "tcp://h?unit=1", "tcp://u@h",
    ],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"tcp://host|from 1 to 65535"):
        endpoint(url)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("url", "10.0.0.5"),
        ("unit", 256),
        ("unit", -1),
        ("base", 2),
        ("order", "ACBD"),
        ("timeout_s", 0),
        ("max_registers", 126),
        ("max_bits", 2001),
        ("gap", 125),
        ("quirks.request_gap_s", -1),
        ("pipeline", 9),
        ("pipeline", "on"),
        ("pipelining", 8),
    ],
)
def test_a_bad_setting_is_a_mistake_at_its_key(key: str, value: object) -> None:
    first, _, second = key.partition(".")
    given = {"url": "tcp://h", first: {second: value} if second else value}
    with pytest.raises(Mistakes) as raised:
        settings_of(given)
    assert [mistake.field for mistake in raised.value.mistakes] == [f"modbus.{key}"]


def test_defaults_are_those_of_the_guide() -> None:
    settings = Settings(url="tcp://h")
    assert (settings.unit, settings.base, settings.order) == (1, 0, "ABCD")
    assert (settings.timeout_s, settings.gap) == (1.0, 16)
    assert (settings.max_registers, settings.max_bits) == (125, 2000)
