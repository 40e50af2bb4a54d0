"""CPU per scan of supervisor and report: 1000 devices, one scan a second each, no wire.

Run ``python tests/bench/supervisor_bench.py [--quick] [DEVICES POINTS SECONDS]``. The driver only
emits columns, so what is measured is the gateway's own share: schedule, deadline, report, tick.
"""

import argparse
import asyncio
import resource
import time
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from typing import Any

import numpy as np
from results import record

from otgate.driver import Emit, Link
from otgate.model import Batch, Device, Kind, Origin, Point, Reporting, Scan, ValueType
from otgate.supervisor import Supervisor

CHANGED = 0.1


class Still:
    """A session whose replies change in a tenth of the points, every tenth time."""

    def __init__(self, device: Device, share: int) -> None:
        count = len(device.points)
        self.index = np.arange(count, dtype=np.int32)
        self.quality = np.zeros(count, np.uint32)
        self.values = np.random.default_rng(1).random(count) * 100
        self.device, self.turn, self.share = device.id, 0, share

    async def scan(self, scan: Scan, emit: Emit) -> None:
        self.turn += 1
        if self.turn % self.share == 0:
            values = self.values.copy()
            values[: int(len(values) * CHANGED)] += 1.0
            self.values = values
        await asyncio.sleep(0)
        now_ns = time.time_ns()
        emit(
            Batch(
                self.device,
                ValueType.F64,
                Origin.POLL,
                self.index,
                self.values,
                self.quality,
                now_ns,
            )
        )

    async def listen(self, emit: Emit) -> None:
        await asyncio.get_running_loop().create_future()


class Wireless:
    settings = dict
    housekeeping: Sequence[str] = ()

    def __init__(self, share: int) -> None:
        self.share = share

    def link_key(self, device: Device) -> Hashable:
        return device.id

    def plan(self, device: Device) -> Sequence[Scan]:
        count = len(device.points)
        return [Scan("normal", 1.0, range(count), [ValueType.F64] * count)]

    @asynccontextmanager
    async def connect(self, link: Link) -> AsyncIterator[Mapping[str, Still]]:
        yield {device.id: Still(device, self.share) for device in link.devices}


class Taken:
    async def durable(self, limit_s: float = 5.0) -> None: ...


async def measure(
    devices: int, points: int, spans_s: tuple[float, float], share: int
) -> dict[str, Any]:
    warm_s, seconds = spans_s
    samples = 0

    def outlet(batch: Batch) -> Taken:
        nonlocal samples
        samples += len(batch)
        return Taken()

    shared = [Point(f"p{at}", Kind.MEASUREMENT, max_age_s=30) for at in range(points)]
    settings: Any = {}
    site = [
        Device(f"d{at}", "none", "bay", shared, {"normal": 1.0}, settings, Reporting(refresh_s=600))
        for at in range(devices)
    ]
    supervisor = Supervisor(
        site, {"none": Wireless(share)}, outlet, clock=time.time_ns, states=None
    )
    task = asyncio.ensure_future(supervisor.run())
    await asyncio.sleep(warm_s)
    before = sum(status.scans for status in supervisor.status().values())
    began = time.process_time()
    await asyncio.sleep(seconds)
    spent = time.process_time() - began
    statuses = supervisor.status().values()
    scans = sum(status.scans for status in statuses) - before
    overruns = sum(status.overruns for status in statuses)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return {
        "changes_every": share,
        "us_per_scan": round(spent / max(scans, 1) * 1e6, 1),
        "scans_per_s": round(scans / seconds),
        "share_of_a_core": round(spent / seconds, 4),
        "overruns": overruns,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few devices, for a moment")
    parser.add_argument("--uvloop", action="store_true")
    parser.add_argument("size", nargs="*", type=float, metavar="DEVICES POINTS SECONDS")
    asked = parser.parse_args()
    usual = (5, 10, 0.2) if asked.quick else (1000, 100, 5)
    devices, points, seconds = asked.size or usual
    warm_s = 0.1 if asked.quick else 2.5
    loops = import_module("uvloop").new_event_loop if asked.uvloop else asyncio.new_event_loop
    found = []
    for share in (10, 1):
        with asyncio.Runner(loop_factory=loops) as runner:
            found.append(runner.run(measure(int(devices), int(points), (warm_s, seconds), share)))
        print(found[-1])
    record("supervisor", {"devices": devices, "points": points, "runs": found})


if __name__ == "__main__":
    main()
