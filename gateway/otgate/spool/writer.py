"""The writer: the field side's end of a spool."""

import os
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

import numpy as np

from otgate.errors import SpoolUnusable
from otgate.histogram import Histogram
from otgate.model import Batch, Lane, Origin
from otgate.permission import why
from otgate.spool.active import Making
from otgate.spool.bell import Bell, Lull
from otgate.spool.catalog import Catalog
from otgate.spool.committer import Committer, Drive, Pace, Waiter
from otgate.spool.entry import BUFFER_BYTES, ENTRY_BYTES
from otgate.spool.epoch import epoch_text, next_epoch
from otgate.spool.files import OS, Files, settle
from otgate.spool.frame import MAX_BODY_BYTES, pack_batch
from otgate.spool.inbox import Dropped, Inbox
from otgate.spool.recovery import past, reading, swept
from otgate.spool.reserve import Reserve
from otgate.spool.retention import Retention
from otgate.spool.segment import Log, SegmentId, pack_catalog
from otgate.spool.segment_log import Limits, SegmentLog
from otgate.spool.state_file import StateFile
from otgate.spool.tally import NAME as TALLY
from otgate.spool.tally import LaneTally, Tally, left

__all__ = ["Drive", "Pace", "Retention", "SpoolState", "SpoolStatus", "SpoolWriter"]

DATA_SHARE = 0.75
"""How much of the buffer data may fill; the rest is kept for events."""

PACE = Pace()
LIVE_LIMITS = Limits(64 << 10, float("inf"))
LOCK = "lock"

ONE = "stop it, or give this site a `spool.directory` of its own"
STOP_S = 2.0


@dataclass(frozen=True, slots=True)
class Place:
    """A locked spool directory and what is needed to work in it."""

    directory: Path
    files: Files
    clock: Callable[[], int]
    lock: int


class SpoolState(StrEnum):
    """Whether what is appended reaches the disk."""

    WRITING = "writing"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """How a writer is doing; counts are since it opened."""

    epoch: str
    state: SpoolState
    error: str
    buffered_bytes: int
    buffer_bytes: int
    samples: Mapping[Lane, int]
    """Appended, with those that were dropped."""
    dropped: Mapping[Lane, int]
    bytes_written: int
    syncs: int
    faults: int
    disk_bytes: int
    segments: int


class SpoolWriter:
    """The one writer of a spool directory. Called on one thread, the event loop's."""

    def __init__(
        self,
        place: Place,
        catalog: Catalog,
        retention: Retention,
        pace: Pace,
        buffer_bytes: int,
        drive: Drive,
    ) -> None:
        self._place = place
        making, self._logs = _logs(place, catalog, retention, pace)
        self.epoch = making.epoch
        tally_file = StateFile(place.directory / TALLY, place.files)
        self._devices = {device.id: number for number, device in enumerate(catalog.devices)}
        self._buffer_bytes = buffer_bytes
        self._data = Inbox(int(buffer_bytes * DATA_SHARE))
        self._event = Inbox(buffer_bytes)
        self._inboxes = {Lane.DATA: self._data, Lane.EVENT: self._event}
        self._committer = Committer(
            self._logs,
            self._inboxes,
            retention,
            making.reserve,
            Tally(tally_file, self.epoch, self._stand),
            sync_bytes=buffer_bytes // 4,
            clock=place.clock,
            pace=pace,
        )
        self._bell: Bell | Lull = self._committer.bell
        self._burst_s = pace.burst_s
        self._clock = place.clock
        self._taken_bytes = 0
        self._closed = False
        self._committer.start(drive)

    @classmethod
    def open(
        cls,
        directory: Path,
        catalog: Catalog,
        retention: Retention,
        *,
        clock: Callable[[], int] = time.time_ns,
        files: Files = OS,
        pace: Pace = PACE,
        buffer_bytes: int = BUFFER_BYTES,
        drive: Drive = Drive.THREAD,
    ) -> Self:
        """Begin a new epoch in ``directory``, making it where absent.

        A disk that is merely full does not stop this: the writer starts failing and recovers.

        Raises:
            SpoolUnusable: another writer has it, it is of a newer format, or cannot be written.
        """
        lock = _locked(files, directory)
        try:
            place = Place(directory, files, clock, lock)
            return cls(place, catalog, retention, pace, buffer_bytes, drive)
        except OSError as error:
            _released(files, lock)
            raise _unusable(directory, error) from error
        except SpoolUnusable:
            _released(files, lock)
            raise

    def gather_on(self, loop: AbstractEventLoop) -> None:
        """Be called on ``loop`` from now on, and write what comes in a burst at its end."""
        self._bell = Lull(self._committer.bell, loop, self._burst_s)

    def append(self, lane: Lane, batch: Batch) -> int:
        """Take ``batch``, whose index counts into the catalog's points; return its ticket.

        Never blocks. What finds no room in the buffer keeps its sequence numbers and is covered
        by a gap as soon as the disk takes one.
        """
        count = len(batch.index)
        committer = self._committer
        if not count:
            return committer.ticket
        if not committer.oldest_ns and batch.origin is not Origin.REFRESH:
            committer.oldest_ns = batch.received_ns
        inbox = self._event if lane is Lane.EVENT else self._data
        seq = inbox.next_seq
        body = pack_batch(batch, self._devices[batch.device], seq, self._clock())
        if len(body) > MAX_BODY_BYTES:
            return self._append_split(lane, batch)
        cost = len(body) + ENTRY_BYTES
        if self._taken_bytes + cost - committer.released_bytes > inbox.room_bytes:
            inbox.drop(seq, count, batch.received_ns, batch.received_ns)
        else:
            self._taken_bytes += cost
            if inbox.dropped is None:
                inbox.pending.append((seq, count, body))
            else:
                inbox.put_after_gap((seq, count, body))
        inbox.next_seq = seq + count
        committer.ticket += 1
        self._bell.ring()
        return committer.ticket

    def _append_split(self, lane: Lane, batch: Batch) -> int:
        count = len(batch)
        if count == 1:
            return self.miss(lane, 1, batch.received_ns, batch.received_ns)
        first = np.arange(count) < count // 2
        self.append(lane, batch.kept(first))
        return self.append(lane, batch.kept(~first))

    def miss(self, lane: Lane, count: int, from_ns: int, to_ns: int) -> int:
        """Give numbers to ``count`` samples that are lost, and say so; return the ticket."""
        inbox, committer = self._inboxes[lane], self._committer
        inbox.drop(inbox.next_seq, count, from_ns, to_ns)
        inbox.next_seq += count
        committer.ticket += 1
        committer.bell.ring()
        return committer.ticket

    def dropped(self) -> Iterator[tuple[Lane, Dropped]]:
        """Yield each run of dropped samples that has ended since the last call."""
        for lane, inbox in self._inboxes.items():
            while inbox.ended:
                yield lane, inbox.ended.popleft()

    def next_seq(self, lane: Lane) -> int:
        """Return the number that the next sample of ``lane`` gets."""
        return self._inboxes[lane].next_seq

    def samples(self, lane: Lane) -> int:
        """Return how many samples ``lane`` has had in all epochs."""
        return self._logs[Log(lane)].found.samples_before + self._inboxes[lane].next_seq

    def let_go(self, lane: Lane, before: SegmentId) -> None:
        """Let the segments of ``lane`` before that one go, for a reader that needs none of them.

        Only a reader of the same zone may say so.
        """
        self._committer.unneeded[Log(lane)] = before

    @property
    def buffered_bytes(self) -> int:
        """How much of the buffer is taken by what is not synced."""
        return self._taken_bytes - self._committer.released_bytes

    def live(self, states: Mapping[str, str]) -> None:
        """Record that the field side is alive and what it knows of its devices; not synced."""
        self._committer.live = (self._clock(), dict(states))
        self._committer.bell.ring()

    def wait_durable(
        self, ticket: int, done: Callable[[], None], lanes: Collection[Lane] = tuple(Lane)
    ) -> None:
        """Ask for a commit now and call ``done`` once all up to ``ticket`` survive a power cut.

        That is: every frame of ``lanes`` is synced, or its drop is in a synced gap. ``done`` is
        called on the committer's thread, or here and now where that is so already.
        """
        if self._committer.is_durable(ticket, lanes):
            done()
        else:
            self._committer.wait(Waiter(ticket, lanes, done))

    def cycle(self) -> None:
        """Do what the committer's thread does at a time, where it is driven by hand."""
        self._committer.cycle()

    @property
    def error(self) -> str:
        """Why what is appended does not reach the disk; empty while it does."""
        if self._committer.ended:
            return "the thread that writes has ended"
        errors = [
            why(log.error, self._place.directory)
            for log in self._logs.values()
            if log.error is not None
        ]
        return errors[0] if errors else ""

    @property
    def stuck_s(self) -> float:
        """For how long the disk has kept what is being written; for ever where nothing writes."""
        return float("inf") if self._committer.ended else self._committer.busy_s

    @property
    def ages(self) -> Histogram:
        """How old the oldest sample of each write was; repeated values are left out."""
        return self._committer.ages

    @property
    def sync_times(self) -> Histogram:
        """How long syncs took."""
        return self._committer.sync_times

    def status(self) -> SpoolStatus:
        """Return how the writer is doing."""
        logs, error = self._logs.values(), self.error
        inboxes = self._inboxes
        return SpoolStatus(
            epoch=epoch_text(self.epoch),
            state=SpoolState.FAILING if error else SpoolState.WRITING,
            error=error,
            buffered_bytes=self.buffered_bytes,
            buffer_bytes=self._buffer_bytes,
            samples={lane: inbox.next_seq for lane, inbox in inboxes.items()},
            dropped={lane: inbox.samples_dropped for lane, inbox in inboxes.items()},
            bytes_written=sum(log.bytes_written for log in logs),
            syncs=sum(log.syncs for log in logs),
            faults=sum(log.faults for log in logs),
            disk_bytes=sum(log.disk_bytes for log in logs),
            segments=sum(log.segments for log in logs),
        )

    def _stand(self) -> dict[Lane, LaneTally]:
        """Return how far each lane's numbers have come; called on the committer's thread."""
        found = {lane: self._logs[Log(lane)].found for lane in Lane}
        return {
            lane: LaneTally(before.samples_before, before.dropped_before, self.next_seq(lane))
            for lane, before in found.items()
        }

    def close(self) -> None:
        """Write and sync what is left, end the thread and give the lock back."""
        if not self._closed:
            self._closed = True
            self._committer.stop(STOP_S)
            _released(self._place.files, self._place.lock)


def _logs(
    place: Place, catalog: Catalog, retention: Retention, pace: Pace
) -> tuple[Making, dict[Log, SegmentLog]]:
    files, now_ns = place.files, place.clock()
    directories = {log: place.directory / log for log in Log}
    present = [each.epoch for path in directories.values() for each in swept(files, path)]
    noted = left(files, place.directory)
    present += [noted.epoch_number] if noted else []
    epoch = next_epoch(now_ns, present)
    hashes = (catalog.policy_hash, catalog.map_hash)
    reserve = Reserve(files, place.directory, retention.reserve_bytes)
    making = Making(files, place.clock, epoch, hashes, pace.retry_s, reserve)
    packed = pack_catalog(catalog)
    limits = retention.limits
    logs = {
        log: SegmentLog(
            making,
            log,
            directory,
            past(files, directory, log, now_ns, noted),
            b"" if log is Log.LIVE else packed,
            LIVE_LIMITS if log is Log.LIVE else limits,
        )
        for log, directory in directories.items()
    }
    return making, logs


def _locked(files: Files, directory: Path) -> int:
    try:
        for log in Log:
            files.mkdir(directory / log)
        lock = files.lock(directory / LOCK)
    except BlockingIOError as error:
        holder = _holder(files, directory / LOCK)
        raise SpoolUnusable(
            f"The spool {directory} has a writer already{holder}; {ONE}."
        ) from error
    except OSError as error:
        raise _unusable(directory, error) from error
    try:
        settle(files, directory)
    except OSError as error:
        _released(files, lock)
        raise _unusable(directory, error) from error
    _signed(files, lock)
    return lock


def _signed(files: Files, lock: int) -> None:
    """Write down who holds the lock, for whoever is refused."""
    with suppress(OSError):  # it holds without
        files.write(lock, [f"{os.getpid():<20}\n".encode()])


def _holder(files: Files, path: Path) -> str:
    with suppress(OSError, ValueError), reading(files, path) as descriptor:
        return f": process {int(files.pread(descriptor, 20, 0))}"
    return ""


def _released(files: Files, lock: int) -> None:
    with suppress(OSError):
        files.close(lock)


def _unusable(directory: Path, error: OSError) -> SpoolUnusable:
    in_the_way = isinstance(error, FileExistsError | NotADirectoryError)
    told = "a file stands where a directory has to be" if in_the_way else why(error, directory)
    return SpoolUnusable(f"The spool {directory} cannot be written: {told}.")
