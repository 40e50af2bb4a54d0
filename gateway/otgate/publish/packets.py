"""What a publishing client sends: MQTT packets to bytes, for 5.0 and 3.1.1, no I/O.

Each connection starts clean: what is unsettled is read again from the spool.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache

from otgate.publish.errors import BrokerRefused
from otgate.publish.message import Message, Retain
from otgate.publish.reasons import SUCCESS


class Version(IntEnum):
    """A protocol level (MQTT 3.1.1 and 5.0, §3.1.2.2)."""

    V311 = 4
    V5 = 5


class Kind(IntEnum):
    """Control packet types that a publishing client sends or is sent (§2.1.2; 3.1.1, §2.2.1)."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14


PROTOCOL_NAME = b"\x00\x04MQTT"
"""§3.1.2.1, in both versions."""
CLEAN, WILL, WILL_RETAIN, PASSWORD, USER_NAME = 0x02, 0x04, 0x20, 0x40, 0x80
"""Bits of the connect flags, §3.1.2.3; the will's QoS is in bits 4 and 3."""
NO_PROPERTIES = b"\x00"
"""A property length of 0 (MQTT 5.0, §2.2.2.1)."""
PINGREQ = b"\xc0\x00"
"""§3.12."""
LONGEST_FIELD = 65_535
"""Bytes of a string or of binary data, at most (MQTT 5.0, §1.5.4 and §1.5.6)."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What CONNECT says of us."""

    version: Version
    client_id: str
    keepalive_s: int
    will: Message
    will_qos: int = 1
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    """Sent with a user name only: 3.1.1 knows no password alone (3.1.1, §3.1.2.9)."""


def connect(hello: Hello) -> bytes:
    """Return CONNECT (§3.1).

    Raises:
        BrokerRefused: something is not what MQTT can carry.
    """
    none = NO_PROPERTIES if hello.version is Version.V5 else b""
    parts = [
        PROTOCOL_NAME,
        bytes((hello.version, _connect_flags(hello))),
        hello.keepalive_s.to_bytes(2),
        none,
        _text("client id", hello.client_id),
        none,
        _text("will topic", hello.will.topic),
        _binary("will", hello.will.payload),
    ]
    if hello.username is not None:
        parts.append(_text("user name", hello.username))
        if hello.password is not None:
            parts.append(_text("password", hello.password))
    body = b"".join(parts)
    return bytes((Kind.CONNECT << 4,)) + remaining_length(len(body)) + body


def publish_head(
    version: Version, topic: str, packet_id: int, size: int, *, qos: int, retain: Retain
) -> bytes:
    """Return what of PUBLISH stands before a payload of ``size`` bytes (§3.3)."""
    first = Kind.PUBLISH << 4 | qos << 1 | retain.value
    opening = _opening(topic)
    variable = opening + packet_id.to_bytes(2) if qos else opening
    if version is Version.V5:
        variable += NO_PROPERTIES
    return b"%c%b%b" % (first, remaining_length(len(variable) + size), variable)


def answer(kind: Kind, packet_id: int) -> bytes:
    """Return PUBACK, PUBREC or PUBCOMP (§3.4, §3.5, §3.7) with no reason but success."""
    return bytes((kind << 4, 2)) + packet_id.to_bytes(2)


def disconnect(version: Version, code: int = SUCCESS) -> bytes:
    """Return DISCONNECT (§3.14); 3.1.1 knows no reason code."""
    if version is Version.V311 or code == SUCCESS:
        return b"\xe0\x00"
    return bytes((Kind.DISCONNECT << 4, 1, code))


def remaining_length(number: int) -> bytes:
    """Return a variable byte integer (MQTT 5.0, §1.5.5; 3.1.1, §2.2.3)."""
    spelled = bytearray()
    while number > 0x7F:
        spelled.append(number & 0x7F | 0x80)
        number >>= 7
    spelled.append(number)
    return bytes(spelled)


@lru_cache(maxsize=1024)
def _opening(topic: str) -> bytes:
    """Return a topic's field; there are few topics, and each comes again and again."""
    return _text("topic", topic)


def _connect_flags(hello: Hello) -> int:
    flags = CLEAN | WILL | hello.will_qos << 3
    if hello.will.retain is Retain.YES:
        flags |= WILL_RETAIN
    if hello.username is not None:
        flags |= USER_NAME
        if hello.password is not None:
            flags |= PASSWORD
    return flags


def _text(what: str, text: str) -> bytes:
    """Return a UTF-8 encoded string (§1.5.4; 3.1.1, §1.5.3)."""
    try:
        spelled = text.encode()
    except UnicodeEncodeError:
        raise BrokerRefused(f"the {what} is not text that UTF-8 can spell") from None
    return _binary(what, spelled)


def _binary(what: str, octets: bytes) -> bytes:
    """Return binary data behind its length (MQTT 5.0, §1.5.6)."""
    if len(octets) > LONGEST_FIELD:
        raise BrokerRefused(f"the {what} is longer than {LONGEST_FIELD} bytes")
    return len(octets).to_bytes(2) + octets
