"""Devices for simulator tests, and a raw Modbus client that hides nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from otgate.model import Device, Kind, Point
from otgate_sim.simulation import Settings, Simulation

START_NS = 1_795_000_000_000_000_000


def point(point_id: str, address: str = "hr 0", type_: str = "u16", **cells: Any) -> Point:
    cells.setdefault("kind", Kind.MEASUREMENT)
    return Point(id=point_id, address=address, type=type_, **cells)


def device(
    device_id: str, *points: Point, url: str = "tcp://10.0.0.1:502", **settings: Any
) -> Device:
    settings = {"unit": 1, "base": 0, "order": "ABCD"} | settings
    return Device(
        id=device_id,
        driver="modbus",
        zone="bay",
        points=points,
        scans={"normal": 1.0},
        settings=SimpleNamespace(url=url, **settings),
    )


class Ticking:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now_ns = START_NS

    def __call__(self) -> int:
        return self.now_ns

    def forward(self, seconds: float) -> None:
        self.now_ns += int(seconds * 1e9)


@asynccontextmanager
async def served(
    *devices: Device, late_s: float = 0.2, **settings: Any
) -> AsyncIterator[tuple[Simulation, Mapping[str, int]]]:
    simulation = Simulation(devices, Settings(late_s=late_s, **settings))
    async with simulation.serving() as urls:
        yield simulation, {name: urlsplit(url).port or 0 for name, url in urls.items()}


class Client:
    """Sends and receives exact bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, text: str) -> None:
        self.writer.write(bytes.fromhex(text))

    async def receive(self, count: int, within_s: float = 2.0) -> bytes:
        async with asyncio.timeout(within_s):
            return await self.reader.readexactly(count)

    async def ask(self, text: str, count: int) -> str:
        self.send(text)
        return (await self.receive(count)).hex(" ", 1)

    async def is_silent(self, for_s: float = 0.15) -> bool:
        try:
            async with asyncio.timeout(for_s):
                return not await self.reader.read(1)
        except TimeoutError:
            return True

    async def is_closed(self, within_s: float = 2.0) -> bool:
        try:
            async with asyncio.timeout(within_s):
                return await self.reader.read(1) == b""
        except ConnectionResetError:
            return True


@asynccontextmanager
async def client(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
