"""CPU of the DNP3 driver from the socket to the spool, against an outstation that uses Nagle.

The whole field side of one device: driver, report, gate, spool with its committer. User and
system time of this process alone, and the outstation runs in another. Trust ratios more than
figures.
"""

import argparse
import asyncio
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from dnp3_bench import EVENTS, POINTS, cpu_s, served
from field_stages import FREE, gate_of
from results import record

from otgate.app.outlet import Way, Ways
from otgate.driver import Emit, Link, planned_types
from otgate.model import Device, Kind, Point, Scan, Sensitivity
from otgate.spool.catalog import Catalog, CatalogDevice, CatalogPoint
from otgate.spool.writer import Retention, SpoolWriter
from otgate.supervisor.watch import Intake, Watch
from otgate.testing.contract import Remembered
from otgate.together import cancelled
from otgate_dnp3 import Dnp3
from otgate_dnp3.session import Dnp3Session


def device(port: int, scans: dict[str, float]) -> Device:
    points = [
        Point(f"a{at}", Kind.MEASUREMENT, f"ai {at}", sensitivity=Sensitivity.INTERNAL)
        for at in range(POINTS)
    ]
    settings = Dnp3.settings(url=f"tcp://127.0.0.1:{port}", outstation=10)
    return Device("rtu1", "dnp3", "bay", points, scans, settings)


class Field:
    """One device's way into a spool."""

    def __init__(self, one: Device, plan: Sequence[Scan], directory: Path) -> None:
        points = [CatalogPoint(point.id, "measurement", 0) for point in one.points]
        described = (CatalogDevice.of(one.id, points, "dnp3"),)
        catalog = Catalog("sub7", "gw1", "c", described)
        self.spool = SpoolWriter.open(directory, catalog, Retention(1 << 30, 10**18))
        ways = Ways([Way("c", gate_of(one, FREE), self.spool)], time.time_ns)
        self.watch = Watch(one, plan, ways, time.time_ns)
        assert planned_types(one, plan)


@asynccontextmanager
async def connected(
    one: Device, directory: Path
) -> AsyncIterator[tuple[Dnp3Session, Emit, Sequence[Scan], Field]]:
    driver = Dnp3()
    plan = driver.plan(one)
    field = Field(one, plan, directory)
    try:
        link = Link([one], {one.id: plan}, {one.id: Remembered()})
        async with driver.connect(link) as sessions:
            session: Any = sessions[one.id]
            listening = asyncio.ensure_future(session.listen(Intake(field.watch)))
            try:
                yield session, Intake(field.watch), plan, field
            finally:
                await cancelled([listening])
    finally:
        field.spool.close()


async def polled(port: int, polls: int, scan: str) -> dict[str, float]:
    """Read 2,000 points again and again; of an integrity poll, unchanged ones are news too."""
    scans = {"integrity": 3600.0} if scan == "integrity" else {"fast": 1.0}
    with tempfile.TemporaryDirectory() as folder:
        async with connected(device(port, scans), Path(folder) / "spool") as (
            session,
            emit,
            plan,
            _,
        ):
            await session.scan(plan[0], emit)
            wanted = next(each for each in plan if each.name == scan)
            await session.scan(wanted, emit)
            took: list[float] = []
            before = cpu_s()
            for _ in range(polls):
                began = time.perf_counter()
                await session.scan(wanted, emit)
                took.append(time.perf_counter() - began)
            spent = cpu_s() - before
    return {
        f"us_per_static_value_by_{scan}_poll": round(spent / polls / POINTS * 1e6, 3),
        f"ms_per_{scan}_poll_of_2000_median": round(sorted(took)[polls // 2] * 1e3, 2),
    }


async def told(port: int, responses: int) -> dict[str, float]:
    """Take unsolicited events, each response confirmed once it is durable."""
    with tempfile.TemporaryDirectory() as folder:
        one = device(port, {"integrity": 3600.0})
        async with connected(one, Path(folder) / "spool") as (session, emit, plan, field):
            await session.scan(plan[0], emit)
            passed = field.watch.status().passed
            began, before = time.perf_counter(), cpu_s()
            while field.watch.status().passed - passed < responses * EVENTS:  # noqa: ASYNC110  a count
                await asyncio.sleep(0.02)
            seconds, spent = time.perf_counter() - began, cpu_s() - before
    return {
        "us_per_event": round(spent / responses / EVENTS * 1e6, 3),
        "unsolicited_events_per_s": round(responses * EVENTS / seconds),
    }


def figures(loops: Any, polls: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for scan in ("integrity", "fast"):
        with served() as port, asyncio.Runner(loop_factory=loops) as runner:
            found |= runner.run(polled(port, polls, scan))
    responses = 5 * polls
    with served(responses) as port, asyncio.Runner(loop_factory=loops) as runner:
        return found | runner.run(told(port, responses))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--polls", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="say that it runs, not how fast")
    options = parser.parse_args()
    polls = 3 if options.quick else options.polls
    multiprocessing.set_start_method("spawn")
    result = {"asyncio": figures(asyncio.new_event_loop, polls)}
    if not options.quick:
        result["uvloop"] = figures(import_module("uvloop").new_event_loop, polls)
    record("dnp3_driver", result)
    for loop, found in result.items():
        for name, figure in found.items():
            print(f"{loop:8} {name:40} {figure:>10g}")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


if __name__ == "__main__":
    main()
