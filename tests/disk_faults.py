"""A whole gateway whose disk is spoiled while it runs, and what a subscriber hears meanwhile."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from brokers import Mosquitto, free_port
from daemons import Process, events, said, wait_until
from evidence import Listener
from fast_modbus import load as loading
from loaded_site import Load

FEW = 3
"""Answers that a loaded machine may let come late: the load's devices give 90 ms."""

LANES = ("data", "event")


@dataclass(frozen=True, slots=True)
class Gateway:
    """Both sides, a broker and a subscriber that keeps accounts."""

    site: Path
    broker: Mosquitto
    listener: Listener
    process: Process

    @property
    def spool(self) -> Path:
        return self.site / "spool" / "analytics"

    def status(self) -> dict[str, Any]:
        """Return what the writer says of itself."""
        told = said(self.site, "field").get("conduits", {}).get("analytics", {}).get("spool", {})
        status: dict[str, Any] = told
        return status

    def devices(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = said(self.site, "field").get("devices", {})
        return found

    def pid(self, side: str) -> int:
        """The process of `run`, the field side, or of `bus`."""
        return self.process.children[side]

    def until(self, condition: Callable[[], object], limit_s: float = 20.0) -> float:
        """Wait for a condition; return how many seconds that took."""
        begun_s = time.monotonic()
        wait_until(condition, self.process.log, limit_s=limit_s)
        return time.monotonic() - begun_s

    def until_failing(self) -> None:
        self.until(lambda: self.status().get("state") == "failing")

    def until_recovered(self) -> float:
        """Return the seconds until the spool is written again and a new sample was heard."""
        heard = self.listener.received
        took_s = self.until(lambda: self.status().get("state") == "writing")
        return took_s + self.listener.await_news(heard)

    def until_accounted(self, limit_s: float = 30.0) -> None:
        """Wait until every number given out so far was heard or announced."""
        samples, epoch = self.status()["samples"], self.status()["epoch"]
        self.until(
            lambda: all(self._reached(lane, epoch) >= samples[lane] for lane in LANES), limit_s
        )

    def _reached(self, lane: str, epoch: str) -> int:
        accounts = dict(self.listener.ledger.accounts)
        return sum(
            account.count + account.gaps
            for stream, account in accounts.items()
            if (stream.lane, stream.epoch) == (lane, epoch)
        )

    def said(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one kind."""
        return [line for line in events(self.process.log) if line["event"] == event]

    def assert_undisturbed(self) -> None:
        """No device was lost, nobody died, nothing was lost unannounced."""
        devices = self.devices()
        assert {device["state"] for device in devices.values()} == {"good"}
        assert self.said("device_lost") == []
        assert max(device["failures"] for device in devices.values()) <= FEW
        assert self.said("side_died") == []
        assert self.process.log.read_text().partition("Traceback")[2] == ""
        assert self.listener.lost == 0
        assert self.listener.complaints == []


@contextmanager
def gateway(
    folder: Path,
    broker: Mosquitto,
    *disks: str,
    prefix: Sequence[str] = (),
    **load_like: int,
) -> Iterator[Gateway]:
    """Run a site of two devices, with each of ``disks``, folders of the site, a small disk."""
    load = Load(free_port(), **({"registers": 20} | load_like))
    site = load.write(folder / "site", broker.port)
    with (
        mounted([site / disk for disk in disks]),
        loading(load.modbus_port),
        Listener(broker.port) as listener,
        Process(site / "run.log", "run", site, "--log", "json", prefix=prefix) as process,
    ):
        found = Gateway(site, broker, listener, process)
        found.until(lambda: listener.received > 100)
        yield found


def without_override() -> list[str]:
    """Return what runs a command as a root to whom file modes apply."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv(1) here, and root may read and write anything")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


@contextmanager
def mounted(folders: list[Path], size_mb: int = 48) -> Iterator[None]:
    """Mount a tmpfs at each folder."""
    if folders and (os.geteuid() != 0 or shutil.which("mount") is None):
        pytest.skip("only root may mount a tmpfs, with mount(8)")
    done: list[Path] = []
    try:
        for folder in folders:
            folder.mkdir(parents=True)
            mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(folder)]
            if subprocess.run(mount, check=False, capture_output=True).returncode:
                pytest.skip("no tmpfs may be mounted here")
            done.append(folder)
        yield
    finally:
        for folder in done:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def injected(pid: int, calls: str, fault: str, log: Path) -> Iterator[None]:
    """Let real system calls of a running process fail as strace(1) says, for a while."""
    if shutil.which("strace") is None:
        pytest.skip("no strace here: `make setup` installs it where root")
    command = ["strace", "-f", "-q", "-p", str(pid), "-o", str(log)]
    command += ["-e", f"trace={calls}", "-e", f"inject={calls}:{fault}"]
    tracing = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        deadline_s = time.monotonic() + 10
        while not all(map(traced, Path(f"/proc/{pid}/task").iterdir())):
            if tracing.poll() is not None:
                assert tracing.stderr is not None
                pytest.skip(f"strace may not attach here: {tracing.stderr.read().decode()}")
            assert time.monotonic() < deadline_s, "strace did not attach"
            time.sleep(0.02)
        yield
    finally:
        tracing.send_signal(signal.SIGINT)
        tracing.wait(10)
        if tracing.stderr is not None:
            tracing.stderr.close()


def traced(task: Path) -> bool:
    """Say whether somebody traces a thread."""
    return "TracerPid:\t0\n" not in (task / "status").read_text()
