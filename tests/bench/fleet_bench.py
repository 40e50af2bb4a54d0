"""CPU, lateness and latency of whole daemons, beside the floor of a minimal C program.

Run ``python tests/bench/fleet_bench.py [--devices 1 50 500 1000] [--changed 100 10 0]``. A raw
Modbus server in C is the load, Mosquitto the broker, a client of its own counts what arrives. Both
sides run as a user starts them. CPU is what the kernel accounted to their threads (schedstat),
over whole seconds, after a warm-up. Compare ratios: machines are noisy.
"""

import argparse
import contextlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.asked import asked_table, fleet_table
from bench.fleet_load import Counts, Server, floor, go_ahead, serving
from bench.fleet_polls import beyond_ms, on_grids
from bench.fleet_site import Fleet, write_site
from bench.results import read, record, results_file
from bench.subscriber import subscribed
from brokers import NODELAY, Mosquitto
from daemons import Process, resident_mb, said, wait_until

PERIOD_NS = 1_000_000_000
SETTLED_S = 3.0
"""After the share of changing registers was changed: one poll still brings the others."""
DEAD = 7
"""The device that falls silent."""
FILTERS = [f"otgate/v1/+/+/+/+/{name}" for name in ("data", "event", "replay")]
HEAD = re.compile(
    rb'"device":"d(\d+)","lane":"(\w+)","epoch":"(\w+)","seq":(\d+),.*?"origin":"(\w+)"'
)
FIRST = re.compile(rb'"points":\[\{"id":"p(\d+)","v":([\d.]+)')


@dataclass
class Heard:
    """Counts the samples that arrive, and holes in their numbers, with nothing of ours."""

    scale: float
    samples: int = 0
    messages: int = 0
    holes: int = 0
    size: int = 0
    strange: int = 0
    marks: list[tuple[int, int, int]] = field(default_factory=list)
    """Device, sweep and arrival of each message of polled samples."""
    _next: dict[tuple[bytes, bytes], int] = field(default_factory=dict)

    def begin(self) -> None:
        """Forget what came so far, all but where the numbers stand."""
        self.samples = self.messages = self.size = 0
        self.marks = []

    def take(self, _topic: bytes, payload: bytes, at_ns: int) -> None:
        """Book one message."""
        count = payload.count(b'{"id":')
        self.samples += count
        self.messages += 1
        self.size += len(payload)
        head = HEAD.search(payload, 0, 512)
        if head is None:
            self.strange += 1
            return
        device, lane, epoch, seq, origin = head.groups()
        expected = self._next.get((lane, epoch), int(seq))
        self.holes += max(0, int(seq) - expected)
        self._next[lane, epoch] = max(expected, int(seq) + count)
        if origin == b"poll":
            self._mark(int(device), payload, at_ns)

    def _mark(self, device: int, payload: bytes, at_ns: int) -> None:
        if first := FIRST.search(payload, 0, 1024):
            word = round(float(first[2]) / self.scale)
            self.marks.append((device, sweep_of(int(first[1]), word), at_ns))


def sweep_of(address: int, word: int) -> int:
    """Return which sweep of the server gave a changing register this word."""
    return (word - 1 - 31 * address) % 60_000


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process's threads, as the scheduler counted them."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def shared_mb(pid: int) -> float:
    """Return a process's resident memory with its share of what others also map."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else 0.0


@dataclass(frozen=True, slots=True)
class Spent:
    """What everyone has spent by a moment."""

    at_ns: int
    field_s: float
    bus_s: float
    broker_s: float
    counts: Counts


@dataclass(frozen=True, slots=True)
class Running:
    """Both sides at work on a load."""

    fleet: Fleet
    site: Path
    server: Server
    broker: Mosquitto
    heard: Heard
    field: Process
    bus: Process

    def spent(self) -> Spent:
        """Return what everyone has spent so far."""
        pids = self.field.pid, self.bus.pid, self.broker.pid
        return Spent(time.monotonic_ns(), *map(cpu_s, pids), self.server.counts())

    def overruns(self, dead: int | None) -> int:
        """Return the slots that the field side says it skipped, without a dead device's."""
        devices = said(self.site, "field")["devices"].items()
        return sum(told["overruns"] for name, told in devices if name != f"d{dead}")

    def state(self, device: int) -> str:
        """Return what the field side says about a device."""
        state: str = said(self.site, "field")["devices"][f"d{device}"]["state"]
        return state

    def memory(self) -> dict[str, float]:
        """Return the memory of both sides: resident, and in fair shares."""
        pids = {"field": self.field.pid, "bus": self.bus.pid}
        return {f"{side}_mb": resident_mb(pid) for side, pid in pids.items()} | {
            f"{side}_pss_mb": shared_mb(pid) for side, pid in pids.items()
        }

    def measured(self, seconds: float, dead: int | None = None) -> dict[str, float]:
        """Return the figures of a stretch of time; a dead device's slots are its own affair."""
        skipped = self.overruns(dead)
        self.heard.begin()
        before = self.spent()
        time.sleep(seconds)
        after = self.spent()
        found = cost(before, after, self.heard)
        time.sleep(min(1.0, seconds))  # what was read in the stretch arrives
        return {
            **found,
            **self.on_time(before.at_ns, after.at_ns, dead),
            "overruns": self.overruns(dead) - skipped,
            "holes": self.heard.holes,
            "strange_messages": self.heard.strange,
            **self.memory(),
        }

    def on_time(self, since_ns: int, until_ns: int, dead: int | None) -> dict[str, float]:
        """Return how late polls and their samples were."""
        seen = on_grids(self.server.sweeps(), since_ns, until_ns, self.fleet.devices, PERIOD_NS)
        beyond = beyond_ms(self.heard.marks, seen.due())
        others = [at for at in range(self.fleet.devices) if at != dead]
        figures = {
            "late_ms_p50": seen.late_ms(50),
            "late_ms_p99": seen.late_ms(99),
            "missed_slots": int(seen.missed[others].sum()),
        }
        if beyond:
            figures["change_ms_p50"] = beyond[len(beyond) // 2]
            figures["change_ms_p99"] = beyond[len(beyond) * 99 // 100]
        return figures


def cost(before: Spent, after: Spent, heard: Heard) -> dict[str, float]:
    """Return shares of a core, and CPU per million points delivered and scanned."""
    seconds = (after.at_ns - before.at_ns) / 1e9
    field_s, bus_s = after.field_s - before.field_s, after.bus_s - before.bus_s
    served_s = after.counts.cpu_s - before.counts.cpu_s
    scanned = after.counts.registers - before.counts.registers
    per = {"points": heard.samples, "scanned": scanned}
    figures = {
        f"{side}cpu_s_per_million_{unit}": spent / count * 1e6
        for unit, count in per.items()
        if count
        for side, spent in (("", field_s + bus_s), ("field_", field_s), ("bus_", bus_s))
    }
    return {
        **figures,
        "field_core_share": field_s / seconds,
        "bus_core_share": bus_s / seconds,
        "broker_core_share": (after.broker_s - before.broker_s) / seconds,
        "server_core_share": served_s / seconds,
        "points_per_s": heard.samples / seconds,
        "scanned_per_s": scanned / seconds,
        "bytes_per_point": heard.size / max(heard.samples, 1),
        "points_per_message": heard.samples / max(heard.messages, 1),
    }


@contextlib.contextmanager
def running(
    folder: Path, fleet: Fleet, server: Server, broker: Mosquitto, options: argparse.Namespace
) -> Iterator[Running]:
    """Start both sides and yield them once the first samples arrive."""
    site = folder / "site"
    write_site(site, fleet, server.port, broker.port)
    heard = Heard(0.1 if fleet.scaled else 1.0)
    field_log, bus_log = site / "field.log", site / "bus.log"
    with (
        contextlib.ExitStack() as stack,
        subscribed(broker.port, FILTERS, heard.take),
        Process(field_log, "run", site, "--field") as field_side,
    ):
        spool = site / "spool" / "analytics" / "data"
        wait_until(
            spool.exists, field_log, limit_s=600
        )  # a bus side's sandbox is for what is there
        bus_side = stack.enter_context(Process(bus_log, "bus", site / "bus" / "analytics.yaml"))
        if options.ahead:
            go_ahead(field_side.pid, bus_side.pid, os.getpid())
        wait_until(lambda: heard.samples > 0, field_log, bus_log, limit_s=600)
        yield Running(fleet, site, server, broker, heard, field_side, bus_side)


def bench(fleet: Fleet, options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run the floor and the gateway on one fleet; yield the figures of each share of change."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="otgate-fleet-")))
        server = stack.enter_context(serving(folder, 100))
        broker = stack.enter_context(Mosquitto(folder / "broker", options=NODELAY))
        size = fleet.devices, fleet.registers
        bare = floor(folder, [server.port, broker.port, *size, round(options.floor)])
        sides = stack.enter_context(running(folder, fleet, server, broker, options))
        time.sleep(options.warm_up)
        for changed in options.changed:
            server.say(f"changed {round(changed * 10)}")
            time.sleep(options.settle)
            figures = beside(bare, sides.measured(options.seconds))
            yield fleet.named(changed), figures
        if fleet.devices == options.dead:
            yield f"{fleet.named(100)}_dead", one_dead(sides, options)


def beside(bare: float | None, figures: dict[str, float]) -> dict[str, float]:
    """Return figures with the floor of the same run, and the load of the machine."""
    figures["load"] = round(os.getloadavg()[0], 1)
    if bare is not None:
        figures["floor_cpu_s_per_million_points"] = bare
        if "cpu_s_per_million_points" in figures:
            figures["ratio_to_floor"] = figures["cpu_s_per_million_points"] / bare
    return figures


def one_dead(sides: Running, options: argparse.Namespace) -> dict[str, Any]:
    """Let one device fall silent; return what the others lose by it."""
    sides.server.say("changed 1000")
    sides.server.say(f"silent {DEAD}")
    figures: dict[str, Any] = dict(sides.measured(options.seconds, DEAD))
    wait_until(lambda: sides.state(DEAD) != "good")
    figures["state_of_the_dead"] = sides.state(DEAD)
    sides.server.say("silent -1")
    return figures


def shown(name: str, figures: dict[str, Any]) -> None:
    """Print the figures of a run."""
    print(name)
    for key, value in figures.items():
        print(
            f"  {key:<34} {value:>12}" if isinstance(value, str) else f"  {key:<34} {value:>12.4g}"
        )
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure each fleet for each share of registers that change."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 50, 500, 1000])
    parser.add_argument("--registers", type=int, default=1000)
    parser.add_argument("--changed", type=float, nargs="+", default=[100, 10, 0], metavar="PERCENT")
    parser.add_argument("--seconds", type=float, default=15, help="of each share of change")
    parser.add_argument(
        "--warm-up", type=float, default=45, help="pipelining is proved in 19 polls"
    )
    parser.add_argument("--dead", type=int, default=50, help="fleet of which one device dies")
    parser.add_argument(
        "--ahead", action="store_true", help="go before other work of this machine, as root"
    )
    parser.add_argument("--scaled", action="store_true", help="every point has the scale 0.1")
    parser.add_argument("--quick", action="store_true", help="show that it works, measure nothing")
    options = parser.parse_args(arguments)
    options.settle, options.floor = SETTLED_S, 10
    if options.quick:
        options.devices, options.registers, options.changed, options.dead = [10], 200, [100, 10], 10
        options.seconds, options.warm_up, options.settle, options.floor = 2, 0, 0, 1
    for devices in options.devices:
        for name, figures in bench(Fleet(devices, options.registers, options.scaled), options):
            shown(name, figures)
            record(name, figures)
    results = read(results_file())
    print(fleet_table(results), asked_table(results), sep="\n\n")


if __name__ == "__main__":
    main()
