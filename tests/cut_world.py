"""A spool's whole life on a disk that may be cut, and what must hold after every cut."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from cut_disk import CutDisk, Fault, Names, Tails, Trouble
from otgate.errors import SpoolUnusable
from otgate.model import Lane, ValueType
from otgate.spool.frame import GAP, good_bodies, span
from otgate.spool.items import Epoch, Frame, Gap, Item
from otgate.spool.ranges import Ranges
from otgate.spool.reader import SpoolReader
from otgate.spool.segment import PEEK_BYTES, Log, SegmentId, Start, header_length, peek, segments
from otgate.spool.segment_log import Limits
from otgate.spool.writer import Drive, Pace, Retention, SpoolWriter
from spools import NOW_NS, acknowledge, batch, catalog, count

SPOOL, STATE, OTHER_STATE = Path("/site/spool/c"), Path("/site/state/bus/c"), Path("/other/c")
LASTS: list[object] = []
STEPPED = Pace(sync_s=float("inf"), retry_s=0.0)
FOR_EVER_NS = 1 << 62
AMPLE = Retention(1 << 40, FOR_EVER_NS)
CATALOG = catalog(20)
MOST_CALLS = 400

Numbers = dict[int, Ranges]
"""Sequence numbers by epoch."""


class Tight(Retention):
    """Small segments, so that short histories have many."""

    @property
    def limits(self) -> Limits:
        return Limits(self.size_bytes // 4, float("inf"))


class Violation(AssertionError):
    """A promise was broken."""


def promise(kept: object, text: str, *what: object) -> None:
    """Raise where nothing is ``kept``; only then ``what`` is spelled."""
    if not kept:
        raise Violation(text.format(*what))


class Sample(NamedTuple):
    """One sample as it was appended."""

    value: object
    index: int
    received_ns: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment as this module, and not the product, reads it."""

    start: Start
    frames: Sequence[tuple[int, int]]
    gaps: Sequence[tuple[int, int]]

    @property
    def end(self) -> int:
        return max((seq + n for seq, n in (*self.frames, *self.gaps)), default=self.start.first_seq)


@lru_cache(4096)
def parsed(log: Log, segment: SegmentId, data: bytes) -> Segment:
    start = peek(log, segment, data[:PEEK_BYTES])
    body = data[header_length(data) :]
    good = good_bodies(body, segment.seed(log), len(body))
    spans = [(bytes(body[:1]), span(body)) for body in good.bodies]
    frames = [at for kind, at in spans if at and kind[0] != GAP]
    return Segment(start, frames, [at for kind, at in spans if at and kind[0] == GAP])


def held(disk: CutDisk, lane: Lane) -> list[Segment]:
    """Return the segments of a lane, in order."""
    contents = disk.contents(f"{SPOOL}/{lane}")
    return [parsed(Log(lane), each, contents[each.name]) for each in segments(contents)]


def readable(found: Iterable[Segment]) -> Numbers:
    numbers: Numbers = defaultdict(Ranges)
    for segment in found:
        for seq, n in segment.frames:
            numbers[segment.start.id.epoch].add(seq, seq + n)
    return numbers


def announced(found: Iterable[Segment]) -> Numbers:
    numbers: Numbers = defaultdict(Ranges)
    for segment in found:
        for seq, n in segment.gaps:
            numbers[segment.start.id.epoch].add(seq, seq + n)
    return numbers


def size(ranges: Iterable[tuple[int, int]]) -> int:
    return sum(stop - start for start, stop in ranges)


class Books:
    """What has been appended, confirmed, dropped, removed, read and acknowledged so far."""

    def __init__(self) -> None:
        self.given: dict[Lane, dict[int, list[Sample]]] = {lane: {} for lane in Lane}
        self.confirmed: dict[Lane, dict[int, int]] = {lane: {} for lane in Lane}
        self.dropped: dict[Lane, Numbers] = {lane: defaultdict(Ranges) for lane in Lane}
        self.removed: dict[Lane, Numbers] = {lane: defaultdict(Ranges) for lane in Lane}
        self.published: dict[Lane, Numbers] = {lane: defaultdict(Ranges) for lane in Lane}
        self.acked: dict[Lane, Numbers] = {lane: defaultdict(Ranges) for lane in Lane}

    def begin(self, epoch: int) -> None:
        for lane in Lane:
            newest = max((e for e, done in self.published[lane].items() if list(done)), default=0)
            promise(epoch > newest, "epoch {} begins though {} was published", epoch, newest)
            self.given[lane][epoch] = []
            for numbers in (self.dropped, self.removed):
                numbers[lane].pop(epoch, None)  # of an attempt that left nothing

    def check(self, frame: Frame) -> None:
        """Check that exactly this was appended."""
        given = self.given[frame.lane].get(frame.epoch, [])
        part = given[frame.seq : frame.seq + len(frame.batch)]
        columns = frame.batch.values.tolist(), frame.batch.index.tolist()
        got = [Sample(*row, frame.batch.received_ns) for row in zip(*columns, strict=True)]
        promise(got == part, "{} was never appended", frame)

    def confirm(self, disk: CutDisk, ends: dict[Lane, int], epoch: int) -> None:
        """Take a receipt: everything before ``ends`` is durable."""
        for lane, end in ends.items():
            self.confirmed[lane][epoch] = max(end, self.confirmed[lane].get(epoch, 0))
            found = held(disk, lane)
            there, gone = readable(found)[epoch], announced(found)[epoch]
            for hole in there.missing(0, end):
                for part in gone.missing(*hole):
                    removed = self.removed[lane][epoch].missing(*part)
                    promise(not removed, "a receipt covers {} {} {}", lane, epoch, removed)
            for start, stop in gone:
                dropped = self.dropped[lane][epoch].missing(start, stop)
                promise(not dropped, "a gap covers {}, which found room", dropped)


@dataclass(frozen=True, slots=True)
class Way:
    """How a cut goes, and what happens after it."""

    names: Names
    tails: Tails
    reader_first: bool = False
    clock_ns: int = NOW_NS


class World:
    """One writer, one reader, one disk. ``at_change`` is called after all that the writer does."""

    def __init__(self, retention: Retention = AMPLE, buffer_bytes: int = 60_000) -> None:
        self.books = Books()
        self.disk = CutDisk()
        self.at_change: Callable[[], None] = lambda: None
        self.clock_ns = NOW_NS
        self.flying: dict[Lane, list[Item]] = {lane: [] for lane in Lane}
        self.flushing = False
        self._retention = retention
        self._buffer_bytes = buffer_bytes
        self._samples = 0
        self._quiet = True
        self.disk.mkdir(Path("/site"))
        self.disk.sync_directory(Path("/"))
        self._attach()
        self.begin_writer()
        self.begin_reader()

    def _attach(self) -> None:
        self.disk.after = self._changed
        self.disk.unlinked = self._unlinked

    def _changed(self) -> None:
        if not self._quiet:
            self._quiet = True
            try:
                self.at_change()
            finally:
                self._quiet = False

    def _unlinked(self, path: str, data: bytes) -> None:
        _, _, lane, name = path.rsplit("/", 3)
        if lane in {"data", "event"} and name.endswith(".seg"):
            (segment,) = segments([name])
            found = parsed(Log(lane), segment, data)
            for seq, n in (*found.frames, *found.gaps):
                self.books.removed[Lane(lane)][segment.epoch].add(seq, seq + n)

    def loud(self) -> None:
        """From now on changes by the writer are told."""
        self._quiet = False

    def hush(self) -> None:
        self._quiet = True

    # what the field side does

    def begin_writer(self) -> None:
        """Start a writer in the place of the one before, which was killed or has closed."""
        self.disk.kill()
        try:
            self.writer = self._writer(self.disk, self._retention, self.clock_ns)
        except SpoolUnusable:
            promise(self.disk.faults, "a writer does not begin")
            self.cure()
            self.writer = self._writer(self.disk, self._retention, self.clock_ns)
        self.books.begin(self.writer.epoch)

    def _writer(self, disk: CutDisk, retention: Retention, clock_ns: int) -> SpoolWriter:
        return SpoolWriter.open(
            SPOOL,
            CATALOG,
            retention,
            files=disk,
            clock=lambda: clock_ns,
            pace=STEPPED,
            buffer_bytes=self._buffer_bytes,
            drive=Drive.HAND,
        )

    def append(self, lane: Lane, samples: int, text_bytes: int = 0) -> None:
        given = self.books.given[lane][self.writer.epoch]
        first, seq = self._samples, len(given)
        self._samples += samples
        rows = self._append(self.writer, lane, first, samples, text_bytes)
        dropped = self.writer.status().dropped[lane]
        given += rows
        if dropped > size(self.books.dropped[lane][self.writer.epoch]):
            self.books.dropped[lane][self.writer.epoch].add(seq, seq + samples)

    @staticmethod
    def _append(
        writer: SpoolWriter, lane: Lane, first: int, samples: int, text_bytes: int = 0
    ) -> list[Sample]:
        numbers = range(first, first + samples)
        index = np.arange(samples, dtype=np.int32) + first % 2
        if text_bytes:
            kind, values = ValueType.TEXT, [f"{n}".ljust(text_bytes, ".") for n in numbers]
            writer.append(lane, batch(values, kind, index=index, received_ns=NOW_NS + first))
        else:
            values = [float(n) for n in numbers]  # type: ignore[misc]
            writer.append(lane, batch(values, index=index, received_ns=NOW_NS + first))
        return [
            Sample(value, int(at), NOW_NS + first)
            for value, at in zip(values, index.tolist(), strict=True)
        ]

    def ask(self) -> None:
        """Ask for a receipt for everything so far."""
        epoch = self.writer.epoch
        ends = {lane: len(self.books.given[lane][epoch]) for lane in Lane}
        disk = self.disk
        ticket = self.writer._committer.ticket
        self.writer.wait_durable(ticket, lambda: self.books.confirm(disk, ends, epoch))

    def live(self) -> None:
        self.writer.live({"f3": "good"})

    def cycle(self) -> None:
        self.writer.cycle()

    def close_writer(self) -> None:
        self.writer.close()

    def fail(self, operation: str, fault: Fault, grace: int = 0, times: int = 1 << 30) -> None:
        self.disk.faults[operation] = Trouble(fault, grace, times)

    def cure(self) -> None:
        self.disk.faults.clear()

    # what the bus side does

    def begin_reader(self) -> None:
        self.reader = SpoolReader.open(SPOOL, STATE, files=self.disk, clock_s=self._clock_s)
        self.flying = {lane: [] for lane in Lane}

    def _clock_s(self) -> float:
        return self._samples / 10

    def read(self, lane: Lane, frames: int = 64) -> None:
        for item in self.reader.read(lane, max_frames=frames):
            if isinstance(item, Frame):
                self.books.check(item)
                self.books.published[lane][item.epoch].add(item.seq, item.seq + count(item))
            if isinstance(item, Frame | Gap):
                self.flying[lane].append(item)

    def acknowledge(self, lane: Lane, most: int = 1 << 30) -> None:
        done, self.flying[lane] = self.flying[lane][:most], self.flying[lane][most:]
        acknowledge(self.reader, done)
        for item in done:
            if isinstance(item, Frame | Gap):
                self.books.acked[lane][item.epoch].add(item.seq, item.seq + count(item))

    def follow(self) -> None:
        """Read and acknowledge all there is."""
        for lane in Lane:
            self.read(lane)
            self.acknowledge(lane)

    def flush(self) -> None:
        self.flushing = True
        try:
            self.reader.flush()
        finally:
            self.flushing = False

    def rewind(self, seconds: float) -> None:
        self.reader.rewind(seconds)
        self.flying = {lane: [] for lane in Lane}

    # the cut

    def cut(self, way: Way, rng: Random) -> None:
        """Cut the power for good: go on with what is left."""
        self.disk = self.disk.cut(way.names, way.tails, rng)
        self._attach()
        self.clock_ns = way.clock_ns
        if way.reader_first:
            self.begin_reader()
            self.follow()
        self.begin_writer()
        if not way.reader_first:
            self.begin_reader()

    def check(self, way: Way, rng: Random) -> None:
        """See what a cut now would leave, and go on as before."""
        disk = self.disk.cut(way.names, way.tails, rng)
        LASTS[:] = [disk, way]
        check_cut(self.books, self.disk, disk, way, self._writer)


Open = Callable[[CutDisk, Retention, int], SpoolWriter]


def check_cut(books: Books, before: CutDisk, disk: CutDisk, way: Way, open_: Open) -> None:
    """Check every promise on ``disk``, which a cut has left of ``before``."""
    left = {lane: held(disk, lane) for lane in Lane}
    for lane in Lane:
        _nothing_confirmed_is_lost(books, held(before, lane), left[lane], lane)
    old = {(log, *each) for log in Log for each in disk.contents(f"{SPOOL}/{log}").items()}
    after = After(books, disk)
    if way.reader_first:
        after.follow()
    writer = open_(disk, AMPLE, way.clock_ns)
    for lane in Lane:
        published = (e for e, done in books.published[lane].items() if list(done))
        promise(writer.epoch > max(published, default=0), "epoch {} once more", writer.epoch)
    receipts: list[int] = []
    for lane in Lane:
        after.given[lane, writer.epoch] = World._append(writer, lane, 0, 1)
    writer.wait_durable(2, lambda: receipts.append(2))
    writer.cycle()
    promise(receipts, "no receipt in one cycle after the cut")
    writer.close()
    after.follow()
    new = {(log, *each) for log in Log for each in disk.contents(f"{SPOOL}/{log}").items()}
    changed = [each for each in old - new if each[1].endswith(".seg") and each[0] is not Log.LIVE]
    promise(not changed, "an old segment is not what it was")
    for lane in Lane:
        after.account(lane, left[lane], held(disk, lane))
    calls = disk.calls.total()
    most = MOST_CALLS + 40 * len(old)
    promise(calls < most, "recovery takes {} calls, for {} files", calls, len(old))


def _nothing_confirmed_is_lost(
    books: Books, before: list[Segment], left: list[Segment], lane: Lane
) -> None:
    there, gaps = readable(left), announced(left)
    was, told = readable(before), announced(before)
    for epoch, end in books.confirmed[lane].items():
        for part, kept in ((was, (there,)), (told, (there, gaps))):
            for start, stop in part.get(epoch, ()):
                lost = [(start, min(stop, end))]
                for numbers in kept:
                    lost = [hole for part in lost for hole in numbers[epoch].missing(*part)]
                promise(not lost, "{} {} {} was called durable and is lost", lane, epoch, lost)


class Stand(NamedTuple):
    """Where a cursor stands: its epoch, the samples before that, and what is acknowledged of it."""

    epoch: int
    base: int
    acked: Sequence[tuple[int, int]]

    def count(self, later: Start | None) -> int:
        """Count what is done with, without what a cut took although it was acknowledged."""
        end = max((stop for _, stop in self.acked), default=0)
        if later is not None:
            skipped = 0 if later.previous_epoch == self.epoch else later.previous_end
            end = later.epoch_base - skipped - self.base
        return self.base + sum(max(min(stop, end) - start, 0) for start, stop in self.acked)


@dataclass(slots=True)
class After:
    """What readers make of a disk after a cut."""

    books: Books
    disk: CutDisk
    given: dict[tuple[Lane, int], list[Sample]] = field(default_factory=dict)
    items: dict[Lane, list[Item]] = field(default_factory=lambda: {lane: [] for lane in Lane})
    reader: SpoolReader = field(init=False)
    fresh: SpoolReader = field(init=False)
    stood: dict[Lane, Stand] = field(init=False)
    scattered: dict[Lane, bool] = field(init=False)
    """Whether anything beyond the epoch where the cursor stands is acknowledged."""

    def __post_init__(self) -> None:
        self.reader = SpoolReader.open(SPOOL, STATE, files=self.disk)
        self.fresh = SpoolReader.open(SPOOL, OTHER_STATE, files=self.disk)
        self.stood = {lane: self._stand(lane) for lane in Lane}
        self.scattered = {
            lane: any(
                e > self.stood[lane].epoch and list(ranges) for e, ranges in cursor._acked.items()
            )
            for lane, cursor in self.reader._cursors.items()
        }

    def _stand(self, lane: Lane) -> Stand:
        cursor = self.reader._cursors[lane]
        epoch = cursor.floor.epoch
        return Stand(epoch, cursor.base(epoch), list(cursor._acked[epoch]))

    def follow(self) -> None:
        for lane in Lane:
            self.items[lane] += _all(self.reader, lane)

    def account(self, lane: Lane, left: list[Segment], found: list[Segment]) -> None:
        there = readable(found)
        items = self.items[lane]
        got = self._walked(lane, items, there)
        for epoch, ranges in there.items():
            for start, stop in ranges:
                for part in got[epoch].missing(start, stop):
                    skipped = self.books.acked[lane][epoch].missing(*part)
                    if skipped and self._came_back(lane, epoch, skipped):
                        continue
                    promise(not skipped, "the reader skips {} {} {}", lane, epoch, skipped)
        remarks = self.reader.remarks()
        promise(not remarks, "the reader remarks {}", remarks)
        self._fresh(lane, there, found[-1].start, left)
        self._sum(lane, items, found)

    def _came_back(self, lane: Lane, epoch: int, parts: list[tuple[int, int]]) -> bool:
        """Tell whether these were removed, and so passed over as a gap, before the cut."""
        removed = self.books.removed[lane][epoch]
        behind = epoch < self.stood[lane].epoch
        return behind and not any(removed.missing(*part) for part in parts)

    def _fresh(self, lane: Lane, there: Numbers, last: Start, left: list[Segment]) -> None:
        """A reader that has never read accounts for every sample there ever was, once."""
        items = _all(self.fresh, lane)
        got = self._walked(lane, items, there)
        for epoch, ranges in there.items():
            promise(got[epoch] == ranges, "of {} {} {} is read", lane, epoch, list(got[epoch]))
        total = sum(map(count, items))
        before = last.epoch_base + 1
        promise(
            total == before, "{}: {} samples and gaps where {} are counted", lane, total, before
        )
        if left:
            was = left[-1].start
            end = max(each.end for each in left if each.start.id.epoch == was.id.epoch)
            told = last.previous_epoch, last.previous_end, last.epoch_base
            known = told == (was.id.epoch, end, was.epoch_base + end)
            promise(
                known or self._tallied(last, was.id.epoch, end, lane),
                "{} goes on at {}",
                lane,
                told,
            )

    def _tallied(self, last: Start, epoch: int, end: int, lane: Lane) -> bool:
        """Tell whether a tally knew more than can be read, and not more than there was."""
        given = len(self.books.given[lane].get(last.previous_epoch, ()))
        if last.previous_epoch == epoch:
            return bool(last.dropped_before) and end <= last.previous_end <= given
        return last.previous_epoch > epoch and last.previous_end <= given

    def _sum(self, lane: Lane, items: list[Item], found: list[Segment]) -> None:
        """The reader's own count holds too, but for what was published and then lost.

        How much that is cannot be told of epochs beyond the one where the cursor stands.
        """
        if self.scattered[lane]:
            return
        stood = self.stood[lane]
        later = next((s.start for s in found if s.start.id.epoch > stood.epoch), None)
        total = stood.count(later) + sum(map(count, items))
        whole = total == found[-1].start.epoch_base + 1
        promise(whole, "{} counts {} from {}: {}", lane, total, stood, items)

    def _walked(self, lane: Lane, items: list[Item], there: Numbers) -> Numbers:
        """Check order, content and gaps; return what was read."""
        got: Numbers = defaultdict(Ranges)
        at = (0, 0)
        for item in items:
            if isinstance(item, Epoch):
                promise(item.epoch > at[0] or at == (0, 0), "{} after {}", item, at)
                continue
            promise((item.epoch, item.seq) >= at, "{} after {}", item, at)
            stop = item.seq + count(item)
            at = (item.epoch, stop)
            if isinstance(item, Frame):
                self._check(item)
                got[item.epoch].add(item.seq, stop)
            else:
                whole = there[item.epoch].missing(item.seq, stop) == [(item.seq, stop)]
                promise(whole, "{} covers what can be read", item)
        return got

    def _check(self, frame: Frame) -> None:
        mine = self.given.get((frame.lane, frame.epoch))
        if mine is None:
            self.books.check(frame)
        else:
            promise(frame.batch.values.tolist() == [mine[0].value], "{} is invented", frame)


def _all(reader: SpoolReader, lane: Lane) -> list[Item]:
    items: list[Item] = []
    for _ in range(1000):
        got = reader.read(lane)
        if not got:
            return items
        items += got
    raise Violation("the reader does not come to an end")
