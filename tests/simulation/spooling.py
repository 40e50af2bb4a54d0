"""The spool's two ends in a simulation: a committer without a thread, a watch without a kernel."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

from otgate.model import Batch, Lane
from otgate.spool.catalog import Catalog
from otgate.spool.files import Files
from otgate.spool.retention import Retention
from otgate.spool.writer import Drive, SpoolWriter
from simulation.machine import Machine
from simulation.processes import current

WAKE_S = 0.0002
"""From ringing until the committer's thread runs."""


class Witness(Protocol):
    """Who is told what a writer takes, and what it calls safe."""

    def opened(self, writer: SpoolWriter) -> None: ...
    def took(self, writer: SpoolWriter, lane: Lane, first: int, batch: Batch) -> None: ...
    def cycled(self, writer: SpoolWriter) -> None: ...


class Handbell:
    """Wakes the committer as its own bell does, on the loop."""

    def __init__(self, cycle: Callable[[], None], latency_s: Callable[[], float]) -> None:
        self._loop = asyncio.get_running_loop()
        self._cycle = cycle
        self._latency_s = latency_s
        self._rung = False
        self._timer: asyncio.TimerHandle | None = None

    def ring(self) -> None:
        if not self._rung:
            self._rung = True
            self._at(self._latency_s())

    def sleep(self, patience_s: float) -> None:
        """Let the committer run again after so long, or when it is rung for."""
        self._rung = False
        self._at(max(patience_s, self._latency_s()))

    def muffle(self) -> None:
        """Wake nobody any more."""
        self._rung = True
        if self._timer is not None:
            self._timer.cancel()

    def _at(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._cycle)


class Driven(SpoolWriter):
    """A writer whose committer runs on the loop, and whose deeds a witness follows."""

    machine: Machine
    witness: Witness

    @classmethod
    def open(cls, directory: Path, catalog: Catalog, retention: Retention, **named: Any) -> Self:
        writer = super().open(directory, catalog, retention, drive=Drive.HAND, **named)
        writer._begin(catalog)
        return writer

    def _begin(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.process = current.get()
        self._handbell = Handbell(self._woken, lambda: WAKE_S + self.machine.slow_s)
        self._bell = self._committer.bell = self._handbell  # type: ignore[assignment]
        self.witness.opened(self)
        self._handbell.ring()

    def append(self, lane: Lane, batch: Batch) -> int:
        first = self.next_seq(lane)
        ticket = super().append(lane, batch)
        self.witness.took(self, lane, first, batch)
        return ticket

    def _woken(self) -> None:
        if self.process.dead:
            return
        self.cycle()
        self.witness.cycled(self)
        self._handbell.sleep(self._committer._patience_s())

    def close(self) -> None:
        self._handbell.muffle()
        alive = not (self._closed or self.process.dead)
        super().close()
        if alive:
            self.witness.cycled(self)


class Watch:
    """Stands where `otgate.spool.watch.Watch` is: told by the disk, or a second late."""

    machine: Machine
    all: "set[Watch]"
    LISTING_S = 1.0

    def __init__(self, directories: Sequence[Path], files: Files) -> None:
        del directories, files
        self._news = asyncio.Event()
        self._late: asyncio.TimerHandle | None = None
        self.all.add(self)

    def tell(self) -> None:
        """Take note that something has changed."""
        if not self.machine.deaf:
            self._news.set()
        elif self._late is None or self._late.when() < self._loop.time():
            self._late = self._loop.call_later(self.LISTING_S, self._news.set)

    def nudge(self) -> None:
        """Let who waits look at once."""
        self._news.set()

    async def changed(self, timeout_s: float) -> None:
        timer = self._loop.call_later(timeout_s, self._news.set)
        try:
            await self._news.wait()
        finally:
            timer.cancel()
        self._news.clear()

    def close(self) -> None:
        self.all.discard(self)

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()
