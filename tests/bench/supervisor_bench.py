"""CPU per scan of supervisor and report: 1000 devices, one scan a second each, no wire.

Run ``python tests/bench/supervisor_bench.py [devices] [points] [seconds]``. The driver does nothing
but emit columns, so what is measured is the gateway's own share: schedule, deadline, report, tick.
"""

import asyncio
import resource
import sys
import time
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import numpy as np

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


async def measure(devices: int, points: int, seconds: float, share: int) -> None:
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
    await asyncio.sleep(2.5)
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
    print(
        f"{devices} devices x {points} points, a change every {share} scans: "
        f"{spent / scans * 1e6:.1f} us/scan, {scans / seconds:.0f} scans/s, "
        f"{spent / seconds:.1%} of a core, overruns {overruns}, "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
    )


def main() -> None:
    devices, points, seconds = [*map(int, sys.argv[1:4]), 1000, 100, 5][-3:]
    if len(sys.argv) > 3:
        devices, points, seconds = map(int, sys.argv[1:4])
    if "--uvloop" in sys.argv:
        import uvloop  # noqa: PLC0415 - chosen on the command line

        uvloop.install()
    for share in (10, 1):
        asyncio.run(measure(devices, points, seconds, share))


if __name__ == "__main__":
    main()
