"""A site whose conduit has a delay, on clocks that a test moves, and what came out of it."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from daemons import write_site
from otgate.app.delay.clock import Boot
from otgate.app.delay.hold import Hold
from otgate.app.egress import Egress
from otgate.app.outlet import Way
from otgate.config.site import Site, load_site
from otgate.driver import Receipt, installed
from otgate.model import Batch, Lane, Origin, ValueType
from otgate.policy.language import Policy
from otgate.spool.files import OperatingSystem
from otgate.spool.items import Frame, Gap, Item
from otgate.spool.reader import SpoolReader
from spools import everything

IA, IB, KWH, CB = 0, 1, 2, 3
"""Points of the site's devices, by their places in its map; a breaker's changes are events."""

TYPES = {IA: ValueType.F64, IB: ValueType.F64, KWH: ValueType.U64, CB: ValueType.BOOL}
SECOND_NS = 1_000_000_000
DRIVERS = installed()
LIMITS = "ceiling: internal"


def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing wait for the disk: for tests in which nothing loses power."""
    for name in ("sync", "sync_directory"):
        monkeypatch.setattr(OperatingSystem, name, lambda *_: None)


class Seen(NamedTuple):
    """A sample that crossed; ``number`` tells which it is."""

    lane: Lane
    point: str
    number: int


class Plant:
    """The field side's way out. Time passes by `passes` alone."""

    def __init__(self, folder: Path, delay_s: float = 60, limits: str = "") -> None:
        self.folder = write_site(folder, 1883)
        self.shut: dict[str, str] = {}
        self.unix_ns = 1_763_765_412 * SECOND_NS
        self.since_boot_ns = 5_000 * SECOND_NS
        self.boot = "first"
        self.measured = 0
        self.write("policy.yaml", LIMITS, f"{LIMITS}, limits: {{delay_s: {delay_s:g}{limits}}}")
        self._told = dict.fromkeys(Lane, 0)
        self.start()

    def start(self) -> None:
        """Start the field side, and a reader of what crosses that has read all before."""
        boot = Boot(self.boot, lambda: self.since_boot_ns)
        self.egress = Egress(self.site(), lambda: self.unix_ns, self._why, boot=boot)
        self.egress.swap(self.egress.site)

    def site(self) -> Site:
        """Load the site as its files are now."""
        loaded = load_site(self.folder / "site.yaml", DRIVERS)
        assert loaded.site is not None, loaded.diagnostics
        return loaded.site

    def write(self, name: str, old: str, new: str) -> None:
        """Change a file."""
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def reload(self, name: str, old: str, new: str) -> None:
        """Change a file and run by it."""
        self.write(name, old, new)
        self.egress.swap(self.site())

    def delay(self, before_s: float, now_s: float) -> None:
        """Reload with another delay."""
        self.reload("policy.yaml", f"delay_s: {before_s:g}", f"delay_s: {now_s:g}")

    def restart(self) -> None:
        """Stop cleanly and start again."""
        self.egress.close()
        self.start()

    def killed(self, into: Path | None = None) -> None:
        """Go on from what is on the disk now, as after a kill; in a copy of it."""
        before, self.folder = self.folder, into or self.folder.with_name(self.folder.name + "k")
        shutil.copytree(before, self.folder)
        self.egress.close()
        shutil.rmtree(before)
        self.start()

    def rebooted(self, off_s: float = 0) -> None:
        """Start again after the machine was off for a while; only the system's clock tells."""
        self.egress.close()
        self.boot += "+"
        self.since_boot_ns = 20 * SECOND_NS
        self.unix_ns += int(off_s * 1e9)
        self.start()

    def passes(self, seconds: float) -> None:
        """Let time pass, for the machine and for its clock."""
        self.since_boot_ns += int(seconds * 1e9)
        self.unix_ns += int(seconds * 1e9)

    def emit(self, *points: int) -> Receipt:
        """Emit a sample of each of ``points``, and return the receipt of the last."""
        for point in points:
            self.measured += 1
            kind, index = TYPES[point], np.array([point], np.int32)
            value, good = np.array([self.measured], kind.dtype), np.zeros(1, np.uint32)
            receipt = self.egress.outlet(
                Batch("f1", kind, Origin.POLL, index, value, good, self.measured)
            )
        return receipt

    def burst(self, count: int) -> Receipt:
        """Emit many samples of one point in one batch."""
        self.measured += 1
        index, values = np.full(count, IA, np.int32), np.arange(count, dtype=np.float64)
        good = np.zeros(count, np.uint32)
        return self.egress.outlet(
            Batch("f1", ValueType.F64, Origin.EVENT, index, values, good, self.measured)
        )

    async def measure(self, *points: int) -> None:
        """Emit, and wait until that is on the disk."""
        await self.emit(*points).durable(20)

    async def settle(self, limit_s: float = 20) -> None:
        """Hand on all that is due."""
        async with asyncio.timeout(limit_s):
            while any([await hold.step() for hold in self.holds]):
                self.egress.relieve()
                await asyncio.sleep(0.001)

    async def after(self, seconds: float) -> list[int]:
        """Return the numbers of what crosses once so many seconds have passed; data first."""
        self.passes(seconds)
        return [each.number for each in await self.crossed()]

    async def crossed(self) -> list[Seen]:
        """Return what has crossed since the last time, in order within each lane."""
        await self.settle()
        found: list[Seen] = []
        for lane in Lane:
            seen = [each for item in self._items(lane) for each in seen_in(item)]
            found += seen[self._told[lane] :]
            self._told[lane] = len(seen)
        return found

    def values(self, lane: Lane) -> list[Any]:
        """Return the values of all that has crossed in a lane."""
        frames = [item for item in self._items(lane) if isinstance(item, Frame)]
        return [value for frame in frames for value in frame.batch.values.tolist()]

    def lost(self) -> int:
        """Count what has been told as lost so far."""
        items = [item for lane in Lane for item in self._items(lane)]
        return sum(item.count for item in items if isinstance(item, Gap))

    @property
    def holds(self) -> Sequence[Hold]:
        """What holds back now."""
        return [way.hold for way in self.egress.ways if way.hold is not None]

    @property
    def way(self) -> Way:
        """The one conduit."""
        return self.egress.ways[0]

    @property
    def hold(self) -> Hold:
        """What holds the one conduit back."""
        assert self.way.hold is not None
        return self.way.hold

    @property
    def private(self) -> Path:
        """Where what waits lies."""
        return self.folder / "state" / "delay" / "analytics"

    def _why(self, _: Policy, conduit: str) -> str:
        return self.shut.get(conduit, "")

    def _items(self, lane: Lane) -> list[Item]:
        """Return all that ever crossed, as a reader finds it that has never read."""
        reader = SpoolReader.open(self.folder / "spool" / "analytics", self.folder / "unread")
        try:
            return everything(reader, lane)
        finally:
            reader.close()


def seen_in(item: Item) -> list[Seen]:
    """Return the samples of a frame; each has a batch of its own."""
    if not isinstance(item, Frame):
        return []
    ids = item.catalog.ids[item.batch.index].tolist()
    return [Seen(item.lane, one, item.batch.received_ns) for one in ids]
