"""What we send, byte by byte (MQTT 5.0 and 3.1.1)."""

from dataclasses import replace

import pytest

from otgate.publish.errors import BrokerRefused
from otgate.publish.message import Message, Retain
from otgate.publish.packets import (
    PINGREQ,
    Hello,
    Version,
    connect,
    disconnect,
    publish_head,
    remaining_length,
)

V5, V311 = Version.V5, Version.V311
HELLO = Hello(V5, "gw", 4, Message("w", b"lost"), will_qos=0)


def spaced(octets: bytes) -> str:
    return octets.hex(" ").upper()


def test_connect_of_mqtt_5() -> None:
    # §3.1.2: name, level 5, clean start and will, keep alive; property lengths; §3.1.3: payload
    assert spaced(connect(HELLO)) == (
        "10 19 00 04 4D 51 54 54 05 06 00 04 00 00 02 67 77 00 00 01 77 00 04 6C 6F 73 74"
    )


def test_connect_of_3_1_1_has_no_properties() -> None:
    # 3.1.1, §3.1
    assert spaced(connect(replace(HELLO, version=V311))) == (
        "10 17 00 04 4D 51 54 54 04 06 00 04 00 02 67 77 00 01 77 00 04 6C 6F 73 74"
    )


@pytest.mark.parametrize(
    ("hello", "flags"),
    [
        (HELLO, 0x06),
        (replace(HELLO, will_qos=1), 0x0E),
        (replace(HELLO, will=replace(HELLO.will, retain=Retain.YES)), 0x26),
        (replace(HELLO, username="u"), 0x86),
        (replace(HELLO, username="u", password="p"), 0xC6),
        (replace(HELLO, password="p"), 0x06),
    ],
)
def test_the_connect_flags(hello: Hello, flags: int) -> None:
    assert connect(hello)[9] == flags  # §3.1.2.3


def test_user_name_and_password_come_last() -> None:
    told = connect(replace(HELLO, username="bu\u00df", password="s"))
    assert told.endswith(b"\x00\x04bu\xc3\x9f\x00\x01s")  # §3.1.3.5, §3.1.3.6


@pytest.mark.parametrize("field", ["client_id", "username", "password"])
@pytest.mark.parametrize("text", ["x" * 65_536, "\ud800"], ids=["long", "surrogate"])
def test_what_mqtt_cannot_carry_is_refused_by_name(field: str, text: str) -> None:
    named = replace(HELLO, username="u", password="p")
    with pytest.raises(BrokerRefused, match=field[:4]) as refused:
        connect(replace(named, **{field: text}))  # type: ignore[arg-type]
    assert text not in str(refused.value)


def test_the_password_is_in_no_text_about_us() -> None:
    assert "secret" not in repr(replace(HELLO, username="u", password="secret"))


@pytest.mark.parametrize(
    ("version", "qos", "retain", "expected"),
    [
        (V5, 1, Retain.NO, "32 0A 00 03 61 2F 62 00 0A 00"),  # §3.3.1, §3.3.2
        (V5, 0, Retain.YES, "31 08 00 03 61 2F 62 00"),  # no packet id at QoS 0
        (V311, 1, Retain.YES, "33 09 00 03 61 2F 62 00 0A"),
        (V311, 0, Retain.NO, "30 07 00 03 61 2F 62"),
    ],
)
def test_publish(version: Version, qos: int, retain: Retain, expected: str) -> None:
    assert spaced(publish_head(version, "a/b", 10, 2, qos=qos, retain=retain)) == expected


def test_pingreq_and_disconnect() -> None:
    assert spaced(PINGREQ) == "C0 00"  # §3.12
    assert spaced(disconnect(V5)) == spaced(disconnect(V311, 0x81)) == "E0 00"  # §3.14
    assert spaced(disconnect(V5, 0x81)) == "E0 01 81"


@pytest.mark.parametrize(
    ("number", "spelled"),
    [
        (0, "00"),
        (127, "7F"),
        (128, "80 01"),
        (16_383, "FF 7F"),
        (16_384, "80 80 01"),
        (2_097_151, "FF FF 7F"),
        (2_097_152, "80 80 80 01"),
        (268_435_455, "FF FF FF 7F"),
    ],
)
def test_remaining_lengths_at_their_limits(number: int, spelled: str) -> None:
    assert spaced(remaining_length(number)) == spelled  # table 1-1, §1.5.5
