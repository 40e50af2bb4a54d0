"""The load of the fleet benchmarks: the C programs beside this file, and what they tell."""

import contextlib
import functools
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
RING = 1 << 20
HEAD_WORDS = 4
HEAD = HEAD_WORDS * 8
SWEEP = np.dtype([("device", "<u4"), ("number", "<u4"), ("at_ns", "<u8")])
LIBRARIES = ("-lmodbus", "-lmosquitto")


def host(number: int) -> str:
    """Return the loopback address of a device."""
    return f"127.0.{1 + number // 250}.{1 + number % 250}"


def built(folder: Path, name: str, *libraries: str) -> Path:
    """Compile one of the C programs beside this file.

    Raises: CalledProcessError where a library is missing.
    """
    program = folder / name
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        sys.exit(f"{name}: no C compiler: apt-get install gcc libc6-dev")
    command = [compiler, "-O2", "-o", program, HERE / f"{name}.c", *libraries]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return program


@dataclass(frozen=True, slots=True)
class Counts:
    """What a server has done so far."""

    sweeps: int
    requests: int
    registers: int
    cpu_s: float


class Server:
    """A running ``fleet_server``."""

    def __init__(self, program: Path, journal: Path, changed: float) -> None:
        command = [program, journal, str(round(changed * 10))]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self._journal = journal

    def say(self, command: str) -> None:
        """Give the server a command: ``changed PERMILLE`` or ``silent DEVICE``."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def counts(self) -> Counts:
        """Return what was served so far."""
        sweeps, requests, registers, cpu_ns = np.memmap(
            self._journal, "<u8", mode="r", shape=HEAD_WORDS
        ).tolist()
        return Counts(sweeps, requests, registers, cpu_ns / 1e9)

    def sweeps(self) -> np.ndarray:
        """Return all sweeps that the journal still holds, in the order of time."""
        ring = np.memmap(self._journal, SWEEP, mode="r", offset=HEAD, shape=RING)
        begun = self.counts().sweeps
        kept = np.arange(max(0, begun - RING + 1), begun) % RING
        return np.array(ring[kept])

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe and pipe.close()


@contextlib.contextmanager
def serving(folder: Path, changed: float) -> Iterator[Server]:
    """Run the Modbus server in ``folder`` and yield it."""
    server = Server(built(folder, "fleet_server"), folder / "journal", changed)
    try:
        yield server
    finally:
        server.stop()


@functools.cache
def said_to_be_missing() -> None:
    """Say once what the floor needs."""
    print("floor: left out; it needs apt-get install libmodbus-dev libmosquitto-dev", flush=True)


def floor(folder: Path, arguments: Sequence[int]) -> float | None:
    """Return the CPU seconds per million points of the C program; None without its libraries."""
    try:
        program = built(folder, "fleet_floor", *LIBRARIES)
    except subprocess.CalledProcessError:
        return said_to_be_missing()
    done = subprocess.run(
        [program, *map(str, arguments)], check=True, capture_output=True, text=True
    )
    points, spent_s = done.stdout.split()
    return float(spent_s) / int(points) * 1e6


def go_ahead(*pids: int) -> None:
    """Let the sessions of these processes go before other work: sched(7), the autogroup feature."""
    for pid in pids:
        with contextlib.suppress(OSError):  # not root, or a kernel without it
            Path(f"/proc/{pid}/autogroup").write_text("-19")
