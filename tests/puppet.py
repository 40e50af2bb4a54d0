"""A driver in memory whose devices do as they are told, and a supervisor that runs it."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from otgate.driver import Emit, Link, Trouble
from otgate.model import Batch, Device, Kind, Origin, Point, Reporting, Scan, ValueType
from otgate.supervisor import DeviceStatus, Pace, State, Supervisor
from otgate.testing.collected import Collected
from otgate.together import cancelled

Deed = Callable[["Session", Scan, Emit], Coroutine[Any, Any, None]]

START_NS = 1_790_000_000_000_000_000


async def until(holds: Callable[[], object], limit_s: float = 8.0) -> None:
    """Return once ``holds()`` is true; a status is asked for, it does not announce itself."""
    async with asyncio.timeout(limit_s):
        while True:
            if holds():
                return
            await asyncio.sleep(0.002)


def now_s() -> float:
    return asyncio.get_running_loop().time()


async def answer(session: "Session", scan: Scan, emit: Emit) -> None:
    """Read well, in no time."""
    session.emit(scan, emit)


async def silence(session: "Session", scan: Scan, emit: Emit) -> None:
    """Answer nothing; give up after the driver's own timeout."""
    await asyncio.sleep(session.driver.timeout_s)
    raise TimeoutError("no reply")


async def hang(session: "Session", scan: Scan, emit: Emit) -> None:
    """Answer nothing, for ever."""
    await asyncio.get_running_loop().create_future()


def taking(seconds: float) -> Deed:
    """Read well, in so many seconds."""

    async def slowly(session: "Session", scan: Scan, emit: Emit) -> None:
        await asyncio.sleep(seconds)
        session.emit(scan, emit)

    return slowly


def raising(error: Exception) -> Deed:
    async def raises(session: "Session", scan: Scan, emit: Emit) -> None:
        raise error

    return raises


@dataclass
class Session:
    driver: "Puppet"
    device: Device
    index: dict[str, Any] = field(default_factory=dict)
    met: Trouble = field(default_factory=Trouble)

    def trouble(self) -> Trouble:
        return self.met

    async def scan(self, scan: Scan, emit: Emit) -> None:
        self.driver.scanned.append((now_s(), self.device.id, scan.name))
        self.driver.busy += 1
        assert self.driver.busy == 1 or not self.driver.shared
        try:
            await self.driver.deeds.get(self.device.id, answer)(self, scan, emit)
        finally:
            self.driver.busy -= 1

    async def listen(self, emit: Emit) -> None:
        await self.driver.listens(self, emit)

    def emit(self, scan: Scan, emit: Emit, *, quality: int = 0, points: int | None = None) -> None:
        """Emit the scan's points, all with the number of the reading as their value."""
        self.driver.readings += 1
        index = np.array(scan.points[:points], np.int32)
        values = np.full(len(index), float(self.driver.readings))
        qualities = np.full(len(index), quality, np.uint32)
        received_ns = START_NS + round(now_s() * 1e9)
        emit(
            Batch(self.device.id, ValueType.F64, Origin.POLL, index, values, qualities, received_ns)
        )


async def hear_nothing(session: Session, emit: Emit) -> None:
    await asyncio.get_running_loop().create_future()


class Puppet:
    """The driver; ``deeds`` says per device what a scan does, ``connects`` what connect raises."""

    settings = dict
    housekeeping: Sequence[str] = ()

    def __init__(self, *, shared: bool = False, timeout_s: float = 0.5) -> None:
        self.shared = shared
        self.timeout_s = timeout_s
        self.deeds: dict[str, Deed] = {}
        self.refuses: list[Exception] = []
        self.always: Exception | None = None
        self.connected: list[float] = []
        self.scanned: list[tuple[float, str, str]] = []
        self.listens: Callable[[Session, Emit], Coroutine[Any, Any, None]] = hear_nothing
        self.closing: Callable[[], Coroutine[Any, Any, None]] | None = None
        self.open = 0
        self.busy = 0
        self.readings = 0

    def link_key(self, device: Device) -> Hashable:
        return "all" if self.shared else device.id

    def plan(self, device: Device) -> Sequence[Scan]:
        return [
            Scan(name, period_s, points, [ValueType.F64] * len(points))
            for name, period_s in device.scans.items()
            for points in [[at for at, p in enumerate(device.points) if p.scan == name]]
        ]

    @asynccontextmanager
    async def connect(self, link: Link) -> AsyncIterator[Mapping[str, Session]]:
        self.connected.append(now_s())
        if self.always is not None:
            raise self.always
        if self.refuses:
            raise self.refuses.pop(0)
        self.open += 1
        self.link = link
        try:
            yield {device.id: Session(self, device) for device in link.devices}
        finally:
            self.open -= 1
            if self.closing is not None:
                await self.closing()

    def times(self, device: str, scan: str = "normal") -> list[float]:
        """When ``scan`` of ``device`` was begun."""
        return [at for at, which, name in self.scanned if (which, name) == (device, scan)]


def device(name: str, reporting: Reporting | None = None, **periods: float) -> Device:
    """A device with two points per scan class."""
    periods = periods or {"normal": 1.0}
    points = [
        Point(f"{scan}{number}", Kind.MEASUREMENT, scan=scan)
        for scan in periods
        for number in (1, 2)
    ]
    return Device(name, "puppet", "bay", points, periods, {}, reporting or Reporting())


@dataclass
class Running:
    supervisor: Supervisor
    got: Collected
    task: "asyncio.Task[None]"
    start_s: float

    def status(self, name: str) -> DeviceStatus:
        return self.supervisor.status()[name]

    def states(self) -> dict[str, State]:
        return {name: status.state for name, status in self.supervisor.status().items()}

    def qualities(self, name: str) -> list[list[int]]:
        """The quality column of each batch of one device, in order."""
        return [batch.quality.tolist() for batch in self.got.batches if batch.device == name]


@asynccontextmanager
async def running(
    driver: Any,
    devices: Sequence[Device],
    *,
    pace: Pace | None = None,
    states: Path | None = None,
    seed: int = 1,
) -> AsyncIterator[Running]:
    """Run a supervisor for the length of the block."""
    got = Collected()
    supervisor = Supervisor(
        devices,
        {device.driver: driver for device in devices},
        got,
        clock=lambda: START_NS + round(now_s() * 1e9),
        states=states,
        pace=pace,
        rng=random.Random(seed),
    )
    task = asyncio.ensure_future(supervisor.run())
    try:
        yield Running(supervisor, got, task, now_s())
        if task.done() and not task.cancelled():
            task.result()
    finally:
        await cancelled([task])
