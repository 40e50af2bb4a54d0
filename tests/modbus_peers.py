"""What Modbus driver tests talk to: a pymodbus server, and a server scripted in Python."""

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from ssl import SSLContext
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.datastore import ModbusServerContext
from pymodbus.server import ModbusTcpServer

from otgate.driver import Link
from otgate.model import Device, Kind, Point, Scan
from otgate.testing.collected import Collected
from otgate.testing.contract import Remembered
from otgate_modbus import Modbus
from otgate_modbus.session import ModbusSession

LOOPBACK = "127.0.0.1"

Table = Mapping[int, int]
NOTHING: Table = {}


def point(point_id: str, address: str, type_: str = "", **cells: Any) -> Point:
    cells.setdefault("kind", Kind.MEASUREMENT)
    return Point(id=point_id, address=address, type=type_, **cells)


def device(
    *points: Point, host: str = "192.0.2.1", port: int = 502, name: str = "f1", **settings: Any
) -> Device:
    scans = settings.pop("scans", {"normal": 1.0})
    block = Modbus.settings(url=f"tcp://{host}:{port}", **settings)
    return Device(name, "modbus", "bay", points, scans, block)


class Held(ModbusServerContext):
    """Unit 1 of a pymodbus server: the addresses given, and no others."""

    def __init__(self, tables: Mapping[int, Table]) -> None:
        self.tables = tables
        self.simdevices = []
        self.old_simulator = True  # pymodbus then asks this class for every value

    async def async_getValues(  # noqa: N802  pymodbus's name
        self, device_id: int, func_code: int, address: int, count: int = 1
    ) -> list[int] | list[bool] | ExcCodes:
        table = self.tables[func_code]
        if device_id != 1:
            return ExcCodes.GATEWAY_NO_RESPONSE
        if any(at not in table for at in range(address, address + count)):
            return ExcCodes.ILLEGAL_ADDRESS
        return [table[at] for at in range(address, address + count)]


@asynccontextmanager
async def pymodbus_serving(
    *,
    hr: Table = NOTHING,
    ir: Table = NOTHING,
    co: Table = NOTHING,
    di: Table = NOTHING,
) -> AsyncIterator[tuple[str, int]]:
    context = Held({1: co, 2: di, 3: hr, 4: ir})
    server = ModbusTcpServer(context, address=(LOOPBACK, 0))
    await server.serve_forever(background=True)
    try:
        listening: Any = server.transport
        yield LOOPBACK, listening.sockets[0].getsockname()[1]
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus leaves it untyped


class Asked:
    """One request, taken apart."""

    def __init__(self, frame: bytes) -> None:
        self.frame = frame
        self.tid, _, _, self.unit, self.function, self.address, self.count = struct.unpack(
            ">HHHBBHH", frame
        )

    @property
    def place(self) -> tuple[int, int, int]:
        return self.function, self.address, self.count

    def data(self, payload: bytes) -> bytes:
        return frame(self.tid, self.unit, self.function, bytes([len(payload)]) + payload)

    def words(self, *values: int) -> bytes:
        return self.data(struct.pack(f">{len(values)}H", *values))

    def refusal(self, code: int) -> bytes:
        return frame(self.tid, self.unit, self.function | 0x80, bytes([code]))

    def honest(self) -> bytes:
        """Registers that hold their own address; bits that are odd addresses."""
        addresses = range(self.address, self.address + self.count)
        if self.function > 2:
            return self.words(*addresses)
        packed = bytearray(-(-self.count // 8))
        for at, address in enumerate(addresses):
            packed[at // 8] |= (address & 1) << at % 8
        return self.data(bytes(packed))


def frame(tid: int, unit: int, function: int, rest: bytes, *, protocol: int = 0) -> bytes:
    return struct.pack(">HHHBB", tid, protocol, 2 + len(rest), unit, function) + rest


Answering = Callable[[Asked, asyncio.StreamWriter], Awaitable[None] | None]


class Server:
    """A Modbus server that answers as a function says; honest by default."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.arrived = asyncio.Event()
        self.answers: Answering = lambda asked, writer: writer.write(asked.honest())
        self.port = 0
        self.connections = 0
        self.refuses = False
        """Whether it closes whatever connects, as one does that has its client already."""
        self.hang_up: Callable[[], None] = lambda: None
        """Closes the newest connection."""
        self.stop: Callable[[], None] = lambda: None
        """Listens no more."""

    def places(self) -> list[tuple[int, int, int]]:
        """Return and forget what was asked."""
        places = [asked.place for asked in self.asked]
        self.asked.clear()
        return places

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.hang_up = writer.close
        if self.refuses:
            writer.close()
            return
        try:
            while True:
                asked = Asked(await reader.readexactly(12))
                self.asked.append(asked)
                self.arrived.set()
                waiting = self.answers(asked, writer)
                if waiting is not None:
                    await waiting
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(ssl: SSLContext | None = None) -> AsyncIterator[Server]:
    served = Server()
    players: set[asyncio.Task[None]] = set()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        players.add(task)
        await served.serve(reader, writer)

    server = await asyncio.start_server(play, LOOPBACK, 0, ssl=ssl)
    served.stop = server.close
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for player in players:
            player.cancel()
        await asyncio.gather(*players, return_exceptions=True)
        await server.wait_closed()


class Bench:
    """A device with an open session, and what it emitted."""

    def __init__(
        self, device_: Device, plan: Sequence[Scan], session: Any, state: Remembered
    ) -> None:
        self.device = device_
        self.plan = plan
        assert isinstance(session, ModbusSession)
        self.session = session
        self.state = state
        self.got = Collected()
        self.counts = self.session._wire.counts

    async def scan(self, name: str = "normal") -> dict[str, tuple[Any, int]]:
        """Scan once and return value and quality by point id."""
        self.got.clear()
        await self.session.scan(next(scan for scan in self.plan if scan.name == name), self.got)
        return self.got.samples(self.device)

    async def values(self) -> dict[str, Any]:
        return {point_id: value for point_id, (value, _) in (await self.scan()).items()}


@asynccontextmanager
async def session(
    *points: Point, port: int, state: Remembered | None = None, **settings: Any
) -> AsyncIterator[Bench]:
    """Connect to a loopback port and read these points."""
    asked = device(*points, host=LOOPBACK, port=port, **settings)
    async with sessions(asked, state=state) as benches:
        yield benches[0]


@asynccontextmanager
async def sessions(*devices: Device, state: Remembered | None = None) -> AsyncIterator[list[Bench]]:
    driver = Modbus()
    plans = {each.id: driver.plan(each) for each in devices}
    states = {each.id: state or Remembered() for each in devices}
    async with driver.connect(Link(devices, plans, states)) as opened:
        yield [Bench(each, plans[each.id], opened[each.id], states[each.id]) for each in devices]
