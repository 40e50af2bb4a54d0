"""paho's MQTT codec over a socket that is connected already, driven by the event loop.

paho is used through its callbacks for external event loops. Some of its methods are overridden:
`_create_socket`, because paho connects and shakes hands while it blocks, and `_sock_recv` and
`_sock_send`, because a TLS alert after the handshake (a refused client certificate in TLS 1.3) and
a network that carries nothing must not look like a plain close.
"""

import asyncio
import errno
import fcntl
import socket
import ssl
import termios
import time
from array import array
from contextlib import suppress
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from otgate.publish.dial import rearm_quickack

MISC_EVERY_S = 0.25
UNSPECIFIED = 0x80
PUBACK_CODES = frozenset({0x00, 0x10, UNSPECIFIED, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99})
"""MQTT 5.0, §3.4.2.1. Mosquitto also answers 0x95, packet too large."""
NETWORK_FAILURES = {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN}


class Wire(mqtt.Client):
    """One MQTT connection's codec. Callbacks run on the loop."""

    def __init__(
        self, dialled: socket.socket, client_id: str, version: MQTTProtocolVersion
    ) -> None:
        clean = True if version != MQTTProtocolVersion.MQTTv5 else None
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=clean,
            protocol=version,
            reconnect_on_failure=False,
        )
        self.max_inflight_messages = 0  # the window is ours
        self.tls_alert: ssl.SSLError | None = None
        self.network_failed = False
        """Whether the connection ended because nothing comes through, not by the other end."""
        self.answer_code = 0
        """The reason code of the PUBACK that is being handled."""
        self.moved_s = float("-inf")
        """When a queue of ours was last seen to get shorter: a slow link, not a dead one."""
        self._handed_bytes = 0
        self._taken_bytes = 0
        self._queued = False
        self._dialled = dialled
        self._events = asyncio.get_running_loop()
        self._misc: asyncio.TimerHandle | None = None
        self.on_socket_open = self._opened
        self.on_socket_close = self._closed
        self.on_socket_register_write = self._wants_write
        self.on_socket_unregister_write = self._wrote

    def greet(self, host: str, port: int, keepalive_s: int) -> None:
        """Send CONNECT over the dialled socket."""
        self._longest_silence_s = keepalive_s
        start = self.protocol == MQTTProtocolVersion.MQTTv5
        clean_start = True if start else mqtt.MQTT_CLEAN_START_FIRST_ONLY
        self.connect(host, port, keepalive_s, clean_start=clean_start)

    def granted(self) -> None:
        """Ping at least as often as we said: a larger Server Keep Alive is only a limit."""
        self._keepalive = min(self._keepalive or self._longest_silence_s, self._longest_silence_s)

    def abort(self) -> None:
        """Close the socket at once; the broker publishes the will."""
        self._sock_close()
        self._dialled.close()

    def _create_socket(self) -> Any:
        return self._dialled

    def _handle_pubackcomp(self, cmd: Any) -> Any:
        """Let paho read a PUBACK with a reason code that it would take for a broken packet."""
        packet = self._in_packet["packet"]
        self.answer_code = packet[2] if len(packet) > 2 else 0
        if self.answer_code not in PUBACK_CODES:
            packet[2] = UNSPECIFIED
        return super()._handle_pubackcomp(cmd)

    def _sock_recv(self, bufsize: int) -> bytes:
        try:
            return super()._sock_recv(bufsize)
        except ssl.SSLError as alert:
            self.tls_alert = alert
            raise
        except OSError as error:
            self.network_failed = error.errno in NETWORK_FAILURES
            raise

    def _sock_send(self, buf: bytes | bytearray) -> int:
        try:
            handed = super()._sock_send(buf)
        except (BrokenPipeError, ConnectionResetError):
            # What the broker said before it closed is still to be read: acknowledgements, and why.
            raise BlockingIOError from None
        except OSError as error:
            self.network_failed = error.errno in NETWORK_FAILURES
            raise
        self._handed_bytes += handed
        return handed

    def _opened(self, _client: mqtt.Client, _userdata: Any, sock: Any) -> None:
        self._events.add_reader(sock.fileno(), self._readable)
        self._misc = self._events.call_later(MISC_EVERY_S, self._housekeeping)

    def _closed(self, _client: mqtt.Client, _userdata: Any, sock: Any) -> None:
        if self._misc is not None:
            self._misc.cancel()
        self._events.remove_reader(sock.fileno())

    def _wants_write(self, _client: mqtt.Client, _userdata: Any, sock: Any) -> None:
        self._events.add_writer(sock.fileno(), self.loop_write)

    def _wrote(self, _client: mqtt.Client, _userdata: Any, sock: Any) -> None:
        self._events.remove_writer(sock.fileno())

    def _readable(self) -> None:
        self.loop_read()
        while isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            self.loop_read()
        if self._sock is not None:
            rearm_quickack(self._dialled)

    def _housekeeping(self) -> None:
        self._misc = self._events.call_later(MISC_EVERY_S, self._housekeeping)
        self._look_at_queue()
        self.loop_misc()

    def _look_at_queue(self) -> None:
        """Take note where what waited has got shorter: a ping behind it says nothing yet.

        Where nothing waited, the other end's system has taken all: whether its broker lives, only
        an answer tells.
        """
        waiting = unsent_bytes(self._dialled)
        taken = self._handed_bytes - waiting
        if self._queued and taken > self._taken_bytes:
            self.moved_s = self._events.time()
            with self._msgtime_mutex:
                self._last_bytes_received = time.monotonic()  # paho's clock
        self._queued, self._taken_bytes = waiting > 0, taken


def unsent_bytes(sock: socket.socket) -> int:
    """Return how much of what was sent the other end's system has not taken (tcp(7), SIOCOUTQ)."""
    told = array("i", [0])
    with suppress(OSError):
        fcntl.ioctl(sock, termios.TIOCOUTQ, told)
    return told[0]
