"""A subscriber that costs little and shares no code with what it measures: MQTT 3.1.1 at QoS 0."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence

Take = Callable[[bytes, bytes, int], None]
"""Called with the topic, the payload and the arrival, CLOCK_MONOTONIC in ns."""

PUBLISH, SUBACK = 3, 9


def text(word: str) -> bytes:
    """Return a string as MQTT writes it: §1.5.3."""
    return struct.pack(">H", len(word)) + word.encode()


def packet(kind: int, body: bytes) -> bytes:
    """Return a packet with a body below 16 KiB."""
    size = (
        bytes([len(body)]) if len(body) < 128 else bytes([len(body) % 128 | 128, len(body) // 128])
    )
    return bytes([kind]) + size + body


def cut(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return the whole packets of ``data``, as type and body, and the rest: §2.2."""
    found, at = [], 0
    while True:
        size, head = 0, at + 1
        while head < len(data):
            size |= (data[head] & 127) << 7 * (head - at - 1)
            head += 1
            if data[head - 1] < 128:
                break
        else:
            return found, data[at:]
        if head + size > len(data):
            return found, data[at:]
        found.append((data[at] >> 4, data[head : head + size]))
        at = head + size


class Subscriber(threading.Thread):
    """Reads one connection until it is closed."""

    def __init__(self, port: int, filters: Sequence[str], take: Take) -> None:
        super().__init__(name="subscriber", daemon=True)
        self.ready = threading.Event()
        self._take = take
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        hello = text("MQTT") + bytes([4, 2, 0, 0]) + text("bench-subscriber")
        asked = b"".join(text(each) + b"\0" for each in filters)
        self._socket.sendall(packet(0x10, hello) + packet(0x82, b"\0\1" + asked))

    def run(self) -> None:
        rest = b""
        with contextlib.suppress(OSError):
            while chunk := self._socket.recv(1 << 20):
                at_ns = time.monotonic_ns()
                found, rest = cut(rest + chunk)
                for kind, body in found:
                    if kind == PUBLISH:
                        size = 2 + int.from_bytes(body[:2])
                        self._take(body[2:size], body[size:], at_ns)
                    elif kind == SUBACK:
                        self.ready.set()

    def stop(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self.join(5)
        self._socket.close()


@contextlib.contextmanager
def subscribed(port: int, filters: Sequence[str], take: Take) -> Iterator[None]:
    """Give ``take`` all that arrives for ``filters``."""
    subscriber = Subscriber(port, filters, take)
    subscriber.start()
    try:
        assert subscriber.ready.wait(5), "the broker does not answer"
        yield
    finally:
        subscriber.stop()
