"""A slow link: a TCP relay that lets only so many bytes a second through to the server."""

import socket
import time
from contextlib import suppress
from threading import Thread
from typing import Self

BUFFER_BYTES = 8 << 10
"""Of each socket: what a slow link has under way is little."""


class Throttle:
    """Relays to a port of this machine; ``rate`` is bytes a second towards it, 0 unlimited."""

    def __init__(self, target: int, rate: float = 0.0, *, buffer_bytes: int = BUFFER_BYTES) -> None:
        self.rate = rate
        self._buffer_bytes = buffer_bytes
        self.carried_bytes = 0
        self.connections = 0
        self._target = target
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._listener, *self._sockets):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._buffer_bytes)
                self.connections += 1
                self._sockets += [near, far]
                Thread(target=self._forth, args=(near, far), daemon=True).start()
                Thread(target=self._back, args=(far, near), daemon=True).start()

    def _forth(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(self._portion()):
                if self.rate:
                    time.sleep(len(data) / self.rate)
                self.carried_bytes += len(data)
                sink.sendall(data)
        _end(source, sink)

    def _portion(self) -> int:
        return max(1, min(65536, int(self.rate / 20))) if self.rate else 65536

    def _back(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        _end(source, sink)


def _end(*sockets: socket.socket) -> None:
    for sock in sockets:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
