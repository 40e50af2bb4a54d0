"""What a reported batch meets next: every conduit's gate, and the spool behind it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np

from otgate.app.delay.hold import Hold
from otgate.driver import Receipt
from otgate.errors import NotDurable
from otgate.model import Batch, Clock, Lane, Origin, Words
from otgate.policy.gate import Gate
from otgate.quality import VALIDITY_MASK, Quality
from otgate.spool.writer import SpoolWriter

Crossing: TypeAlias = Sequence[tuple[Lane, Batch]]
"""What a gate passed of a batch, by lane."""

Part: TypeAlias = tuple[SpoolWriter, int, Crossing]
"""The spool that took a part of a batch, its ticket, and the part."""


@dataclass(frozen=True, slots=True)
class Way:
    """One conduit on the field side: what may cross, and where it is written."""

    conduit: str
    gate: Gate
    spool: SpoolWriter
    catalog_hash: str = ""
    """Of the catalog that the spool was opened with."""
    hold: Hold | None = None
    """What holds samples back before they come to the spool, where the conduit has a delay."""

    @property
    def inlet(self) -> SpoolWriter:
        """The spool that takes what the gate passes."""
        return self.spool if self.hold is None else self.hold.spool

    @property
    def spools(self) -> Sequence[SpoolWriter]:
        """Every spool of the conduit."""
        return [self.spool] if self.hold is None else [self.spool, self.hold.spool]

    def late(self, states: Mapping[str, str]) -> Mapping[str, str]:
        """Return states of devices that are as old as the samples that cross now."""
        return states if self.hold is None else self.hold.late(states)

    def append(self, crossing: Crossing) -> int | None:
        """Write what the gate passed; return the last ticket, or None where nothing crossed."""
        ticket, inlet = None, self.inlet
        for lane, batch in crossing:
            ticket = inlet.append(lane, batch)
        return ticket


class Taken(NamedTuple):
    """The receipt of a batch: the spools that took it, with their tickets and what they took.

    Only the lanes that took a part are waited for: events are durable while data find no room.
    """

    parts: Sequence[Part]

    async def durable(self, limit_s: float = 5.0) -> None:
        """Return once every spool synced its part or recorded its drop.

        Raises:
            NotDurable: ``limit_s`` seconds passed first.
        """
        loop = asyncio.get_running_loop()
        waits = [synced(loop, spool, ticket, lanes_of(part)) for spool, ticket, part in self.parts]
        try:
            async with asyncio.timeout(limit_s):
                for wait in waits:
                    await wait
        except TimeoutError as error:
            raise NotDurable(f"no sync within {limit_s:g} s") from error


def lanes_of(crossing: Crossing) -> set[Lane]:
    """Return the lanes that took a part."""
    return {lane for lane, _ in crossing}


def synced(
    loop: asyncio.AbstractEventLoop, spool: SpoolWriter, ticket: int, lanes: set[Lane]
) -> asyncio.Future[None]:
    """Ask ``spool`` for a commit and return a future that its committer thread resolves."""
    future: asyncio.Future[None] = loop.create_future()

    def resolve() -> None:
        if not future.done():
            future.set_result(None)

    def done() -> None:
        with suppress(RuntimeError):  # the loop has closed: nobody waits any more
            loop.call_soon_threadsafe(resolve)

    spool.wait_durable(ticket, done, lanes)
    return future


NOBODY = Taken(())
"""The receipt of a batch that no conduit takes: durable at once."""


VALIDITY = np.uint32(VALIDITY_MASK)
VALIDITIES = ("good", "questionable", "invalid")


class Passed:
    """Samples that were news, by origin and validity."""

    def __init__(self) -> None:
        self.counts = {origin: [0, 0, 0] for origin in Origin}
        """By origin, in the order of `VALIDITIES`."""
        self._good: Words | None = None
        """A column that is all good: the same again costs a comparison."""

    def take(self, batch: Batch) -> None:
        """Count a batch."""
        counts, quality = self.counts[batch.origin], batch.quality
        if quality is self._good:
            counts[0] += len(quality)
        elif np.bitwise_or.reduce(quality) & VALIDITY:
            found = np.bincount(quality & VALIDITY, minlength=4).tolist()
            for place, of_words in enumerate((found[0], found[1], found[2] + found[3])):
                counts[place] += of_words
        else:
            self._good = quality
            counts[0] += len(quality)


def never(_now_ns: int) -> bool:
    """Trust the clock."""
    return False


def in_doubt(batch: Batch) -> Batch:
    """Mark what carries a stamp of ours: our clock cannot be trusted."""
    if batch.source_ns is not None and batch.clock is Clock.DEVICE:
        return batch
    return replace(batch, quality=batch.quality | np.uint32(Quality.CLOCK_UNSYNCHRONISED))


class Ways:
    """All conduits of a field side, called with each reported batch."""

    def __init__(self, ways: Sequence[Way], clock: Callable[[], int]) -> None:
        self.ways = ways
        self.clock = clock
        self.passed = Passed()
        self.doubtful: Callable[[int], bool] = never
        """Whether a stamp that the gateway gives at a time is doubtful."""
        self.shadow: Callable[[Batch, int], None] | None = None
        """What looks at every batch beside the gates, while a policy is staged."""
        self.witness: Callable[[Batch, Sequence[Part]], None] | None = None
        """Told of every batch and of what the gates passed of it."""
        self.tally: Callable[[Batch], None] | None = None
        """Counts every batch."""

    def __call__(self, batch: Batch) -> Receipt:
        """Pass ``batch`` through every gate into every spool. Never blocks."""
        now_ns = self.clock()
        if self.doubtful(now_ns):
            batch = in_doubt(batch)
        self.passed.take(batch)
        if self.tally is not None:
            self.tally(batch)
        if self.shadow is not None:
            self.shadow(batch, now_ns)
        parts = [
            (way.inlet, ticket, crossing)
            for way in self.ways
            if (ticket := way.append(crossing := way.gate.pass_(batch, now_ns))) is not None
        ]
        if self.witness is not None:
            self.witness(batch, parts)
        return Taken(parts) if parts else NOBODY

    @property
    def holds(self) -> bool:
        """Whether any conduit may hold samples back, to be written by `release`."""
        return any(way.gate.holds for way in self.ways)

    def release(self) -> None:
        """Write held values whose minimum interval has ended."""
        now_ns = self.clock()
        for way in self.ways:
            way.append(way.gate.release(now_ns))
