"""One way: a spool's segments carried to another place, in the order in which they were written.

Nothing comes back: what the copy's reader has acknowledged is not known here.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from otgate.errors import SpoolUnusable
from otgate.spool.files import OS
from otgate.spool.segment import Damaged, Log, SegmentId, segments
from otgate.spool.shelf import Catalogs, Shelf

BLOCK_BYTES = 1 << 20
LOCK = "lock"
SIGNS_KEPT = 2
"""Segments of signs of life, as a writer keeps them."""

ORDER = (Log.EVENT, Log.DATA, Log.LIVE)


class Copier:
    """Carries what is new, as often as it is asked; it may be killed at any moment.

    ``whole`` carries a segment only once it has ended, for a way that takes whole files alone.
    """

    def __init__(self, source: Path, target: Path, keep_bytes: int, *, whole: bool = False) -> None:
        self.source = source
        self.target = target
        self.removed = 0
        """Segments that the copy had no room for."""
        self._keep_bytes = keep_bytes
        self._whole = whole
        self._lock = -1

    @classmethod
    def open(cls, source: Path, target: Path, keep_bytes: int, *, whole: bool = False) -> Self:
        """Lock the copy, and put right what a kill or a power cut has left of its newest segments.

        Raises:
            SpoolUnusable: there is no spool, another copies there, or a later epoch is there.
            OSError: the copy cannot be written.
        """
        if source.resolve() == target.resolve():
            raise SpoolUnusable(f"{target} is the spool itself")
        if not any((source / log).is_dir() for log in Log):
            raise SpoolUnusable(f"there is no spool in {source}")
        copier = cls(source, target, keep_bytes, whole=whole)
        for log in Log:
            OS.mkdir(target / log)
        try:
            copier._lock = OS.lock(target / LOCK)
        except BlockingIOError:
            raise SpoolUnusable(f"{target} is written by another process") from None
        for log in Log:
            copier._mend(log)
        return copier

    def close(self) -> None:
        """Give the lock back."""
        if self._lock >= 0:
            OS.close(self._lock)
            self._lock = -1

    def carry(self) -> int:
        """Carry what is new; return how many bytes that were.

        Raises:
            SpoolUnusable: the copy has a later epoch than the spool: it is another one's.
            OSError: the copy cannot be written; the next call goes on where this one ended.
        """
        carried = sum(self._carried(log) for log in ORDER)
        self._make_room()
        return carried

    def _carried(self, log: Log) -> int:
        there = _listed(self.source / log)
        newest = max(_listed(self.target / log), default=None)
        if newest is not None and there and there[-1].epoch < newest.epoch:
            raise SpoolUnusable(
                f"{self.target / log} has a later epoch than {self.source}: is it another spool's?"
                " Empty it to begin again"
            )
        ended = there[:-1]  # one that has a successor is written no more
        return sum(
            self._appended(log, segment)
            for segment in (ended if self._whole else there)
            if newest is None or segment >= newest
        )

    def _appended(self, log: Log, segment: SegmentId) -> int:
        """Carry what is new of a segment; all of it, where it has a successor."""
        try:
            reading = OS.open(self.source / log / segment.name)
        except FileNotFoundError:  # the spool needed its room meanwhile
            return 0
        try:
            copy = self.target / log / segment.name
            if copy.exists():
                return self._extended(reading, copy)
            return self._begun(reading, copy, copy.with_name(segment.new_name))
        finally:
            OS.close(reading)

    def _begun(self, reading: int, copy: Path, new: Path) -> int:
        """Make a copy that has its whole header, and more, once it has its name."""
        writing = OS.create(new)
        try:
            size = _poured(reading, writing, 0)
            OS.sync(writing)
        finally:
            OS.close(writing)
        OS.rename(new, copy)
        OS.sync_directory(copy.parent)
        return size

    def _extended(self, reading: int, copy: Path) -> int:
        size = OS.size(copy)
        if os.fstat(reading).st_size <= size:
            return 0
        writing = os.open(copy, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        try:
            poured = _poured(reading, writing, size)
            OS.sync(writing)
        finally:
            OS.close(writing)
        return poured

    def _mend(self, log: Log) -> None:
        """Cut the newest copy behind its last good frame: what follows is carried again.

        A reader stands at that frame at most, since it takes none that is not good.
        """
        shelf = Shelf(OS, self.target / log, log, Catalogs())
        newest = max(shelf.listed(), default=None)
        if newest is None:
            return
        path = self.target / log / newest.name
        with suppress(OSError, Damaged):
            opened = shelf.opened(newest)
            try:
                while opened.next_bodies(1000, BLOCK_BYTES).bodies:
                    pass
            finally:
                opened.close()
            if opened.holds_more:
                os.truncate(path, opened.at)

    def _make_room(self) -> None:
        """Drop the oldest segments of a copy that has grown too large, data before events."""
        held = {log: _sized(self.target / log) for log in Log}
        surplus = sum(size for log in (Log.DATA, Log.EVENT) for _, size in held[log])
        surplus -= self._keep_bytes
        for log in (Log.DATA, Log.EVENT):
            for segment, size in held[log][:-1]:
                if surplus > 0:
                    surplus -= size
                    self._drop(log, segment)
        for segment, _ in held[Log.LIVE][:-SIGNS_KEPT]:
            OS.unlink(self.target / Log.LIVE / segment.name)

    def _drop(self, log: Log, segment: SegmentId) -> None:
        OS.unlink(self.target / log / segment.name)
        self.removed += 1


def _listed(directory: Path) -> Sequence[SegmentId]:
    try:
        return segments(OS.names(directory))
    except FileNotFoundError:
        return ()


def _sized(directory: Path) -> Sequence[tuple[SegmentId, int]]:
    return [(segment, OS.size(directory / segment.name)) for segment in _listed(directory)]


def _poured(reading: int, writing: int, at: int) -> int:
    """Write what there is from ``at`` on; return how much that was."""
    poured = 0
    for block in _blocks(reading, at):
        left = memoryview(block)
        while left:
            left = left[os.write(writing, left) :]
        poured += len(block)
    return poured


def _blocks(reading: int, at: int) -> Iterator[bytes]:
    """Yield what can be read; a block that cannot ends a segment, as it does for a reader."""
    with suppress(OSError):
        while block := OS.pread(reading, BLOCK_BYTES, at):
            yield block
            at += len(block)
