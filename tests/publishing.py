"""A spool to publish from, a subscriber that remembers, and a publisher that runs in a test."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from otgate.cli.audit import Auditor
from otgate.model import Batch, Lane, Origin, ValueType
from otgate.publish.errors import BrokerLost
from otgate.publish.ledger import Account
from otgate.publish.payload import Samples
from otgate.publish.publisher import Publisher
from otgate.publish.settings import BusSettings, Login, read_broker
from otgate.publish.subscribe import Joined, Received, Source, subscribe
from otgate.publish.topics import MessageClass
from otgate.spool.catalog import Catalog, CatalogDevice, CatalogPoint
from otgate.spool.reader import SpoolReader
from otgate.spool.retention import Retention
from otgate.spool.writer import SpoolWriter
from otgate.together import cancelled

RETENTION = Retention(1 << 28, 10**18)
MEASURED = 100
"""Points ia0.. of device f3, followed by status cb."""


def catalog(
    points: int = MEASURED, device: str = "f3", conduit: str = "analytics", step: float = 0.0
) -> Catalog:
    """A feeder: measurements and a breaker."""
    measured = (
        CatalogPoint(f"ia{n}", "measurement", ValueType.F64, unit="A", step=step)
        for n in range(points)
    )
    breaker = CatalogPoint("cb", "status", ValueType.I64, states={1: "open", 2: "closed"})
    return Catalog(
        site="sub7",
        gateway="gw1",
        conduit=conduit,
        devices=(CatalogDevice.of(device, (*measured, breaker), "modbus"),),
    )


def floats(numbers: Sequence[float], **columns: Any) -> Batch:
    """A batch of f3's first points."""
    count = len(numbers)
    batch = Batch(
        "f3",
        ValueType.F64,
        Origin.POLL,
        np.arange(count, dtype=np.int32),
        np.array(numbers, dtype=np.float64),
        np.zeros(count, dtype=np.uint32),
        time.time_ns(),
    )
    return replace(batch, **columns)


class Feeder:
    """Writes a spool as the field side does."""

    def __init__(
        self,
        directory: Path,
        what: Catalog | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.directory = directory
        self.catalog = what or catalog()
        self.clock = clock
        self.writer = SpoolWriter.open(directory, self.catalog, RETENTION, clock=clock)

    @property
    def spooled(self) -> int:
        """Samples of the data lane that were handed in."""
        return self.writer.status().samples[Lane.DATA]

    def measure(self, times: int = 1, count: int = 10) -> None:
        """Spool ``times`` scans of ``count`` samples each."""
        for _ in range(times):
            numbers = [float(n) for n in range(count)]
            self.writer.append(Lane.DATA, floats(numbers, received_ns=self.clock()))

    def switch(self, code: int) -> None:
        """Spool a change of the breaker's position."""
        number = len(self.catalog.ids) - 1
        self.writer.append(
            Lane.EVENT,
            Batch(
                "f3",
                ValueType.I64,
                Origin.EVENT,
                np.array([number], dtype=np.int32),
                np.array([code], dtype=np.int64),
                np.zeros(1, dtype=np.uint32),
                time.time_ns(),
            ),
        )

    def live(self, state: str = "good") -> None:
        self.writer.live({"f3": state})

    def close(self) -> None:
        self.writer.close()


class Memory:
    """A sink that keeps everything and wakes who waits for it."""

    def __init__(self) -> None:
        self.messages: list[Received] = []
        self.audit = Auditor()
        self.complaints: list[str] = []
        self.joined: list[Joined] = []
        self.arrived_before: list[int] = []
        """How many messages had arrived when each connection came about."""
        self._news = asyncio.Condition()

    def connected(self, joined: Joined) -> None:
        self.joined.append(joined)
        self.audit.connected(joined)
        self.arrived_before.append(len(self.messages))
        self._tell()

    @property
    def connections(self) -> int:
        return len(self.joined)

    def lost(self, reason: str) -> None:
        self.complaints.append(reason)

    def malformed(self, topic: str, reason: str) -> None:
        self.complaints.append(f"{topic}: {reason}")

    def received(self, received: Received) -> None:
        self.messages.append(received)
        self.audit.received(received)
        self._tell()

    def account(self, conduit: str = "analytics", lane: str = "data") -> Account:
        """The books of one lane's only epoch."""
        accounts = self.audit.ledger.accounts.items()
        found = [one for at, one in accounts if (at.conduit, at.lane) == (conduit, lane)]
        assert len(found) < 2
        return found[0] if found else Account()

    def in_all(self, count: str, lane: str = "data") -> int:
        """A count of the books, over all epochs of a lane."""
        accounts = self.audit.ledger.accounts.items()
        return sum(getattr(account, count) for stream, account in accounts if stream.lane == lane)

    def _tell(self) -> None:
        self._task = asyncio.ensure_future(self._notify())

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def until(self, condition: Callable[[], bool], limit_s: float = 15.0) -> None:
        """Return once ``condition`` holds after a message."""
        async with asyncio.timeout(limit_s), self._news:
            await self._news.wait_for(condition)

    def of(self, *classes: MessageClass) -> list[Any]:
        """Payloads of these classes, in the order of their arrival."""
        return [m.payload for m in self.messages if m.address.message_class in classes]

    @property
    def samples(self) -> list[Samples]:
        return [m.payload for m in self.messages if isinstance(m.payload, Samples)]

    def numbers(self, lane: str = "data") -> list[int]:
        """Sequence numbers of a lane's samples, as they came."""
        return [
            samples.seq + n
            for samples in self.samples
            if samples.lane == lane
            for n in range(len(samples.points))
        ]


@asynccontextmanager
async def subscriber(url: str, **source: Any) -> AsyncIterator[Memory]:
    """A subscriber that stands."""
    memory = Memory()
    wanted = Source(read_broker(url)[0], **source)
    task = asyncio.ensure_future(subscribe(wanted, memory, clock=time.time_ns))
    try:
        await memory.until(lambda: memory.connections > 0)
        yield memory
    finally:
        await cancelled([task])


@dataclass
class Running:
    """A publisher at work."""

    publisher: Publisher
    task: asyncio.Task[None]

    async def until(self, condition: Callable[[dict[str, Any]], bool], limit_s: float = 15) -> None:
        """Return once the publisher's own status meets ``condition``."""
        async with asyncio.timeout(limit_s):
            while not condition(self.publisher.status()):
                assert not self.task.done(), self.task
                await asyncio.sleep(0.01)

    def end(self, reason: str) -> None:
        """Break the connection from our side."""
        assert self.publisher._session is not None
        self.publisher._session.end(BrokerLost(reason))

    async def stop(self) -> None:
        await cancelled([self.task])


@asynccontextmanager
async def publishing(
    spool: Path,
    state: Path,
    urls: str | Sequence[str],
    *,
    login: Login | None = None,
    rng: random.Random | None = None,
    **settings: Any,
) -> AsyncIterator[Running]:
    """A publisher of ``spool``, stopped at the end."""
    addresses = [urls] if isinstance(urls, str) else urls
    brokers = [read_broker(url)[0] for url in addresses]
    made = BusSettings(brokers, **{"client_id": "otgate-test", **settings})
    reader = SpoolReader.open(spool, state, replay_s=made.replay_s)
    publisher = Publisher(
        reader,
        made,
        clock=time.time_ns,
        state=state,
        login=login,
        rng=rng,
    )
    running = Running(publisher, asyncio.ensure_future(publisher.run()))
    try:
        yield running
    finally:
        await running.stop()
        reader.close()


@asynccontextmanager
async def feeding(*feeders: Feeder) -> AsyncIterator[None]:
    """Spool a scan of ten samples each 20 ms for the length of the block."""

    async def feed() -> None:
        while True:
            for feeder in feeders:
                feeder.measure()
            await asyncio.sleep(0.02)

    task = asyncio.ensure_future(feed())
    try:
        yield
    finally:
        await cancelled([task])
