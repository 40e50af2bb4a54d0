import pytest

from otgate.endpoint.serial import Parity, Rs485, SerialSettings
from otgate.errors import Mistakes
from otgate_modbus.endpoint import Endpoint, Framing, Tcp, Udp, endpoint
from otgate_modbus.settings import Settings, settings_of

TLS = {"ca": "/etc/ca.pem", "cert": "/etc/me.pem", "key": "/etc/me.key"}


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("tcp://10.0.0.5", Tcp("10.0.0.5", 502)),
        ("tcp://10.0.0.5:1502", Tcp("10.0.0.5", 1502)),
        ("tcp://[fe80::1]:502", Tcp("fe80::1", 502)),
        ("tcp://relay-7.station.example", Tcp("relay-7.station.example", 502)),
        ("tcps://10.0.0.5", Tcp("10.0.0.5", 802, tls=True)),
        ("udp://10.0.0.5", Udp("10.0.0.5", 502)),
        ("rtu+tcp://10.0.0.5:4001", Tcp("10.0.0.5", 4001, Framing.RTU)),
        ("rtu+tcp://[::1]:4001", Tcp("::1", 4001, Framing.RTU)),
        ("serial:///dev/ttyS0", SerialSettings("/dev/ttyS0", 19200, Parity.EVEN, 1)),
        (
            "serial:///dev/serial/by-id/usb-1?baud=9600&parity=N&stop=2&rs485=1,2",
            SerialSettings("/dev/serial/by-id/usb-1", 9600, Parity.NONE, 2, Rs485(1, 2)),
        ),
    ],
)
def test_a_url_is_an_endpoint(url: str, place: Endpoint) -> None:
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
    ("url", "said"),
    [
        ("rtu+tcp://h", "no port of its own; write rtu"),
        ("rtu+tcp://[::1]", "no port of its own"),
        ("rtu+tcp://h:", "no port of its own"),
        ("udp://h/1", "more than udp://host:port"),
        ("tcps://", "names no host; write tcps://host:port"),
        ("serial://ttyS0", "names no port; write serial:///dev"),
        ("serial:///dev/ttyS0?unit=1", "`unit` is no option"),
        ("serial:///dev/ttyS0?baud=9601", "`baud=9601`"),
    ],
)
def test_a_wrong_link_is_said_with_what_to_write(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("?", r"\?").replace("+", r"\+")):
        endpoint(url)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"url": "tcps://h"}, "tcps:// needs `tls`"),
        ({"url": "tcp://h", "tls": TLS}, "`tls` goes with tcps://"),
        ({"url": "tcps://h", "tls": TLS | {"ca": "ca.pem"}}, "absolute"),
        ({"url": "serial:///dev/ttyS0", "unit": 0}, "all units of a serial line"),
        ({"url": "tcp://h", "backup": "h2"}, "no Modbus endpoint"),
        ({"url": "tcp://h", "requests_per_s": 0}, "greater than 0"),
    ],
)
def test_settings_that_do_not_agree_are_a_mistake(block: dict[str, object], said: str) -> None:
    with pytest.raises(Mistakes, match=said):
        settings_of(block)


def test_a_link_may_have_a_backup_of_another_kind() -> None:
    settings = settings_of({"url": "tcps://h", "tls": TLS, "backup": "tcp://h2"})
    assert settings.places == [Tcp("h", 802, tls=True), Tcp("h2", 502)]


def test_a_line_rests_after_a_timeout_as_long_as_it_was_waited_for() -> None:
    assert settings_of({"url": "tcp://h", "timeout_s": 3}).late_window_s == 3
    assert settings_of({"url": "tcp://h", "late_reply_s": 0.2}).late_window_s == 0.2


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
