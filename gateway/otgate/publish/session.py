"""One MQTT connection from CONNECT to its end, and what the broker granted it.

Each connection is a fresh client: after a loss, publishing resumes from the spool's cursor and
never from a library's memory. Foreign conditions are translated here and in `dial`, nowhere else.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from paho.mqtt import client as mqtt
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from otgate.publish.dial import dial
from otgate.publish.dialect import Dialect
from otgate.publish.encode import PACKET_OVERHEAD
from otgate.publish.errors import (
    BrokerClosed,
    BrokerLost,
    BrokerRefused,
    DialectRefused,
    SessionTakenOver,
)
from otgate.publish.message import FAILURE, Message, Outcome, Retain
from otgate.publish.settings import Broker, BusSettings, Protocol
from otgate.publish.window import Window
from otgate.publish.wire import Wire

CONNACK_LIMIT_S = 5.0
SILENCE_LIMIT_S = 8.0
"""Without any PUBACK for this long while some are due, the broker is dead."""
WATCH_EVERY_S = 0.5
PING_SHARE = 0.8
"""Share of keepalive_s that is announced, so that a lost PINGRESP shows within 10 s."""
SESSION_TAKEN_OVER = 0x8E
KEEPALIVE_TIMEOUT = 0x8D
PACKET_TOO_LARGE = 0x95
CLEAN_LIMIT_S = 0.3
BLAMING = frozenset({0x81, 0x82, 0x83, 0x87, 0x90, 0x95, 0x97, 0x99})
"""Reason codes of a server's DISCONNECT that may speak of a message (MQTT 5.0, §3.14.2.1)."""

VERSIONS = {
    Protocol.V5: MQTTProtocolVersion.MQTTv5,
    Protocol.V311: MQTTProtocolVersion.MQTTv311,
}


CLOSED = (
    "the broker closed the connection without a word: it was stopped, it refuses a message, "
    "or another client uses our client id"
)


@dataclass(frozen=True, slots=True)
class Grants:
    """What the broker allows, from its CONNACK (MQTT 5.0, §3.2.2.3)."""

    receive_maximum: int = 65535
    maximum_packet_size: int = 0
    maximum_qos: int = 2
    retain: Retain = Retain.YES


Settled = Callable[[Message, Outcome], None]


class Session:
    """An open connection. ``settled`` is called for each message, on the loop."""

    def __init__(self, wire: Wire, settings: BusSettings, settled: Settled) -> None:
        self.grants = Grants()
        self.window = Window(settings.window, settings.window_bytes)
        self.answered = asyncio.Event()
        self.code: int | None = None
        self._wire = wire
        self._settled = settled
        self._over = asyncio.Event()
        self._reason: BrokerLost | None = None
        self._room = asyncio.Event()
        self.took = False
        """Whether the broker took anything."""
        self.lonely: deque[Message] = deque(maxlen=4)
        """The messages that went alone last, after the broker took another one."""
        self._solo = False
        self._quiet_since = asyncio.get_running_loop().time()
        wire.on_connect = self._connected
        wire.on_disconnect = self._disconnected
        wire.on_publish = self._acknowledged

    async def send(self, message: Message) -> None:
        """Publish as soon as the window has room.

        Raises:
            BrokerLost: the connection ended.
        """
        await self._until(lambda: not self._solo and self.window.fits(message))
        self._publish(message)

    async def send_alone(self, message: Message, company_s: float) -> None:
        """Publish with nothing else in flight, and return once it is answered.

        It waits for ``company_s`` for the broker to take another message first: an end of the
        connection then says something of this one.

        Raises:
            BrokerLost: the connection ended.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(company_s):
                await self._until(lambda: self.took)
        await self._until(lambda: not self._solo)
        self._solo = True
        try:
            await self.drained()
            self._publish(message)
            if self.took:
                self.lonely.append(message)
            await self.drained()
        finally:
            self._solo = False
            self._room.set()

    async def watch(self) -> NoReturn:
        """Wait for the end of the connection; end it where the broker has gone silent.

        Raises:
            BrokerLost: always, in the end.
        """
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), WATCH_EVERY_S)
            since_s = max(self._quiet_since, self._wire.moved_s)
            silent_s = asyncio.get_running_loop().time() - since_s
            if len(self.window) and silent_s > SILENCE_LIMIT_S:
                self.end(BrokerLost(f"no PUBACK for {silent_s:.0f} s"))
        raise self._reason or BrokerLost("the connection ended")

    async def drained(self) -> None:
        """Wait until everything sent is acknowledged or the connection is over."""
        await self._until(lambda: not len(self.window))

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not self._over.is_set() and not condition():
            self._room.clear()
            await self._room.wait()

    async def answer(self) -> None:
        """Wait for the CONNACK.

        Raises:
            DialectRefused: the server wants another protocol version, retain or QoS.
            BrokerRefused: it refuses us.
            BrokerLost: it does not answer.
        """
        try:
            async with asyncio.timeout(CONNACK_LIMIT_S):
                await self.answered.wait()
        except TimeoutError:
            raise BrokerLost(f"no CONNACK within {CONNACK_LIMIT_S:g} s") from None
        if self._reason is not None:
            raise self._reason

    async def goodbye(self) -> None:
        """Disconnect in good order: the broker drops the will."""
        self._wire.disconnect()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), CLEAN_LIMIT_S)

    def _publish(self, message: Message) -> None:
        if self._reason is not None:
            raise self._reason
        limit = self.grants.maximum_packet_size
        if limit and message.size + PACKET_OVERHEAD > limit:
            self._settled(message, Outcome(PACKET_TOO_LARGE, "Packet too large"))
            return
        if not len(self.window):
            self._quiet_since = asyncio.get_running_loop().time()
        retain = message.retain is Retain.YES and self.grants.retain is Retain.YES
        qos = min(1, self.grants.maximum_qos)
        info = self._wire.publish(message.topic, message.payload, qos, retain)
        self.window.sent(info.mid, message)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.end(BrokerLost(mqtt.error_string(info.rc)))

    def end(self, reason: BrokerLost) -> None:
        """Close the connection at once; `watch` raises ``reason``."""
        if self._over.is_set():
            return
        self._reason = self._reason or reason
        self._over.set()
        self._room.set()
        self.answered.set()
        # Not here and now: paho holds a lock, which is not reentrant, while it calls us.
        asyncio.get_running_loop().call_soon(self._wire.abort)

    def _connected(
        self,
        _client: mqtt.Client,
        _userdata: Any,
        _flags: Any,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self.code = reason.value
        if reason.value >= FAILURE:
            self.end(_refusal(reason))
            return
        self.grants = _grants(properties)
        self.window.limit = min(self.window.limit, self.grants.receive_maximum)
        self._wire.granted()
        self.answered.set()

    def _disconnected(
        self,
        _client: mqtt.Client,
        _userdata: Any,
        flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if alert := self._wire.tls_alert:
            self.end(BrokerRefused(f"TLS: the broker ended it: {alert.reason or alert}"))
        elif not self.answered.is_set():
            self.end(DialectRefused("the broker closed the connection before a CONNACK", None))
        elif flags.is_disconnect_packet_from_server and reason.value == SESSION_TAKEN_OVER:
            self.end(SessionTakenOver("another client took the session over"))
        else:
            self.end(self._plain_end(flags, reason))

    def _plain_end(self, flags: mqtt.DisconnectFlags, reason: ReasonCode) -> BrokerLost:
        if flags.is_disconnect_packet_from_server:
            kind = BrokerClosed if reason.value in BLAMING else BrokerLost
            return kind(f"the broker ended the connection: {reason}")
        if reason.value == KEEPALIVE_TIMEOUT or self._wire.network_failed:
            return BrokerLost("the broker does not answer")
        return BrokerClosed(CLOSED)

    def _acknowledged(
        self,
        _client: mqtt.Client,
        _userdata: Any,
        packet_id: int,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        message = self.window.settled(packet_id)
        self.took = self.took or reason.value < FAILURE
        self._quiet_since = asyncio.get_running_loop().time()
        self._room.set()
        if message is not None:
            self._settled(message, _outcome(self._wire.answer_code, reason))


def _outcome(code: int, reason: ReasonCode) -> Outcome:
    if code == reason.value:
        return Outcome(code, str(reason))
    try:
        return Outcome(code, str(ReasonCode(PacketTypes.DISCONNECT, identifier=code)))
    except KeyError:
        return Outcome(code, f"reason code 0x{code:02X}")


def _grants(properties: Properties | None) -> Grants:
    said: dict[str, Any] = {} if properties is None else vars(properties)
    return Grants(
        receive_maximum=said.get("ReceiveMaximum", 65535),
        maximum_packet_size=said.get("MaximumPacketSize", 0),
        maximum_qos=said.get("MaximumQoS", 2),
        retain=Retain(bool(said.get("RetainAvailable", 1))),
    )


def _refusal(reason: ReasonCode) -> BrokerLost:
    if Dialect.speaks_of(reason.value):
        return DialectRefused(f"the broker refuses: {reason}", reason.value)
    return BrokerRefused(f"the broker refuses: {reason}")


@contextlib.asynccontextmanager
async def opened(
    settings: BusSettings, broker: Broker, dialect: Dialect, will: Message, settled: Settled
) -> AsyncIterator[Session]:
    """Connect once, in one dialect, and yield the session.

    Raises:
        DialectRefused: the server wants another dialect.
        BrokerRefused: the server refuses us, or TLS failed.
        BrokerLost: there is no connection.
    """
    sock = await dial(broker, settings.tls)
    wire = Wire(sock, settings.client_id, VERSIONS[dialect.protocol])
    session = Session(wire, settings, settled)
    try:
        if settings.username is not None:
            wire.username_pw_set(settings.username, settings.password)
        wire.will_set(will.topic, will.payload, dialect.will_qos, dialect.retain.value)
        wire.greet(broker.host, broker.port, max(1, round(settings.keepalive_s * PING_SHARE)))
        await session.answer()
        yield session
    finally:
        wire.abort()
