"""MQTT over a socket that is connected already, plain or TLS, driven by the event loop.

What is published in one turn of the loop leaves in one write. Nothing here blocks, and what ends
the connection is told once, as a condition.
"""

import asyncio
import errno
import fcntl
import socket
import ssl
import termios
from array import array
from collections import deque
from contextlib import suppress
from typing import Protocol

from otgate.publish.decoder import (
    Connack,
    Decoder,
    Disconnect,
    Packet,
    Puback,
    Pubrel,
    Unasked,
)
from otgate.publish.dial import rearm_quickack
from otgate.publish.errors import BrokerClosed, BrokerLost, BrokerRefused, NotMqtt
from otgate.publish.keepalive import Due, Keepalive
from otgate.publish.message import Message, Retain
from otgate.publish.packets import (
    PINGREQ,
    Hello,
    Kind,
    Version,
    answer,
    connect,
    disconnect,
    publish_head,
)
from otgate.publish.reasons import MALFORMED_PACKET, SUCCESS
from otgate.together import step_s

LOOK_EVERY_S = 1.0
"""At the queue to the network while it was empty, in step with others that look."""
LOOK_AT_QUEUE_S = 0.25
"""While something waited there."""
LEAST_S = 0.01
READ_SIZE = 4096
"""Some 800 acknowledgements."""
ENOUGH = 64 * 1024
"""Bytes that are not held back until the end of the turn."""
NETWORK_FAILURES = {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN}
SILENT = "the broker does not answer"
CLOSED = (
    "the broker closed the connection without a word: it was stopped, it refuses a message, "
    "or another client uses our client id"
)


class Listener(Protocol):
    """Who is told what comes, on the loop."""

    def connected(self, connack: Connack) -> None:
        """Learn what the broker answers to CONNECT."""

    def acknowledged(self, packet_id: int, code: int) -> None:
        """Learn what became of a PUBLISH; one of QoS 0 is taken once the network has it."""

    def dismissed(self, code: int) -> None:
        """Learn that the broker is about to close, and why."""

    def unasked(self) -> None:
        """Learn that a message came which nobody asked for; it is gone."""

    def ended(self, reason: BrokerLost) -> None:
        """Learn that the connection is over; told at most once, and not after `abort`."""


class Wire:
    """One MQTT connection. It closes its socket in `abort`, and only there."""

    def __init__(self, dialled: socket.socket, version: Version, listener: Listener) -> None:
        self.closed = False
        self.moved_s = float("-inf")
        """When a queue that holds what is `owed` was last seen to get shorter: a slow link, not a
        dead one."""
        self._socket = dialled
        self._version = version
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._decoder = Decoder(version)
        self._keepalive_s = float("inf")
        self._keepalive = Keepalive(float("inf"), self._loop.time())
        """Begins with the CONNACK: how long that may take is not its matter."""
        self._into = memoryview(bytearray(READ_SIZE))
        self._out = bytearray()
        """What is still to be handed to the network, no more than the window."""
        self._put_bytes = self._handed_bytes = self._taken_bytes = self._owed_bytes = 0
        self._queued = False
        self._unanswered: deque[tuple[int, int]] = deque()
        """Publishes of QoS 0: where they end in what was put out, and their ids."""
        self._leaves_soon = self._waits_for_room = self._deaf = False
        """Deaf: the other end takes no more, but what it said may still be to be read."""
        self._loop.add_reader(dialled.fileno(), self._readable)
        self._looking = self._loop.call_later(LOOK_AT_QUEUE_S, self._look)

    def greet(self, hello: Hello) -> None:
        """Send CONNECT.

        Raises:
            BrokerRefused: it says what MQTT cannot carry.
        """
        self._keepalive_s = hello.keepalive_s
        self._put(connect(hello))

    def publish(self, packet_id: int, message: Message, *, qos: int, retain: Retain) -> None:
        """Send a message within this turn of the loop; not after the connection ended."""
        payload = message.payload
        size = len(payload)
        self._put(
            publish_head(self._version, message.topic, packet_id, size, qos=qos, retain=retain),
            payload,
        )
        if not qos:
            self._unanswered.append((self._put_bytes, packet_id))

    def owed(self) -> None:
        """Take all that was put out until now as what an acknowledgement is waited for."""
        self._owed_bytes = self._put_bytes

    def disconnect(self, code: int = SUCCESS) -> None:
        """Send DISCONNECT; the broker closes then."""
        self._put(disconnect(self._version, code))
        self._flush()

    def abort(self) -> None:
        """Close the socket at once; where no DISCONNECT was sent, the broker publishes the will."""
        if self.closed:
            return
        self.closed = True
        self._out.clear()
        self._looking.cancel()
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()

    def _end(self, reason: BrokerLost) -> None:
        if not self.closed:
            self.abort()
            self._listener.ended(reason)

    def _put(self, head: bytes, payload: bytes = b"") -> None:
        if self._deaf or self.closed:
            return
        self._out += head
        self._out += payload
        self._put_bytes += len(head) + len(payload)
        if self._waits_for_room:
            return
        if len(self._out) > ENOUGH:
            self._flush()
        elif not self._leaves_soon:
            self._leaves_soon = True
            self._loop.call_soon(self._leave)

    def _leave(self) -> None:
        self._leaves_soon = False
        if not self._waits_for_room:
            self._flush()

    def _flush(self) -> None:
        """Hand over what the network takes."""
        before = self._handed_bytes
        try:
            while self._out and not self.closed:
                handed = self._socket.send(self._out)
                del self._out[:handed]
                self._handed_bytes += handed
        except (BlockingIOError, ssl.SSLWantWriteError):
            self._wait_for_room()
        except ssl.SSLWantReadError:
            self._unwait()  # tried again once something was read
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self._stop_writing()
        except OSError as error:
            self._end(_lost(error))
        else:
            self._unwait()
        if self._handed_bytes > before:
            self._handed_over()

    def _handed_over(self) -> None:
        self._keepalive.sent(self._loop.time())
        while self._unanswered and self._unanswered[0][0] <= self._handed_bytes:
            self._listener.acknowledged(self._unanswered.popleft()[1], SUCCESS)

    def _stop_writing(self) -> None:
        """Leave it to reading to find the end: acknowledgements come first, and why it is."""
        self._deaf = True
        self._out.clear()
        self._unwait()

    def _wait_for_room(self) -> None:
        if not self._waits_for_room:
            self._waits_for_room = True
            self._loop.add_writer(self._socket.fileno(), self._writable)

    def _unwait(self) -> None:
        if self._waits_for_room:
            self._waits_for_room = False
            self._loop.remove_writer(self._socket.fileno())

    def _writable(self) -> None:
        self._flush()
        if isinstance(self._socket, ssl.SSLSocket):
            self._readable()  # TLS may have had to write before it could read

    def _readable(self) -> None:
        more = True
        while more and not self.closed:
            count = self._received()
            if count:
                self._keepalive.heard(self._loop.time())
                self._take(self._into[:count])
            more = count > 0 and self._lies_ready()
        if self.closed:
            return
        rearm_quickack(self._socket)
        if self._out and not self._waits_for_room:
            self._flush()  # TLS may have had to read before it could write

    def _received(self) -> int:
        """Read once and return how many bytes came; end where none will."""
        try:
            count = self._socket.recv_into(self._into)
        except (BlockingIOError, ssl.SSLWantReadError):
            return 0
        except ssl.SSLWantWriteError:
            self._wait_for_room()
            return 0
        except ssl.SSLError as alert:
            self._end(BrokerRefused(f"TLS: the broker ended it: {alert.reason or alert}"))
            return 0
        except OSError as error:
            self._end(_lost(error))
            return 0
        if not count:
            self._end(BrokerClosed(CLOSED))
        return count

    def _lies_ready(self) -> bool:
        """Tell whether TLS holds more, which the loop cannot see."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def _take(self, data: memoryview) -> None:
        packets = self._decoder.packets(data)
        while True:
            try:
                packet = next(packets, None)
            except NotMqtt as babble:
                self.disconnect(MALFORMED_PACKET)  # MQTT 5.0, §4.13.1
                self._end(babble)
                return
            if packet is None:
                return
            self._hear(packet)

    def _hear(self, packet: Packet) -> None:
        match packet:
            case Puback():
                self._listener.acknowledged(packet.packet_id, packet.code)
            case Connack():
                self._keepalive = Keepalive(self._keepalive_s, self._loop.time())
                self._keepalive.granted(packet.keepalive_s)
                self._listener.connected(packet)
            case Disconnect():
                self._listener.dismissed(packet.code)
            case Unasked():
                self._answer(packet.answer)
                self._listener.unasked()
            case Pubrel():
                self._answer(answer(Kind.PUBCOMP, packet.packet_id))
            case _:
                self._keepalive.answered()

    def _answer(self, octets: bytes) -> None:
        """Acknowledge what was thrown away, but pile up nothing for a server that reads nothing."""
        if octets and not self._waits_for_room:
            self._put(octets)

    def _look(self) -> None:
        self._look_at_queue()
        now_s = self._loop.time()
        self._looking = self._loop.call_later(self._look_in_s(now_s), self._look)
        match self._keepalive.due(now_s):
            case Due.PING:
                self._put(PINGREQ)
            case Due.END:
                self._end(BrokerLost(SILENT))
            case Due.NOTHING:
                pass

    def _look_in_s(self, now_s: float) -> float:
        """Return in how many seconds something may be to be seen or done."""
        if self._queued:
            return LOOK_AT_QUEUE_S
        left_s = max(self._keepalive.due_s - now_s, LEAST_S)
        return min(left_s, step_s(now_s, LOOK_EVERY_S))

    def _look_at_queue(self) -> None:
        """Take note where what waited has got shorter: a ping behind it says nothing yet.

        Where nothing waited, the other end's system has taken all: whether its broker lives, only
        an answer tells. So it is where it has all that is owed, and what moves came later: a ping
        or a message is taken on any long link, whether or not anybody reads it.
        """
        waiting = unsent_bytes(self._socket)
        taken = self._handed_bytes - waiting
        if self._queued and taken > self._taken_bytes:
            now_s = self._loop.time()
            if self._taken_bytes < self._owed_bytes:
                self.moved_s = now_s
            self._keepalive.heard(now_s)
        self._queued, self._taken_bytes = waiting > 0, taken


def _lost(error: OSError) -> BrokerLost:
    """Tell a network that carries nothing from an end that the other end made."""
    if error.errno in NETWORK_FAILURES:
        return BrokerLost(SILENT)
    return BrokerClosed(CLOSED)


def unsent_bytes(sock: socket.socket) -> int:
    """Return how much of what was sent the other end's system has not taken (tcp(7), SIOCOUTQ)."""
    told = array("i", [0])
    with suppress(OSError):
        fcntl.ioctl(sock, termios.TIOCOUTQ, told)
    return told[0]
