"""Outstations for tests: one without I/O on a clock that is told, one on a loopback port."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from otgate_dnp3.stack.link import FrameReader
from otgate_dnp3.stack.points import PointType
from otgate_dnp3.stack.station import Role, Station
from otgate_dnp3.stack.transport import Reassembly, Segmenter
from otgate_sim.dnp3.database import Database, Entry
from otgate_sim.dnp3.faults import Dnp3Fault
from otgate_sim.dnp3.options import Options
from otgate_sim.dnp3.outstation import Outstation
from otgate_sim.dnp3.rtu import Rtu
from otgate_sim.dnp3.server import Endpoint
from otgate_sim.dnp3.session import Session
from otgate_sim.faults import Trouble

BI, DBI = PointType.BINARY_INPUT, PointType.DOUBLE_BIT_INPUT
BO, CTR = PointType.BINARY_OUTPUT, PointType.COUNTER
FCTR, AI = PointType.FROZEN_COUNTER, PointType.ANALOG_INPUT
AOS, OCT = PointType.ANALOG_OUTPUT, PointType.OCTET_STRING

START_MS = 1_795_000_000_000
CLEAR_RESTART = "50 01 00 07 07 00"
CLASSES = "3c 02 06  3c 03 06  3c 04 06"
INTEGRITY = CLASSES + "3c 01 06"


class Told:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now_ns = START_MS * 1_000_000

    def __call__(self) -> int:
        return self.now_ns

    def forward(self, seconds: float) -> None:
        self.now_ns += int(seconds * 1e9)


class Talk:
    """An outstation's session and the master's side of it, fragment by fragment, in hex."""

    def __init__(self, *entries: Entry, **options: Any) -> None:
        options = {"needs_time": False, "unsolicited": False} | options
        self.clock = Told()
        self.database = Database()
        self.database.add(*entries)
        self.rtu = Rtu(Options(**options), self.database, self.clock)
        self.session = Session(self.rtu)
        self.rtu.restarted = False
        self.session.link_up()

    def ask(self, text: str, broadcast: int | None = None) -> list[str]:
        """Send a fragment; return those that come back."""
        self.session.receive(bytes.fromhex(text), broadcast)
        return self.sent()

    def sent(self) -> list[str]:
        """Return what has been sent since, at this time."""
        self.session.tick()
        fragments = [fragment.hex(" ") for fragment in self.session.outbox]
        self.session.outbox.clear()
        return fragments

    def after(self, seconds: float) -> list[str]:
        """Return what is sent within some seconds, waking when the session says so."""
        until_ns = self.clock.now_ns + int(seconds * 1e9)
        sent = self.sent()
        while (due_s := self.session.due_s()) <= until_ns / 1e9:
            self.clock.now_ns = max(self.clock.now_ns, int(due_s * 1e9) + 1000)
            sent += self.sent()
        self.clock.now_ns = until_ns
        return sent + self.sent()

    def set(self, point_type: PointType, index: int, value: Any, flags: int = 1) -> None:
        self.rtu.update(self.database.of(point_type)[index], value, flags)

    @property
    def confirmed(self) -> list[Any]:
        return [event.value for event in self.rtu.buffer.confirmed]


def spaced(text: str) -> str:
    """Write hex as `bytes.hex(" ")` does."""
    return bytes.fromhex(text).hex(" ")


def outstation(*entries: Entry, late_s: float = 0.2, **options: Any) -> Outstation:
    """Return an outstation on the real clock."""
    database = Database()
    database.add(*entries)
    trouble = Trouble(time.monotonic, Dnp3Fault.NONE, Dnp3Fault, late_s=late_s)
    return Outstation(Options(**options), database, time.time_ns, trouble)


@asynccontextmanager
async def listening(*outstations: Outstation, port: int = 0) -> AsyncIterator[Endpoint]:
    """Serve outstations on one loopback port, which the endpoint names."""
    endpoint = Endpoint(outstations, port)
    await endpoint.start()
    try:
        yield endpoint
    finally:
        await endpoint.stop()


class Wire:
    """A master that sends and receives exact fragments and hides nothing."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, remote: int, local: int
    ) -> None:
        self.reader, self.writer = reader, writer
        self.station = Station(Role.MASTER, local, remote)
        self.frames = FrameReader()
        self._segments, self._reassembly = Segmenter(), Reassembly()
        self._ready: list[bytes] = []

    def send(self, text: str) -> None:
        for segment in self._segments.cut(bytes.fromhex(text)):
            self.writer.write(self.station.user_data(segment))

    async def receive(self, within_s: float = 3.0) -> str:
        """Return the next fragment.

        Raises:
            ConnectionError: the outstation closed.
            TimeoutError: none came.
        """
        async with asyncio.timeout(within_s):
            while not self._ready:
                data = await self.reader.read(65536)
                if not data:
                    raise ConnectionError("closed")
                self._take(data)
        return self._ready.pop(0).hex(" ")

    async def ask(self, text: str) -> str:
        self.send(text)
        return await self.receive()

    async def is_silent(self, for_s: float = 0.3) -> bool:
        try:
            await self.receive(for_s)
        except TimeoutError:
            return True
        return False

    def _take(self, data: bytes) -> None:
        for frame in self.frames.feed(data):
            answer, segment = self.station.receive(frame)
            if answer:
                self.writer.write(answer)
            if fragment := self._reassembly.feed(segment):
                self._ready.append(fragment)


@asynccontextmanager
async def wired(port: int, remote: int = 10, local: int = 1) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Wire(reader, writer, remote, local)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
