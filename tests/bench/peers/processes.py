"""What a peer spends: CPU and memory of a process and all that descend from it."""

import os
import re
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Command:
    """How a program of a peer is started."""

    words: Sequence[str | Path]
    environment: Mapping[str, str]
    folder: Path


@dataclass(frozen=True, slots=True)
class Family:
    """A running peer: its first process and the descendants."""

    first: int

    def pids(self) -> list[int]:
        """Return the processes that live now."""
        children = defaultdict(list)
        for pid, parent in parents():
            children[parent].append(pid)
        found = [self.first]
        for pid in found:
            found += children[pid]
        return found

    def cpu_s(self) -> float:
        """Return the CPU seconds of all of them, of threads that have ended too."""
        return sum(map(cpu_s, self.pids()))

    def memory_mb(self) -> float:
        """Return their memory, of each its share of what several map."""
        return sum(map(memory_mb, self.pids()))


def parents() -> Iterator[tuple[int, int]]:
    """Yield every process with its parent."""
    for found in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            yield int(found.parent.name), int(found.read_text().rpartition(")")[2].split()[1])


def cpu_s(pid: int) -> float:
    """Return what a process has spent, by its CPU clock: finer than the ticks of `/proc`."""
    with suppress(OSError):
        return time.clock_gettime(~pid << 3 | 2)  # as clock_getcpuclockid(3) makes it
    return 0.0


def memory_mb(pid: int) -> float:
    """Return a process's proportional set size."""
    with suppress(OSError):
        found = PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
        return int(found[1]) * 1024 / 1e6 if found else 0.0
    return 0.0


@contextmanager
def started(command: Command, log: Path) -> Iterator[Family]:
    """Run a command; end it and all that descends from it afterwards."""
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command.words,
            cwd=command.folder,
            env={**os.environ, **command.environment},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    family = Family(process.pid)
    try:
        yield family
    finally:
        end(family.pids(), process)


def end(pids: Sequence[int], process: subprocess.Popen[bytes]) -> None:
    """Ask the first once, then kill what is left."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
