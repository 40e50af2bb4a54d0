"""What tests of a `Wire` need: a listener that remembers, and packets spelled by hand."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from otgate.publish.decoder import Connack
from otgate.publish.errors import BrokerLost
from otgate.publish.message import Message, Retain
from otgate.publish.wire import Wire

CONNACK = bytes.fromhex("20 03 00 00 00")
WILL = Message("w", b"")


@dataclass
class Told:
    """A listener that keeps what it is told."""

    connacks: list[Connack] = field(default_factory=list)
    acknowledged_: list[tuple[int, int]] = field(default_factory=list)
    dismissals: list[int] = field(default_factory=list)
    ends: list[BrokerLost] = field(default_factory=list)
    unasked_count: int = 0

    def connected(self, connack: Connack) -> None:
        self.connacks.append(connack)

    def acknowledged(self, packet_id: int, code: int) -> None:
        self.acknowledged_.append((packet_id, code))

    def dismissed(self, code: int) -> None:
        self.dismissals.append(code)

    def unasked(self) -> None:
        self.unasked_count += 1

    def ended(self, reason: BrokerLost) -> None:
        self.ends.append(reason)


async def until(condition: Callable[[], object], limit_s: float = 20) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110  a wire has no event for it
            await asyncio.sleep(0.005)


def publish(wire: Wire, packet_id: int, payload: bytes = b"x", qos: int = 1) -> None:
    wire.publish(packet_id, Message("t", payload), qos=qos, retain=Retain.NO)


def puback(packet_id: int) -> bytes:
    return b"\x40\x02" + packet_id.to_bytes(2)


def spelled(packet_id: int, size: int) -> bytes:
    """What of MQTT 5.0, §3.3, a long PUBLISH of ours is."""
    body = b"\0\1t" + packet_id.to_bytes(2) + b"\0" + bytes(size)
    length = len(body)
    return b"\x32" + bytes((length & 127 | 128, length >> 7 & 127 | 128, length >> 14)) + body
