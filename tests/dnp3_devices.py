"""What DNP3 driver tests talk to: outstations of ours on loopback, and devices that name them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from otgate.driver import Link
from otgate.errors import NotDurable
from otgate.model import Batch, Device, Kind, Origin, Point, Scan
from otgate.testing.collected import DURABLE, Collected
from otgate.testing.contract import Remembered
from otgate.together import cancelled
from otgate_dnp3 import Dnp3
from otgate_dnp3.session import Dnp3Session

LIMIT_S = 10.0
SCANS = {"integrity": 3600.0}
KINDS = dict.fromkeys(("bi", "dbi", "bo"), Kind.STATUS) | {"oct": Kind.TEXT}


def point(point_id: str, address: str, **cells: Any) -> Point:
    cells.setdefault("kind", KINDS.get(address.split(maxsplit=1)[0], Kind.MEASUREMENT))
    return Point(id=point_id, address=address, **cells)


def device(
    *points: Point, port: int = 20000, name: str = "rtu1", host: str = "127.0.0.1", **settings: Any
) -> Device:
    scans = settings.pop("scans", SCANS)
    time_zone = settings.pop("time_zone", "")
    settings.setdefault("outstation", 10)
    settings.setdefault("timeout_s", 1.0)
    if "listen" not in settings:
        settings.setdefault("url", f"tcp://{host}:{port}")
    block = Dnp3.settings(**settings)
    return Device(name, "dnp3", "bay", points, scans, block, time_zone=time_zone)


class Disk(Collected):
    """Keeps what is emitted; makes it durable unless told that the disk is stuck."""

    def __init__(self) -> None:
        super().__init__()
        self.stuck = asyncio.Event()
        self.waits = 0

    def __call__(self, batch: Batch) -> Any:
        super().__call__(batch)
        return self if self.stuck.is_set() else DURABLE

    async def durable(self, limit_s: float = 5.0) -> None:
        self.waits += 1
        while self.stuck.is_set():
            await asyncio.sleep(0.01)
            if self.waits < 0:
                raise NotDurable("told so")

    def of(self, *origins: Origin) -> list[Batch]:
        return [batch for batch in self.batches if batch.origin in origins]

    def rows(self, *origins: Origin) -> list[tuple[int, Any, int, int | None]]:
        """Return point, value, quality and time in ms of every sample, in order."""
        found = []
        for batch in self.of(*(origins or tuple(Origin))):
            stamps = (
                [None] * len(batch)
                if batch.source_ns is None
                else (batch.source_ns // 1_000_000).tolist()
            )
            found += zip(
                batch.index.tolist(),
                batch.values.tolist(),
                batch.quality.tolist(),
                stamps,
                strict=True,
            )
        return found

    def last(self, number: int) -> tuple[Any, int]:
        return next(
            (value, quality)
            for point, value, quality, _ in reversed(self.rows())
            if point == number
        )


class Running:
    """A connected driver that listens, with what its devices emit."""

    def __init__(self, plans: dict[str, Sequence[Scan]], sessions: dict[str, Dnp3Session]) -> None:
        self.plans = plans
        self.sessions = sessions
        self.got = {name: Disk() for name in sessions}

    @property
    def session(self) -> Dnp3Session:
        return next(iter(self.sessions.values()))

    @property
    def disk(self) -> Disk:
        return next(iter(self.got.values()))

    async def scan(self, name: str = "integrity", device: str = "") -> None:
        device = device or next(iter(self.sessions))
        scan = next(each for each in self.plans[device] if each.name == name)
        async with asyncio.timeout(LIMIT_S):
            await self.sessions[device].scan(scan, self.got[device])


@asynccontextmanager
async def running(*devices: Device, state: Remembered | None = None) -> AsyncIterator[Running]:
    """Connect the driver and listen to each device."""
    driver = Dnp3()
    plans = {each.id: driver.plan(each) for each in devices}
    kept = state or Remembered()
    link = Link(devices, plans, {each.id: kept for each in devices})
    async with driver.connect(link) as sessions:
        made = Running(plans, dict(sessions))  # type: ignore[arg-type]  # all are ours
        listening = [
            asyncio.ensure_future(session.listen(made.got[name]))
            for name, session in sessions.items()
        ]
        try:
            yield made
        finally:
            await cancelled(listening)


async def until(condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110  any condition
            await asyncio.sleep(0.005)


def names(batch: Batch) -> list[int]:
    return np.unique(batch.quality).tolist()
