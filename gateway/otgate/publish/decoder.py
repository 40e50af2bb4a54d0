"""What a broker sends to a publishing client: bytes to packets, incrementally, no I/O.

The client subscribes to nothing and publishes at QoS 0 and 1, so that few packets can come. All
else, and whatever is malformed, is one condition, `NotMqtt`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from otgate.publish.errors import NotMqtt
from otgate.publish.message import Retain
from otgate.publish.packets import Kind, Version
from otgate.publish.properties import (
    ASSIGNED_CLIENT_IDENTIFIER,
    MAXIMUM_PACKET_SIZE,
    MAXIMUM_QOS,
    REASON_STRING,
    RECEIVE_MAXIMUM,
    RETAIN_AVAILABLE,
    SERVER_KEEP_ALIVE,
    properties,
)
from otgate.publish.reasons import SUCCESS

LONGEST_PACKET = 64 * 1024
"""Bytes of a packet that is taken; the longest that is of use has some dozens."""
LONGEST_LENGTH = 4
"""Bytes of a remaining length (MQTT 5.0, §1.5.5)."""
RETURN_CODES = {1: 0x84, 2: 0x85, 3: 0x88, 4: 0x86, 5: 0x87}
"""What 3.1.1 says at CONNECT (3.1.1, §3.2.2.3), in MQTT 5.0's codes (§3.2.2.2)."""
UNSPECIFIED = 0x80


@dataclass(frozen=True, slots=True)
class Grants:
    """What the broker allows (MQTT 5.0, §3.2.2.3)."""

    receive_maximum: int = 65_535
    maximum_packet_size: int = 0
    """0 is none."""
    maximum_qos: int = 2
    retain: Retain = Retain.YES


@dataclass(frozen=True, slots=True)
class Connack:
    """The answer to CONNECT (§3.2); ``code`` is one of MQTT 5.0's in both versions."""

    code: int
    session_present: bool = False
    grants: Grants = Grants()
    keepalive_s: int | None = None
    """What the server wants instead of ours (§3.2.2.3.14)."""
    client_id: str = ""
    """What it calls us where we left that to it (§3.2.2.3.7)."""
    told: str = ""
    """Its reason, in its own words (§3.2.2.3.9)."""


class Puback(NamedTuple):
    """The answer to a PUBLISH of QoS 1 (§3.4)."""

    packet_id: int
    code: int


class Pingresp(NamedTuple):
    """The answer to PINGREQ (§3.13)."""


class Disconnect(NamedTuple):
    """The server is about to close (MQTT 5.0, §3.14)."""

    code: int


Packet = Connack | Puback | Pingresp | Disconnect

FIRST_BYTES = {
    kind << 4: kind for kind in (Kind.CONNACK, Kind.PUBACK, Kind.PINGRESP, Kind.DISCONNECT)
}
"""By type and flags, which are all 0 (MQTT 5.0, §2.1.3)."""


class Decoder:
    """One connection's, from its first byte."""

    def __init__(self, version: Version) -> None:
        self._version = version
        self._held = bytearray()
        """What came and is not yet a whole packet."""
        self._greeted = False

    def packets(self, data: bytes | memoryview) -> Iterator[Packet]:
        """Yield the packets that ``data`` makes whole.

        Raises:
            NotMqtt: what follows them is none; it will be raised again.
        """
        held = self._held
        held += data
        while held:
            kind = self._expected(held[0])
            bounds = _bounds(held)
            if bounds is None:
                return
            start, end = bounds
            packet = self._read(kind, bytes(held[start:end]))
            del held[:end]
            self._greeted = True
            yield packet

    def _expected(self, first: int) -> Kind:
        kind = FIRST_BYTES.get(first)
        if kind is None:
            raise NotMqtt(f"a packet that begins with 0x{first:02X}")
        if (kind is Kind.CONNACK) is self._greeted:
            order = "a second CONNACK" if self._greeted else f"a {kind.name} before a CONNACK"
            raise NotMqtt(order)  # MQTT 5.0, §3.2
        return kind

    def _read(self, kind: Kind, body: bytes) -> Packet:
        if kind is Kind.PUBACK:
            return self._puback(body)
        if kind is Kind.CONNACK:
            return self._connack(body)
        if kind is Kind.PINGRESP:
            return _pingresp(body)
        return self._disconnect(body)

    def _puback(self, body: bytes) -> Puback:
        """Read any reason code: servers answer also with such as §3.4.2.1 does not list."""
        size = len(body)
        if size < 2 or (size > 2 and self._version is Version.V311):
            raise NotMqtt(f"a PUBACK of {size} bytes")
        packet_id = body[0] << 8 | body[1]
        if not packet_id:  # §2.2.1
            raise NotMqtt("a PUBACK of packet 0")
        return Puback(packet_id, body[2] if size > 2 else SUCCESS)

    def _connack(self, body: bytes) -> Connack:
        if len(body) < 2 or body[0] > 1:  # §3.2.2.1.1: the other bits are reserved
            raise NotMqtt("a CONNACK without what it has to say")
        present, code = bool(body[0]), body[1]
        if self._version is Version.V5 and (len(body) > 2 or code not in RETURN_CODES):
            return _connack_5(body, code, present=present)
        if len(body) > 2:
            raise NotMqtt(f"a CONNACK of {len(body)} bytes")
        return Connack(RETURN_CODES.get(code, UNSPECIFIED) if code else SUCCESS, present)

    def _disconnect(self, body: bytes) -> Disconnect:
        if self._version is Version.V311:
            raise NotMqtt("a DISCONNECT, which a server of 3.1.1 cannot send")
        return Disconnect(body[0] if body else SUCCESS)


def _bounds(held: bytearray) -> tuple[int, int] | None:
    """Return where the first packet's body begins and ends; None while it is not whole."""
    length = shift = 0
    for at in range(1, min(len(held), 1 + LONGEST_LENGTH)):
        byte = held[at]
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            if length > LONGEST_PACKET or (at > 1 and not byte):  # the shortest spelling, §1.5.5
                raise NotMqtt(f"a packet of {length} bytes, spelled in {at}")
            end = at + 1 + length
            return (at + 1, end) if end <= len(held) else None
        shift += 7
    if shift == 7 * LONGEST_LENGTH:
        raise NotMqtt("a packet whose length has no end")
    return None


def _pingresp(body: bytes) -> Pingresp:
    if body:
        raise NotMqtt(f"a PINGRESP of {len(body)} bytes")
    return Pingresp()


def _connack_5(body: bytes, code: int, *, present: bool) -> Connack:
    if 0 < code < UNSPECIFIED:
        raise NotMqtt(f"a CONNACK with reason code 0x{code:02X}")
    said = properties(body[2:])
    return Connack(
        code,
        present,
        Grants(
            receive_maximum=said.number(RECEIVE_MAXIMUM, 65_535, at_least=1),
            maximum_packet_size=said.number(MAXIMUM_PACKET_SIZE, 0, at_least=1),
            maximum_qos=said.number(MAXIMUM_QOS, 2, at_most=1),
            retain=Retain(bool(said.number(RETAIN_AVAILABLE, 1, at_most=1))),
        ),
        keepalive_s=said.numbers.get(SERVER_KEEP_ALIVE),
        client_id=said.text(ASSIGNED_CLIENT_IDENTIFIER),
        told=said.text(REASON_STRING),
    )
