"""What a broker may say, byte by byte (MQTT 5.0 and 3.1.1)."""

import pytest

from otgate.publish.decoder import (
    LONGEST_PACKET,
    Connack,
    Decoder,
    Disconnect,
    Grants,
    Packet,
    Pingresp,
    Puback,
    Pubrel,
    Unasked,
)
from otgate.publish.errors import NotMqtt
from otgate.publish.message import Retain
from otgate.publish.packets import Version, remaining_length

V5, V311 = Version.V5, Version.V311
GREETING = {V5: "20 03 00 00 00", V311: "20 02 00 00"}


def read(version: Version, octets: str) -> list[Packet]:
    return list(Decoder(version).packets(bytes.fromhex(octets)))


def after_connack(version: Version, octets: str) -> list[Packet]:
    return read(version, GREETING[version] + octets)[1:]


def test_a_connack_without_properties_grants_everything() -> None:
    assert read(V5, "20 03 00 00 00") == [Connack(0)]  # MQTT 5.0, §3.2
    assert read(V311, "20 02 01 00") == [Connack(0, session_present=True)]  # 3.1.1, §3.2


def test_the_grants_of_a_connack() -> None:
    told = (
        "20 30 00 00 2D"
        "21 00 05"  # §3.2.2.3.3 Receive Maximum
        "24 01"  # §3.2.2.3.4 Maximum QoS
        "25 00"  # §3.2.2.3.5 Retain Available
        "27 00 00 10 00"  # §3.2.2.3.6 Maximum Packet Size
        "12 00 03 61 62 63"  # §3.2.2.3.7 Assigned Client Identifier
        "22 00 0A"  # §3.2.2.3.8 Topic Alias Maximum
        "1F 00 02 6F 6B"  # §3.2.2.3.9 Reason String
        "26 00 01 6B 00 01 76 26 00 01 6B 00 01 76"  # §3.2.2.3.10 User Property, twice
        "28 01"  # §3.2.2.3.11 Wildcard Subscription Available
        "13 00 03"  # §3.2.2.3.14 Server Keep Alive
    )
    grants = Grants(5, 4096, 1, Retain.NO)
    assert read(V5, told) == [
        Connack(0, grants=grants, keepalive_s=3, client_id="abc", told="ok"),
    ]


@pytest.mark.parametrize(
    ("code", "same"), [(1, 0x84), (2, 0x85), (3, 0x88), (4, 0x86), (5, 0x87), (6, 0x80)]
)
def test_return_codes_of_3_1_1_are_read_as_those_of_5(code: int, same: int) -> None:
    assert read(V311, f"20 02 00 {code:02X}") == [Connack(same)]  # 3.1.1, §3.2.2.3


def test_a_server_of_3_1_1_may_answer_mqtt_5_in_its_own_way() -> None:
    assert read(V5, "20 02 00 01") == [Connack(0x84)]


@pytest.mark.parametrize("version", list(Version))
def test_a_puback_without_a_code_is_a_success(version: Version) -> None:
    assert after_connack(version, "40 02 12 34") == [Puback(0x1234, 0)]  # §3.4.2.1


@pytest.mark.parametrize("rest", ["40 03 00 01 {:02X}", "40 04 00 01 {:02X} 00"])
def test_every_reason_code_of_a_puback_is_read(rest: str) -> None:
    for code in range(256):  # §3.4.2.1 lists nine of them
        assert after_connack(V5, rest.format(code)) == [Puback(1, code)]


def test_a_puback_may_have_properties() -> None:
    told = "40 0B 00 01 87 07 1F 00 04 64 65 6E 79"  # §3.4.2.2.2, Reason String
    assert after_connack(V5, told) == [Puback(1, 0x87)]


def test_a_pingresp_and_a_disconnect() -> None:
    assert after_connack(V5, "D0 00 E0 00") == [Pingresp(), Disconnect(0)]  # §3.13, §3.14
    assert after_connack(V5, "E0 01 8E") == [Disconnect(0x8E)]
    assert after_connack(V5, "E0 02 8E 00") == [Disconnect(0x8E)]


@pytest.mark.parametrize(
    "octets",
    [
        "40 02 00 01",  # §3.2: the first packet is CONNACK
        "E0 00",
        "00 00",  # §2.1.2: type 0 is reserved
        "30 05 00 01 61 00 00",  # PUBLISH, before there is a session
        "10 00",  # CONNECT
        "F0 00",  # AUTH, which we did not begin
        "21 03 00 00 00",  # §2.1.3: the flags are 0
        "20 00",
        "20 01 00",
        "20 02 00 00",  # §3.2.2.3.1: MQTT 5 has a property length
        "20 03 02 00 00",  # §3.2.2.1: reserved bits
        "20 03 00 01 00",
        "20 03 00 00 01",
        "20 04 00 00 00 00",
        "20 03 00 00 80",
        "20 07 00 00 80 80 80 80 00",
        "20 05 00 00 02 24 02",  # Maximum QoS is 0 or 1
        "20 05 00 00 02 25 02",  # Retain Available is 0 or 1
        "20 06 00 00 03 21 00 00",  # Receive Maximum is not 0
        "20 08 00 00 05 27 00 00 00 00",  # Maximum Packet Size is not 0
        "20 07 00 00 04 25 01 25 01",  # each but User Property once
        "20 05 00 00 02 21 00",
        "20 06 00 00 03 1F 00 05",
        "20 05 00 00 02 23 00",  # Topic Alias is none of a CONNACK's
        "20 04 00 00 01 7F",
        "20 83 00 00 00 00",  # §1.5.5: the shortest spelling
        "20 FF FF FF FF 01",  # §1.5.5: four bytes at most
        "20 81 80 04",  # longer than anything that is of use
    ],
)
def test_what_is_no_connack_is_not_mqtt(octets: str) -> None:
    with pytest.raises(NotMqtt, match="what is not MQTT"):
        read(V5, octets)


@pytest.mark.parametrize(
    ("version", "octets"),
    [
        (V5, "20 03 00 00 00"),
        (V5, "40 00"),
        (V5, "40 01 00"),
        (V5, "40 02 00 00"),  # §2.2.1: packet ids are not 0
        (V311, "40 03 00 01 00"),
        (V311, "E0 00"),  # 3.1.1, §3.14: from client to server only
        (V311, "20 03 00 00 00"),
        (V5, "D0 01 00"),
        (V5, "50 02 00 01"),  # PUBREC: we publish nothing of QoS 2
        (V5, "36 05 00 01 61 00 01"),  # §3.3.1.2: there is no QoS 3
        (V5, "30 02 00 01"),  # a topic that is longer than the packet
        (V5, "32 03 00 01 61"),  # no room for the packet id
        (V5, "32 05 00 01 61 00 00"),  # §2.2.1
        (V5, "30 81 00 00"),  # §1.5.5: the shortest spelling
        (V5, "60 02 00 01"),  # §3.6.1: the flags of PUBREL are 0010
        (V5, "62 02 00 00"),
        (V5, "90 03 00 01 00"),  # SUBACK
    ],
)
def test_what_cannot_follow_a_connack_is_not_mqtt(version: Version, octets: str) -> None:
    with pytest.raises(NotMqtt):
        after_connack(version, octets)


@pytest.mark.parametrize(
    ("octets", "answer"),
    [
        ("30 04 00 01 61 78", ""),
        ("31 03 00 01 61", ""),  # which clears a retained message, §3.3.1.3
        ("33 06 00 01 61 00 07 78", "40 02 00 07"),  # §4.3.2
        ("3A 06 00 01 61 00 07 78", "40 02 00 07"),
        ("34 06 00 01 61 00 07 78", "50 02 00 07"),  # §4.3.3
    ],
)
def test_an_unasked_message_is_thrown_away_and_acknowledged(octets: str, answer: str) -> None:
    expected = [Unasked(bytes.fromhex(answer)), Puback(1, 0)]
    assert after_connack(V5, octets + "40 02 00 01") == expected
    assert after_connack(V311, octets + "40 02 00 01") == expected


def test_an_unasked_message_of_any_size_is_not_held() -> None:
    decoder = Decoder(V5)
    list(decoder.packets(bytes.fromhex(GREETING[V5])))
    size = 40 * LONGEST_PACKET
    head = b"\x32" + remaining_length(5 + size) + b"\0\x01a\0\x09"
    assert list(decoder.packets(head)) == []
    for _ in range(39):
        assert list(decoder.packets(bytes(LONGEST_PACKET))) == []
        assert not decoder._held
    last = bytes(LONGEST_PACKET) + bytes.fromhex("40 02 00 01")
    assert list(decoder.packets(last)) == [Unasked(bytes.fromhex("40 02 00 09")), Puback(1, 0)]


def test_the_second_half_of_qos_2_is_read() -> None:
    assert after_connack(V5, "62 02 00 07") == [Pubrel(7)]


def test_what_precedes_garbage_is_read_first() -> None:
    packets = Decoder(V5).packets(bytes.fromhex("20 03 00 00 00 40 02 00 01 FF"))
    assert [next(packets), next(packets)] == [Connack(0), Puback(1, 0)]
    with pytest.raises(NotMqtt):
        next(packets)


def test_garbage_remains_garbage() -> None:
    decoder = Decoder(V5)
    for _ in range(2):
        with pytest.raises(NotMqtt, match="0xFF"):
            list(decoder.packets(b"\xff"))


def test_a_broker_makes_us_hold_no_more_than_one_packet() -> None:
    decoder = Decoder(V5)
    endless = b"\x20\xff\xff\x03" + bytes(LONGEST_PACKET - 2)
    assert list(decoder.packets(endless)) == []
    with pytest.raises(NotMqtt):
        list(decoder.packets(bytes(1)))


def test_what_a_broker_tells_fits_in_a_line_of_a_log() -> None:
    words = b"no\nway" + b"\xff" + b"x" * 300
    field = b"\x1f" + len(words).to_bytes(2) + words
    body = b"\x00\x87" + bytes((len(field) & 0x7F | 0x80, len(field) >> 7)) + field
    told = b"\x20" + bytes((len(body) & 0x7F | 0x80, len(body) >> 7)) + body
    (connack,) = Decoder(V5).packets(told)
    assert isinstance(connack, Connack)
    assert connack.told == ("no?way\ufffd" + "x" * 300)[:200]
