"""The consumer side: subscribe to what gateways publish, decode it, survive broker restarts."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NoReturn, Protocol

import aiomqtt
import msgspec
from paho.mqtt.client import ConnectFlags
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

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

FIRST_RETRY_S, LONGEST_RETRY_S = 0.1, 0.5
ANSWER_LIMIT_S = 5.0
KEEPALIVE_S = 5
REFUSALS = frozenset({0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C})
"""CONNACK reason codes that waiting does not cure (MQTT 5.0, §3.2.2.2), 0x84 apart."""
UNSUPPORTED_VERSION = 0x84

UNHEARD = logging.getLogger(__name__)
UNHEARD.addHandler(logging.NullHandler())
"""Takes what aiomqtt says of a lost connection, which a sink is told anyway."""

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
    session: str = ""
    """Client id under which an MQTT 5 broker keeps what comes while we are cut off."""
    session_s: int = 60
    """How long it does."""


class Joined(Enum):
    """What the broker still had of our session when the subscription came to stand."""

    ANEW = "anew"
    """Nothing: what was published before this moment did not reach us."""
    RESUMED = "resumed"
    """All of it: what was published meanwhile follows."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message that arrived; ``payload`` is None where a retained one was cleared."""

    address: Address
    payload: Payload | None
    arrived_ns: int
    retained: bool


class Sink(Protocol):
    """Who is told what happens. Plain calls: they do not block."""

    def connected(self, joined: Joined) -> None:
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
    attempt = _Attempt(source, sink, clock)
    while True:
        try:
            await attempt.subscribed()
        except BrokerRefused:
            raise
        except BrokerLost as lost:
            sink.lost(str(lost))
            attempt.choose_version()
        await asyncio.sleep(attempt.pause_s)
        attempt.pause_s = min(LONGEST_RETRY_S, attempt.pause_s * 2)


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


class _Client(aiomqtt.Client):
    """aiomqtt's client, which does not tell by itself whether a session was resumed."""

    joined = Joined.ANEW

    def _on_connect(
        self, client: Any, userdata: Any, flags: ConnectFlags, reason: Any, properties: Any = None
    ) -> None:
        self.joined = Joined.RESUMED if flags.session_present else Joined.ANEW
        super()._on_connect(client, userdata, flags, reason, properties)

    def forget_session(self) -> None:
        """Disconnect so that the broker keeps nothing for us."""
        self._client.disconnect(properties=_kept_for(0, PacketTypes.DISCONNECT))


class _Attempt:
    """Connections one after another: which protocol, and whether a session may be there."""

    def __init__(self, source: Source, sink: Sink, clock: Callable[[], int]) -> None:
        self.pause_s = FIRST_RETRY_S
        self._source = source
        self._sink = sink
        self._clock = clock
        self._version = aiomqtt.ProtocolVersion.V5
        self._spoken: aiomqtt.ProtocolVersion | None = None

    def choose_version(self) -> None:
        """Try the other protocol while none has succeeded: some servers close without a word."""
        v5, v311 = aiomqtt.ProtocolVersion.V5, aiomqtt.ProtocolVersion.V311
        self._version = self._spoken or (v311 if self._version is v5 else v5)

    async def subscribed(self) -> None:
        """Stay subscribed until the connection ends."""
        source = self._source
        try:
            async with self._client() as client:
                await client.subscribe(f"{source.root}/{VERSION}/#", qos=1)
                self._spoken, self.pause_s = self._version, FIRST_RETRY_S
                self._sink.connected(client.joined)
                try:
                    async for message in client.messages:
                        _pass_on(source, self._sink, message, self._clock())
                finally:
                    if self._keeps_session:
                        client.forget_session()
        except aiomqtt.MqttError as error:
            raise _translated(source, error) from error

    @property
    def _keeps_session(self) -> bool:
        return bool(self._source.session) and self._version is aiomqtt.ProtocolVersion.V5

    def _client(self) -> _Client:
        source = self._source
        session: dict[str, Any] = {}
        if self._keeps_session:
            kept = _kept_for(source.session_s, PacketTypes.CONNECT)
            session = {"identifier": source.session, "properties": kept}
            session["clean_start"] = False  # else Mosquitto 2.0 leaves it out of its file
        return _Client(
            source.broker.host,
            source.broker.port,
            username=source.username,
            password=source.password,
            protocol=self._version,
            timeout=ANSWER_LIMIT_S,
            keepalive=KEEPALIVE_S,
            tls_context=tls_context(source.tls) if source.tls else None,
            logger=UNHEARD,
            **session,
        )


def _kept_for(seconds: int, packet_type: int) -> Properties:
    """Say how long the broker keeps our session (MQTT 5.0, §3.1.2.11.2)."""
    properties = Properties(packet_type)  # type: ignore[no-untyped-call]  # paho's own
    properties.SessionExpiryInterval = seconds
    return properties


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
