"""One log as its writer sees it: the segment being written and the frames not yet durable."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from errno import ENOENT
from pathlib import Path

from otgate.spool.active import Active, Making
from otgate.spool.entry import Entry, cost_bytes, merged_gaps
from otgate.spool.files import settle
from otgate.spool.frame import FRAME
from otgate.spool.recovery import Kept, Past
from otgate.spool.segment import Log, SegmentId, Start

LOOK_S = 1.0
TRIAL_BYTES = 16 << 10
UNLIMITED = 1 << 62

FRAMES_A_WRITE = 500
"""Each is two buffers; Linux takes 1024 in one call (IOV_MAX)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a segment is closed and the next begun."""

    size_bytes: int
    age_s: float


class SegmentLog:
    """Appends entries to a row of segments; after a fault, again to a new one.

    Everything here happens on the committer's thread.
    """

    def __init__(
        self,
        making: Making,
        log: Log,
        directory: Path,
        found: Past,
        packed_catalog: bytes,
        limits: Limits,
    ) -> None:
        self.log = log
        self.found = found
        self.directory = directory
        self.kept = deque(found.kept)
        self.queue: list[Entry] = []
        self.undurable: list[Entry] = []
        self.undurable_bytes = 0
        self.error: OSError | None = None
        self.bytes_written = 0
        self.released_bytes = 0
        self.syncs = 0
        self.faults = 0
        self._retry_at_s = 0.0
        self._look_at_s = 0.0
        self._active: Active | None = None
        self._making = making
        self._catalog = packed_catalog
        self._limits = limits
        self._trial_bytes = UNLIMITED
        """What is written between syncs: after a fault little, or a disk with less room than
        there is to write would never take any of it."""
        self.begun = 0
        self._end = 0
        self._unsure = False
        """Whether a power cut may take the name of the last segment kept."""

    @property
    def settled(self) -> bool:
        """Whether every entry taken is on the disk."""
        return not self.queue and not self.undurable

    @property
    def at_rest(self) -> bool:
        """Whether all that was taken is written, and it is too early to look for the file again."""
        healthy = self._active is not None and self.error is None
        return healthy and not self.queue and time.monotonic() < self._look_at_s

    @property
    def due_s(self) -> float:
        """When a segment may be begun, where one has to be; monotonic seconds."""
        return self._retry_at_s if self._active is None else float("inf")

    @property
    def active_bytes(self) -> int:
        """The size of the segment being written."""
        return self._active.size_bytes if self._active else 0

    @property
    def least_kept(self) -> int:
        """How many closed segments have to stay.

        One of the newest epoch is there at all times: it is how readers and later writers know
        the epoch, and so the numbers given out. One whose name may not be on the disk counts
        for nothing.
        """
        return int(self._active is None) + (self._active is None and self._unsure)

    @property
    def disk_bytes(self) -> int:
        """What the log's segments hold."""
        return self.active_bytes + sum(kept.size_bytes for kept in tuple(self.kept))

    @property
    def segments(self) -> int:
        """How many segments the log has."""
        return len(self.kept) + (self._active is not None)

    def advance(self, source: Callable[[], Iterable[Entry]]) -> bool:
        """Write what ``source`` holds; return whether nothing is left to be written.

        A fault is kept in ``error`` and tried again after a while; ``source`` is not asked
        before a segment is open.
        """
        if self._active is None and time.monotonic() < self._retry_at_s:
            return False
        try:
            self._look()
            self._opened()
            self._take(source())
            self._write()
        except OSError as error:
            self._fault(error)
            return False
        self.error = None
        return True

    def sync(self) -> bool:
        """Sync what was written; return False after a fault."""
        if self._active is None:
            return False
        try:
            if self.undurable:
                self._synced(self._active)
        except OSError as error:
            self._fault(error)
            return False
        return True

    def forget(self) -> None:
        """Let go of what is not durable: what is only of interest while it is new."""
        self.queue.clear()
        self.undurable.clear()
        self.undurable_bytes = 0

    def remove(self, segment: SegmentId) -> bool:
        """Remove a closed segment; return whether it is gone."""
        return self._remove(segment.name)

    def close(self) -> None:
        """Give the file back, synced or not."""
        if self._active is not None:
            self._active.close()

    def _look(self) -> None:
        """Notice, at most once a second, that what is written has been removed meanwhile."""
        now_s = time.monotonic()
        if self._active is None or now_s < self._look_at_s:
            return
        self._look_at_s = now_s + LOOK_S
        name = self._active.id.name
        try:
            self._making.files.size(self.directory / name)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise OSError(ENOENT, f"{name} was removed while it was written") from error
        except OSError:  # whoever may not look may yet write
            return

    def _opened(self) -> Active:
        if self._active is None:
            self._retry_at_s = time.monotonic() + self._making.retry_s
            self._active = self._new()
            self._unsure = False
            self.bytes_written += self._active.size_bytes
        return self._active

    def _new(self) -> Active:
        waiting = self.undurable or self.queue
        first_seq = waiting[0][0] if waiting else self._end
        start = Start(
            SegmentId(self._making.epoch, self.begun),
            first_seq,
            self.found.samples_before + first_seq,
            self.found.previous_epoch,
            self.found.previous_end,
            self.found.dropped_before,
            self._making.clock(),
        )
        self.begun += 1
        try:
            return Active(self._making, self.directory, self.log, start, self._catalog)
        except OSError as error:
            if error.errno == ENOENT:
                self._house()
            self._remove(start.id.new_name)
            self._unsure = self._withdraw(start.id) or self._unsure
            raise

    def _house(self) -> None:
        """Make the directory again that somebody removed; the next try finds it."""
        with suppress(OSError):
            self._making.files.mkdir(self.directory)
            settle(self._making.files, self.directory)

    def _take(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            merged = merged_gaps(self.queue[-1], entry) if self.queue else None
            if merged is None:
                self.queue.append(entry)
            else:
                self.queue[-1] = merged
        if self.queue:
            self._end = self.queue[-1][0] + self.queue[-1][1]

    def _write(self) -> None:
        while self.queue:
            active = self._roomy(self._opened())
            chunk = self._chunk(min(self._limits.size_bytes - active.size_bytes, self._trial_bytes))
            self._claim(active, chunk)
            before = active.size_bytes
            active.append(chunk)
            self.undurable_bytes += sum(map(cost_bytes, chunk))
            self.bytes_written += active.size_bytes - before
            self.undurable += chunk
            del self.queue[: len(chunk)]
            if self.undurable_bytes > self._trial_bytes:
                self._synced(active)
                self._trial_bytes *= 2
        self._trial_bytes = UNLIMITED

    def _claim(self, active: Active, chunk: list[Entry]) -> None:
        """Ask the reserve for room; where there is none, what is written already has to count."""
        try:
            count = sum(len(body) + FRAME.size for _, _, body in chunk)
            self._making.reserve.claim(self.log, count)
        except OSError:
            self._synced(active)
            raise

    def _roomy(self, active: Active) -> Active:
        old = time.monotonic() - active.opened_s > self._limits.age_s
        if not active.frames or (active.size_bytes < self._limits.size_bytes and not old):
            return active
        self._synced(active)
        active.close()
        self._active = None
        self._keep(active)
        return self._opened()

    def _chunk(self, room_bytes: int) -> list[Entry]:
        for number, (_, _, body) in enumerate(self.queue[:FRAMES_A_WRITE], 1):
            room_bytes -= len(body) + FRAME.size
            if room_bytes <= 0:
                return self.queue[:number]
        return self.queue[:FRAMES_A_WRITE]

    def _synced(self, active: Active) -> None:
        active.sync()
        self.syncs += 1
        self.released_bytes += self.undurable_bytes
        self.undurable_bytes = 0
        self.undurable.clear()

    def _keep(self, active: Active) -> None:
        self.kept.append(Kept(active.id, active.size_bytes, self._making.clock()))

    def _fault(self, error: OSError) -> None:
        """Give the file up; what is not durable has to be written again elsewhere.

        A file that holds nothing durable is removed, or a disk that stays full would collect one
        a try.
        """
        self.error = error
        self.faults += 1
        self._trial_bytes = TRIAL_BYTES
        active, self._active = self._active, None
        self.queue[:0] = self.undurable
        self.undurable.clear()
        self.undurable_bytes = 0
        if active is None:
            return
        active.close()
        if active.durable_frames:
            self._keep(active)
        else:
            self._withdraw(active.id)

    def _withdraw(self, segment: SegmentId) -> bool:
        """Remove a segment of no use; return whether it stays, the only one of its epoch.

        A reader may have seen the epoch, and even samples of it: its number must not be given
        again, and the reader must not take its end for a spool that was emptied.
        """
        if self.kept and self.kept[-1].id.epoch == segment.epoch:
            self._remove(segment.name)
            return False
        with suppress(OSError):  # it never came to its name
            size_bytes = self._making.files.size(self.directory / segment.name)
            self.kept.append(Kept(segment, size_bytes, self._making.clock()))
            return True
        return False

    def _remove(self, name: str) -> bool:
        try:
            self._making.files.unlink(self.directory / name)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True
