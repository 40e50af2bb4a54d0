"""The reader: the bus side's end of a spool. It opens the spool's directory read-only."""

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import NamedTuple, Self, TypeAlias

from otgate.model import Lane
from otgate.permission import Use, why
from otgate.spool.ahead import Ahead, Governing
from otgate.spool.cursor import CursorFile, LaneCursor, Place
from otgate.spool.epoch import epoch_text
from otgate.spool.files import OS, Files
from otgate.spool.items import Epoch, Frame, Gap, GapReason, Item, Live, Passed
from otgate.spool.lane_reader import Acked
from otgate.spool.live_reader import LiveReader
from otgate.spool.segment import Log
from otgate.spool.shelf import Catalogs, Shelf
from otgate.spool.split_lane import SplitLane
from otgate.spool.watch import Watch

__all__ = [
    "Epoch",
    "Frame",
    "Gap",
    "GapReason",
    "Item",
    "Live",
    "Passed",
    "Place",
    "SpoolReader",
    "epoch_text",
]

Span: TypeAlias = tuple[Lane, int, int, int]
"""Samples: lane, epoch, first and one above the last."""

SAVE_AFTER = 64
"""Acknowledgements after which the cursor is kept: as many as one read hands out frames. So a kill
of the reader repeats no more than that, and what was not acknowledged yet."""


class Unread(NamedTuple):
    """What of a lane is not read yet."""

    size_bytes: int
    read_ns: int
    """When the newest sample that was read was spooled; 0 before the first."""

    def behind_s(self, now_ns: int) -> float:
        """Return how old that is where there is more to read; 0 where there is not."""
        return max(now_ns - self.read_ns, 0) / 1e9 if self.size_bytes and self.read_ns else 0.0


class SpoolReader:
    """Reads both lanes in order and remembers what was acknowledged. Used on one thread.

    The directory may be absent, empty, vanish or begin anew at any time: the reader waits.
    """

    def __init__(
        self,
        directory: Path,
        state: Path,
        files: Files,
        clock_s: Callable[[], float],
        replay_s: float,
    ) -> None:
        self._files = files
        self._logs = [directory / log for log in Log]
        self._remarks: list[str] = []
        self._cursors = {lane: LaneCursor(clock_s) for lane in Lane}
        self._clock_s = clock_s
        self._replay_s = replay_s
        self._acknowledged_s = clock_s()
        """When anything was last: at the start, what the cursor brings along."""
        self._since_kept = 0
        """Acknowledgements since the cursor was kept."""
        self._file = CursorFile(state, files)
        self._saving = Lock()
        self._unsaved = ""
        usable = self._file.load(self._cursors)
        self._lanes = {
            lane: SplitLane(
                lane,
                partial(Shelf, files, directory / lane, Log(lane), Catalogs()),
                self._cursors[lane],
            )
            for lane in Lane
        }
        if not usable:
            self._remarks.append(self._file.problem)
            for reader in self._lanes.values():
                reader.forgive()
        self._live = LiveReader(files, directory / Log.LIVE)
        newest = Catalogs()
        self._ahead = Ahead([Shelf(files, directory / lane, Log(lane), newest) for lane in Lane])
        self._watch: Watch | None = None

    @classmethod
    def open(
        cls,
        directory: Path,
        state: Path,
        *,
        files: Files = OS,
        clock_s: Callable[[], float] = time.monotonic,
        replay_s: float = 0.0,
    ) -> Self:
        """Read ``directory`` from where the cursor in ``state`` stands.

        What is acknowledged within ``replay_s`` before the last time can be rewound by a later
        reader of the same state.

        Without a cursor reading starts at the beginning: what retention has removed since is a
        gap. Nothing is written in ``directory``.
        """
        return cls(directory, state, files, clock_s, replay_s)

    def read(self, lane: Lane, max_frames: int = 64, max_bytes: int = 1 << 20) -> list[Item]:
        """Return the next items of ``lane``, each once between rewinds; none where none is.

        Of what is acknowledged already nothing is returned, also not a part of a frame. The
        last frame may exceed ``max_bytes``.

        Raises:
            SpoolUnusable: the spool is of a newer format.
        """
        return self._lanes[lane].read(max_frames, max_bytes)

    async def split(self, lane: Lane, cut_ns: int) -> None:
        """Let `read` go on with what was spooled at ``cut_ns`` or later, `read_behind` before.

        For right after a `rewind`. Nothing happens where there is nothing older to be read.
        """
        await self._lanes[lane].split(cut_ns)

    def read_behind(self, lane: Lane, max_frames: int = 64, max_bytes: int = 1 << 20) -> list[Item]:
        """Return the next items of what `split` left behind; none once all was returned.

        Raises:
            SpoolUnusable: the spool is of a newer format.
        """
        return self._lanes[lane].read_behind(max_frames, max_bytes)

    def live_from(self, lane: Lane) -> Place | None:
        """Return where `read` went on after a split, or None once nothing is left behind."""
        return self._lanes[lane].live_from

    def backlog(self, lane: Lane) -> int:
        """Return how many samples are still to be read behind."""
        return self._lanes[lane].backlog

    def show_acknowledged(self) -> None:
        """Hand out what is acknowledged as well, as `Passed`, from the next rewind on."""
        for reader in self._lanes.values():
            reader.acked = Acked.SHOWN

    def is_dry(self, lane: Lane) -> bool:
        """Tell whether the last `read` of ``lane`` came to the end of what there was."""
        return self._lanes[lane].dry

    def acknowledge(self, lane: Lane, epoch: int, first: int, count: int) -> None:
        """Take ``count`` samples from ``first`` on as done with: a frame's, or a gap's."""
        self._cursors[lane].acknowledge(epoch, first, first + count)
        self._acknowledged_s = self._clock_s()
        self._since_kept += 1
        if self._since_kept >= SAVE_AFTER:
            self._keep_unsynced()

    def is_acknowledged(self, lane: Lane, epoch: int, seq: int) -> bool:
        """Tell whether a sample is done with."""
        return self._cursors[lane].has(epoch, seq)

    def has_come_back(self, lane: Lane) -> bool:
        """Tell whether reading is where a reader of the same state was before, or further.

        A failing disk may show less of a spool for a while than it did.
        """
        return self._lanes[lane].at >= self._cursors[lane].brought

    def complete_through(self, lane: Lane) -> Place:
        """Return the epoch and the sequence number below which all is acknowledged."""
        return self._cursors[lane].floor

    def rewind(self, seconds: float = 0.0, under_way: Iterable[Span] = ()) -> None:
        """Read again what is not acknowledged, and what was just before that.

        What is ``under_way`` is left out.

        ``seconds`` go back from the last acknowledgement, however long ago that was: it is the
        newest that may be forgotten. A second rewind takes nothing more back.
        """
        if seconds:
            for cursor in self._cursors.values():
                cursor.rewind(self._acknowledged_s - seconds)
            self._keep_unsynced()
        spans = list(under_way)
        for lane, reader in self._lanes.items():
            self._cursors[lane].leave(span[1:] for span in spans if span[0] is lane)
            reader.rewind()

    def flush(self) -> None:
        """Write the cursor to the disk where it has moved; a failure becomes a remark."""
        if self._moved():
            self._kept(saved=self._save_alone(self._spelled()))

    async def keep(self) -> None:
        """Do the same off the event loop, which a slow disk must not hold up."""
        if self._moved():
            text = self._spelled()
            self._kept(saved=await asyncio.to_thread(self._save_alone, text))

    def _spelled(self) -> bytes:
        since_s = self._acknowledged_s - self._replay_s if self._replay_s else math.inf
        return self._file.spelled(self._cursors, since_s)

    def _moved(self) -> bool:
        """Tell whether a cursor moved since it was last asked."""
        moved = any(cursor.changed for cursor in self._cursors.values())
        for cursor in self._cursors.values():
            cursor.changed = False
        return moved

    def _save_alone(self, text: bytes) -> bool:
        with self._saving:
            return self._file.save(text)

    def _kept(self, *, saved: bool) -> None:
        """Take note; what could not be synced is at least where a kill does not reach it."""
        if not saved:
            self._keep_unsynced()
        for cursor in self._cursors.values():
            cursor.changed = cursor.changed or not saved
        before, self._unsaved = self._unsaved, "" if saved else self._file.problem
        if self._unsaved and self._unsaved != before:
            self._remarks.append(self._unsaved)
        elif before and not self._unsaved:
            self._remarks.append("The cursor is saved again.")

    @property
    def unsaved(self) -> str:
        """Why the cursor could not be saved: a sentence, or nothing where it was."""
        return self._unsaved

    def _keep_unsynced(self) -> None:
        """Write the cursor where a kill of this process does not reach."""
        self._since_kept = 0
        self._file.save_unsynced(self._spelled())

    def newest_live(self) -> Live | None:
        """Return the newest sign of life of the field side, or None before the first.

        Raises:
            SpoolUnusable: the spool is of a newer format.
        """
        return self._live.newest()

    def governing(self) -> Governing | None:
        """Return the newest catalog in the spool, also where reading has not come to it yet.

        Raises:
            SpoolUnusable: the spool is of a newer format.
        """
        return self._ahead.newest()

    def unread(self, lane: Lane) -> Unread:
        """Return what of ``lane`` is not read yet, as far as the sizes of files tell."""
        return Unread(self._lanes[lane].unread_bytes, self._cursors[lane].last_ns)

    def nudge(self) -> None:
        """Let `changed` return at once, now or when it is next called."""
        if self._watch is not None:
            self._watch.nudge()

    async def changed(self, timeout_s: float) -> None:
        """Return once the spool has changed since the last call, or ``timeout_s`` passed.

        The first call returns at once: what changed before it nobody has watched.
        """
        if self._watch is None:
            self._watch = Watch(self._logs, self._files)
        else:
            await self._watch.changed(timeout_s)

    def remarks(self) -> list[str]:
        """Return, once each, what a person should be told of: sentences."""
        found = [
            *self._remarks,
            *(text for lane in self._lanes.values() for text in lane.remarks()),
        ]
        self._remarks.clear()
        return found

    def obstacle(self) -> str:
        """Return why the spool cannot be read now: a sentence, or nothing."""
        try:
            for directory in self._logs:
                self._files.names(directory)
        except FileNotFoundError as error:
            return f"{error.filename} is not there; `otgate run` of the field side makes it."
        except OSError as error:
            return f"{error.filename} cannot be read: {why(error, Path(error.filename), Use.READ)}."
        return ""

    def close(self) -> None:
        """Save the cursor and give all files back."""
        self.flush()
        for lane in self._lanes.values():
            lane.close()
        if self._watch is not None:
            self._watch.close()
