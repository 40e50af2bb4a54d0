from typing import Any

import pytest

from otgate.endpoint.serial import Parity, Rs485, SerialSettings
from otgate.errors import Mistakes
from otgate_dnp3.endpoint import Endpoint, Tcp, Udp, endpoint
from otgate_dnp3.settings import settings_of

TLS = {"ca": "/etc/ca.pem", "cert": "/etc/me.pem", "key": "/etc/me.key"}


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("tcp://10.0.0.5", Tcp("10.0.0.5", 20000)),
        ("tcp://rtu.example:2404", Tcp("rtu.example", 2404)),
        ("tcp://[::1]:20001", Tcp("::1", 20001)),
        ("tcps://10.0.0.5", Tcp("10.0.0.5", 20000, tls=True)),
        ("udp://10.0.0.5?local=20001", Udp("10.0.0.5", 20000, 20001)),
        ("serial:///dev/ttyS0", SerialSettings("/dev/ttyS0")),
        (
            "serial:///dev/serial/by-id/usb-1?baud=19200&parity=E&stop=2&rs485=1,2",
            SerialSettings("/dev/serial/by-id/usb-1", 19200, Parity.EVEN, 2, Rs485(1, 2)),
        ),
    ],
)
def test_a_url_is_a_place(url: str, place: Endpoint) -> None:
    assert endpoint(url) == place


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("10.0.0.5", "write tcp://host"),
        ("http://10.0.0.5", "write tcp://host"),
        ("tcp://", "no tcp://host:port"),
        ("tcp://h:0", "1 to 65535"),
        ("tcp://h:99999", "1 to 65535"),
        ("tcp://h/unit", "no tcp://host:port"),
        ("tcp://h?baud=9600", "no option"),
        ("serial://ttyS0", "names no port"),
        ("serial:///dev/ttyS0?baud=9601", "`baud=9601`"),
        ("serial:///dev/ttyS0?parity=X", "N, E or O"),
        ("serial:///dev/ttyS0?stop=3", "`stop=3`"),
        ("serial:///dev/ttyS0?rs485=fast", "delays in ms"),
        ("udp://h?local=0", "`local=0`"),
    ],
)
def test_what_is_no_place_is_said_with_what_to_write(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("?", r"\?")):
        endpoint(url)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({}, "Field required"),
        ({"outstation": 10}, "either `url`, or `listen`"),
        ({"outstation": 10, "url": "tcp://h", "listen": "tcp://0.0.0.0"}, "either `url`"),
        ({"outstation": 1, "url": "tcp://h"}, "both have address 1"),
        ({"outstation": 65520, "url": "tcp://h"}, "less than or equal to 65519"),
        ({"outstation": 10, "url": "tcps://h"}, "tcps:// needs `tls`"),
        ({"outstation": 10, "url": "tcp://h", "tls": TLS}, "`tls` goes with tcps://"),
        ({"outstation": 10, "url": "tcps://h", "tls": TLS | {"ca": "ca.pem"}}, "absolute"),
        ({"outstation": 10, "url": "tcp://h", "peers": ["10.0.0.5"]}, "goes with `listen`"),
        ({"outstation": 10, "listen": "udp://0.0.0.0"}, "cannot be listened on"),
        ({"outstation": 10, "listen": "tcp://0.0.0.0", "backup": "tcp://h"}, "goes with `url`"),
        ({"outstation": 10, "url": "tcp://h", "unsolicited": [4]}, "Input should be"),
        ({"outstation": 10, "url": "tcp://h", "freeze": True}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_work_are_refused(block: dict[str, Any], said: str) -> None:
    with pytest.raises(Mistakes) as refused:
        settings_of(block)
    assert any(said in mistake.message for mistake in refused.value.mistakes)
    assert all(mistake.code == "bad-setting" for mistake in refused.value.mistakes)


def periods(**block: Any) -> list[float]:
    settings = settings_of({"outstation": 10, "url": "tcp://h", **block})
    return [settings.class_period_s(event_class) for event_class in (1, 2, 3)]


def test_classes_are_polled_slowly_beside_unsolicited_reports_and_often_without() -> None:
    assert periods() == [60.0] * 3
    assert periods(unsolicited=[1]) == [60.0, 5.0, 5.0]
    assert periods(unsolicited="off") == [5.0] * 3


def test_a_class_may_have_its_own_period_or_none() -> None:
    assert periods(event_poll_s=2, class1_s=0.5, class3_s=0) == [0.5, 2.0, 0.0]
