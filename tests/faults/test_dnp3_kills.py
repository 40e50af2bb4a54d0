"""kill -9 of a field side under bursts of DNP3 events: what was confirmed is in its spool.

The outstation lives in the test, so that it survives and knows what has been confirmed to it.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemons import Process, events, eventually
from otgate.model import Lane, Origin
from otgate.spool.reader import SpoolReader
from otgate_sim.dnp3.database import Entry
from otgate_sim.dnp3.outstation import Outstation
from outstations import AI, BI, listening, outstation
from spools import everything, frames

SITE = """\
config_version: 1
site: {{id: sub7, gateway: gw1}}
devices:
  - id: rtu1
    driver: dnp3
    zone: bay
    points: points/rtu1.csv
    scans: {{integrity: 3600}}
    dnp3: {{url: "tcp://127.0.0.1:{port}", outstation: 10, event_poll_s: 1, timeout_s: 2}}
defaults: {{sensitivity: internal, tags: [feeder], max_age_s: 0}}
spool: {{directory: spool, size_mb: 256, age_h: 24}}
policy: policy.yaml
"""

POLICY = """\
config_version: 1
policy: {name: test egress, version: 1}
vocabulary: {tags: [feeder]}
zones: {bay: {purdue: 1}, it: {purdue: 4}}
conduits:
  analytics: {from: [bay], to: it, ceiling: internal}
rules:
  - {name: feeder, effect: allow, conduits: [analytics], match: {tags_all: [feeder]}, why: a test}
"""

POINTS = 4
START_MS = 1_700_000_000_000
EVENTS = frozenset({Origin.EVENT, Origin.UNSOLICITED})


def write_site(folder: Path, port: int) -> Path:
    rows = [f"b{at},status,bi {at}" for at in range(POINTS)]
    folder.mkdir()
    (folder / "points").mkdir()
    (folder / "points/rtu1.csv").write_text(
        "\n".join(("id,kind,address", *rows, "a,measurement,ai 0", ""))
    )
    (folder / "site.yaml").write_text(SITE.format(port=port))
    (folder / "policy.yaml").write_text(POLICY)
    return folder


def spooled(site: Path, cursor: Path) -> dict[int, list[int]]:
    """Return the event times in the spool by point, in order."""
    reader = SpoolReader.open(site / "spool" / "analytics", cursor)
    found: dict[int, list[int]] = {at: [] for at in range(POINTS)}
    try:
        for frame in frames(everything(reader, Lane.EVENT)):
            batch = frame.batch
            if batch.origin in EVENTS and batch.source_ns is not None:
                stamps = (batch.source_ns // 1_000_000).tolist()
                names = [frame.catalog.ids[at] for at in batch.index.tolist()]
                for name, stamp in zip(names, stamps, strict=True):
                    found[int(name[-1])].append(stamp)
    finally:
        reader.close()
    return found


class Storm:
    """Bursts of events on every point, a new time for each."""

    def __init__(self, made: Outstation) -> None:
        self.made = made
        self.next_ms = START_MS

    async def blow(self) -> None:
        while True:
            for at in range(POINTS):
                self.made.burst(BI, at, 50, self.next_ms)
                self.next_ms += 50
            await asyncio.sleep(0.02)


@asynccontextmanager
async def storm(made: Outstation) -> AsyncIterator[Storm]:
    blowing = Storm(made)
    task = asyncio.ensure_future(blowing.blow())
    try:
        yield blowing
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
async def test_kill_9_loses_no_event_and_puts_none_out_of_order(tmp_path: Path, kills: int) -> None:
    entries = [Entry(BI, at, 1) for at in range(POINTS)]
    capacity = dict.fromkeys((1, 2, 3), 500_000)
    made = outstation(
        *entries, Entry(AI, 0, 2), hold_s=0.0, confirm_s=1.0, needs_time=False, capacity=capacity
    )
    seed = random.Random(7)
    async with listening(made) as endpoint:
        site = write_site(tmp_path / "site", endpoint.port)
        arguments = ["run", site, "--field", "--log", "json"]
        with Process(site / "run.log", *arguments) as process:
            async with storm(made):
                for _ in range(kills):
                    before = len(made.confirmed)
                    await eventually(lambda before=before: len(made.confirmed) > before + 200)  # type: ignore[misc]
                    await asyncio.sleep(seed.uniform(0.0, 0.2))
                    await asyncio.to_thread(process.kill)
                    process.start()
            await eventually(lambda: not any(made.rtu.buffer.held.values()), 60.0)
            assert await asyncio.to_thread(process.stop) == 0
    wanted: dict[int, list[int]] = {at: [] for at in range(POINTS)}
    for event in made.confirmed:
        if event.point_type is BI:
            wanted[event.index].append(event.time_ms)
    found = spooled(site, tmp_path / "cursor")
    assert {at: list(dict.fromkeys(stamps)) for at, stamps in found.items()} == wanted
    assert not made.rtu.buffer.lost
    assert not [told for told in events(site / "run.log") if told["level"] == "error"]
