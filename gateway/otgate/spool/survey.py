"""What lies in a spool: told from its headers and the ends of its epochs, without a trace."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from otgate.errors import SpoolUnusable
from otgate.model import Lane
from otgate.spool.ahead import Ahead
from otgate.spool.catalog import Catalog
from otgate.spool.cursor import CursorFile, LaneCursor, Place
from otgate.spool.files import OS, Files
from otgate.spool.frame import unpack
from otgate.spool.items import Frame, Gap
from otgate.spool.lane_reader import LaneReader
from otgate.spool.recovery import start_of
from otgate.spool.segment import Damaged, Log, SegmentId, Start
from otgate.spool.shelf import BLOCK_BYTES, Catalogs, Opened, Shelf

MOST_FRAMES = 1024
"""Read at a time; of them the last one is looked at."""
LATELY_NS = 24 * 3600 * 10**9
"""How far back what was written says how much is written."""
LEAST_NS = 60 * 10**9
"""A rate over less is none."""


class End(NamedTuple):
    """Where the samples of a segment end, and when the last of them was spooled."""

    seq: int
    ns: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One file; ``start`` is None where its header is damaged."""

    id: SegmentId
    size_bytes: int
    start: Start | None
    end: End
    rest_bytes: int = 0
    """Behind its last good frame; only the last segment of an epoch is read for that."""


@dataclass(frozen=True, slots=True)
class EpochSurvey:
    """What is there of one epoch of a lane; at least one segment with a sound header."""

    epoch: int
    segments: Sequence[Segment]

    @property
    def _sound(self) -> Sequence[tuple[Start, End]]:
        return [(each.start, each.end) for each in self.segments if each.start is not None]

    @property
    def first(self) -> Start:
        """Where it starts, as far as it is there."""
        return self._sound[0][0]

    @property
    def end(self) -> End:
        """Where it ends."""
        return max(end for _, end in self._sound)

    @property
    def samples(self) -> int:
        """How many sequence numbers it spans."""
        return max(self.end.seq - self.first.first_seq, 0)

    @property
    def size_bytes(self) -> int:
        """Of all its segments."""
        return sum(each.size_bytes for each in self.segments)


@dataclass(frozen=True, slots=True)
class Unacknowledged:
    """What a lane's reader has still to do."""

    through: Place
    samples: int
    oldest_ns: int
    """When the oldest of them was spooled; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class LaneSurvey:
    """One lane."""

    lane: Lane
    segments: Sequence[Segment]
    unacknowledged: Unacknowledged | None = None
    """None where no cursor was found."""

    @property
    def epochs(self) -> Sequence[EpochSurvey]:
        """The epochs, oldest first; those of which no header is sound are left out."""
        by_epoch = groupby(self.segments, key=lambda each: each.id.epoch)
        told = [EpochSurvey(epoch, list(group)) for epoch, group in by_epoch]
        return [one for one in told if any(each.start is not None for each in one.segments)]

    @property
    def damaged(self) -> Sequence[str]:
        """The names of files whose header is not sound."""
        return [each.id.name for each in self.segments if each.start is None]

    @property
    def size_bytes(self) -> int:
        """Of all its segments."""
        return sum(each.size_bytes for each in self.segments)


class Rate(NamedTuple):
    """How much was written lately."""

    bytes_per_hour: float
    over_ns: int
    """How long that was looked at."""


@dataclass(frozen=True, slots=True)
class Survey:
    """A whole spool."""

    directory: Path
    lanes: Sequence[LaneSurvey]
    catalog: Catalog | None
    """The newest that can be read."""

    def rate(self) -> Rate | None:
        """Return how much was written within a day of the newest sample; None of too little."""
        written = [
            (each.start.created_ns, each)
            for lane in self.lanes
            for each in lane.segments
            if each.start is not None
        ]
        newest_ns = max((each.end.ns for _, each in written), default=0)
        lately = [(at, each) for at, each in written if at >= newest_ns - LATELY_NS]
        over_ns = newest_ns - min((at for at, _ in lately), default=newest_ns)
        if over_ns < LEAST_NS:
            return None
        size_bytes = sum(each.size_bytes for _, each in lately)
        return Rate(size_bytes * 3600e9 / over_ns, over_ns)


def survey(directory: Path, state: Path | None = None, files: Files = OS) -> Survey:
    """Look at the spool in ``directory``, and at its reader's cursor in ``state``.

    Raises:
        SpoolUnusable: there is no spool, it is of a newer format, or the cursor is no use.
    """
    shelves = {
        lane: Shelf(files, directory / lane, Log(lane), Catalogs())
        for lane in Lane
        if _is_listed(files, directory / lane)
    }
    if not shelves:
        raise SpoolUnusable(f"{directory} is no spool: it has no directory `data` or `event`")
    cursors = {lane: LaneCursor() for lane in Lane}
    known = state is not None and CursorFile(state, files).look(cursors)
    lanes = [
        _lane(lane, shelf, cursors[lane] if known else None) for lane, shelf in shelves.items()
    ]
    governing = Ahead(list(shelves.values())).newest()
    return Survey(directory, lanes, None if governing is None else governing.catalog)


def _is_listed(files: Files, directory: Path) -> bool:
    try:
        files.names(directory)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise SpoolUnusable(f"{directory} cannot be read: {error.strerror}") from error
    return True


def _lane(lane: Lane, shelf: Shelf, cursor: LaneCursor | None) -> LaneSurvey:
    found = shelf.listed()
    starts = [start_of(shelf.files, shelf.directory, shelf.log, each) for each in found]
    looked = [
        Segment(
            each, shelf.size_bytes(each), start, *_end(shelf, each, start, starts[number + 1 :])
        )
        for number, (each, start) in enumerate(zip(found, starts, strict=True))
    ]
    told = LaneSurvey(lane, looked)
    if cursor is None:
        return told
    return LaneSurvey(lane, looked, _unacknowledged(told, shelf, cursor))


def _end(
    shelf: Shelf, segment: SegmentId, start: Start | None, later: Sequence[Start | None]
) -> tuple[End, int]:
    """Return where a segment ends: where the next of its epoch starts, else its last frame.

    Of the latter also how many bytes are behind it.
    """
    if start is None:
        return End(0, 0), 0
    following = next((each for each in later if each is not None), None)
    if following is not None and following.id.epoch == segment.epoch:
        return End(following.first_seq, following.created_ns), 0
    with suppress(OSError, Damaged):
        opened = shelf.opened(segment)
        try:
            end = _last_of(opened, shelf.log)
            return end, max(shelf.size_bytes(segment) - opened.at, 0)
        finally:
            opened.close()
    return End(start.first_seq, start.created_ns), 0


def _last_of(opened: Opened, log: Log) -> End:
    start = opened.start
    end = End(start.first_seq, start.created_ns)
    while bodies := opened.next_bodies(MOST_FRAMES, BLOCK_BYTES).bodies:
        last = unpack(bodies[-1], Lane(log), start.id.epoch, opened.catalog)
        if last is not None:
            end = End(last.seq + count(last), spooled_ns(last))
    return end


def count(item: Frame | Gap) -> int:
    """Return how many samples a frame holds, or a gap stands for."""
    return len(item.batch) if isinstance(item, Frame) else item.count


def spooled_ns(item: Frame | Gap) -> int:
    """Return when a frame was spooled, or a gap had ended."""
    return item.spooled_ns if isinstance(item, Frame) else item.to_ns


def _unacknowledged(told: LaneSurvey, shelf: Shelf, cursor: LaneCursor) -> Unacknowledged:
    """Count by arithmetic what is not acknowledged; read one frame of it for its age."""
    through = cursor.floor
    done = cursor.base(through.epoch) + through.seq + cursor.beyond
    epochs = told.epochs
    ended = epochs[-1].first.epoch_base + epochs[-1].end.seq if epochs else done
    oldest = _next_of(LaneReader(told.lane, shelf, cursor))
    oldest_ns = spooled_ns(oldest) if oldest is not None else 0
    return Unacknowledged(through, max(ended - done, 0), oldest_ns)


def _next_of(reader: LaneReader) -> Frame | Gap | None:
    try:
        while items := reader.read(1, 1):
            for item in items:
                if isinstance(item, Frame | Gap):
                    return item
    finally:
        reader.close()
    return None
