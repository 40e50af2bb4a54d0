"""A Modbus server fast enough to be load: every register it answers with has changed.

Run as a process of its own: ``python tests/fast_modbus.py PORT EVENT_S``. It listens on every
loopback address, so that 127.0.1.1, 127.0.1.2 … are devices with links of their own. Registers
count the requests; bits flip each EVENT_S seconds. SIGUSR1 stops all change.
"""

import asyncio
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

REQUEST = struct.Struct(">HHHBBHH")
HEAD = struct.Struct(">HHHBBB")
WORDS = np.arange(3 * 65536, dtype=np.uint32).astype(">u2")
BYTES = {even: b"\x55\xaa"[even : even + 1] * 256 for even in (0, 1)}


CALM = asyncio.Event()


class Answering(asyncio.Protocol):
    """One client. Requests are answered in the order in which they came."""

    def __init__(self, event_s: float) -> None:
        self._event_s = event_s
        self._asked = 0
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        at = 0
        while len(data) - at >= REQUEST.size:
            tid, _, _, unit, function, address, count = REQUEST.unpack_from(data, at)
            at += REQUEST.size
            self._transport.write(self._answer(tid, unit, function, address, count))
        self._rest = data[at:]

    def _answer(self, tid: int, unit: int, function: int, address: int, count: int) -> bytes:
        self._asked += not CALM.is_set()
        content = self._words(address, count) if function > 2 else self._bits(count)
        return HEAD.pack(tid, 0, 3 + len(content), unit, function, len(content)) + content

    def _words(self, address: int, count: int) -> bytes:
        first = (address + self._asked) & 0xFFFF
        return WORDS[first : first + count].tobytes()

    def _bits(self, count: int) -> bytes:
        even = 0 if CALM.is_set() else int(time.time() / self._event_s) & 1
        return BYTES[even][: -(-count // 8)]


async def serve(port: int, event_s: float) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, CALM.set)
    server = await loop.create_server(lambda: Answering(event_s), "0.0.0.0", port, backlog=512)
    await server.serve_forever()


@contextmanager
def load(port: int, event_s: float = 0.5) -> Iterator[subprocess.Popen[bytes]]:
    """Serve in a process of its own for the length of the block."""
    command = [sys.executable, Path(__file__), str(port), str(event_s)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        _await(port)
        yield process
    finally:
        process.kill()
        process.wait()


def _await(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with closing(socket.socket()) as sock:
            if sock.connect_ex(("127.0.1.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(f"no load on {port}")


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
