"""Continuity of what a subscriber receives: what is missing, announced, doubled, late; pure.

Samples are numbered per gateway, conduit, lane and epoch. A hole below the highest number seen,
or below what the gateway says is delivered, is a loss unless a gap message announced it, or the
subscriber was cut off while those numbers were published, or the gateway says that a backlog
follows behind what is live. Memory is one range per unbroken
stretch of numbers, so a healthy stream costs a few words; where there are too many holes the
oldest are settled, and epochs that ended minutes ago are folded into one account, so that days of
restarts and losses cost no more than an hour of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil, log
from typing import NamedTuple, Self, TypeAlias

from otgate.publish.payload import GapNotice, GatewayStatus, LaneStatus, Samples
from otgate.publish.topics import MessageClass
from otgate.spool.ranges import Ranges

RESOLUTION = 1.05
"""Ratio of neighbouring age buckets: percentiles are right within 5 %."""

MOST_STRETCHES = 2048
"""Ranges that an account holds; beyond, the lower half of its numbers is settled for good."""
FOLD_AFTER_US = 120 * 1_000_000
"""An epoch that has a successor is folded after so long without a message: no rewind goes so far
back."""
UNFOLDED = 2
"""The newest epochs of a lane, which are never folded."""
SHOWN_LOSSES = 5
NO_NUMBERS = 0, 0
ALL_NUMBERS = 1 << 63

Place: TypeAlias = tuple[str, str, str, str]
"""Site, gateway, conduit, lane: within it epochs follow each other, their texts in order."""


class Ages:
    """A histogram of ages in buckets of equal ratio; its size does not grow with the stream."""

    def __init__(self) -> None:
        self.count = 0
        self.buckets: dict[int, int] = {}

    def add(self, age_ms: float, count: int = 1) -> None:
        """Count ``count`` samples of this age."""
        bucket = 0 if age_ms <= 0.01 else ceil(log(age_ms / 0.01) / log(RESOLUTION))
        self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.count += count

    def merge(self, other: "Ages") -> None:
        """Count what ``other`` counted."""
        self.count += other.count
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count

    def percentile(self, share: float) -> float | None:
        """Return the age in ms that ``share`` (0..1) of the samples do not exceed."""
        wanted = share * self.count
        for bucket in sorted(self.buckets):
            wanted -= self.buckets[bucket]
            if wanted <= 0:
                return float(f"{0.01 * RESOLUTION**bucket:.3g}")
        return None


@dataclass(frozen=True, slots=True, order=True)
class Stream:
    """Whose numbers they are."""

    site: str
    gateway: str
    conduit: str
    lane: str
    epoch: str


class Pending(NamedTuple):
    """What of a lane is still to come behind what is live: between two places."""

    epoch: str
    seq: int
    live_epoch: str
    live_from: int

    @classmethod
    def of(cls, said: LaneStatus) -> Self | None:
        """Return what a status tells of, or None where there is no backlog."""
        if said.live_epoch is None or said.live_from is None:
            return None
        return cls(said.epoch, said.complete_through, said.live_epoch, said.live_from)

    def part(self, epoch: str) -> tuple[int, int]:
        """Return the numbers of one epoch, from the first to before the last."""
        if not self.epoch <= epoch <= self.live_epoch:
            return NO_NUMBERS
        start = self.seq if epoch == self.epoch else 0
        return start, self.live_from if epoch == self.live_epoch else ALL_NUMBERS


@dataclass(slots=True)
class Totals:
    """Counts that do not change any more."""

    count: int = 0
    lost: int = 0
    unseen: int = 0
    gaps: int = 0
    losses: list[tuple[int, int]] = field(default_factory=list)
    """The first few of what was lost."""

    @property
    def happened(self) -> bool:
        """Tell whether anything was settled."""
        return bool(self.count or self.lost or self.unseen or self.gaps)


@dataclass(slots=True)
class Account:
    """What is known of one stream."""

    received: Ranges = field(default_factory=Ranges)
    announced: Ranges = field(default_factory=Ranges)
    at_least: bool = False
    """Whether more may be gone than was announced."""
    passed_by: Ranges = field(default_factory=Ranges)
    """Numbers that may have been published while we were cut off."""
    cut_off: bool = False
    """Whether we were, and nothing new has arrived since."""
    pending: tuple[int, int] = NO_NUMBERS
    """A backlog that the gateway is to send behind what is live."""
    awaited: tuple[int, int] = NO_NUMBERS
    """The same, where it was told since we listen."""
    ages: Ages = field(default_factory=Ages)
    duplicates: int = 0
    disorder: int = 0
    """Samples that came for the first time, after a later one of the same class."""
    replayed: int = 0
    starts_at: int | None = None
    """Nothing below is expected: the first number seen, or 0 where the beginning was witnessed."""
    through: int = 0
    """The gateway says that every number below is delivered."""
    end: int | None = None
    """Where the gateway says that it ended."""
    highest: dict[str, int] = field(default_factory=dict)
    touched_us: int = 0
    """When the last message of it came."""
    settled: Totals = field(default_factory=Totals)
    """What is below ``starts_at`` and was settled: it has no ranges any more."""

    def take(self, start: int, count: int, message_class: str, age_ms: float) -> None:
        """Book ``count`` samples from ``start`` on."""
        if self.starts_at is None:
            self.starts_at = start
        if start < self.settled_below:
            known = min(count, self.settled_below - start)
            self.duplicates += known
            start, count = start + known, count - known
        if self.cut_off and start >= self.reached:
            for part in _without(Ranges([self.awaited]), [(self.reached, start)]):
                self.passed_by.add(*part)
            self.cut_off = False
        new = self.received.missing(start, start + count)
        fresh = _size(new)
        late = fresh - _size(_without(self.passed_by, new))
        self.received.add(start, start + count)
        self.duplicates += count - fresh
        self._give_up_tail()
        highest = self.highest.get(message_class, -1)
        if fresh and start < highest:
            self.disorder += fresh - late
        self.highest[message_class] = max(highest, start + count)
        if fresh:
            self.ages.add(age_ms, fresh)
        if message_class == MessageClass.REPLAY:
            self.replayed += fresh
        self.bound()

    def end_at(self, end: int) -> None:
        """Take it that this epoch ended at ``end``: what is missing from there on never comes."""
        self.end = end
        self._give_up_tail()

    def _give_up_tail(self) -> None:
        """Book as announced what a power cut took before the disk had it, and left unsent.

        What the gateway said is delivered was sent: there it is still missed.
        """
        if self.end is not None:
            for part in self.received.missing(max(self.end, self.through), self.reached):
                self.announce(*part)

    def announce(self, start: int, stop: int) -> None:
        """Book [start, stop) as never to come; what was settled stays as it was counted."""
        self.announced.add(max(start, self.settled_below), stop)
        self.bound()

    def bound(self) -> None:
        """Settle the lower half of the numbers where there are too many ranges of them.

        That is put off while a backlog fills its holes.
        """
        most = MOST_STRETCHES if self.pending == NO_NUMBERS else 4 * MOST_STRETCHES
        for ranges in (self.received, self.announced, self.passed_by):
            if len(ranges) > most and self.starts_at is not None:
                starts = [start for start, _ in ranges]
                self.settle(starts[len(starts) // 2])

    def settle(self, below: int) -> None:
        """Count what is below ``below`` for good; what comes of it later is a duplicate.

        What is above everything received is left alone: whether it is lost is not known yet.
        """
        below = min(below, self.reached)
        lost = _below(self.losses(), below)
        self.settled.losses = [*self.settled.losses, *lost][:SHOWN_LOSSES]
        self.settled.lost += _size(lost)
        self.settled.unseen += _size(
            hole for part in _below(self.passed_by, below) for hole in self._holes(*part)
        )
        self.settled.gaps += _size(_below(self.announced, below))
        self.settled.count += _size(_below(self.received, below))
        for ranges in (self.received, self.announced, self.passed_by):
            ranges.remove(0, below)
        if self.starts_at is not None:
            self.starts_at = max(self.starts_at, below)

    @property
    def settled_below(self) -> int:
        """Below this nothing changes any more."""
        return (self.starts_at or 0) if self.settled.happened else 0

    @property
    def reached(self) -> int:
        """One above the highest number received; where nothing was, what is expected first."""
        return max([self.starts_at or 0, *(stop for _, stop in self.received)])

    @property
    def due(self) -> int:
        """Every number below is to have come, by the gateway's word."""
        return max(self.through, self.end or 0)

    def losses(self) -> list[tuple[int, int]]:
        """Return the ranges that are neither received nor announced, but should be here."""
        if self.starts_at is None:
            return []
        end = self.reached if self.cut_off else max(self.reached, self.due)
        return _without(self.passed_by, self._holes(self.starts_at, end))

    @property
    def unseen(self) -> int:
        """How many numbers passed by while we were cut off, and did not come again."""
        holes = [hole for part in self.passed_by for hole in self._holes(*part)]
        if self.cut_off:
            holes += self._holes(self.reached, self.due)
        return self.settled.unseen + _size(holes)

    def _holes(self, start: int, stop: int) -> list[tuple[int, int]]:
        missing = _without(self.announced, self.received.missing(start, stop))
        return _without(Ranges([self.pending]), missing)

    @property
    def count(self) -> int:
        """How many samples were received, each counted once."""
        return self.settled.count + _size(self.received)

    @property
    def gaps(self) -> int:
        """How many samples were announced as never to come."""
        return self.settled.gaps + _size(self.announced)

    @property
    def lost(self) -> int:
        """How many samples are lost."""
        return self.settled.lost + _size(self.losses())

    def shown_losses(self) -> list[tuple[int, int]]:
        """Return the first few lost ranges."""
        return [*self.settled.losses, *self.losses()][:SHOWN_LOSSES]


@dataclass(slots=True)
class Folded:
    """Epochs of one lane that ended long ago, together."""

    first: str
    last: str
    epochs: int = 0
    totals: Totals = field(default_factory=Totals)
    at_least: bool = False
    duplicates: int = 0
    disorder: int = 0
    replayed: int = 0
    ages: Ages = field(default_factory=Ages)
    losses: list[tuple[str, int, int]] = field(default_factory=list)
    """The first few: epoch, start and stop."""

    def take(self, epoch: str, account: Account) -> None:
        """Add an epoch, later than all that were taken before."""
        self.last = epoch
        self.epochs += 1
        self.totals.count += account.count
        self.totals.lost += account.lost
        self.totals.unseen += account.unseen
        self.totals.gaps += account.gaps
        self.at_least = self.at_least or account.at_least
        self.duplicates += account.duplicates
        self.disorder += account.disorder
        self.replayed += account.replayed
        self.ages.merge(account.ages)
        told = ((epoch, start, stop) for start, stop in account.shown_losses())
        self.losses = [*self.losses, *told][:SHOWN_LOSSES]


class Ledger:
    """All streams that a subscriber sees."""

    def __init__(self) -> None:
        self.accounts: dict[Stream, Account] = {}
        self.folded: dict[Place, Folded] = {}
        self._first: dict[Place, str] = {}
        self._pending: dict[Place, Pending] = {}
        self._awaited: set[Place] = set()
        """Where that was told since we listen."""
        self._now_us = 0

    def cut_off(self) -> None:
        """Take note that we begin to listen again and that nothing was kept for us meanwhile."""
        for account in self.accounts.values():
            account.cut_off = True
            account.awaited = NO_NUMBERS
        self._awaited.clear()

    def samples(self, samples: Samples, message_class: MessageClass, now_us: int) -> None:
        """Book a data, event or replay message that arrived at ``now_us``."""
        place = _place(samples, samples.lane)
        self._now_us = now_us
        self._first.setdefault(place, samples.epoch)
        age_ms = (now_us - samples.received_us) / 1000
        if self._is_folded(place, samples.epoch):
            self.folded[place].duplicates += len(samples.points)
            return
        account = self._account(place, samples.epoch)
        account.touched_us = now_us
        account.take(samples.seq, len(samples.points), message_class.value, age_ms)

    def gap(self, gap: GapNotice) -> None:
        """Book an announced gap."""
        place = _place(gap, gap.lane)
        if self._is_folded(place, gap.epoch):
            self.folded[place].at_least = self.folded[place].at_least or gap.at_least
            return
        account = self._account(place, gap.epoch)
        account.announce(gap.seq, gap.seq + gap.count)
        account.at_least = account.at_least or gap.at_least

    def status(self, status: GatewayStatus) -> None:
        """Book how far the gateway says it is; a change of epoch closes the one before."""
        for lane, said in status.lanes.items():
            place = _place(status, lane)
            self._first.setdefault(place, said.epoch)
            self._awaited.add(place)
        self.retained(status)

    def retained(self, status: GatewayStatus) -> None:
        """Book a status from before we listened: no epoch begins with it before our eyes."""
        for lane, said in status.lanes.items():
            place = _place(status, lane)
            if said.previous_epoch and said.previous_end is not None:
                self._ended(place, said.previous_epoch, said.previous_end)
                self._vanished(place, said.previous_epoch, said.epoch)
            self._complete(place, said.epoch, said.complete_through)
            self._await(place, Pending.of(said))

    @property
    def unseen(self) -> int:
        """Samples that passed by while we were cut off, in all streams."""
        folded = sum(folded.totals.unseen for folded in self.folded.values())
        return folded + sum(account.unseen for account in self.accounts.values())

    @property
    def lost(self) -> int:
        """Samples lost in all streams."""
        folded = sum(folded.totals.lost for folded in self.folded.values())
        return folded + sum(account.lost for account in self.accounts.values())

    @property
    def received(self) -> int:
        """Samples received in all streams, each counted once."""
        folded = sum(folded.totals.count for folded in self.folded.values())
        return folded + sum(account.count for account in self.accounts.values())

    def _complete(self, place: Place, epoch: str, end: int) -> None:
        """Take it that all of an epoch below ``end`` is delivered, where that is our concern."""
        if account := self._concerning(place, epoch):
            account.through = max(account.through, end)

    def _ended(self, place: Place, epoch: str, end: int) -> None:
        """Take it that an epoch ended at ``end``, where that is our concern.

        A later status may tell of an earlier end, where a power cut took what one had seen.
        """
        if account := self._concerning(place, epoch):
            account.end_at(end)

    def _vanished(self, place: Place, previous: str, epoch: str) -> None:
        """Take it that what came of epochs between two neighbours is all that will."""
        for stream, account in self.accounts.items():
            if _lane_of(stream) == place and previous < stream.epoch < epoch:
                account.end_at(0)

    def _concerning(self, place: Place, epoch: str) -> Account | None:
        """Return the account of an epoch that we had samples of, or that began while we listen."""
        if self._is_folded(place, epoch):
            return None
        known = self.accounts.get(Stream(*place, epoch))
        if known is None and self._begun_here(place, epoch):
            return self._account(place, epoch)
        return known

    def _await(self, place: Place, pending: Pending | None) -> None:
        """Take it that a backlog follows, or that none does any more."""
        if pending == self._pending.get(place):
            return
        if pending is None:
            del self._pending[place]
        else:
            self._pending[place] = pending
        for stream, account in self.accounts.items():
            if _lane_of(stream) == place:
                self._expect(place, stream.epoch, account)

    def _expect(self, place: Place, epoch: str, account: Account) -> None:
        pending = self._pending.get(place)
        account.pending = pending.part(epoch) if pending else NO_NUMBERS
        account.awaited = account.pending if place in self._awaited else NO_NUMBERS

    def _account(self, place: Place, epoch: str) -> Account:
        stream = Stream(*place, epoch)
        account = self.accounts.get(stream)
        if account is None:
            account = Account()
            if self._begun_here(place, epoch):
                account.starts_at = 0
                account.cut_off = self._cut_off_before(stream)
            account.touched_us = self._now_us
            self._expect(place, epoch, account)
            self.accounts[stream] = account
            self._fold(place)
        return account

    def _is_folded(self, place: Place, epoch: str) -> bool:
        folded = self.folded.get(place)
        return folded is not None and epoch <= folded.last

    def _fold(self, place: Place) -> None:
        """Fold the epochs of a lane that nothing more is to be expected of, oldest first."""
        known = sorted(stream for stream in self.accounts if _lane_of(stream) == place)
        pending = self._pending.get(place)
        for stream in known[:-UNFOLDED]:
            account = self.accounts[stream]
            awaited = pending is not None and stream.epoch >= pending.epoch
            if awaited or account.touched_us > self._now_us - FOLD_AFTER_US:
                return
            folded = self.folded.setdefault(place, Folded(stream.epoch, stream.epoch))
            folded.take(stream.epoch, account)
            del self.accounts[stream]

    def _begun_here(self, place: Place, epoch: str) -> bool:
        """Tell whether an epoch began while we listened: we know an earlier one at first hand."""
        first = self._first.get(place)
        return first is not None and first < epoch

    def _cut_off_before(self, stream: Stream) -> bool:
        earlier = [s for s in self.accounts if s < stream and _lane_of(s) == _lane_of(stream)]
        return bool(earlier) and self.accounts[max(earlier)].cut_off


def _place(message: Samples | GapNotice | GatewayStatus, lane: str) -> Place:
    return message.site, message.gateway, message.conduit, lane


def _lane_of(stream: Stream) -> Place:
    return stream.site, stream.gateway, stream.conduit, stream.lane


def _below(parts: Iterable[tuple[int, int]], limit: int) -> list[tuple[int, int]]:
    return [(start, min(stop, limit)) for start, stop in parts if start < limit]


def _without(taken: Ranges, parts: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    return [hole for part in parts for hole in taken.missing(*part)]


def _size(ranges: Iterable[tuple[int, int]]) -> int:
    return sum(stop - start for start, stop in ranges)
