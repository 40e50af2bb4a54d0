"""The consumer side: subscribe to what gateways publish, decode it, survive broker restarts."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

import aiomqtt
import msgspec

from otgate.errors import Refused
from otgate.publish.compression import unpacked
from otgate.publish.dial import tls_context
from otgate.publish.errors import BrokerLost, BrokerRefused
from otgate.publish.payload import (
    STRUCTS,
    Data,
    DeviceMeta,
    DeviceStatus,
    Event,
    GapNotice,
    GatewayStatus,
    Last,
    Replay,
)
from otgate.publish.settings import Broker, Tls
from otgate.publish.topics import GATEWAY, VERSION, Address, MessageClass, read_topic

RETRY_S = 0.5
ANSWER_LIMIT_S = 5.0
KEEPALIVE_S = 5
REFUSALS = frozenset({0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C})
"""CONNACK reason codes that waiting does not cure (MQTT 5.0, §3.2.2.2), 0x84 apart."""
UNSUPPORTED_VERSION = 0x84

Payload = Data | Event | Replay | DeviceMeta | DeviceStatus | GatewayStatus | GapNotice | Last

DECODERS: dict[MessageClass, msgspec.json.Decoder[Any]] = {
    message_class: msgspec.json.Decoder(struct) for message_class, struct in STRUCTS.items()
}
GATEWAY_STATUS = msgspec.json.Decoder(GatewayStatus)
DEVICE_STATUS = msgspec.json.Decoder(DeviceStatus)


@dataclass(frozen=True, slots=True)
class Source:
    """Where to subscribe, and as whom."""

    broker: Broker
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls | None = None
    root: str = "otgate"


@dataclass(frozen=True, slots=True)
class Received:
    """A message that arrived; ``payload`` is None where a retained one was cleared."""

    address: Address
    payload: Payload | None
    arrived_ns: int
    retained: bool


class Sink(Protocol):
    """Who is told what happens. Plain calls: they do not block."""

    def connected(self) -> None:
        """Take note that the subscription stands."""

    def lost(self, reason: str) -> None:
        """Take note that there is no connection; another attempt follows."""

    def received(self, received: Received) -> None:
        """Take a message."""

    def malformed(self, topic: str, reason: str) -> None:
        """Take note of a message below our root that is not one of ours."""


async def subscribe(source: Source, sink: Sink, *, clock: Callable[[], int]) -> NoReturn:
    """Subscribe to every gateway below the root, and again after each loss.

    Raises:
        BrokerRefused: the broker, or TLS, says no in a way that waiting does not cure.
    """
    version = aiomqtt.ProtocolVersion.V5
    while True:
        try:
            await _subscribed(source, sink, clock, version)
        except BrokerRefused:
            raise
        except BrokerLost as lost:
            sink.lost(str(lost))
            version = _other(version)
        await asyncio.sleep(RETRY_S)


def decode(address: Address, payload: bytes) -> Payload | None:
    """Decode a payload by the class that its topic names; None for a cleared message.

    Raises:
        Refused: it is not what the topic promises.
    """
    if not payload:
        return None
    try:
        decoded: Payload = _decoder(address).decode(unpacked(payload))
    except msgspec.DecodeError as error:
        raise Refused(str(error)) from error
    return decoded


def _decoder(address: Address) -> msgspec.json.Decoder[Any]:
    if address.message_class is not MessageClass.STATUS:
        return DECODERS[address.message_class]
    return GATEWAY_STATUS if address.device == GATEWAY else DEVICE_STATUS


async def _subscribed(
    source: Source, sink: Sink, clock: Callable[[], int], version: aiomqtt.ProtocolVersion
) -> None:
    try:
        async with _client(source, version) as client:
            await client.subscribe(f"{source.root}/{VERSION}/#", qos=1)
            sink.connected()
            async for message in client.messages:
                _pass_on(source, sink, message, clock())
    except aiomqtt.MqttError as error:
        raise _translated(source, error) from error


def _client(source: Source, version: aiomqtt.ProtocolVersion) -> aiomqtt.Client:
    return aiomqtt.Client(
        source.broker.host,
        source.broker.port,
        username=source.username,
        password=source.password,
        protocol=version,
        timeout=ANSWER_LIMIT_S,
        keepalive=KEEPALIVE_S,
        tls_context=tls_context(source.tls) if source.tls else None,
    )


def _pass_on(source: Source, sink: Sink, message: aiomqtt.Message, now_ns: int) -> None:
    topic = message.topic.value
    address = read_topic(topic, source.root)
    content = message.payload
    if address is None or not isinstance(content, bytes | bytearray):
        sink.malformed(topic, "the topic is not one of a gateway's")
        return
    try:
        payload = decode(address, bytes(content))
    except Refused as refused:
        sink.malformed(topic, str(refused))
        return
    sink.received(Received(address, payload, now_ns, message.retain))


def _translated(source: Source, error: aiomqtt.MqttError) -> BrokerLost:
    code = getattr(getattr(error, "rc", None), "value", None)
    text = f"{source.broker}: {error}"
    if isinstance(error, aiomqtt.MqttCodeError) and code in REFUSALS - {UNSUPPORTED_VERSION}:
        return BrokerRefused(text)
    if "SSL" in str(error) or "certificate" in str(error):
        return BrokerRefused(text)
    return BrokerLost(text)


def _other(version: aiomqtt.ProtocolVersion) -> aiomqtt.ProtocolVersion:
    """Return the protocol to try next: a server of 3.1.1 only may close without a word."""
    v5, v311 = aiomqtt.ProtocolVersion.V5, aiomqtt.ProtocolVersion.V311
    return v311 if version is v5 else v5
