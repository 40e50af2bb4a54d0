"""Continuity of what a subscriber receives: what is missing, announced, doubled, late; pure.

Samples are numbered per gateway, conduit, lane and epoch. A hole below the highest number seen,
or below what the gateway says is delivered, is a loss unless a gap message announced it. Memory
is one range per unbroken stretch of numbers, so a healthy stream costs a few words.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil, log

from otgate.publish.payload import GapNotice, GatewayStatus, LaneStatus, Samples
from otgate.publish.topics import MessageClass
from otgate.spool.ranges import Ranges

RESOLUTION = 1.05
"""Ratio of neighbouring age buckets: percentiles are right within 5 %."""


class Ages:
    """A histogram of ages in buckets of equal ratio; its size does not grow with the stream."""

    def __init__(self) -> None:
        self.count = 0
        self._buckets: dict[int, int] = {}

    def add(self, age_ms: float, count: int = 1) -> None:
        """Count ``count`` samples of this age."""
        bucket = 0 if age_ms <= 0.01 else ceil(log(age_ms / 0.01) / log(RESOLUTION))
        self._buckets[bucket] = self._buckets.get(bucket, 0) + count
        self.count += count

    def percentile(self, share: float) -> float | None:
        """Return the age in ms that ``share`` (0..1) of the samples do not exceed."""
        wanted = share * self.count
        for bucket in sorted(self._buckets):
            wanted -= self._buckets[bucket]
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


@dataclass(slots=True)
class Account:
    """What is known of one stream."""

    received: Ranges = field(default_factory=Ranges)
    announced: Ranges = field(default_factory=Ranges)
    ages: Ages = field(default_factory=Ages)
    duplicates: int = 0
    disorder: int = 0
    """Samples that came for the first time, after a later one of the same class."""
    replayed: int = 0
    starts_at: int | None = None
    """Nothing below is expected: the first number seen, or 0 where the beginning was witnessed."""
    through: int = 0
    """The gateway says that every number below is delivered."""
    highest: dict[str, int] = field(default_factory=dict)

    def take(self, start: int, count: int, message_class: str, age_ms: float) -> None:
        """Book ``count`` samples from ``start`` on."""
        if self.starts_at is None:
            self.starts_at = start
        fresh = _size(self.received.missing(start, start + count))
        self.received.add(start, start + count)
        self.duplicates += count - fresh
        highest = self.highest.get(message_class, -1)
        if fresh and start < highest:
            self.disorder += fresh
        self.highest[message_class] = max(highest, start + count)
        if fresh:
            self.ages.add(age_ms, fresh)
        if message_class == MessageClass.REPLAY:
            self.replayed += fresh

    def losses(self) -> list[tuple[int, int]]:
        """Return the ranges that are neither received nor announced, but should be here."""
        if self.starts_at is None:
            return []
        end = max([self.through, *(stop for _, stop in self.received)])
        holes = self.received.missing(self.starts_at, end)
        return [part for low, high in holes for part in self.announced.missing(low, high)]

    @property
    def count(self) -> int:
        """How many samples were received, each counted once."""
        return _size(self.received)

    @property
    def gaps(self) -> int:
        """How many samples were announced as never to come."""
        return _size(self.announced)

    @property
    def lost(self) -> int:
        """How many samples are lost."""
        return _size(self.losses())


class Ledger:
    """All streams that a subscriber sees."""

    def __init__(self) -> None:
        self.accounts: dict[Stream, Account] = {}
        self._standing: dict[tuple[str, str, str, str], str] = {}

    def samples(self, samples: Samples, message_class: MessageClass, now_us: int) -> None:
        """Book a data, event or replay message that arrived at ``now_us``."""
        account = self._account(samples, samples.lane, samples.epoch)
        age_ms = (now_us - samples.received_us) / 1000
        account.take(samples.seq, len(samples.points), message_class.value, age_ms)

    def gap(self, gap: GapNotice) -> None:
        """Book an announced gap."""
        self._account(gap, gap.lane, gap.epoch).announced.add(gap.seq, gap.seq + gap.count)

    def status(self, status: GatewayStatus) -> None:
        """Book how far the gateway says it is; a change of epoch closes the one before."""
        for lane, said in status.lanes.items():
            account = self._witnessed(status, lane, said)
            if account is not None:
                account.through = max(account.through, said.complete_through)

    def retained(self, status: GatewayStatus) -> None:
        """Book a status from before we listened: it witnesses the beginning of no epoch."""
        for lane, said in status.lanes.items():
            place = status.site, status.gateway, status.conduit, lane
            account = self.accounts.get(Stream(*place, said.epoch))
            if account is not None:
                account.through = max(account.through, said.complete_through)

    @property
    def lost(self) -> int:
        """Samples lost in all streams."""
        return sum(account.lost for account in self.accounts.values())

    @property
    def received(self) -> int:
        """Samples received in all streams, each counted once."""
        return sum(account.count for account in self.accounts.values())

    def _witnessed(self, status: GatewayStatus, lane: str, said: LaneStatus) -> Account | None:
        """Return the lane's account, opened at 0 where its epoch began before our eyes."""
        place = status.site, status.gateway, status.conduit, lane
        before = self._standing.get(place)
        self._standing[place] = said.epoch
        if before is not None and before != said.epoch and said.previous_epoch == before:
            self._close(Stream(*place, before), said.previous_end)
            account = self._account(status, lane, said.epoch)
            account.starts_at = 0
            return account
        return self.accounts.get(Stream(*place, said.epoch))

    def _close(self, stream: Stream, end: int | None) -> None:
        account = self.accounts.get(stream)
        if account is not None and end is not None:
            account.through = max(account.through, end)

    def _account(
        self, message: Samples | GapNotice | GatewayStatus, lane: str, epoch: str
    ) -> Account:
        stream = Stream(message.site, message.gateway, message.conduit, lane, epoch)
        return self.accounts.setdefault(stream, Account())


def _size(ranges: Iterable[tuple[int, int]]) -> int:
    return sum(stop - start for start, stop in ranges)
