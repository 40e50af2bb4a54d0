"""Judges a simulation: what was read, what was taken, and what a broker has, against each other.

It knows from the devices what was served, from the writers what they took and when it was safe,
and from the broker what arrived. What it finds wrong it tells the history.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from otgate.cli.audit import Auditor
from otgate.model import Batch, Lane, Origin
from otgate.publish.payload import GOOD, GapNotice, Last, Samples
from otgate.publish.subscribe import DECODERS, DEVICE_STATUS, GATEWAY_STATUS, Received
from otgate.publish.topics import GATEWAY, Address, MessageClass, read_topic
from otgate.quality import VALIDITY_MASK, Quality, names
from otgate.spool.epoch import epoch_text
from otgate.spool.ranges import Ranges
from otgate.spool.writer import SpoolWriter
from otgate_modbus.sheet import SPREAD_NS
from simulation.devices import Registers
from simulation.history import History
from simulation.machine import WRITEBACK_S
from simulation.processes import Process
from simulation.virtual_loop import START_S

UNIX_NS = 1_795_000_000_000_000_000
"""The time of day at which a simulation begins."""
REPLY_S = 2.5
"""How old a reply may be when it is taken: what a device is waited for, and the way of it."""
REMEMBERED_S = 600.0
"""How long what was delivered is known by its value; no rewind goes back so far."""


def seconds_of(time_ns: int) -> float:
    """Return the loop's time at a time of day."""
    return (time_ns - UNIX_NS) / 1e9 + START_S


Taken: TypeAlias = tuple[str, str, int]
"""A sample by device, point and microsecond of reception."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A sample as a writer took it."""

    device: str
    point: str
    value: object
    quality: int
    received_ns: int

    @property
    def taken(self) -> Taken:
        """Which sample it is."""
        return self.device, self.point, self.received_ns // 1000


@dataclass
class Book:
    """One lane of one epoch."""

    writer: Any
    lane: Lane
    epoch: str
    entries: dict[int, Entry] = field(default_factory=dict)
    next_seq: int = 0
    written: int = 0
    """Numbers below stand in files, or in gaps in them."""
    durable: int = 0
    """Numbers below survive a power cut."""
    floor: int | None = None
    """Below this nothing may be missing, once the epoch has ended."""
    ended_s: float = 0.0
    received: Ranges = field(default_factory=Ranges)
    announced: Ranges = field(default_factory=Ranges)
    dropped: Ranges = field(default_factory=Ranges)
    unwritten: deque[tuple[int, int]] = field(default_factory=deque)
    undurable: deque[tuple[int, int]] = field(default_factory=deque)
    """Tickets, and the number that each ends below."""

    def take(self, first: int, batch: Batch, ids: Sequence[str]) -> None:
        columns = zip(batch.index, batch.values.tolist(), batch.quality.tolist(), strict=True)
        for seq, (index, value, quality) in enumerate(columns, first):
            known = None if quality & Quality.NO_VALUE else value
            self.entries[seq] = Entry(batch.device, ids[index], known, quality, batch.received_ns)
        self.next_seq = first + len(batch)
        inbox = self.writer._inboxes[self.lane]
        if inbox.samples_dropped > sum(stop - start for start, stop in self.dropped):
            self.dropped.add(first, self.next_seq)
        ticket = self.writer._committer.ticket, self.next_seq
        self.unwritten.append(ticket)
        self.undurable.append(ticket)

    def look(self) -> None:
        """Learn what the committer calls written and durable."""
        committer = self.writer._committer
        while self.unwritten and self.unwritten[0][0] <= committer._written[self.lane]:
            self.written = self.unwritten.popleft()[1]
        while self.undurable and self.undurable[0][0] <= committer._durable[self.lane]:
            self.durable = self.undurable.popleft()[1]

    def end(self, now_s: float, *, sick: bool) -> None:
        """Settle what an end of the process leaves: what is written, on a disk that is well."""
        if self.floor is None:
            self.floor, self.ended_s = (self.durable if sick else self.written), now_s

    def missing(self) -> list[tuple[int, int]]:
        """Return what is neither delivered nor announced and should be."""
        floor = self.next_seq if self.floor is None else self.floor
        holes = self.received.missing(0, floor)
        return [part for hole in holes for part in self.announced.missing(*hole)]

    def forget(self, before_ns: int) -> None:
        """Forget the values of what was delivered long ago."""
        for seq, entry in list(self.entries.items()):
            if entry.received_ns >= before_ns or self.received.missing(seq, seq + 1):
                return
            del self.entries[seq]


class Judge:
    """Is told everything and says what must not be."""

    def __init__(
        self, history: History, registers: Mapping[str, Registers], denied: Sequence[bytes]
    ) -> None:
        self.history = history
        self.auditor = Auditor()
        self.samples = self.delivered = self.gaps = 0
        self.books: dict[tuple[str, str], Book] = {}
        self._registers = registers
        self._denied = denied
        self._tail = b""
        self._newest: dict[tuple[str, str], tuple[tuple[str, int], tuple[str, ...]]] = {}
        """The quality that each point was given last."""
        self._retained: dict[tuple[str, str], int] = {}
        """When the newest value was received that the broker retains of each point."""
        self._cut_away: set[Taken] = set()
        """Samples that a power cut took from the box: before or after they were retained."""
        self._highest: dict[tuple[str, str], tuple[str, int]] = {}

    # What writers do.

    def opened(self, writer: SpoolWriter) -> None:
        epoch = epoch_text(writer.epoch)
        for lane in Lane:
            if (lane.value, epoch) in self.books:
                self.history.violate("order", f"epoch {epoch} of {lane} comes twice")
            self.books[lane.value, epoch] = Book(writer, lane, epoch)

    def took(self, writer: Any, lane: Lane, first: int, batch: Batch) -> None:
        book = self.books[lane.value, epoch_text(writer.epoch)]
        ids = writer.catalog.ids
        self.samples += len(batch)
        book.take(first, batch, ids)
        self._believe(batch, ids)

    def _believe(self, batch: Batch, ids: Sequence[str]) -> None:
        """Check every good value against what the device served."""
        received_s = seconds_of(batch.received_ns)
        since_s = received_s - REPLY_S if batch.origin is Origin.POLL else START_S
        registers = self._registers[batch.device]
        columns = zip(batch.index, batch.values.tolist(), batch.quality.tolist(), strict=True)
        for index, value, quality in columns:
            if quality & VALIDITY_MASK == 0 and not registers.is_true(
                ids[index], value, since_s, received_s + SPREAD_NS / 1e9
            ):
                self.history.violate(
                    "nothing invented", f"{batch.device}/{ids[index]} = {value!r} was not served"
                )

    def cycled(self, writer: SpoolWriter) -> None:
        for lane in Lane:
            self.books[lane.value, epoch_text(writer.epoch)].look()

    # What becomes of processes and disks.

    def ended(self, process: Process, *, sick: bool) -> None:
        """Learn that a process is gone; of a disk that was sick only what was synced is sure."""
        for book in self.books.values():
            if book.writer.process is process:
                book.end(self.history.time(), sick=sick or bool(book.writer.error))

    def cut(self) -> None:
        """Learn that the power was cut.

        Of a point that lost values the box knows older ones, so that these may be retained again.
        """
        now_s = self.history.time()
        for book in self.books.values():
            if book.floor is None or now_s - book.ended_s < 2 * WRITEBACK_S:
                book.floor = book.durable
                lost = {entry.taken for seq, entry in book.entries.items() if seq >= book.floor}
                self._cut_away |= lost
        for point, received_us in self._retained.items():
            if (*point, received_us) in self._cut_away:
                self._retained[point] = self._known_us(point)

    def _known_us(self, point: tuple[str, str]) -> int:
        """Return when the newest value of a point was received that no power cut took."""
        taken = (entry.taken for book in self.books.values() for entry in book.entries.values())
        kept = (each for each in taken if each[:2] == point and each not in self._cut_away)
        return max((received_us for _, _, received_us in kept), default=0)

    # What arrives.

    def heard(self, data: bytes) -> None:
        """Look for what is denied in the bytes that came to the broker."""
        seen = self._tail + data
        for token in self._denied:
            if token in seen:
                self.history.violate("no denied byte", f"{token!r} came to the broker")
        self._tail = seen[-32:]

    def arrived(self, at_s: float, topic: str, payload: bytes) -> None:
        """Judge a message."""
        self.history.message(at_s, topic, payload)
        address = read_topic(topic, "otgate")
        if address is None or not payload:
            return
        message = decoded(address, payload)
        arrived_ns = UNIX_NS + int((at_s - START_S) * 1e9)
        self.auditor.received(Received(address, message, arrived_ns, retained=False))
        if isinstance(message, Samples):
            self._samples(message, address.message_class)
        elif isinstance(message, GapNotice):
            self._gap(message)
        elif isinstance(message, Last):
            self._last(message)

    def _samples(self, samples: Samples, message_class: MessageClass) -> None:
        book = self.books.get((samples.lane, samples.epoch))
        if book is None or samples.seq + len(samples.points) > book.next_seq:
            self.history.violate("nothing invented", f"{samples.lane} {samples.seq} was not taken")
            return
        stop = samples.seq + len(samples.points)
        for seq, sample in enumerate(samples.points, samples.seq):
            self._compare(book.entries.get(seq), samples, seq, sample)
            now = (samples.epoch, seq), sample.q
            key = samples.device, sample.id
            self._newest[key] = max(self._newest.get(key, now), now)
        place = samples.epoch, samples.seq
        way = samples.lane, message_class.value
        if book.received.missing(samples.seq, stop) and place < self._highest.get(way, place):
            self.history.violate("order", f"{way} {place} came after {self._highest[way]}")
        self._highest[way] = max(place, self._highest.get(way, place))
        book.received.add(samples.seq, stop)
        self.delivered += len(samples.points)

    def _compare(self, entry: Entry | None, samples: Samples, seq: int, sample: Any) -> None:
        if entry is None:
            return
        told = sample.id, sample.v, samples.received_us
        if told != (entry.point, entry.value, entry.received_ns // 1000):
            self.history.violate(
                "nothing invented", f"{samples.lane} {seq}: {entry} came as {told}"
            )
        if sample.q != names(entry.quality):
            said = f"{names(entry.quality)} came as {sample.q}"
            self.history.violate("no quality raised", f"{samples.lane} {seq}: {said}")

    def _gap(self, gap: GapNotice) -> None:
        book = self.books.get((gap.lane, gap.epoch))
        if book is None:
            self.history.violate("nothing invented", f"a gap in {gap.lane} {gap.epoch}")
            return
        self.gaps += gap.count
        stop = gap.seq + gap.count
        book.announced.add(gap.seq, stop)
        safe = book.next_seq if book.floor is None else book.floor
        if wrong := book.dropped.missing(gap.seq, min(stop, safe)):
            self.history.violate("nothing lost", f"{gap.lane} {wrong} is given up: {gap}")

    def _last(self, last: Last) -> None:
        """Check that a retained value moves forward only, as far as the box knows it."""
        point = last.device, last.id
        if (*point, last.received_us) in self._cut_away:
            return
        if last.received_us < self._retained.get(point, 0):
            self.history.violate("order", f"the last value of {point} went back: {last}")
        self._retained[point] = last.received_us

    def overrun(self, count: int) -> None:
        """Learn that a client sent more than the broker said to take."""
        self.history.violate("memory bounded", f"{count} messages without an acknowledgement")

    def minute(self, now_s: float) -> None:
        """Forget what cannot matter any more."""
        before_ns = UNIX_NS + int((now_s - START_S - REMEMBERED_S) * 1e9)
        for book in self.books.values():
            book.forget(before_ns)

    def finish(self, refused: str) -> None:
        """Judge the whole, once all outages have ended: all but a refused point is good again."""
        for (device, point), (_, quality) in self._newest.items():
            if point != refused and quality != GOOD:
                told = f"{device}/{point} is still {quality}"
                self.history.violate("every outage ends", told)
        for (lane, epoch), book in self.books.items():
            if missing := book.missing():
                self.history.violate("nothing lost", f"{lane} {epoch} {missing} never came")
        if self.auditor.ledger.lost:
            self.history.violate("nothing lost", f"verify misses {self.auditor.ledger.lost}")


def decoded(address: Address, payload: bytes) -> Any:
    """Return what a message says."""
    if address.message_class is not MessageClass.STATUS:
        return DECODERS[address.message_class].decode(payload)
    gateway = address.device == GATEWAY
    return (GATEWAY_STATUS if gateway else DEVICE_STATUS).decode(payload)
