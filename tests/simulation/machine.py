"""The simulated box: one disk, and what its processes see of it as the operating system.

The disk is that of the power-cut tests. It can be full, fail, be slow, and lose power. What was
written is on it for certain once it was synced, or half a minute later, as the kernel sees to.
"""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from cut_disk import CutDisk, File, Names, Tails
from otgate.spool import files
from simulation.processes import current

OPERATIONS = (
    "mkdir", "create", "reuse", "lock", "open", "close", "write", "pread", "sync",
    "sync_directory", "rename", "exchange", "unlink", "names", "stamp", "size", "room",
)  # fmt: skip
OPENS = frozenset({"create", "reuse", "lock", "open"})
WRITEBACK_S = 30.0
"""After so long the kernel has written what nobody synced: dirty_expire_centisecs of proc(5)."""


class Disk(CutDisk):
    """A `CutDisk` that can be full, and says which error it is that it fails with."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False
        self.changed = 0
        """How often a name came or went."""
        self.news: Callable[[], None] = lambda: None

    @property
    def is_sick(self) -> bool:
        return self.full or bool(self.faults)

    def write(self, descriptor: int, buffers: Sequence[bytes]) -> int:
        file, path = self._open[descriptor]
        at = self._at.get(descriptor)
        end = (len(file.data) if at is None else at) + sum(map(len, buffers))
        if self.full and end > len(file.data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = super().write(descriptor, buffers)
        if path.endswith(".seg"):
            self.news()
        return count

    def mkdir(self, path: Path) -> None:
        self.changed += str(path) not in self._directories
        super().mkdir(path)

    def create(self, path: Path) -> int:
        self.changed += 1
        return super().create(path)

    def rename(self, old: Path, new: Path) -> None:
        self.changed += 1
        super().rename(old, new)
        if new.suffix == ".seg":
            self.news()

    def unlink(self, path: Path) -> None:
        self.changed += 1
        super().unlink(path)

    def stamp(self, path: Path) -> int | None:
        del path
        return self.changed

    def room(self, path: Path) -> int:
        del path
        return 0 if self.full else 1 << 40

    def written_back(self) -> None:
        """Make what was written sure, as the kernel does in time."""
        for directory in self._directories.values():
            directory.sync()
            for node in directory.names.values():
                if isinstance(node, File) and not node.failed:
                    node.durable = node.data
                    node.emptied = False

    @property
    def held_bytes(self) -> int:
        return sum(
            len(node.data)
            for directory in self._directories.values()
            for node in directory.names.values()
            if isinstance(node, File)
        )

    def after_cut(self, names: Names, tails: Tails, rng: Random) -> "Disk":
        """Return what a power cut now leaves."""
        left, cut = Disk(), self.cut(names, tails, rng)
        left.root = cut.root
        left.adopt("/", cut.root)
        return left


class Machine:
    """Holds the disk and says what a process may do with it."""

    def __init__(self) -> None:
        self.disk = Disk()
        self.slow_s = 0.0
        """How much longer a write takes."""
        self.deaf = False
        """Whether the kernel tells of no change, as of a folder that another machine writes."""

    def asked(self, operation: str, *given: Any) -> Any:
        """Do what the current process asks of the operating system."""
        process = current.get()
        if process.dead:
            if operation == "close":
                return None
            raise OSError(errno.EIO, "the process is dead")
        found = getattr(self.disk, operation)(*given)
        if operation in OPENS:
            process.held[found] = partial(self.disk.close, found)
        elif operation == "close":
            process.held.pop(given[0], None)
        return found

    def cut(self, rng: Random) -> None:
        """Lose power; every process has to be dead."""
        names, tails = rng.choice(list(Names)), rng.choice(list(Tails))
        before, self.disk = self.disk, self.disk.after_cut(names, tails, rng)
        self.disk.news, self.disk.full, self.disk.faults = before.news, before.full, before.faults

    @contextmanager
    def in_charge(self) -> Iterator[None]:
        """Be what `otgate.spool.files` takes for the operating system."""
        for system in (files.OS, files.PRIVATE):
            for operation in OPERATIONS:
                setattr(system, operation, partial(self.asked, operation))
        try:
            yield
        finally:
            for system in (files.OS, files.PRIVATE):
                for operation in OPERATIONS:
                    delattr(system, operation)
