"""The committer: the one thread that writes and syncs a spool's files."""

import errno
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import chain
from threading import Thread

from otgate.histogram import Histogram
from otgate.model import Lane
from otgate.spool.bell import Bell
from otgate.spool.entry import Entry
from otgate.spool.frame import pack_live
from otgate.spool.inbox import Inbox
from otgate.spool.recovery import Kept
from otgate.spool.reserve import Reserve
from otgate.spool.retention import Retention, surplus
from otgate.spool.segment import Log, SegmentId
from otgate.spool.segment_log import SegmentLog
from otgate.spool.tally import Tally

IDLE_S = 60.0
"""How long the thread sleeps at most with nothing to do."""

HOPELESS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})

LIVE_SEGMENTS_CLOSED = 1
"""Closed liveness segments kept beside the one being written."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the committer does what nobody asks it to do."""

    sync_s: float = 1.0
    """Frames that no receipt waits for are synced this long after they were written."""
    gather_s: float = 0.004
    """What comes this soon after a write goes with the next, unless somebody waits for it."""
    burst_s: float = 0.004
    """What comes in a burst on the event loop is written so long after its start at the latest."""
    retry_s: float = 0.5
    """After a fault a new segment is begun at most this often."""


class Drive(Enum):
    """Who runs the committer's cycles."""

    THREAD = auto()
    HAND = auto()
    """Whoever calls `SpoolWriter.cycle`, so that a history can be replayed exactly."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """Somebody who wants to know when ``ticket`` is durable."""

    ticket: int
    lanes: Collection[Lane]
    done: Callable[[], None]


class Committer:
    """Takes what the inboxes hold, writes it at once, and syncs on request or in time."""

    def __init__(
        self,
        logs: Mapping[Log, SegmentLog],
        inboxes: Mapping[Lane, Inbox],
        retention: Retention,
        reserve: Reserve,
        tally: Tally,
        *,
        sync_bytes: int,
        clock: Callable[[], int],
        pace: Pace,
    ) -> None:
        self.released_bytes = 0
        """What has left the buffer since the start."""
        self.ticket = 0
        """The newest ticket; its frames are in an inbox before it is set."""
        self.bell = Bell()
        self.live: tuple[int, Mapping[str, str]] | None = None
        self.oldest_ns = 0
        """When the oldest sample was read that is not written; 0 is none."""
        self.ages = Histogram()
        """How old the oldest sample of each write was."""
        self.sync_times = Histogram()
        self.unneeded = {Log(lane): SegmentId(0, 0) for lane in Lane}
        """Up to which segment, itself not, a log's may go though retention would keep them."""
        self._logs = logs
        self._lane_logs = {lane: logs[Log(lane)] for lane in (Lane.EVENT, Lane.DATA)}
        self._lanes = [(log, inboxes[lane]) for lane, log in self._lane_logs.items()]
        self._waiters: deque[Waiter] = deque()
        self._written = dict.fromkeys(Lane, 0)
        self._durable = dict.fromkeys(Lane, 0)
        """The ticket up to which a lane has everything on the disk."""
        self._sync_due_s = float("inf")
        self._gather_until_s = 0.0
        self._live_seq = 0
        self._trimmed_at = 0
        self._trim_due_s = 0.0
        self._stopping = False
        self._begun_s = 0.0
        """When the cycle began that is under way; 0 between cycles."""
        self._retention = retention
        self._reserve = reserve
        self._tally = tally
        self._tight_bytes: int | None = None
        """What both lanes held when the disk was found nearly full, while it is."""
        self._sync_bytes = sync_bytes
        self._clock = clock
        self._pace = pace
        self._thread: Thread | None = None

    def start(self, drive: Drive) -> None:
        """Begin the first segments, here and now, then start the thread, if any.

        Raises:
            OSError: a segment cannot be begun, and waiting will not cure that.
        """
        self._write()
        for log in self._logs.values():
            if log.error is not None and log.error.errno in HOPELESS:
                self._close()
                raise log.error
        self._trim()
        self._account()
        if drive is Drive.THREAD:
            self._thread = Thread(target=self._run, name="otgate-committer", daemon=True)
            self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether the thread has ended though nobody stopped it."""
        thread = self._thread
        return not self._stopping and thread is not None and not thread.is_alive()

    @property
    def busy_s(self) -> float:
        """For how long the cycle under way has been so: a disk hangs, where that is long."""
        begun_s = self._begun_s
        return time.monotonic() - begun_s if begun_s else 0.0

    def stop(self, patience_s: float) -> None:
        """Write, sync and end the thread; a disk that hangs is left behind."""
        self._stopping = True
        self.bell.ring()
        if self._thread is None:
            self._finish()
        else:
            self._thread.join(patience_s)

    def is_durable(self, ticket: int, lanes: Collection[Lane]) -> bool:
        """Tell whether ``lanes`` have everything up to ``ticket`` on the disk."""
        return all(self._durable[lane] >= ticket for lane in lanes)

    def wait(self, waiter: Waiter) -> None:
        """Ask for a commit now."""
        self._waiters.append(waiter)
        self.bell.ring()

    def _run(self) -> None:
        while not self._stopping:
            self.bell.wait(self._patience_s())
            self._gather()
            self.bell.quiet()
            self.cycle()
            self._gather_until_s = time.monotonic() + self._pace.gather_s
        self._finish()

    def _finish(self) -> None:
        self.cycle()
        self._close()

    def _gather(self) -> None:
        """Let what comes soon after a write come together, unless somebody waits for it.

        Not right after the write: a thread that need not wake costs nothing.
        """
        left_s = self._gather_until_s - time.monotonic()
        if left_s > 0 and not self._waiters and not self._stopping:
            time.sleep(left_s)

    def _close(self) -> None:
        for log in self._logs.values():
            log.close()

    def _patience_s(self) -> float:
        due_s = min(self._sync_due_s, *(log.due_s for log in self._logs.values()))
        return min(max(due_s - time.monotonic(), 0.0), IDLE_S)

    def cycle(self) -> None:
        """Write what is pending; sync, tell who waits and trim where that is due."""
        self._begun_s = time.monotonic()
        try:
            self._cycle()
        finally:
            self._begun_s = 0.0

    def _cycle(self) -> None:
        asked = bool(self._waiters) or self._stopping
        failing = self._failing
        self._write()
        undurable_bytes = sum(log.undurable_bytes for log, _ in self._lanes)
        full = undurable_bytes > self._sync_bytes
        # what a failing disk held up is old already: readers see it, a power cut must not take it
        late = failing and any(log.undurable for log, _ in self._lanes)
        if asked or full or late or time.monotonic() >= self._sync_due_s:
            self._sync()
        self.released_bytes = sum(log.released_bytes for log, _ in self._lanes)
        self._trim()
        self._account()

    def _write(self) -> None:
        ticket = self.ticket
        oldest_ns, self.oldest_ns = self.oldest_ns, 0
        for lane, (log, inbox) in zip(self._lane_logs, self._lanes, strict=True):
            if (log.at_rest and inbox.empty) or log.advance(inbox.drained):
                self._written[lane] = ticket
        if oldest_ns:
            self._aged(oldest_ns)
        live = self._logs[Log.LIVE]
        if self.live is not None or live.due_s < float("inf"):
            live.advance(self._live_entries)
            live.forget()
        if self._sync_due_s == float("inf") and any(log.undurable for log, _ in self._lanes):
            self._sync_due_s = time.monotonic() + self._pace.sync_s

    def _aged(self, oldest_ns: int) -> None:
        """Count how old the oldest sample was when it was written, or go on waiting for that."""
        if any(log.queue for log, _ in self._lanes):
            self.oldest_ns = oldest_ns
        else:
            self.ages.observe((self._clock() - oldest_ns) / 1e9)

    @property
    def _failing(self) -> bool:
        return any(log.error is not None for log, _ in self._lanes)

    def _account(self) -> None:
        """Keep the count of what a kill would lose, while the disk takes nothing else."""
        if self._failing:
            self._tally.failing()
        elif all(log.settled for log, _ in self._lanes):
            self._tally.settled()

    def _live_entries(self) -> list[Entry]:
        live, self.live = self.live, None
        if live is None:
            return []
        self._live_seq += 1
        return [(self._live_seq, 1, pack_live(*live))]

    def _sync(self) -> None:
        self._sync_due_s = float("inf")
        begun_s, anything = time.monotonic(), any(log.undurable for log, _ in self._lanes)
        for lane, log in self._lane_logs.items():
            if log.sync() and log.settled:
                self._durable[lane] = self._written[lane]
        if anything:
            self.sync_times.observe(time.monotonic() - begun_s)
        self._notify()

    def _notify(self) -> None:
        for _ in range(len(self._waiters)):
            waiter = self._waiters.popleft()
            if not self.is_durable(waiter.ticket, waiter.lanes):
                self._waiters.append(waiter)
                continue
            with suppress(RuntimeError):  # the event loop that waited has been closed
                waiter.done()

    def _passed(self) -> Iterable[tuple[Log, Kept]]:
        for name, before in self.unneeded.items():
            log = self._logs[name]
            while len(log.kept) > log.least_kept and log.kept[0].id < before:
                yield name, log.kept.popleft()

    def _surplus(self, data: SegmentLog, event: SegmentLog) -> Iterable[tuple[Log, Kept]]:
        active_bytes, now_ns = data.active_bytes + event.active_bytes, self._clock()
        stay = data.least_kept, event.least_kept
        yield from surplus(self._retention, data.kept, event.kept, active_bytes, now_ns, stay)
        if not self._reserve.nearly_met(self._retention.limits.size_bytes):
            self._tight_bytes = None
            return
        # A spool that may keep more than the disk holds would fill it and then drop what is new:
        # from here on new data takes the place of the oldest. Another program's costs nothing.
        held_bytes = data.disk_bytes + event.disk_bytes
        self._tight_bytes = self._tight_bytes or held_bytes
        least = replace(self._retention, size_bytes=self._tight_bytes)
        active_bytes = data.active_bytes + event.disk_bytes
        yield from surplus(least, data.kept, deque(), active_bytes, now_ns, stay)

    def _trim(self) -> None:
        begun = sum(log.begun for log in self._logs.values())
        if begun == self._trimmed_at and time.monotonic() < self._trim_due_s:
            return
        self._trimmed_at = begun
        self._trim_due_s = time.monotonic() + IDLE_S
        data, event, live = (self._logs[log] for log in (Log.DATA, Log.EVENT, Log.LIVE))
        stuck = [
            (log, kept)
            for log, kept in chain(self._passed(), self._surplus(data, event))
            if not self._logs[log].remove(kept.id)
        ]
        for log, kept in reversed(stuck):  # for the next time; the others are not held up
            self._logs[log].kept.appendleft(kept)
        while len(live.kept) > LIVE_SEGMENTS_CLOSED:
            live.remove(live.kept.popleft().id)
