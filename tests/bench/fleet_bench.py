"""CPU of whole daemons per million delivered points, beside the floor of a bare C loop.

Run ``python tests/bench/fleet_bench.py [--devices 50] [--registers 1000] [--changed 100]``. A raw
Modbus server in C is the load, Mosquitto the broker, a client of its own counts what arrives. Both
sides run as a user starts them. CPU is what the kernel accounted to their threads (schedstat),
over whole seconds, after a warm-up. Compare ratios: machines are noisy.
"""

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.results import record
from brokers import Mosquitto
from daemons import Process, resident_mb, said, wait_until

HERE = Path(__file__).parent
FLOOR_S = 10.0

SITE = """\
config_version: 1
site: {{id: sub7, gateway: gw1}}
devices:
{devices}
defaults: {{sensitivity: internal, tags: [feeder], max_age_s: 30}}
spool: {{directory: spool, size_mb: 256, age_h: 24}}
policy: policy.yaml
"""
DEVICE = """\
  - id: d{number}
    driver: modbus
    zone: bay
    points: points/d.csv
    scans: {{normal: 1}}
    modbus: {{url: "tcp://{host}:{port}", unit: 1, base: 0}}
"""
POLICY = """\
config_version: 1
policy: {name: fleet, version: 1}
vocabulary: {tags: [feeder]}
zones: {bay: {purdue: 1}, it: {purdue: 4}}
conduits:
  analytics: {from: [bay], to: it, ceiling: internal}
rules:
  - {name: all, effect: allow, conduits: [analytics], match: {tags_all: [feeder]}, why: a benchmark}
"""
BUS = """\
config_version: 1
conduit: analytics
brokers: ["mqtt://127.0.0.1:{port}"]
"""


def host(number: int) -> str:
    """Return the loopback address of a device."""
    return f"127.0.{1 + number // 250}.{1 + number % 250}"


def write_site(folder: Path, options: argparse.Namespace, server: int, broker: int) -> None:
    """Write a site of equal devices that all lie behind one server."""
    scale = "0.1" if options.scaled else ""
    rows = [f"p{at},measurement,ir {at},u16,{scale},A,normal\n" for at in range(options.registers)]
    devices = [
        DEVICE.format(number=number, host=host(number), port=server)
        for number in range(options.devices)
    ]
    for name, text in {
        "site.yaml": SITE.format(devices="".join(devices).rstrip()),
        "points/d.csv": "id,kind,address,type,scale,unit,scan\n" + "".join(rows),
        "policy.yaml": POLICY,
        "bus/analytics.yaml": BUS.format(port=broker),
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def built(folder: Path, name: str) -> Path:
    """Compile one of the C programs beside this file."""
    program = folder / name
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        sys.exit("fleet_bench: no C compiler: apt-get install gcc libc6-dev")
    subprocess.run([compiler, "-O2", "-o", program, HERE / f"{name}.c"], check=True)
    return program


@contextlib.contextmanager
def serving(program: Path, changed: float) -> Iterator[int]:
    """Run the Modbus server and yield its port."""
    command = [program, str(round(changed * 10))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@dataclass
class Heard:
    """Counts the samples that arrive, and holes in their numbers, with nothing of ours."""

    samples: int = 0
    messages: int = 0
    holes: int = 0
    size: int = 0
    ages_ms: list[float] = field(default_factory=list)
    _next: dict[tuple[str, str], int] = field(default_factory=dict)

    def begin(self) -> None:
        """Forget the warm-up, all but where the numbers stand."""
        self.samples = self.messages = self.size = 0
        self.ages_ms.clear()

    def take(self, message: mqtt.MQTTMessage) -> None:
        """Book one message."""
        told = json.loads(message.payload)
        count, seq = len(told["points"]), told["seq"]
        key = told["lane"], told["epoch"]
        self.holes += max(0, seq - self._next.get(key, seq))
        self._next[key] = max(self._next.get(key, 0), seq + count)
        self.samples += count
        self.messages += 1
        self.size += len(message.payload)
        self.ages_ms.append(time.time() * 1e3 - told["received_us"] / 1e3)


@contextlib.contextmanager
def subscribed(port: int) -> Iterator[Heard]:
    """Subscribe with a client of its own and yield what it hears."""
    heard = Heard()
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    subscribed = threading.Event()
    client.on_message = lambda _client, _data, message: heard.take(message)
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect("127.0.0.1", port)
    client.subscribe([(f"otgate/v1/+/+/+/+/{name}", 1) for name in ("data", "event", "replay")])
    client.loop_start()
    subscribed.wait(5)
    try:
        yield heard
    finally:
        client.loop_stop()
        client.disconnect()


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process's threads, as the scheduler counted them."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run of both sides cost."""

    seconds: float
    samples: int
    field_s: float
    bus_s: float
    overruns: int
    resident_mb: tuple[float, float]


def measured(site: Path, heard: Heard, options: argparse.Namespace) -> Measured:
    """Run both sides and count what they spend once warm."""
    field_log, bus_log = site / "field.log", site / "bus.log"
    field = Process(field_log, "run", site, "--field")
    with field, Process(bus_log, "bus", site / "bus" / "analytics.yaml") as bus:
        wait_until(lambda: heard.samples > 0, field_log, bus_log)
        time.sleep(options.warm_up)
        heard.begin()
        before = time.monotonic(), heard.samples, cpu_s(field.pid), cpu_s(bus.pid)
        time.sleep(options.seconds)
        after = time.monotonic(), heard.samples, cpu_s(field.pid), cpu_s(bus.pid)
        elapsed, samples, field_s, bus_s = (b - a for a, b in zip(before, after, strict=True))
        devices = said(site, "field")["devices"].values()
        overruns = sum(device["overruns"] for device in devices)
        resident = resident_mb(field.pid), resident_mb(bus.pid)
        return Measured(elapsed, int(samples), field_s, bus_s, overruns, resident)


def floor(program: Path, options: argparse.Namespace, server: int, broker: int) -> float:
    """Return the CPU seconds per million points of the bare C loop."""
    arguments = [
        server,
        broker,
        options.devices,
        options.registers,
        round(min(options.seconds, FLOOR_S)),
    ]
    done = subprocess.run(
        [program, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    samples, spent_s = done.stdout.split()
    return float(spent_s) / int(samples) * 1e6


def bench(options: argparse.Namespace, changed: float) -> dict[str, float]:
    """Run the floor and the gateway on one load; return figures per million points."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="otgate-fleet-")))
        server = stack.enter_context(serving(built(folder, "fleet_server"), changed))
        broker = stack.enter_context(Mosquitto(folder / "broker"))
        bare = floor(built(folder, "fleet_floor"), options, server, broker.port)
        site = folder / "site"
        write_site(site, options, server, broker.port)
        heard = stack.enter_context(subscribed(broker.port))
        found = measured(site, heard, options)
        millions = max(found.samples, 1) / 1e6
        ages = sorted(heard.ages_ms)
        return {
            "cpu_s_per_million_points": (found.field_s + found.bus_s) / millions,
            "field_cpu_s_per_million_points": found.field_s / millions,
            "bus_cpu_s_per_million_points": found.bus_s / millions,
            "floor_cpu_s_per_million_points": bare,
            "ratio_to_floor": (found.field_s + found.bus_s) / millions / bare,
            "field_core_share": found.field_s / found.seconds,
            "bus_core_share": found.bus_s / found.seconds,
            "points_per_s": found.samples / found.seconds,
            "bytes_per_point": heard.size / max(heard.samples, 1),
            "points_per_message": heard.samples / max(heard.messages, 1),
            "holes": heard.holes,
            "overruns": found.overruns,
            "field_mb": found.resident_mb[0],
            "bus_mb": found.resident_mb[1],
            "age_ms_p50": ages[len(ages) // 2],
            "age_ms_p99": ages[len(ages) * 99 // 100],
        }


def name(options: argparse.Namespace, changed: float) -> str:
    """Return what a run is called in the results."""
    share = "" if changed == 100 else f"_{changed:g}pc"
    return f"fleet_{options.devices}x{options.registers}{share}{'_scaled' * options.scaled}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure one fleet for each share of registers that change."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=50)
    parser.add_argument("--registers", type=int, default=1000)
    parser.add_argument("--changed", type=float, nargs="+", default=[100, 10], metavar="PERCENT")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument(
        "--warm-up", type=float, default=45, help="pipelining is proved in 40 polls"
    )
    parser.add_argument("--scaled", action="store_true", help="every point has the scale 0.1")
    parser.add_argument("--quick", action="store_true", help="show that it works, measure nothing")
    options = parser.parse_args(arguments)
    if options.quick:
        options.devices, options.registers, options.changed = 3, 200, [100]
        options.seconds, options.warm_up = 1, 0
    for changed in options.changed:
        figures = bench(options, changed)
        print(name(options, changed))
        for key, value in figures.items():
            print(f"  {key:<34} {value:>12.4g}")
        record(name(options, changed), figures)


if __name__ == "__main__":
    main()
