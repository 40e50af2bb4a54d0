"""One MQTT connection from CONNECT to its end, and what the broker granted it.

Each connection is a fresh client: after a loss, publishing resumes from the spool's cursor and
never from a library's memory. Foreign conditions are translated here and in `dial`, nowhere else.
"""

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import cache
from typing import NoReturn

from otgate.publish.decoder import Connack, Grants
from otgate.publish.dial import dial
from otgate.publish.dialect import Dialect
from otgate.publish.encode import PACKET_OVERHEAD
from otgate.publish.errors import (
    BrokerClosed,
    BrokerDismissed,
    BrokerLost,
    BrokerRefused,
    DialectRefused,
    SessionTakenOver,
)
from otgate.publish.message import FAILURE, Message, Outcome, Retain
from otgate.publish.packets import Hello, Version
from otgate.publish.reasons import (
    PACKET_TOO_LARGE,
    SESSION_TAKEN_OVER,
    SUCCESS,
    words,
)
from otgate.publish.settings import Broker, BusSettings, Protocol
from otgate.publish.window import Window
from otgate.publish.wire import Wire

CONNACK_LIMIT_S = 5.0
SILENCE_LIMIT_S = 8.0
"""Without any PUBACK for this long while some are due, the broker is dead."""
GRAIN_S = 0.01
PING_SHARE = 0.8
"""Share of keepalive_s that is announced, so that a lost PINGRESP shows within 10 s."""
CLEAN_LIMIT_S = 0.3
BLAMING = frozenset({0x81, 0x82, 0x83, 0x87, 0x90, 0x95, 0x97, 0x99})
"""Reason codes of a server's DISCONNECT that may speak of a message (MQTT 5.0, §3.14.2.1)."""

VERSIONS = {Protocol.V5: Version.V5, Protocol.V311: Version.V311}

Settled = Callable[[Message, Outcome], None]


class Session:
    """An open connection. ``settled`` is called for each message, on the loop."""

    def __init__(
        self, dialled: socket.socket, version: Version, settings: BusSettings, settled: Settled
    ) -> None:
        self.grants = Grants()
        self._loop = asyncio.get_running_loop()
        self.window = Window(settings.window, settings.window_bytes, self._loop.time)
        self.answered = asyncio.Event()
        self._settled = settled
        self._over = asyncio.Event()
        self._reason: BrokerLost | None = None
        self._room = asyncio.Event()
        self.certificate = certificate_of(dialled)
        """The broker's, DER; nothing without TLS."""
        self.took = False
        """Whether the broker took anything."""
        self.unasked_count = 0
        """Messages that the broker sent although nobody asked for any."""
        self.lonely: deque[Message] = deque(maxlen=4)
        """The messages that went alone last, after the broker took another one."""
        self._solo = False
        self._quiet_since = self._loop.time()
        self._oldest: Message | None = None
        """In flight when that was last looked at, and since when it has been seen there."""
        self._oldest_s = 0.0
        self._wire = Wire(dialled, version, self)

    async def send(self, message: Message) -> None:
        """Publish as soon as the window has room.

        Raises:
            BrokerLost: the connection ended.
        """
        if self._solo or not self.window.fits(message):
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
        self._listen_on()
        try:
            await self._over.wait()
        finally:
            self._listening.cancel()
        raise self._reason or BrokerLost("the connection ended")

    def _listen_on(self) -> None:
        """End where the silence is over its limit, or look again when it may be."""
        now_s = self._loop.time()
        since_s = max(self._quiet_since, self._wire.moved_s) if len(self.window) else now_s
        if now_s - since_s >= SILENCE_LIMIT_S:
            self.end(BrokerLost(f"no PUBACK for {now_s - since_s:.0f} s"))
        elif self._passed_over(now_s):
            self.end(
                BrokerLost("the broker acknowledges what came later, and not a message before")
            )
        due_s = max(since_s + SILENCE_LIMIT_S, now_s + GRAIN_S)
        self._listening = self._loop.call_at(due_s, self._listen_on)

    def _passed_over(self, now_s: float) -> bool:
        """Tell whether the oldest message has been waited for too long, while others were taken.

        Brokers answer in order, or nearly so: that answer will not come any more.
        """
        if self.window.oldest is not self._oldest:
            self._oldest, self._oldest_s = self.window.oldest, now_s
        others_taken = self._quiet_since > self._oldest_s
        long = now_s - self._oldest_s >= SILENCE_LIMIT_S
        return self._oldest is not None and others_taken and long

    async def drained(self) -> None:
        """Wait until everything sent is acknowledged or the connection is over."""
        await self._until(lambda: not len(self.window))

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not self._over.is_set() and not condition():
            self._room.clear()
            await self._room.wait()

    async def greet(self, hello: Hello) -> None:
        """Send CONNECT and wait for its answer.

        Raises:
            DialectRefused: the server wants another protocol version, retain or QoS, or is silent.
            BrokerRefused: it refuses us.
            BrokerLost: the connection ended.
        """
        self._wire.greet(hello)
        try:
            async with asyncio.timeout(CONNACK_LIMIT_S):
                await self.answered.wait()
        except TimeoutError:
            # amqtt does not answer an MQTT 5 CONNECT, nor does it close
            raise DialectRefused(f"no CONNACK within {CONNACK_LIMIT_S:g} s", None) from None
        if self._reason is not None:
            raise self._reason

    def close(self) -> None:
        """Close the socket, if it still is open; nobody is told."""
        self._wire.abort()

    async def goodbye(self) -> None:
        """Disconnect in good order: the broker drops the will."""
        self._wire.disconnect()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), CLEAN_LIMIT_S)

    def _publish(self, message: Message) -> None:
        if self._wire.closed:
            self.end(BrokerLost("the connection is closed"))
        if self._reason is not None:
            raise self._reason
        limit = self.grants.maximum_packet_size
        if limit and message.size + PACKET_OVERHEAD > limit:
            self._settled(message, Outcome(PACKET_TOO_LARGE, "Packet too large"))
            return
        first = not len(self.window)
        retain = message.retain if self.grants.retain is Retain.YES else Retain.NO
        qos = min(1, self.grants.maximum_qos)
        packet_id = self.window.free_id()
        self.window.sent(packet_id, message)
        self._wire.publish(packet_id, message, qos=qos, retain=retain)
        if first:
            self._quiet()

    def end(self, reason: BrokerLost) -> None:
        """Close the connection at once; `watch` raises ``reason``."""
        if self._over.is_set():
            return
        self._reason = self._reason or reason
        self._over.set()
        self._room.set()
        self.answered.set()
        self._wire.abort()

    def connected(self, connack: Connack) -> None:
        """Take note of what the broker grants, or of its refusal."""
        if connack.code >= FAILURE:
            self.end(_refusal(connack))
            return
        self.grants = connack.grants
        self.window.limit = min(self.window.limit, self.grants.receive_maximum)
        self.answered.set()

    def acknowledged(self, packet_id: int, code: int) -> None:
        """Settle a message; an answer to none of ours says nothing."""
        message = self.window.settled(packet_id)
        if message is None:
            return
        self.took = self.took or code < FAILURE
        self._quiet()
        self._room.set()
        self._settled(message, _outcome(code))

    def _quiet(self) -> None:
        """Wait from now on for an acknowledgement of something that was sent before."""
        self._quiet_since = self._loop.time()
        self._wire.owed()

    def dismissed(self, code: int) -> None:
        """End as the broker says."""
        if code == SESSION_TAKEN_OVER:
            self.end(SessionTakenOver("another client took the session over"))
            return
        kind = BrokerDismissed if code in BLAMING else BrokerLost
        why = "Normal disconnection" if code == SUCCESS else words(code)  # §3.14.2.1
        self.end(kind(f"the broker ended the connection: {why}"))

    def unasked(self) -> None:
        """Count a message that came although nothing is subscribed."""
        self.unasked_count += 1

    def ended(self, reason: BrokerLost) -> None:
        """End; a server that does not speak our dialect may have closed instead of answering."""
        if self.answered.is_set() or isinstance(reason, BrokerRefused):
            self.end(reason)
            return
        closed = isinstance(reason, BrokerClosed)
        what = "the broker closed the connection" if closed else str(reason)
        self.end(DialectRefused(f"{what} before a CONNACK", None))


def certificate_of(dialled: socket.socket) -> bytes:
    """Return the certificate of the other end, DER; nothing without TLS."""
    if not isinstance(dialled, ssl.SSLSocket):
        return b""
    return dialled.getpeercert(binary_form=True) or b""


@cache
def _outcome(code: int) -> Outcome:
    return Outcome(code, words(code))


def _refusal(connack: Connack) -> BrokerLost:
    told = f" ({connack.told})" if connack.told else ""
    why = f"the broker refuses: {words(connack.code)}{told}"
    if Dialect.speaks_of(connack.code):
        return DialectRefused(why, connack.code)
    return BrokerRefused(why)


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
    hello = Hello(
        VERSIONS[dialect.protocol],
        settings.client_id,
        max(1, round(settings.keepalive_s * PING_SHARE)),
        replace(will, retain=dialect.retain),
        dialect.will_qos,
        settings.username,
        settings.password,
    )
    dialled = await dial(broker, settings.tls, settings.via)
    session = Session(dialled, hello.version, settings, settled)
    try:
        await session.greet(hello)
        yield session
    finally:
        session.close()
