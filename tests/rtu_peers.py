"""RTU servers scripted in Python: on terminals at the pace of a real line, and over TCP."""

import asyncio
import os
import struct
import tty
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from modbus_peers import LOOPBACK, Bench, device, sessions
from otgate.model import Device, Point

BAUD = 115_200
"""Fast enough for tests. The line is 8E1: eleven bits a character."""


def crc(data: bytes) -> bytes:
    """Bit by bit, so that the driver's table is not checked against itself."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return struct.pack("<H", value)


def whole(body: bytes) -> bytes:
    return body + crc(body)


Say = Callable[[bytes], None]


class RtuAsked:
    """One request, taken apart."""

    def __init__(self, frame: bytes, at_s: float) -> None:
        self.frame = frame
        self.at_s = at_s
        """When its last byte arrived."""
        self.unit, self.function, self.address, self.count = struct.unpack(">BBHH", frame[:6])

    @property
    def place(self) -> tuple[int, int, int]:
        return self.unit, self.address, self.count

    def words(self, *values: int) -> bytes:
        data = struct.pack(f">{len(values)}H", *values)
        return whole(bytes((self.unit, self.function, len(data))) + data)

    def refusal(self, code: int) -> bytes:
        return whole(bytes((self.unit, self.function | 0x80, code)))

    def honest(self) -> bytes:
        """Registers that hold the unit and their own address."""
        return self.words(
            *(
                self.unit * 1000 + address
                for address in range(self.address, self.address + self.count)
            )
        )


Answering = Callable[[RtuAsked, Say], Awaitable[None] | None]


class RtuServer:
    """Every unit of a line. It answers as a function says; honest by default."""

    def __init__(self) -> None:
        self.asked: list[RtuAsked] = []
        self.dead: set[int] = set()
        self.answers: Answering = lambda asked, say: say(asked.honest())
        self.identity = b""
        """The answer to 43/14, from its MEI type on; none is a refusal."""
        self.url = ""
        self.connections = 0
        self.hang_up: Callable[[], None] = lambda: None
        """Closes the newest connection."""
        self.stray: Say = lambda data: None
        """Puts bytes on the line unasked, at once."""
        self.noise = b""
        """What arrived and was no request."""
        self._loop = asyncio.get_running_loop()
        self._held = b""
        self._tasks: set[asyncio.Future[None]] = set()

    def places(self) -> list[tuple[int, int, int]]:
        """Return and forget what was asked."""
        places = [asked.place for asked in self.asked]
        self.asked.clear()
        return places

    def take(self, data: bytes, say: Say) -> None:
        self._held += data
        while len(self._held) >= (size := 7 if self._held[1:2] == b"\x2b" else 8):
            frame, self._held = self._held[:size], self._held[size:]
            if size == 7:
                say(whole(frame[:2] + self.identity if self.identity else frame[:1] + b"\xab\x01"))
                continue
            if crc(frame[:6]) != frame[6:]:
                self.noise += frame
                continue
            asked = RtuAsked(frame, self._loop.time())
            self.asked.append(asked)
            if asked.unit in self.dead:
                continue
            waiting = self.answers(asked, say)
            if waiting is not None:
                task = asyncio.ensure_future(waiting)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Paced:
    """Writes to a terminal no faster than a line carries it, in pieces as adapters do."""

    def __init__(self, descriptor: int, baud: int) -> None:
        self._descriptor = descriptor
        self._character_s = 11 / baud
        self._free_s = 0.0
        self._loop = asyncio.get_running_loop()

    def __call__(self, data: bytes) -> None:
        piece = max(1, int(0.004 / self._character_s))
        for at in range(0, len(data), piece):
            part = data[at : at + piece]
            now = max(self._free_s, self._loop.time())
            self._free_s = now + len(part) * self._character_s
            self._loop.call_at(self._free_s, self._write, part)

    def _write(self, part: bytes) -> None:
        with suppress(OSError):
            os.write(self._descriptor, part)


@asynccontextmanager
async def on_terminals(baud: int = BAUD) -> AsyncIterator[RtuServer]:
    """An RTU line; the server's url names the other terminal."""
    near, far = os.openpty()
    os.set_blocking(near, False)
    server, loop = RtuServer(), asyncio.get_running_loop()
    server.url = f"serial://{os.ttyname(far)}?baud={baud}"
    say = Paced(near, baud)

    def stray(data: bytes) -> None:
        os.write(near, data)

    server.stray = stray

    def readable() -> None:
        with suppress(OSError):
            server.take(os.read(near, 4096), say)

    loop.add_reader(near, readable)
    try:
        yield server
    finally:
        loop.remove_reader(near)
        await server.end()
        os.close(near)
        os.close(far)


@asynccontextmanager
async def over_tcp() -> AsyncIterator[RtuServer]:
    """An RTU line behind a terminal server."""
    served = RtuServer()
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.connections += 1
        writers.append(writer)
        served.hang_up = writer.close
        with suppress(ConnectionError):
            while data := await reader.read(4096):
                served.take(data, writer.write)
        writer.close()

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    served.url = f"rtu+tcp://{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
    try:
        yield served
    finally:
        server.close()
        await served.end()
        for writer in writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


def on(server: RtuServer, *points: Point, unit: int = 1, **settings: object) -> Device:
    """Return a device on the server's line."""
    url = settings.pop("url", server.url)
    made = device(*points, name=f"u{unit}", unit=unit, **settings)
    block = made.settings.model_copy(update={"url": url})
    return Device(made.id, "modbus", "bay", points, made.scans, block)


@asynccontextmanager
async def reading(server: RtuServer, *points: Point, **settings: object) -> AsyncIterator[Bench]:
    """One device on the server's line, with an open session."""
    async with sessions(on(server, *points, **settings)) as benches:
        yield benches[0]


@asynccontextmanager
async def reading_units(
    server: RtuServer, points: Sequence[Point], units: Sequence[int], **settings: object
) -> AsyncIterator[list[Bench]]:
    """Several units of the line."""
    async with sessions(*(on(server, *points, unit=unit, **settings) for unit in units)) as made:
        yield made


@asynccontextmanager
async def joined(baud: int = BAUD) -> AsyncIterator[tuple[str, str]]:
    """Two terminals as the ends of one line, which keeps its pace; yields their paths."""
    loop = asyncio.get_running_loop()
    pairs = [os.openpty() for _ in range(2)]
    nears = [near for near, _ in pairs]
    for near, far in pairs:
        os.set_blocking(near, False)
        tty.setraw(far)
    for near, other in zip(nears, reversed(nears), strict=True):
        loop.add_reader(near, carry, near, Paced(other, baud))
    try:
        yield os.ttyname(pairs[0][1]), os.ttyname(pairs[1][1])
    finally:
        for near, far in pairs:
            loop.remove_reader(near)
            os.close(near)
            os.close(far)


def carry(near: int, say: Say) -> None:
    with suppress(OSError):
        say(os.read(near, 4096))
