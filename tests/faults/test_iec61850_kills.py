"""kill -9 of a field side under bursts of IEC 61850 events: what the server had is in its spool.

The server lives in the test, so that it survives and knows every event that it made.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemons import Process, events, eventually
from ieds import OPERATIONS, POSITION, bay
from otgate.model import Lane, Origin
from otgate.spool.reader import SpoolReader
from otgate_sim.iec61850.behaviour import Options
from otgate_sim.iec61850.server import Server
from spools import everything, frames

BRCB = "F3Q1CTRL/LLN0.BR.brcbPositions01"
SITE = """\
config_version: 1
site: {{id: sub7, gateway: gw1}}
devices:
  - id: q1
    driver: iec61850
    zone: bay
    points: q1.csv
    scans: {{normal: 1}}
    iec61850: {{url: "mms://127.0.0.1:{port}", timeout_s: 5, reports: [{{rcb: {brcb}}}]}}
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
POINTS = f"""\
id,kind,address,type
cb,status,{POSITION},Dbpos
ops,status,{OPERATIONS},INT32
"""
BURST = 20


def write_site(folder: Path, port: int) -> Path:
    folder.mkdir()
    (folder / "q1.csv").write_text(POINTS)
    (folder / "site.yaml").write_text(SITE.format(port=port, brcb=BRCB))
    (folder / "policy.yaml").write_text(POLICY)
    return folder


def spooled(site: Path, cursor: Path) -> list[int]:
    """Return the counts that events brought into the spool, in order."""
    reader = SpoolReader.open(site / "spool" / "analytics", cursor)
    found: list[int] = []
    try:
        for frame in frames(everything(reader, Lane.EVENT)):
            batch = frame.batch
            if batch.origin is Origin.EVENT:
                names = [frame.catalog.ids[at] for at in batch.index.tolist()]
                pairs = zip(names, batch.values.tolist(), batch.quality.tolist(), strict=True)
                found += [value for name, value, quality in pairs if name == "ops" and not quality]
    finally:
        reader.close()
    return found


@asynccontextmanager
async def storm(server: Server) -> AsyncIterator[None]:
    """Make events, about a thousand a second."""

    async def blow() -> None:
        while True:
            server.burst(OPERATIONS, BURST)
            await asyncio.sleep(0.02)

    task = asyncio.ensure_future(blow())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def made(server: Server) -> int:
    value = server.leaf(OPERATIONS).value
    assert isinstance(value, int)
    return value


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.slow)])
async def test_kill_9_loses_no_event_and_puts_none_out_of_order(tmp_path: Path, kills: int) -> None:
    server, seed = bay(Options(entries=1_000_000)), random.Random(7)
    block = server.blocks[BRCB]
    async with server.serving():
        site = write_site(tmp_path / "site", server.port)
        with Process(site / "run.log", "run", site, "--field", "--log", "json") as process:
            await eventually(lambda: block.buffer.sent)
            first = made(server) + 1
            async with storm(server):
                for _ in range(kills):
                    before = made(server)
                    await eventually(lambda before=before: made(server) > before + 200)  # type: ignore[misc]
                    await asyncio.sleep(seed.uniform(0.0, 0.5))
                    await asyncio.to_thread(process.kill)
                    process.start()
            last = made(server)
            await eventually(lambda: last in spooled(site, tmp_path / "look"), 60.0)
            assert await asyncio.to_thread(process.stop) == 0
    found = spooled(site, tmp_path / "cursor")
    assert list(dict.fromkeys(found)) == list(range(first, last + 1))
    assert not [told for told in events(site / "run.log") if told["level"] == "error"]


@pytest.mark.slow
async def test_cuts_under_a_running_field_side_lose_no_event(tmp_path: Path) -> None:
    server = bay(Options(entries=1_000_000))
    block = server.blocks[BRCB]
    async with server.serving():
        site = write_site(tmp_path / "site", server.port)
        with Process(site / "run.log", "run", site, "--field", "--log", "json") as process:
            await eventually(lambda: block.buffer.sent)
            first = made(server) + 1
            async with storm(server):
                for cut in range(5):
                    await eventually(lambda cut=cut: len(block.buffer.resumed) >= cut)  # type: ignore[misc]
                    before = made(server)
                    await eventually(lambda before=before: made(server) > before + 200)  # type: ignore[misc]
                    server.cut()
            last = made(server)
            await eventually(lambda: last in spooled(site, tmp_path / "look"), 60.0)
            assert await asyncio.to_thread(process.stop) == 0
    assert spooled(site, tmp_path / "cursor") == list(range(first, last + 1))
    told = [each["event"] for each in events(site / "run.log")]
    assert "device_lost" in told or "link_lost" in told
    assert "report_gap" not in told
