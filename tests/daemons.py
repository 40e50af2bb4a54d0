"""Whole daemons for tests: a site of one simulated device, a broker, and both sides."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from otgate.errors import Refused
from otgate.observe.control import ask

SITE = """\
config_version: 1
site: {id: sub7, name: Substation 7, gateway: gw1}
devices:
  - id: f1
    driver: modbus
    zone: bay
    points: points/f1.csv
    scans: {fast: 0.1, normal: 0.2}
    modbus: {url: "tcp://10.0.0.5:502", unit: 1, base: 0, timeout_s: 0.5}
  - id: f2
    driver: modbus
    zone: bay
    points: points/f1.csv
    scans: {fast: 0.1, normal: 0.2}
    modbus: {url: "tcp://10.0.0.6:502", unit: 1, base: 0, timeout_s: 0.5}
defaults: {sensitivity: internal, max_age_s: 5}
spool: {directory: spool, size_mb: 64, age_h: 24}
policy: policy.yaml
"""

POINTS = """\
id,name,kind,address,type,scale,unit,scan,tags
ia,Current A,measurement,ir 0,u16,0.1,A,fast,feeder
ib,Current B,measurement,ir 1,u16,0.1,A,fast,feeder
kwh,Energy,counter,ir 2,u32,,kWh,normal,feeder
cb,Breaker,status,di 0,bool,,,fast,feeder
trip,Trip current,setting,hr 0,u16,,A,normal,feeder
secret,Relay current,measurement,ir 10,u16,,A,normal,protection
"""

POLICY = """\
config_version: 1
policy: {name: test egress, version: 1}
vocabulary: {tags: [feeder, protection]}
zones: {bay: {purdue: 1}, it: {purdue: 4}}
conduits:
  analytics: {from: [bay], to: it, ceiling: internal}
rules:
  - {name: feeder, effect: allow, conduits: [analytics], match: {tags_all: [feeder]}, why: a test}
  - {name: no-relay, effect: deny, match: {tags_any: [protection]}, why: a test}
"""

BUS = """\
config_version: 1
conduit: analytics
brokers: ["mqtt://127.0.0.1:{port}"]
"""


def write_site(folder: Path, port: int) -> Path:
    """Write a site whose bus side publishes to a broker on ``port``; return its folder."""
    for name, text in {
        "site.yaml": SITE,
        "points/f1.csv": POINTS,
        "policy.yaml": POLICY,
        "bus/analytics.yaml": BUS.format(port=port),
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


class Process:
    """One `otgate` process; its standard error is kept."""

    def __init__(self, log: Path, *arguments: str | Path, prefix: Sequence[str] = ()) -> None:
        self.log = log
        self._prefix = prefix
        self._arguments = arguments
        self.start()

    def start(self) -> None:
        """Start it, again after a kill."""
        with self.log.open("ab") as stream:
            self._process = subprocess.Popen(
                [*self._prefix, sys.executable, "-m", "otgate", *self._arguments],
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def children(self) -> dict[str, int]:
        """The parent's children by their verb: `run` is the field side, `bus` the bus side."""
        told = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        words = {int(pid): command_line(pid) for pid in told}
        return {command[3]: pid for pid, command in words.items() if len(command) > 3}

    def stop(self) -> int:
        """Ask it to stop and return its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(10)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def command_line(pid: str) -> list[str]:
    """Return the words that a process was started with; none where it is gone or a zombie."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return []


@contextmanager
def simulated(site: Path) -> Iterator[Path]:
    """Serve the site's devices; yield the file with their endpoints."""
    endpoints = site / "endpoints.json"
    control = site / "sim.sock"
    log = site / "sim.log"
    with Process(log, "sim", site, "--map", endpoints, "--control", control):
        wait_until(endpoints.exists, log)
        yield endpoints


def spoil(site: Path, device: str, kind: str) -> None:
    """Put a fault on a simulated device, or take it away with `none`."""
    control = str(site / "sim.sock")
    subprocess.run(
        [sys.executable, "-m", "otgate", "sim", "fault", device, kind, "--control", control],
        check=True,
        capture_output=True,
        timeout=20,
    )


def running(site: Path, endpoints: Path, *more: str, log: Path | None = None) -> Process:
    """Start both sides of ``site``."""
    words = "run", site, "--endpoints", endpoints, "--log", "json", *more
    return Process(log or site / "run.log", *words)


def said(site: Path, side: str) -> dict[str, Any]:
    """Return a side's status, or nothing where none answers."""
    try:
        return ask(site / "run" / f"{side}.sock", "status")
    except Refused:
        return {}


def events(log: Path) -> list[dict[str, Any]]:
    """Return the JSON lines of a log."""
    lines = log.read_text(errors="replace").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def published(site: Path) -> int:
    """Return how many samples the broker took from a side, none where it does not answer."""
    return int(said(site, "bus-analytics").get("samples", 0))


def wait_until(condition: Callable[[], object], *logs: Path, limit_s: float = 20.0) -> None:
    """Wait until ``condition`` holds; fail with the logs where it does not."""
    until = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > until:
            told = "\n".join(log.read_text(errors="replace") for log in logs if log.exists())
            raise AssertionError(f"waited {limit_s} s in vain\n{told}")
        time.sleep(0.02)


def resident_mb(*pids: int) -> float:
    """Return the resident memory of processes together, in megabytes."""
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def eventually(condition: Callable[[], object], limit_s: float = 20.0) -> None:
    """Wait in a coroutine until ``condition`` holds."""
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110  another process gives no event
            await asyncio.sleep(0.02)


def verified(url: str, seconds: float, *more: str) -> tuple[int, Sequence[str]]:
    """Run `otgate verify` for a while; return its exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "otgate", "verify", url, "--for", str(seconds), *more],
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()
