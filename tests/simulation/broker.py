"""A small MQTT broker for simulations: it takes what is published, and fails as it is told.

What it acknowledged it writes to its disk within a second, as a Mosquitto with autosave does: a
crash loses the rest. Whoever looks on sees a message when no crash takes it back any more.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random

from simulation.network import Carries, End, Line

CONNECT, CONNACK, PUBLISH, PUBACK, PINGREQ, PINGRESP, DISCONNECT = 1, 2, 3, 4, 12, 13, 14
"""Control packet types: MQTT 5.0, §2.1.2."""
RECEIVE_MAXIMUM = 0x21
"""A property: MQTT 5.0, §3.2.2.3.3."""
SERVER_UNAVAILABLE = {5: 0x88, 4: 3}
"""Why a connection is refused, by protocol level: MQTT 5.0, §3.2.2.2; 3.1.1, §3.2.2.3."""
AUTOSAVE_S = 1.0
ACKNOWLEDGEMENT_BYTES = 4

Seen = Callable[[float, str, bytes], None]


class Broker:
    """Holds what was published, its connections, and how it fails now."""

    def __init__(
        self, seen: Seen, raw: Callable[[bytes], None], overrun: Callable[[int], None]
    ) -> None:
        self.refusing = False
        self.slow_s = 0.0
        """How long an acknowledgement takes."""
        self.silent = False
        """Whether it takes messages and answers pings, and acknowledges nothing."""
        self.skips = 0
        """So many messages it never acknowledges."""
        self.breaks_in: int | None = None
        """After so many more bytes it drops the connection, in the midst of whatever comes."""
        self.only_311 = False
        """Whether it knows MQTT 3.1.1 alone, and closes upon anything else."""
        self.receive_maximum = 0
        """How many unacknowledged messages it takes, by its word in MQTT 5; 0 is any number."""
        self.retained: dict[str, bytes] = {}
        self.clients: set[Client] = set()
        self.messages = self._count = 0
        self._seen = seen
        self.raw = raw
        self.overrun = overrun
        self._unsaved: deque[tuple[float, str, bytes]] = deque()
        self._loop = asyncio.get_running_loop()
        self.line: Line

    def be(self, rng: Random) -> None:
        """Be one of the many brokers that there are."""
        self.only_311 = rng.random() < 0.3
        self.receive_maximum = rng.choice((0, 1, 2, 10))

    def count(self) -> int:
        """Return how many clients there have been."""
        self._count += 1
        return self._count

    def serve(self) -> "Client":
        return Client(self)

    def publish(self, topic: str, payload: bytes, *, retain: bool) -> None:
        self.save(self._loop.time() - AUTOSAVE_S)
        self.messages += 1
        self._unsaved.append((self._loop.time(), topic, payload))
        if retain:
            self.retained[topic] = payload

    def save(self, until_s: float = float("inf")) -> None:
        """Make sure of everything that came until then."""
        while self._unsaved and self._unsaved[0][0] <= until_s:
            self._seen(*self._unsaved.popleft())

    def crash(self) -> None:
        """Lose what is not saved, and every connection; nobody is told of the wills."""
        self.save(self._loop.time() - AUTOSAVE_S)
        self._unsaved.clear()
        self.line.become(Carries.REFUSED)

    def speak(self) -> None:
        """Acknowledge everything that was taken in silence."""
        self.silent = False
        for client in sorted(self.clients, key=lambda one: one.number):
            client.speak()


class Client(asyncio.Protocol):
    """A connection of a client."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.client_id = ""
        self.level = 0
        self.will: tuple[str, bytes, bool] | None = None
        self.number = broker.count()
        self._in = bytearray()
        self._unsaid = bytearray()
        self._unanswered = 0
        self._end: End

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._end = transport  # type: ignore[assignment]
        self.broker.clients.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.broker.clients.discard(self)
        if self.will is not None:
            topic, payload, retain = self.will
            self.broker.publish(topic, payload, retain=retain)

    def data_received(self, data: bytes) -> None:
        self.broker.raw(data)
        self._in += data
        left = self.broker.breaks_in
        if left is not None and self.level:
            if len(data) >= left:
                self.broker.breaks_in = None
                self._end.abort()
                self.connection_over()
                return
            self.broker.breaks_in = left - len(data)
        while (size := packet_size(self._in)) is not None and not self._end.is_closing():
            packet = bytes(self._in[:size])
            del self._in[:size]
            self.take(packet)

    def connection_over(self) -> None:
        self._in.clear()

    def take(self, packet: bytes) -> None:
        kind, body = packet[0] >> 4, packet[1 + length_octets(packet) :]
        if kind == CONNECT:
            self._greet(body)
        elif kind == PUBLISH:
            self._publish(packet[0], body)
        elif kind == PINGREQ:
            self._say(bytes((PINGRESP << 4, 0)))
        elif kind == DISCONNECT:
            self.will = None
            self._end.close()

    def _greet(self, body: bytes) -> None:
        level, flags = body[6], body[7]
        if level == 5 and self.broker.only_311:
            self._end.abort()
            return
        at = 10
        at += 1 + body[at] if level == 5 else 0
        self.client_id, at = field(body, at)
        will = bool(flags & 0x04)
        if will:
            at += 1 + body[at] if level == 5 else 0
            topic, at = field(body, at)
            payload, at = binary(body, at)
        properties = b"\0" if level == 5 else b""
        if self.broker.refusing:
            code = SERVER_UNAVAILABLE[level]
            self._say(bytes((CONNACK << 4, 2 + len(properties), 0, code)) + properties)
            self._end.close()
            return
        known = sorted(self.broker.clients, key=lambda one: one.number)
        for other in known:
            if other is not self and other.client_id == self.client_id:
                other._end.abort()
        self.level = level
        self.will = (topic, payload, bool(flags & 0x20)) if will else None
        if level == 5 and self.broker.receive_maximum:
            properties = bytes((3, RECEIVE_MAXIMUM)) + self.broker.receive_maximum.to_bytes(2)
        self._say(bytes((CONNACK << 4, 2 + len(properties), 0, 0)) + properties)

    def _publish(self, first: int, body: bytes) -> None:
        topic, at = field(body, 0)
        qos = first >> 1 & 3
        packet_id, at = body[at : at + 2 * bool(qos)], at + 2 * bool(qos)
        at += 1 + body[at] if self.level == 5 else 0
        self.broker.publish(topic, body[at:], retain=bool(first & 1))
        if qos:
            self._unanswered += 1
            limit = self.broker.receive_maximum
            if self.level == 5 and limit and self._unanswered > limit:
                self.broker.overrun(self._unanswered)
            self._say_later(bytes((PUBACK << 4, 2)) + packet_id)

    def _say_later(self, octets: bytes) -> None:
        if self.broker.skips:
            self.broker.skips -= 1
        elif self.broker.silent:
            self._unsaid += octets
        elif self.broker.slow_s:
            asyncio.get_running_loop().call_later(self.broker.slow_s, self._acknowledge, octets)
        else:
            self._acknowledge(octets)

    def _acknowledge(self, octets: bytes) -> None:
        self._unanswered -= len(octets) // ACKNOWLEDGEMENT_BYTES
        self._say(octets)

    def speak(self) -> None:
        self._acknowledge(bytes(self._unsaid))
        self._unsaid.clear()

    def _say(self, octets: bytes) -> None:
        if octets:
            self._end.write(octets)


def packet_size(held: bytes | bytearray) -> int | None:
    """Return how long the first packet is, or None while it is not whole: MQTT 5.0, §1.5.5."""
    size = 0
    for at in range(1, min(5, len(held))):
        size |= (held[at] & 0x7F) << 7 * (at - 1)
        if not held[at] & 0x80:
            return 1 + at + size if len(held) >= 1 + at + size else None
    return None


def length_octets(packet: bytes) -> int:
    return next(at for at in range(1, 5) if not packet[at] & 0x80)


def binary(body: bytes, at: int) -> tuple[bytes, int]:
    stop = at + 2 + int.from_bytes(body[at : at + 2])
    return body[at + 2 : stop], stop


def field(body: bytes, at: int) -> tuple[str, int]:
    octets, stop = binary(body, at)
    return octets.decode(), stop
