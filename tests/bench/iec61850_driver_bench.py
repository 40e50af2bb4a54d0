"""CPU of the IEC 61850 driver from the socket to the spool, against a server in another process.

The whole field side of one device: driver, report, gate, spool with its committer; entries kept
once durable. User and system time of this process alone. Trust ratios more than figures.
"""

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from field_stages import FREE, gate_of
from mms_bench import cpu_s
from results import record

from ied_served import LIST, MEASURED, RCB, Ied, stamp
from mms_served import DOMAIN, GOOD, serving
from otgate.app.outlet import Way, Ways
from otgate.driver import Link
from otgate.model import Device, Kind, Point, Sensitivity
from otgate.spool.catalog import Catalog, CatalogDevice, CatalogPoint
from otgate.spool.writer import Retention, SpoolWriter
from otgate.supervisor.watch import Intake, Watch
from otgate.testing.contract import Remembered
from otgate.together import cancelled
from otgate_iec61850 import Iec61850
from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.report import Reason
from otgate_iec61850.mms.values import UtcTime
from otgate_iec61850.session import IedSession

Loops = Callable[[], asyncio.AbstractEventLoop]

MEMBERS = 50
AT_ONCE = 20


class Busy(Ied):
    """Fifty measurements in one data set, all of which change in each report."""

    def __init__(self) -> None:
        super().__init__()
        self.items = [f"MMXU1$MX$Val{at:02d}" for at in range(MEMBERS)]
        for item in self.items:
            self.put(item, MEASURED, ((0.0,), GOOD, stamp()))
        self.lists = {LIST: tuple(Variable(Name(DOMAIN, item)) for item in self.items)}

    async def report(self, count: int, rate: float) -> None:
        began = time.monotonic()
        for step in range(count):
            self.number += 1
            entry = self.number.to_bytes(8, "big")
            changed = UtcTime.of(1_700_000_000_000_000_000 + step * 1_000_000)
            self.history = {entry: [((step + at / 8,), GOOD, changed) for at in range(MEMBERS)]}
            self._send(entry, range(MEMBERS), [int(Reason.DATA_CHANGE)] * MEMBERS)
            if step % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(max(0.0, began + step / rate - time.monotonic()))


def serve(pipe: Connection) -> None:
    """Serve, and send as many reports as the pipe says, at the rate that it says."""

    async def run() -> None:
        served = Busy()
        loop = asyncio.get_running_loop()
        async with serving(served):
            pipe.send(served.port)
            while True:
                count, rate = await loop.run_in_executor(None, pipe.recv)
                await served.report(count, rate)

    asyncio.run(run())


@contextmanager
def server() -> Iterator[tuple[int, Connection]]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv(), ours
    finally:
        process.terminate()
        process.join()


def device(port: int) -> Device:
    points = [
        Point(
            f"v{at}",
            Kind.MEASUREMENT,
            f"{DOMAIN}/MMXU1.Val{at:02d}.mag.f [MX]",
            sensitivity=Sensitivity.INTERNAL,
        )
        for at in range(MEMBERS)
    ]
    block = Iec61850.settings(url=f"mms://127.0.0.1:{port}", reports=[{"rcb": RCB}])
    return Device("q1", "iec61850", "bay", points, {"normal": 2.0}, block)


async def told(port: int, pipe: Connection, reports: int, rate: float) -> dict[str, float]:
    """Take reports; each entry is kept once it is durable."""
    one, driver, state = device(port), Iec61850(), Remembered()
    plan = driver.plan(one)
    described = CatalogDevice.of(
        one.id, [CatalogPoint(each.id, "measurement", 0) for each in one.points], "iec61850"
    )
    catalog = Catalog("sub7", "gw1", "c", (described,))
    with tempfile.TemporaryDirectory() as folder:
        spool = SpoolWriter.open(Path(folder) / "spool", catalog, Retention(1 << 30, 10**18))
        watch = Watch(
            one, plan, Ways([Way("c", gate_of(one, FREE), spool)], time.time_ns), time.time_ns
        )
        link = Link([one], {one.id: plan}, {one.id: state})
        async with driver.connect(link) as sessions:
            session = sessions[one.id]
            assert isinstance(session, IedSession)
            listening = asyncio.ensure_future(session.listen(Intake(watch)))
            await session.scan(plan[0], Intake(watch))
            counts = session.subscriptions[0].counts
            wanted, began, before = counts.reports + reports, time.perf_counter(), cpu_s()
            pipe.send((reports, rate))
            while counts.reports < wanted and not listening.done():  # noqa: ASYNC110  a count
                await asyncio.sleep(0.02)
            seconds, spent = time.perf_counter() - began, cpu_s() - before
            await cancelled([listening])
        spool.close()
    return {
        "us_per_report_of_50": round(spent / reports * 1e6, 1),
        "reports_per_s": round(reports / seconds),
        "gaps": counts.gaps,
        "entry_kept": int(state.get("reports")[RCB]["entry"] or "0", 16),
    }


def figures(loops: Loops, reports: int, rate: float) -> dict[str, float]:
    with server() as (port, pipe), asyncio.Runner(loop_factory=loops) as runner:
        return runner.run(told(port, pipe, reports, rate))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=5000)
    parser.add_argument("--rate", type=float, default=1000.0, help="reports per second")
    parser.add_argument("--quick", action="store_true", help="run everything once, badly")
    asked = parser.parse_args()
    reports = 20 if asked.quick else asked.reports
    multiprocessing.set_start_method("fork")  # the child serves sockets alone
    result = {
        "asyncio": figures(asyncio.new_event_loop, reports, asked.rate),
        "uvloop": figures(import_module("uvloop").new_event_loop, reports, asked.rate),
    }
    record("iec61850_driver", result)
    for name, figure in result.items():
        print(name, figure)


if __name__ == "__main__":
    main()
