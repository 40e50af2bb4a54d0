"""The MQTT codec: the same at every cut, one condition for garbage, what paho would send."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import example, given
from hypothesis import strategies as st
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from otgate.publish.decoder import Decoder, Packet
from otgate.publish.errors import NotMqtt
from otgate.publish.message import Message, Retain
from otgate.publish.packets import Hello, Version, connect, publish_head, remaining_length

VERSIONS = st.sampled_from(list(Version))
RETAINS = st.sampled_from(list(Retain))
TOPICS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="+#\0"), min_size=1)
MESSAGES = st.builds(Message, TOPICS, st.binary(max_size=300), RETAINS)


def packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + remaining_length(len(body)) + body


def integers(name: int, size: int) -> st.SearchStrategy[bytes]:
    return st.integers(0, 256**size - 1).map(lambda n: bytes((name,)) + n.to_bytes(size))


def strings(name: int) -> st.SearchStrategy[bytes]:
    return st.binary(max_size=40).map(lambda s: bytes((name,)) + len(s).to_bytes(2) + s)


PROPERTIES = st.lists(
    integers(0x21, 2) | integers(0x24, 1) | integers(0x27, 4) | integers(0x13, 2) | strings(0x1F),
    max_size=5,
).map(b"".join)


@st.composite
def connacks(draw: st.DrawFn) -> bytes:
    code = draw(st.sampled_from([0, 0, 0x87, 5]))
    field = draw(PROPERTIES)
    return packet(0x20, bytes((0, code)) + remaining_length(len(field)) + field)


PUBACKS = st.builds(
    lambda number, rest: packet(0x40, number.to_bytes(2) + rest),
    st.integers(1, 65_535),
    st.binary(max_size=6),
)
UNASKED = st.builds(
    lambda first, topic, rest: packet(first, len(topic).to_bytes(2) + topic + rest),
    st.integers(0x30, 0x3F),
    st.binary(max_size=5),
    st.binary(max_size=150),
)
OTHERS = st.sampled_from([b"\xd0\x00", b"\xe0\x00", b"\xe0\x01\x8e", b"\x62\x02\x00\x01"])


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """What a broker may say, perhaps with some bytes replaced, left out or put in."""
    greeting = draw(connacks() | st.just(b"\x20\x02\x00\x00") | st.just(b"\x20\x03\x00\x00\x00"))
    stream = bytearray(greeting + b"".join(draw(st.lists(PUBACKS | UNASKED | OTHERS, max_size=8))))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(stream)))
        stream[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(stream)


def read(decoder: Decoder, *chunks: bytes) -> tuple[list[Packet], str]:
    """Return the packets and the words of the condition that ended them, if one did."""
    found: list[Packet] = []
    try:
        for chunk in chunks:
            for each in decoder.packets(chunk):
                found.append(each)  # noqa: PERF402  what precedes garbage counts
    except NotMqtt as babble:
        return found, str(babble)
    return found, ""


@given(VERSIONS, streams())
def test_cuts_change_nothing(version: Version, stream: bytes) -> None:
    whole = read(Decoder(version), stream)
    for at in range(len(stream) + 1):
        assert read(Decoder(version), stream[:at], stream[at:]) == whole
    assert read(Decoder(version), *(stream[at : at + 1] for at in range(len(stream)))) == whole


@given(VERSIONS, st.binary(max_size=300))
@example(Version.V5, b"\xff" * 64)
@example(Version.V5, b"\x20\xff\xff\xff\xff\xff")
def test_random_bytes_are_packets_or_one_condition(version: Version, garbage: bytes) -> None:
    read(Decoder(version), garbage)
    read(Decoder(version), b"\x20\x03\x00\x00\x00", garbage)


def test_reading_takes_time_in_proportion_to_what_comes() -> None:
    took_s = []
    for size in (2_000, 32_000):
        field = b"\x26\x00\x01k\x00\x01v" * (size // 7)
        stream = packet(0x20, b"\x00\x00" + remaining_length(len(field)) + field)
        begun_s = time.process_time()
        read(Decoder(Version.V5), *(stream[at : at + 1] for at in range(len(stream))))
        took_s.append(time.process_time() - begun_s)
    assert took_s[1] < 16 * 5 * max(took_s[0], 0.001)  # squares would be 256 times


def heard(end: socket.socket, size: int) -> bytes:
    return end.recv(size, socket.MSG_WAITALL)


@contextmanager
def peer(version: Version, hello: Hello) -> Iterator[tuple[mqtt.Client, socket.socket]]:
    """A client of paho's, and the other end of its connection before it has read anything."""
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        hello.client_id,
        clean_session=None if version is Version.V5 else True,
        protocol=MQTTProtocolVersion(version),
    )
    client.will_set(hello.will.topic, hello.will.payload, hello.will_qos, hello.will.retain.value)
    if hello.username is not None:
        client.username_pw_set(hello.username, hello.password)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client.connect("127.0.0.1", listening.getsockname()[1], hello.keepalive_s)
        end, _ = listening.accept()
        with end:
            end.settimeout(10)
            yield client, end
            client.disconnect()


@given(
    st.builds(
        Hello,
        VERSIONS,
        st.text("abc-", min_size=1, max_size=23),
        st.integers(1, 65_535),
        MESSAGES,
        st.integers(0, 1),
        st.none() | st.text("uv\u00fc", max_size=9),
        st.none() | st.text("pq\u00fc", max_size=9),
    ),
    st.lists(st.tuples(MESSAGES, st.integers(0, 1)), max_size=5),
)
def test_paho_sends_the_same_bytes(hello: Hello, messages: list[tuple[Message, int]]) -> None:
    version = hello.version
    ours = connect(hello)
    with peer(version, hello) as (client, end):
        assert heard(end, len(ours)) == ours
        end.sendall(b"\x20\x03\x00\x00\x00" if version is Version.V5 else b"\x20\x02\x00\x00")
        client.loop_read()
        for number, (message, qos) in enumerate(messages, 1):
            head = publish_head(
                version, message.topic, number, len(message.payload), qos=qos, retain=message.retain
            )
            client.publish(message.topic, message.payload, qos, message.retain.value)
            assert heard(end, len(head) + len(message.payload)) == head + message.payload
