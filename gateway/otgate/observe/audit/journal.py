"""The files of an audit log: one a day, each beginning where the one before ends.

A file is named by its first record and its day, so that names sort as records follow. Nothing that
was written is changed; what a write left unfinished is cut off before the next one.
"""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from errno import EWOULDBLOCK
from pathlib import Path

from otgate.observe.audit.record import (
    FIRST,
    MAX_WHAT_BYTES,
    Note,
    Record,
    clock,
    digest,
    read,
    spelled,
)
from otgate.spool.files import FILE_MODE, OS, settle

NAME = re.compile(r"(\d{12})-(\d{4}-\d\d-\d\d)\.jsonl")
FILE_BYTES = 16 << 20
BLOCK_BYTES = 4096
"""The least that a file takes on a disk."""
LINE_BYTES = MAX_WHAT_BYTES + 1024
"""More than any line has."""
TAIL_BYTES = 3 * LINE_BYTES
LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where an audit log lies and how much of it stays."""

    directory: Path
    size_bytes: int
    """Of all files together; then the oldest go."""
    keep_s: float
    """How old records are to become before they may go."""

    @property
    def file_bytes(self) -> int:
        """From where on a day gets a further file."""
        return min(FILE_BYTES, self.size_bytes // 8)


@dataclass(frozen=True, slots=True)
class Found:
    """How an earlier run left the log."""

    last: Record | None = None
    """The last record; None where there is none, or it cannot be read."""
    torn: bytes = b""
    """What was cut off: a line that was never finished."""
    damaged: str = ""
    """The file whose last line is no record."""


@dataclass(slots=True)
class Shelved:
    """One file of the log."""

    name: str
    first: int
    size_bytes: int

    @property
    def cost_bytes(self) -> int:
        """What it takes on the disk."""
        return max(BLOCK_BYTES, self.size_bytes)


@dataclass(slots=True)
class Journal:
    """Appends to the files in a directory. Everything here happens on one thread."""

    keeping: Keeping
    seq: int = 0
    """Of the last record."""
    head: str = FIRST
    """Hash of its line."""
    shelf: list[Shelved] = field(default_factory=list)
    _lock: int = -1
    _file: int = -1
    _unfinished: bool = False
    """Whether there may be bytes behind the last record."""

    @property
    def is_open(self) -> bool:
        """Whether there is a file to append to."""
        return self._file >= 0

    @property
    def size_bytes(self) -> int:
        """What all files take."""
        return sum(each.cost_bytes for each in self.shelf)

    # Opening

    def open(self, time_ns: int) -> Found:
        """Go on where an earlier run ended, or begin.

        Raises:
            OSError: the directory cannot be used, or somebody else writes there.
        """
        self._claim()
        self.shelf = shelf_of(self.keeping.directory)
        found = self._recovered()
        if self.shelf:
            path = self.keeping.directory / self.shelf[-1].name
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            self._unfinished = False
            os.ftruncate(self._file, self.shelf[-1].size_bytes)
        else:
            self.begin(time_ns)
        return found

    def _claim(self) -> None:
        if self._lock >= 0:
            return
        directory = self.keeping.directory
        OS.mkdir(directory)
        settle(OS, directory)
        try:
            self._lock = OS.lock(directory / LOCK)
        except BlockingIOError:
            raise BlockingIOError(EWOULDBLOCK, "another process writes this log") from None

    def _recovered(self) -> Found:
        """Find the last record; what follows it in the newest file is torn."""
        torn = b""
        for place in reversed(self.shelf):
            line, rest = tail(self.keeping.directory / place.name)
            if place is self.shelf[-1]:
                torn = rest
                place.size_bytes -= len(rest)
            if line:
                return self._stand_after(place, line, torn)
        return Found(torn=torn)

    def _stand_after(self, place: Shelved, line: bytes, torn: bytes) -> Found:
        record, self.head = read(line), digest(line)
        if record is not None:
            self.seq = record.seq
            return Found(record, torn)
        lines = (self.keeping.directory / place.name).read_bytes().count(b"\n")
        self.seq = place.first + lines - 1
        return Found(None, torn, place.name)

    def begin(self, time_ns: int) -> None:
        """Begin a file for the day of ``time_ns``.

        Raises:
            OSError: it cannot be made; the one before is appended to.
        """
        OS.mkdir(self.keeping.directory)
        name = f"{self.seq + 1:012}-{day(time_ns)}.jsonl"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self.keeping.directory / name, flags, FILE_MODE)
        os.fchmod(descriptor, FILE_MODE)
        OS.sync_directory(self.keeping.directory)
        self._give_back()
        self._file, self._unfinished = descriptor, False
        if not self.shelf or self.shelf[-1].name != name:
            self.shelf.append(Shelved(name, self.seq + 1, 0))

    # Appending

    def append(self, notes: Sequence[Note]) -> None:
        """Write ``notes`` as the next records: all of them, or none.

        Raises:
            OSError: the disk did not take them.
        """
        seq, head, lines = self.seq, self.head, []
        for seq, note in enumerate(notes, self.seq + 1):
            line = spelled(seq, note, head)
            head = digest(line)
            lines += [line, b"\n"]
        self._write(b"".join(lines))
        self.seq, self.head = seq, head

    def _write(self, data: bytes) -> None:
        if self._unfinished:
            os.ftruncate(self._file, self.shelf[-1].size_bytes)
        self._unfinished = True
        left = memoryview(data)
        while left:
            left = left[os.write(self._file, left) :]
        self._unfinished = False
        self.shelf[-1].size_bytes += len(data)

    def sync(self) -> None:
        """Return once all records are on the disk.

        Raises:
            OSError: they may not be; the next file begins.
        """
        try:
            os.fdatasync(self._file)
        except OSError:
            self._give_back()  # what the disk holds of it is unknown
            raise

    def is_gone(self) -> bool:
        """Say whether somebody took away the file that is written."""
        return os.fstat(self._file).st_nlink == 0

    def is_over(self, time_ns: int) -> bool:
        """Say whether the next file is due: another day, or much of this one."""
        place = self.shelf[-1]
        return day(time_ns) > day_of(place.name) or place.size_bytes >= self.keeping.file_bytes

    # Keeping

    def surplus(self) -> Shelved | None:
        """Return the oldest file where there are too many bytes; never the one being written."""
        many = self.size_bytes > self.keeping.size_bytes and len(self.shelf) > 1
        return self.shelf[0] if many else None

    def remove(self, place: Shelved) -> None:
        """Remove a file.

        Raises:
            OSError: it stays.
        """
        with suppress(FileNotFoundError):
            OS.unlink(self.keeping.directory / place.name)
        self.shelf.remove(place)

    def last_of(self, place: Shelved) -> tuple[int, str]:
        """Return number and hash of a file's last record."""
        line, _ = tail(self.keeping.directory / place.name)
        after = self.shelf[self.shelf.index(place) + 1].first
        return after - 1, digest(line)

    def close(self) -> None:
        """Give the file and the lock back."""
        self._give_back()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _give_back(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def shelf_of(directory: Path) -> list[Shelved]:
    """Return the files of a log in the order of their records.

    Raises:
        OSError: the directory cannot be read.
    """
    found = [(name, NAME.fullmatch(name)) for name in sorted(OS.names(directory))]
    return [
        Shelved(name, int(match[1]), OS.size(directory / name)) for name, match in found if match
    ]


def tail(path: Path) -> tuple[bytes, bytes]:
    """Return the last whole line of a file, and what follows it; both may be nothing."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        lines = file.read().split(b"\n")
        if len(lines[-1]) > LINE_BYTES:  # no line of ours: blocks that a power cut left unwritten
            file.seek(0)
            lines = file.read().split(b"\n")
    return (lines[-2] if len(lines) > 1 else b""), lines[-1]


def day(time_ns: int) -> str:
    """Return the day of a time, in UTC."""
    return clock(time_ns // 1_000_000_000)[:10]


def day_of(name: str) -> str:
    """Return the day that a file is named by."""
    return name[13:23]
