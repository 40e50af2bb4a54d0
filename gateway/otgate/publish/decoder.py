"""What a broker sends to a publishing client: bytes to packets, incrementally, no I/O.

The client subscribes to nothing and publishes at QoS 0 and 1, so that few packets can come. Some
brokers deliver messages unasked, by a rule of theirs or by mistake: these are thrown away without
being held, and acknowledged. All else, and whatever is malformed, is one condition, `NotMqtt`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from otgate.publish.errors import NotMqtt
from otgate.publish.message import Retain
from otgate.publish.packets import Kind, Version, answer
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


class Unasked(NamedTuple):
    """A PUBLISH to a client that subscribed to nothing (§3.3), and what the server waits for."""

    answer: bytes


class Pubrel(NamedTuple):
    """The second half of a PUBLISH of QoS 2 (§3.6)."""

    packet_id: int


Packet = Connack | Puback | Pingresp | Disconnect | Unasked | Pubrel

FIRST_BYTES = {
    kind << 4: kind for kind in (Kind.CONNACK, Kind.PUBACK, Kind.PINGRESP, Kind.DISCONNECT)
}
"""By type and flags, which are all 0 (MQTT 5.0, §2.1.3)."""
FIRST_BYTES |= {Kind.PUBREL << 4 | 2: Kind.PUBREL}
FIRST_BYTES |= {
    Kind.PUBLISH << 4 | duplicate | qos | retain: Kind.PUBLISH
    for duplicate in (0, 8)
    for qos in (0, 2, 4)
    for retain in (0, 1)
}
"""There is no QoS 3 (§3.3.1.2)."""
ANSWERS = {2: Kind.PUBACK, 4: Kind.PUBREC}
"""By the bits of the QoS (§4.3)."""


class Decoder:
    """One connection's, from its first byte."""

    def __init__(self, version: Version) -> None:
        self._version = version
        self._held = bytearray()
        """What came and is not yet a whole packet."""
        self._greeted = False
        self._unasked: Unasked | None = None
        """The one whose payload is on its way."""
        self._to_drop = 0
        """Bytes of it that are still to come."""

    def packets(self, data: bytes | memoryview) -> Iterator[Packet]:
        """Yield the packets that ``data`` makes whole.

        Raises:
            NotMqtt: what follows them is none; it will be raised again.
        """
        held = self._held
        held += data
        while held:
            if self._unasked or held[0] >> 4 == Kind.PUBLISH:
                dropped = self._dropped()
                if dropped is None:
                    return
                yield dropped
                continue
            kind = self._expected(held[0])
            bounds = _bounds(held)
            if bounds is None:
                return
            start, end = bounds
            packet = self._read(kind, bytes(held[start:end]))
            del held[:end]
            self._greeted = True
            yield packet

    def _dropped(self) -> Unasked | None:
        """Throw away what came of an unasked message; return it once it is over."""
        held = self._held
        if self._unasked is None:
            self._expected(held[0])
            length = _length(held)
            if length is None:
                return None
            start, size = length
            read = _unasked(held, start, size)
            if read is None:
                return None
            self._unasked, head = read
            del held[: start + head]
            self._to_drop = size - head
        dropped = min(self._to_drop, len(held))
        del held[:dropped]
        self._to_drop -= dropped
        if self._to_drop:
            return None
        unasked, self._unasked = self._unasked, None
        return unasked

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
        if kind is Kind.PUBREL:
            return self._pubrel(body)
        return self._disconnect(body)

    def _puback(self, body: bytes) -> Puback:
        """Read any reason code: servers answer also with such as §3.4.2.1 does not list."""
        packet_id = self._packet_id(Kind.PUBACK, body)
        return Puback(packet_id, body[2] if len(body) > 2 else SUCCESS)

    def _pubrel(self, body: bytes) -> Pubrel:
        return Pubrel(self._packet_id(Kind.PUBREL, body))

    def _packet_id(self, kind: Kind, body: bytes) -> int:
        size = len(body)
        if size < 2 or (size > 2 and self._version is Version.V311):
            raise NotMqtt(f"a {kind.name} of {size} bytes")
        packet_id = body[0] << 8 | body[1]
        if not packet_id:  # §2.2.1
            raise NotMqtt(f"a {kind.name} of packet 0")
        return packet_id

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
    length = _length(held)
    if length is None:
        return None
    start, size = length
    if size > LONGEST_PACKET:
        raise NotMqtt(f"a packet of {size} bytes")
    end = start + size
    return (start, end) if end <= len(held) else None


def _length(held: bytearray) -> tuple[int, int] | None:
    """Return where the first packet's body begins and its size; None while that is not there."""
    length = shift = 0
    for at in range(1, min(len(held), 1 + LONGEST_LENGTH)):
        byte = held[at]
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            if at > 1 and not byte:  # the shortest spelling, §1.5.5
                raise NotMqtt(f"a packet of {length} bytes, spelled in {at}")
            return at + 1, length
        shift += 7
    if shift == 7 * LONGEST_LENGTH:
        raise NotMqtt("a packet whose length has no end")
    return None


def _unasked(held: bytearray, start: int, size: int) -> tuple[Unasked, int] | None:
    """Return the message at ``start`` and how long its head is; None while that is not there."""
    qos = held[0] & 0x06
    if len(held) < start + 2:
        return None
    named = 2 + int.from_bytes(held[start : start + 2])
    head = named + 2 if qos else named
    if head > size:
        raise NotMqtt(f"a PUBLISH of {size} bytes that says its head has {head}")
    if len(held) < start + head:
        return None
    if not qos:
        return Unasked(b""), head
    packet_id = int.from_bytes(held[start + named : start + head])
    if not packet_id:  # §2.2.1
        raise NotMqtt("a PUBLISH of packet 0")
    return Unasked(answer(ANSWERS[qos], packet_id)), head


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
