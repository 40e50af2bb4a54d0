"""How late live data are while a backlog drains behind them, and how fast it drains.

A spool is written here, a bus side publishes it through Mosquitto as a process of its own, and a
subscriber notes when each scan arrives. In turns: live data alone, and live data before a backlog.
"""

import argparse
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from bench.results import record
from bench.subscriber import subscribed
from brokers import NODELAY, Mosquitto
from daemons import BUS, Process, wait_until
from otgate.model import Batch, Lane, Origin, ValueType
from otgate.spool.files import OperatingSystem
from otgate.spool.writer import SpoolWriter
from spools import AMPLE, catalog, committed

SAMPLES = 100
"""In a scan."""
FILTERS = [f"otgate/v1/+/+/+/+/{name}" for name in ("data", "replay")]
RECEIVED = re.compile(rb'"received_us":(\d+)')
HOUR_NS = 3600 * 10**9


@dataclass
class Heard:
    """What arrived since `begin`."""

    ages_ms: list[float] = field(default_factory=list)
    """Of live scans."""
    late: int = 0
    """Scans out of a backlog."""
    first_late_s: float = 0.0
    last_late_s: float = 0.0

    def begin(self) -> None:
        """Forget what came so far."""
        self.ages_ms, self.late = [], 0

    def take(self, topic: bytes, payload: bytes, _at_ns: int) -> None:
        """Count a message."""
        if topic.endswith(b"/replay"):
            self.last_late_s = time.monotonic()
            self.first_late_s = self.last_late_s if not self.late else self.first_late_s
            self.late += 1
        elif found := RECEIVED.search(payload):
            self.ages_ms.append(time.time_ns() / 1e6 - int(found[1]) / 1e3)


@contextmanager
def written(spool: Path, ago_ns: int) -> Iterator[SpoolWriter]:
    """Open a spool whose frames are stamped as if it were ``ago_ns`` earlier."""
    writer = SpoolWriter.open(
        spool,
        catalog(SAMPLES),
        AMPLE,
        files=OperatingSystem(),
        clock=lambda: time.time_ns() - ago_ns,
    )
    try:
        yield writer
    finally:
        writer.close()


def scan(now_ns: int) -> Batch:
    """Return a scan of numbers with a decimal each."""
    return Batch(
        "f3",
        ValueType.F64,
        Origin.POLL,
        np.arange(SAMPLES, dtype=np.int32),
        np.random.default_rng().integers(0, 5000, SAMPLES) / 10,
        np.zeros(SAMPLES, np.uint32),
        now_ns,
    )


def spool_backlog(spool: Path, scans: int) -> None:
    """Write a backlog of an hour ago."""
    with written(spool, HOUR_NS) as writer:
        for number in range(1, scans + 1):
            ticket = writer.append(Lane.DATA, scan(time.time_ns() - HOUR_NS))
            if number % 500 == 0 or number == scans:
                assert committed(writer, ticket)


def spool_live(spool: Path, every_s: float, stopped: Event) -> None:
    """Spool a scan each ``every_s`` until it is stopped."""
    with written(spool, 0) as writer:
        while not stopped.wait(every_s):
            writer.append(Lane.DATA, scan(time.time_ns()))


@contextmanager
def live(spool: Path, every_s: float) -> Iterator[None]:
    """Spool live scans, in a process of their own, for the length of the block."""
    context = get_context("spawn")
    stopped = context.Event()
    process = context.Process(target=spool_live, args=(spool, every_s, stopped), daemon=True)
    process.start()
    try:
        yield
    finally:
        stopped.set()
        process.join()


def alone(spool: Path, bus: Process, heard: Heard, options: argparse.Namespace) -> list[float]:
    """Return the ages of live scans with nothing behind them."""
    heard.begin()
    with live(spool, options.every):
        bus.start()
        wait_until(lambda: len(heard.ages_ms) > 0, limit_s=20)
        time.sleep(min(2.0, options.seconds / 4))
        heard.begin()
        time.sleep(options.seconds)
        ages = list(heard.ages_ms)
    bus.stop()
    return ages


def draining(
    spool: Path, bus: Process, heard: Heard, options: argparse.Namespace
) -> tuple[list[float], float]:
    """Return the ages of live scans before a backlog, and its samples a second."""
    spool_backlog(spool, options.scans)
    with live(spool, options.every):
        heard.begin()
        bus.start()
        wait_until(lambda: heard.late > 0, limit_s=20)
        heard.ages_ms.clear()
        wait_until(lambda: heard.late >= options.scans, limit_s=600)
        ages = list(heard.ages_ms)
        took_s = heard.last_late_s - heard.first_late_s
    bus.stop()
    return ages, options.scans * SAMPLES / took_s


def percentile(numbers: Sequence[float], share: float) -> float:
    """Return the number that ``share`` of them do not exceed."""
    ordered = sorted(numbers)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)


def measured(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Take turns, and return the figures of all of them."""
    quiet: list[float] = []
    busy: list[float] = []
    rates: list[float] = []
    spool, heard = folder / "spool", Heard()
    with Mosquitto(folder / "broker", options=NODELAY) as broker:
        file = folder / "bus" / "analytics.yaml"
        file.parent.mkdir()
        backlog = f"backlog: {{messages_per_s: {options.messages}}}\n"
        file.write_text(BUS.format(port=broker.port) + f"spool: {spool}\n" + backlog)
        with (
            subscribed(broker.port, FILTERS, heard.take),
            Process(folder / "log", "bus", file) as bus,
        ):
            bus.stop()
            for _ in range(options.turns):
                quiet += alone(spool, bus, heard, options)
                ages, rate = draining(spool, bus, heard, options)
                busy += ages
                rates.append(rate)
    return {
        "live_ms_p50": percentile(quiet, 0.5),
        "live_ms_p99": percentile(quiet, 0.99),
        "draining_ms_p50": percentile(busy, 0.5),
        "draining_ms_p99": percentile(busy, 0.99),
        "live_samples_per_s": round(SAMPLES / options.every),
        "drained_samples_per_s": round(min(rates)),
        "load": round(os.getloadavg()[0], 1),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=8.0, help="of live data alone, a turn")
    parser.add_argument("--scans", type=int, default=4000, help="of 100 samples in a backlog")
    parser.add_argument("--every", type=float, default=0.05, help="seconds between live scans")
    parser.add_argument("--messages", type=int, default=500, help="of backlog a second, at most")
    parser.add_argument("--quick", action="store_true", help="show that it works")
    options = parser.parse_args(arguments)
    if options.quick:
        options.turns, options.seconds, options.scans = 1, 0.5, 300
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(Path(folder), options)
    for name, value in figures.items():
        print(f"{name:<24}{value:>10}")
    record("drain", figures)


if __name__ == "__main__":
    main()
