"""The reading end of a private spool: hands out what has waited long enough.

Everything here may wait for a disk, so it is called on a thread, by one at a time.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import structlog

from otgate.app.delay.clock import DelayClock
from otgate.app.delay.journal import Journal, Sending, Sent
from otgate.app.delay.places import places, rounding
from otgate.model import Batch, Index, Lane
from otgate.publish.coarsening import Coarser
from otgate.spool.catalog import Catalog
from otgate.spool.cursor import LaneCursor
from otgate.spool.files import Files
from otgate.spool.items import Epoch, Frame, Gap, GapReason, Item, Passed
from otgate.spool.lane_reader import LaneReader
from otgate.spool.recovery import end_of
from otgate.spool.segment import Log, SegmentId
from otgate.spool.shelf import Catalogs, Shelf
from otgate.spool.state_file import StateFile
from otgate.spool.writer import SpoolWriter

READ_FRAMES, READ_BYTES = 1000, 512 << 10
"""Of a lane held in memory at a time, and so handed on at a time."""

JOURNAL = "released.json"

log = structlog.get_logger()


class Exit(NamedTuple):
    """Where what has waited goes: the spool of a conduit, and what may cross that now."""

    directory: Path
    spool: SpoolWriter
    catalog: Catalog


class Lost(NamedTuple):
    """Samples that were lost while they waited."""

    samples: int
    from_ns: int
    to_ns: int


class Due(NamedTuple):
    """An item, and since when it has waited."""

    since_ns: int
    item: Frame | Gap


class Mapped(NamedTuple):
    """What becomes of samples of an older catalog under the newest."""

    older: Catalog
    newest: Catalog
    numbers: Index | None
    coarser: Coarser | None


@dataclass(slots=True)
class Release:
    """What has waited long enough, as its exit takes it."""

    exit: Exit
    parts: list[tuple[Lane, Batch | Lost]] = field(default_factory=list)
    starts: dict[Lane, int] = field(default_factory=lambda: dict.fromkeys(Lane, 0))
    sent: dict[Lane, list[Sent]] = field(default_factory=lambda: {lane: [] for lane in Lane})
    withheld: int = 0
    """Samples that may not cross any more."""
    next_ns: int = 0
    """When there may be more."""
    landed: bool = False
    """Whether its exit has all of it on the disk."""

    def land(self) -> None:
        """Take note that the exit has it."""
        self.landed = True

    @property
    def sending(self) -> Sending:
        """What the journal says of it."""
        return Sending(self.exit.spool.epoch, self.starts, self.sent)


class Waiting:
    """Both lanes of a private spool, in order, from where its journal stands."""

    def __init__(self, directory: Path, files: Files, clock: DelayClock) -> None:
        self._clock = clock
        self._files = files
        self._journal = Journal(StateFile(directory / JOURNAL, files))
        self._unsaved = False
        self._landed: Sending | None = None
        """What landed and is not noted yet."""
        self._cursors = {lane: LaneCursor() for lane in Lane}
        catalogs = Catalogs()
        self._readers = {
            lane: LaneReader(lane, Shelf(files, directory / lane, Log(lane), catalogs), cursor)
            for lane, cursor in self._cursors.items()
        }
        self._read: dict[Lane, deque[Due]] = {lane: deque() for lane in Lane}
        self._read_at_ns = dict.fromkeys(Lane, 0)
        """What has come to a lane since then was not there when it was read."""
        self._mapped: dict[Lane, Mapped] = {}
        self._began_ns = clock.now_ns()
        self._first_epoch = 0
        self.needs = {lane: SegmentId(0, 0) for lane in Lane}
        """The oldest segment of each lane that is still to be read, or was read and not landed."""

    def begin(self, epoch: int, exit_directory: Path) -> None:
        """Go on where the last process ended; ``epoch`` is the first that this one writes."""
        self._first_epoch = epoch
        try:
            last = self._journal.load(self._cursors)
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning(
                "delay_journal_unreadable",
                path=self._journal.path,
                error=str(error),
                so="what is on the disk is released again",
            )
            for lane, cursor in self._cursors.items():
                cursor.clear()
                self._readers[lane].forgive()
            return
        if last is None:
            self._note(Sending(0, {}, {}))  # a file on a disk that may be full later
        else:
            self._recover(last, exit_directory)
        self.again()

    def done(self, lane: Lane) -> int:
        """Return how many samples of a lane are done with, of all there ever were."""
        cursor = self._cursors[lane]
        return cursor.base(cursor.floor.epoch) + cursor.floor.seq

    def take(self, exit_: Exit, now_ns: int, delay_ns: int) -> Release:
        """Return what waits since ``delay_ns`` ago or longer, and take note of it.

        Raises:
            SpoolUnusable: what waits is of a newer format.
        """
        release = Release(exit_)
        release.next_ns = min(
            self._take_lane(lane, release, now_ns, delay_ns) for lane in (Lane.EVENT, Lane.DATA)
        )
        if any(release.sent.values()):
            self._note(release.sending)
        elif self._landed is not None:
            self._note(self._landed)
        self._landed = None
        return release

    def settle(self, release: Release) -> None:
        """Be done with what was handed on; what did not arrive is handed out again."""
        if release.landed:
            for lane, sent in release.sent.items():
                self._acknowledge(lane, sent)
            self._landed = Sending(release.exit.spool.epoch, {}, {})
            return
        self._recover(release.sending, release.exit.directory)
        self.again()

    def again(self) -> None:
        """Hand out again what is not done with."""
        for lane, reader in self._readers.items():
            reader.rewind()
            self._read[lane].clear()

    def close(self) -> None:
        """Give all files back."""
        for reader in self._readers.values():
            reader.close()

    def _take_lane(self, lane: Lane, release: Release, now_ns: int, delay_ns: int) -> int:
        """Add what is due of a lane to ``release``; return when there may be more."""
        read, reader = self._read[lane], self._readers[lane]
        if not read:
            self._fill(lane, now_ns)
        release.starts[lane] = release.exit.spool.next_seq(lane)
        while read and read[0].since_ns + delay_ns <= now_ns:
            item = read.popleft().item
            part = self._part(item, release.exit.catalog)
            count = count_of(item)
            crossing = part.samples if isinstance(part, Lost) else len(part)
            if crossing:
                release.parts.append((lane, part))
            release.sent[lane].append(Sent(item.epoch, item.seq, count, crossing))
            release.withheld += count - crossing
        if read:
            return read[0].since_ns + delay_ns
        return self._read_at_ns[lane] + delay_ns if reader.dry else now_ns

    def _fill(self, lane: Lane, now_ns: int) -> None:
        """Read on. Nothing of the lane is in memory, so what was read before is needed no more."""
        reader = self._readers[lane]
        self._read_at_ns[lane] = now_ns
        self.needs[lane] = reader.standing or self.needs[lane]
        items: list[Item] = reader.read(READ_FRAMES, READ_BYTES)
        while items and isinstance(items[-1], Gap) and not reader.dry:
            items += reader.read(1, READ_BYTES)  # a loss waits as long as what follows it
        self._read[lane].extend(reversed(list(self._dated(items))))
        for remark in reader.remarks:
            log.warning("delay_spool", remark=remark)
        reader.remarks.clear()

    def _dated(self, items: Sequence[Item]) -> Iterator[Due]:
        """Yield the last first, each with the time since which it has waited."""
        since_ns = self._clock.now_ns()
        for item in reversed(items):
            if isinstance(item, Epoch | Passed):
                continue
            if isinstance(item, Frame):
                since_ns = item.spooled_ns
            if item.epoch < self._first_epoch:  # it was there when this process began
                since_ns = min(since_ns, self._began_ns)
            yield Due(since_ns, item)

    def _part(self, item: Frame | Gap, newest: Catalog) -> Batch | Lost:
        if isinstance(item, Gap):
            return self._lost(item)
        mapped = self._mapped.get(item.lane)
        if mapped is None or mapped.older is not item.catalog or mapped.newest is not newest:
            found = places(item.catalog, newest), rounding(item.catalog, newest)
            mapped = self._mapped[item.lane] = Mapped(item.catalog, newest, *found)
        batch = item.batch if mapped.coarser is None else mapped.coarser.rounded(item.batch)
        if mapped.numbers is None:
            return batch
        batch = batch.renumbered(mapped.numbers.take(batch.index))
        return batch.kept(batch.index >= 0)

    def _lost(self, gap: Gap) -> Lost:
        """Return a loss by the system's clock: one that was found by arithmetic is not."""
        if gap.reason is GapReason.DROPPED and not gap.at_least:
            return Lost(gap.count, gap.from_ns, gap.to_ns)
        return Lost(gap.count, *map(self._clock.unix_ns, (gap.from_ns, gap.to_ns)))

    def _acknowledge(self, lane: Lane, sent: Iterable[Sent]) -> None:
        for epoch, seq, samples, _ in sent:
            self._cursors[lane].acknowledge(epoch, seq, seq + samples)

    def _recover(self, last: Sending, directory: Path) -> None:
        """Be done with what of ``last`` is in the spool that it was sent to."""
        for lane in last.lanes:
            end = end_of(self._files, directory / lane, Log(lane), last.epoch)
            self._acknowledge(lane, last.arrived(lane, end))

    def _note(self, about: Sending) -> None:
        try:
            self._journal.save(self._cursors, about)
        except OSError as error:
            if not self._unsaved:
                log.warning(
                    "delay_journal_unsaved",
                    path=self._journal.path,
                    error=error.strerror,
                    so="a restart would release again what is released meanwhile",
                )
            self._unsaved = True
        else:
            self._unsaved = False


def count_of(item: Frame | Gap) -> int:
    """Return how many samples an item stands for."""
    return item.count if isinstance(item, Gap) else len(item.batch)
