"""Modbus servers that misbehave as told: over TCP, as RTU over TCP, and over UDP."""

import asyncio
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from modbus_peers import LOOPBACK
from otgate.testing.wire import answer, reset
from otgate.together import cancelled
from puppet import now_s
from rtu_peers import whole

REFUSING_S = 2.0
STALE = 0x63
"""What a register held long ago: it must never be seen."""


class Do(Enum):
    """What a server does beside writing bytes."""

    HONEST = auto()
    """Answer that the register holds its own address."""
    HOLD = auto()
    """Keep the honest answer back."""
    HOLD_STALE = auto()
    """Keep an answer back that is no longer true."""
    TELL = auto()
    """Send what was kept back."""
    CLOSE = auto()
    RESET = auto()
    HALF_CLOSE = auto()
    REFUSE = auto()
    """Close, and accept no connection for two seconds."""


Step = str | float | Do | bytes
"""Bytes to write, spelled as in `otgate.testing.wire` or as they are; a rest in seconds; a deed."""
Steps = Sequence[Step]
Plot = Sequence[Steps]


@dataclass(frozen=True)
class Framing:
    """How a request is found in what clients send, and how it is answered."""

    size: int
    function_at: int
    reply: Callable[[bytes, int], bytes]
    """Answer a request for one register by its value."""

    def honest(self, request: bytes) -> bytes:
        return self.reply(request, int.from_bytes(request[self.function_at + 1 :][:2]))


def tcp_reply(request: bytes, value: int) -> bytes:
    return request[:2] + struct.pack(">HHBBBH", 0, 5, *request[6:8], 2, value)


def rtu_reply(request: bytes, value: int) -> bytes:
    return whole(request[:2] + struct.pack(">BH", 2, value))


FRAMINGS = {
    "tcp": Framing(12, 7, tcp_reply),
    "udp": Framing(12, 7, tcp_reply),
    "rtu+tcp": Framing(8, 1, rtu_reply),
}


class Mouth:
    """Where answers to one client go."""

    def __init__(self, writer: Any) -> None:
        self.writer = writer
        self.shut = False

    def say(self, octets: bytes) -> None:
        if not self.shut:
            self.writer.write(octets)

    def half_close(self) -> None:
        self.shut = True
        self.writer.write_eof()


class Rogue:
    """The server."""

    def __init__(self, scheme: str) -> None:
        self.framing = FRAMINGS[scheme]
        self.port = 0
        self.asked: list[tuple[int, float, int]] = []
        """Connection, time and function of each request."""
        self.plot: list[Steps] = []
        """What happens to coming requests."""
        self.greeting: list[Steps] = []
        """What happens to coming connections."""
        self.functions = frozenset({3})
        """Requests with these functions are plotted against."""
        self.connections = 0
        self._held: list[bytes] = []
        self._server: asyncio.Server | None = None
        self._socket: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._scheme = scheme

    async def start(self) -> None:
        here = (LOOPBACK, self.port)
        if self._scheme == "udp":
            loop = asyncio.get_running_loop()
            made = await loop.create_datagram_endpoint(lambda: Letters(self), local_addr=here)
            self._socket = made[0]
            self.port = self._socket.get_extra_info("sockname")[1]
        else:
            self._server = await asyncio.start_server(self._serve, *here)
            self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        for each in (self._server, self._socket):
            if each is not None:
                each.close()
        await cancelled(self._tasks)

    def hear(self, number: int, request: bytes) -> Steps:
        """Note a request; return what happens to it."""
        function = request[self.framing.function_at]
        self.asked.append((number, now_s(), function))
        plotted = self.plot and function in self.functions
        return self.plot.pop(0) if plotted else (Do.HONEST,)

    def run(self, number: int, request: bytes, mouth: Mouth) -> None:
        """Do what happens to a datagram."""
        task = asyncio.ensure_future(self.do(self.hear(number, request), request, mouth))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def do(self, steps: Steps, request: bytes, mouth: Mouth) -> None:
        for step in steps:
            if isinstance(step, float):
                await asyncio.sleep(step)
            elif isinstance(step, Do):
                self._deed(step, request, mouth)
            else:
                mouth.say(answer(step, request) if isinstance(step, str) else step)

    def _deed(self, deed: Do, request: bytes, mouth: Mouth) -> None:
        match deed:
            case Do.HONEST:
                mouth.say(self.framing.honest(request))
            case Do.HOLD:
                self._held.append(self.framing.honest(request))
            case Do.HOLD_STALE:
                self._held.append(self.framing.reply(request, STALE))
            case Do.TELL:
                for held in self._held:
                    mouth.say(held)
                self._held.clear()
            case Do.CLOSE:
                mouth.writer.close()
            case Do.RESET:
                reset(mouth.writer)
            case Do.HALF_CLOSE:
                mouth.half_close()
            case Do.REFUSE:
                mouth.writer.close()
                self._tasks.add(asyncio.ensure_future(self._refuse()))

    async def _refuse(self) -> None:
        assert self._server is not None
        self._server.close()
        await asyncio.sleep(REFUSING_S)
        await self.start()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        number, mouth = self.connections, Mouth(writer)
        try:
            await self.do(self.greeting.pop(0) if self.greeting else (), b"", mouth)
            while True:
                request = await reader.readexactly(self.framing.size)
                await self.do(self.hear(number, request), request, mouth)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client is gone, or the test over
        finally:
            self._tasks.discard(task)
            writer.close()


class Letters(asyncio.DatagramProtocol):
    """A rogue's ear for datagrams; every client is the first connection."""

    def __init__(self, rogue: Rogue) -> None:
        self._rogue = rogue

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        assert len(data) == self._rogue.framing.size
        self._rogue.run(1, data, Mouth(Envelope(self._transport, addr)))


@dataclass
class Envelope:
    """Writes to whom a datagram came from."""

    transport: Any
    address: Any

    def write(self, data: bytes) -> None:
        self.transport.sendto(data, self.address)
