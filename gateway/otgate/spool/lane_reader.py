"""One lane as its reader walks it: from segment to segment, over gaps and epochs."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import Enum

from otgate.model import Lane
from otgate.spool.cursor import LaneCursor, Place
from otgate.spool.entry import BUFFER_BYTES
from otgate.spool.frame import FRAME, sliced, span, unpack
from otgate.spool.head import Head
from otgate.spool.items import Epoch, Frame, Gap, GapReason, Item, Passed
from otgate.spool.segment import Damaged, SegmentId, Start
from otgate.spool.shelf import Opened, Shelf


class Acked(Enum):
    """What becomes of samples that are acknowledged already."""

    SKIPPED = "skipped"
    SHOWN = "shown"
    """As `Passed`."""


class LaneReader:
    """Hands out what is not acknowledged, in order, each item once between rewinds.

    It begins at ``since``, or where the cursor stands.
    """

    def __init__(
        self,
        lane: Lane,
        shelf: Shelf,
        cursor: LaneCursor,
        *,
        since: Head | None = None,
        acked: Acked = Acked.SKIPPED,
    ) -> None:
        self.acked = acked
        self.remarks: list[str] = []
        self.wiped = False
        """Whether the spool was found to have begun again; the cursor stands before everything."""
        self.dry = False
        """Whether the last read ended because there was no more, not because it was enough."""
        self._lane = lane
        self._shelf = shelf
        self._cursor = cursor
        self._opened: Opened | None = None
        self._last: SegmentId | None = None
        self._at = cursor.floor if since is None else since.place
        self._since = since
        self._until: Place | None = None
        self._leads = since is not None
        """Whether it reads ahead of where the cursor will come, and does not say how far."""
        self._last_ns = 0
        """When the last sample walked over was spooled, by a reader that leads."""
        self._announced = False
        self._from_oldest = False
        self._damage = False
        self._looked_back = 0
        """In which epoch, for samples at its end."""

    @property
    def standing(self) -> SegmentId | None:
        """The segment that is read now, or was last; None before the first and after a rewind."""
        return self._last

    @property
    def unread_bytes(self) -> int:
        """What lies beyond where this reads; a segment that is not open counts whole."""
        opened, found = self._opened, self._shelf.listed()
        if opened is not None:
            here = opened.start.id
            started = max(self._shelf.size_bytes(here) - opened.at, 0)
            later: Sequence[SegmentId] = [each for each in found if each > here]
        else:
            started, later = 0, self._later(found)
        return started + sum(map(self._shelf.size_bytes, later))

    def _later(self, found: Sequence[SegmentId]) -> Sequence[SegmentId]:
        """Return the segments that hold what follows, while none is open."""
        last, (epoch, seq) = self._last, self._at
        if last is not None:
            return [each for each in found if each > last]
        first = bisect_left(found, SegmentId(epoch, 0))
        stop = bisect_left(found, SegmentId(epoch + 1, 0))
        place = bisect_right(
            found, seq, first, stop, key=lambda each: self._shelf.first_seq(each, seq + 1)
        )
        return found[max(first, place - 1) :]

    @property
    def at(self) -> Place:
        """Up to where everything was handed out."""
        return self._at

    @property
    def done(self) -> bool:
        """Whether all was handed out that was to be."""
        return self._until is not None and self._at >= self._until

    def read_until(self, place: Place) -> None:
        """Hand out only what is before ``place`` from now on, until the next rewind."""
        self._until = place

    def take_over(self) -> None:
        """Be the one that says how far reading is: what was left behind is read."""
        self._leads = False
        self._cursor.last_ns = max(self._last_ns, self._cursor.last_ns)

    def rewind(self) -> None:
        """Go back to where the cursor stands."""
        self.close()
        self._since = self._until = None
        self._leads = False
        self._last = None
        self._at = self._cursor.floor
        self._announced = False
        self._damage = False
        self._looked_back = 0

    def forgive(self) -> None:
        """Start at the oldest segment without calling what is missing before it a gap."""
        self._from_oldest = True

    def close(self) -> None:
        """Give the open segment back."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def read(self, max_frames: int, max_bytes: int) -> list[Item]:
        """Return the next items; none where there are none now.

        Raises:
            SpoolUnusable: the next segment is of a newer format.
        """
        items: list[Item] = []
        taken_bytes = 0
        self.dry = False
        while not self.done and (
            not items or (len(items) < max_frames and taken_bytes < max_bytes)
        ):
            opened = self._opened or self._enter(items)
            if opened is None or self.done:
                self.dry = True
                break
            room_bytes = max(max_bytes - taken_bytes, FRAME.size)
            good = opened.next_bodies(max(max_frames - len(items), 1), room_bytes)
            for body in good.bodies:
                self._deliver(opened, body, items)
            taken_bytes += good.end
            if not good.bodies and not self._leave(opened):
                self.dry = True
                break
        return items

    def _deliver(self, opened: Opened, body: memoryview, items: list[Item]) -> None:
        spanned = span(body)
        if spanned is not None and sum(spanned) <= self._at.seq:
            return
        item = unpack(body, self._lane, opened.start.id.epoch, opened.catalog)
        if item is None:
            self._damage = True
            return
        if isinstance(item, Frame):
            count, now_ns = len(item.batch.index), item.spooled_ns
        else:
            count, now_ns = item.count, item.to_ns
        if item.seq > self._at.seq:
            self._missed(items, item.seq - self._at.seq, now_ns)
        stop = self._at_most(item.seq + count)
        if stop > self._at.seq:
            missing = self._cursor.missing(item.epoch, self._at.seq, stop)
            if self.acked is Acked.SHOWN and isinstance(item, Frame):
                items += map(Passed, _acked_parts(item, self._at.seq, stop, missing))
            for start, end in missing:
                items.append(_part(item, start, end))
            self._at = Place(item.epoch, stop)
            self._walked(now_ns)

    def _at_most(self, seq: int) -> int:
        """Return ``seq`` of the epoch we stand in, or where reading is to end before."""
        until = self._until
        return seq if until is None or self._at.epoch != until.epoch else min(seq, until.seq)

    def _walked(self, spooled_ns: int) -> None:
        self._last_ns = spooled_ns
        if not self._leads:
            self._cursor.last_ns = spooled_ns

    def _last_or(self, otherwise_ns: int) -> int:
        """Return when the last sample walked over was spooled, or ``otherwise_ns``."""
        return (self._last_ns if self._leads else self._cursor.last_ns) or otherwise_ns

    def _missed(self, items: list[Item], count: int, now_ns: int) -> None:
        """Step over ``count`` samples that are not there, if any."""
        epoch, seq = self._at
        count = self._at_most(seq + count) - seq
        if count <= 0:
            return
        reason = GapReason.DAMAGED if self._damage else GapReason.REMOVED
        from_ns = self._last_or(now_ns)
        gap = Gap(self._lane, epoch, seq, count, from_ns, now_ns, reason)
        self._step_over(gap, items)

    def _step_over(self, gap: Gap, items: list[Item]) -> None:
        stop = gap.seq + gap.count
        items.extend(_part(gap, *part) for part in self._cursor.missing(gap.epoch, gap.seq, stop))
        self._at = Place(gap.epoch, stop)

    def _missed_before(self, start: Start, count: int, after: int, items: list[Item]) -> None:
        """Step over ``count`` samples at an epoch's end; ``after`` more precede ``start``'s epoch.

        The last of them may be known by a tally alone: at least those were dropped.
        """
        dropped = min(max(start.dropped_before - after, 0), max(count, 0))
        self._missed(items, count - dropped, start.created_ns)
        dropped = self._at_most(self._at.seq + dropped) - self._at.seq
        if dropped > 0:
            epoch, seq = self._at
            from_ns = self._last_or(start.created_ns)
            to_ns, reason = start.created_ns, GapReason.DROPPED
            gap = Gap(self._lane, epoch, seq, dropped, from_ns, to_ns, reason, at_least=True)
            self._step_over(gap, items)

    def _leave(self, opened: Opened) -> bool:
        """Leave a segment without further good frames, or wait for it to grow.

        It is finished once a later one exists, and not merely a name of one; what was written
        before that appeared is still to be read, so it is looked at once more.
        """
        if opened.last_look:
            self._damage = self._damage or opened.holds_more
            self.close()
            return True
        found = self._shelf.listed()
        if _began_again(found, opened.start.id):
            self._wiped()
            return True
        later = (each for each in reversed(found) if each > opened.start.id)
        opened.last_look = any(self._shelf.sound(each) for each in later)
        return opened.last_look

    def _enter(self, items: list[Item]) -> Opened | None:
        """Open the next segment that can be; None where there is none yet."""
        waiting = self._next_segments()
        for segment in waiting:
            try:
                opened = self._shelf.opened(segment)
            except FileNotFoundError:
                continue
            except OSError:
                return None
            except Damaged:
                if segment == waiting[-1]:
                    return None
                self._damage = True
                continue
            if self._falls_short(opened.start):
                opened.close()
                self._last = None
                self._looked_back = self._at.epoch
                return self._enter(items)
            if self._since is not None and self._since.segment == segment:
                opened.at = self._since.offset
            self._opened = opened
            self._last = segment
            self._arrive(opened, items)
            return opened
        return None

    def _falls_short(self, start: Start) -> bool:
        """Tell whether more of our epoch was readable than we came by, and may still be.

        After a fault a writer wrote again what the end of an older segment may hold as well. If it
        ended before it was through with that, the older segment is where the samples are.
        """
        epoch, seq = self._at
        short = start.previous_epoch == epoch and start.previous_end > seq
        return short and self._looked_back != epoch

    def _next_segments(self) -> Sequence[SegmentId]:
        found = self._shelf.listed()
        last = self._last
        if last is None:
            return found[self._located(found) :]
        if _began_again(found, last):
            self._wiped()
            return found
        return [each for each in found if each > last]

    def _located(self, found: Sequence[SegmentId]) -> int:
        """Return which of ``found`` to begin with: the one that holds the place we stand at."""
        epoch, seq = self._at
        if found and found[-1].epoch < epoch:
            self._wiped()
            return 0
        place = 0
        for number, segment in enumerate(found):
            if segment.epoch < epoch:
                place = number + 1
            elif segment.epoch == epoch and self._shelf.first_seq(segment, seq + 1) <= seq:
                place = number
        return self._further_back(found, place) if self._looked_back == epoch else place

    def _further_back(self, found: Sequence[SegmentId], place: int) -> int:
        """Return the first segment of our epoch that may hold what was written again later."""
        passed_bytes = 0
        while passed_bytes <= BUFFER_BYTES and place and found[place - 1].epoch == self._at.epoch:
            passed_bytes += self._shelf.size_bytes(found[place]) if place < len(found) else 0
            place -= 1
        return place

    def _wiped(self) -> None:
        self.remarks.append(
            f"The {self._lane} lane of the spool was emptied and begun again; "
            "reading starts at its oldest sample."
        )
        self._cursor.clear()
        self.wiped = True
        self.rewind()

    def _arrive(self, opened: Opened, items: list[Item]) -> None:
        """Account for what lies between where we stand and the start of ``opened``."""
        start = opened.start
        if self._from_oldest:
            self._cursor.stand_at(Place(start.id.epoch, start.first_seq), start.epoch_base)
            self._at = self._cursor.floor
            self._from_oldest = False
        if start.id.epoch != self._at.epoch:
            self._cross(start, items)
            self._announced = False
        if self.done:
            return
        if not self._announced:
            items.append(_announcement(self._lane, opened))
            self._announced = True
        self._missed(items, start.first_seq - self._at.seq, start.created_ns)
        self._damage = False

    def _cross(self, start: Start, items: list[Item]) -> None:
        """Walk over the end of the epoch we stand in and over epochs that are gone."""
        previous, previous_end = start.previous_epoch, start.previous_end
        if previous == self._at.epoch:
            self._missed_before(start, previous_end - self._at.seq, 0, items)
        elif self._at.epoch < previous:
            self._cross_what_is_gone(start, items)
            if not self.done:
                self._missed_before(start, previous_end, 0, items)
        if self.done:
            return
        self._cursor.next_epoch(self._at.epoch, self._at.seq, start.id.epoch, start.epoch_base)
        self._at = Place(start.id.epoch, 0)

    def _cross_what_is_gone(self, start: Start, items: list[Item]) -> None:
        """Walk to the beginning of the epoch before ``start``'s, or to where reading ends."""
        epoch, base = self._at.epoch, self._cursor.base(self._at.epoch)
        following, end = start.previous_epoch, start.previous_end
        following_base, after = start.epoch_base - end, end
        until = self._until
        ends_there = until is not None and until.epoch < following
        if until is not None and ends_there:
            following, following_base, after = until.epoch, self._cursor.base(until.epoch), 0
        if epoch < following:
            self._missed_before(start, following_base - base - self._at.seq, after, items)
            self._cursor.next_epoch(epoch, self._at.seq, following, following_base)
            self._at = Place(following, 0)
        if until is not None and ends_there:
            self._missed(items, until.seq - self._at.seq, start.created_ns)


def _began_again(found: Sequence[SegmentId], last: SegmentId) -> bool:
    """Return whether the spool was emptied: a writer keeps a segment of its epoch always."""
    return bool(found) and found[-1].epoch < last.epoch


def _announcement(lane: Lane, opened: Opened) -> Epoch:
    start = opened.start
    return Epoch(
        lane,
        start.id.epoch,
        start.previous_epoch,
        start.previous_end,
        start.epoch_base,
        opened.catalog,
    )


def _acked_parts(
    frame: Frame, start: int, stop: int, missing: Sequence[tuple[int, int]]
) -> Iterator[Frame]:
    """Yield what of [start, stop) is not ``missing``."""
    for hole_start, hole_stop in (*missing, (stop, stop)):
        if start < hole_start:
            yield sliced(frame, start, hole_start)
        start = hole_stop


def _part(item: Frame | Gap, start: int, stop: int) -> Frame | Gap:
    if isinstance(item, Gap):
        return replace(item, seq=start, count=stop - start)
    if start == item.seq and stop == item.seq + len(item.batch):
        return item
    return sliced(item, start, stop)
