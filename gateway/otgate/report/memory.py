"""What is known of each point of a device, as columns over all its points."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from otgate.alike import shared
from otgate.model import Batch, Clock, Index, Mask, Nanoseconds, Values, ValueType, Words
from otgate.quality import VALIDITY_MASK, Quality
from otgate.report.change import Changed
from otgate.report.sparing import Rows, covers, flat, instead, put

NOT_YET_READ = int(Quality.NOT_YET_READ | Quality.NO_VALUE | Quality.INVALID)
NEVER_SENT = 0xFFFF_FFFF
"""No quality has every bit, so that the first sample of a point is always a change."""


def rows_of(index: Index) -> Rows:
    """Return ``index`` as a slice where its points are consecutive."""
    count = len(index)
    if count and np.array_equal(index, np.arange(index[0], index[0] + count, dtype=np.int32)):
        return slice(int(index[0]), int(index[0]) + count)
    return index.astype(np.intp)


@dataclass(slots=True, eq=False)
class Column:
    """The points that a session emits together, and the newest reply about them.

    ``values`` and ``quality`` are the very arrays that were emitted last, or None where the next
    emission has to be looked at whatever it is. Since nobody modifies them, writing a reply down
    point by point is put off until somebody asks for points: `Memory.settle`.
    """

    number: int
    index: Index
    rows: Rows
    changed: Changed
    exact: bool
    """Whether any other value is a change."""
    paced: Mask | None
    """Which of its points a minimum interval holds back; None where none is."""
    values: Values | None = None
    quality: Words | None = None
    received_ns: int = 0
    source_ns: Nanoseconds | None = None
    read: Batch | None = None
    """The newest reply that differed, while it is not in the memory; every value of it is good."""
    noted: bool = True
    """False while a newer time of an unchanged reply is here and not yet in the memory."""
    sent: Batch | None = None
    """A whole reply that says what was sent last of every point, while it is not in the memory."""
    claim: int = -1
    """The report's count of claims at which all its points were last known to be its own."""
    judged: Words | None = None
    flagged: bool = False
    """Whether the quality column that was judged last has any flag."""
    holding: bool = False
    """Whether the newest reply had changes that wait for their interval to end."""

    def flags(self, quality: Words) -> bool:
        """Say whether ``quality`` has any flag; of the same column again without a look."""
        if self.judged is not quality:
            self.judged, self.flagged = quality, bool(np.count_nonzero(quality))
        return self.flagged

    def says_again(self, batch: Batch) -> bool:
        """Say whether ``batch`` is the very reply that was looked at last."""
        same = self.values is batch.values and self.quality is batch.quality
        return same and not self.holding


@dataclass(slots=True, eq=False)
class Memory:
    """Per point: the newest read and what was sent last. Its columns are written by `put` alone."""

    value_types: NDArray[np.uint8]
    timed: bool
    """Whether anybody asks when a point was sent last; ``sent_ns`` is kept up only then."""
    quality: Words
    """Of the newest read."""
    mark: Words
    """What the gateway found since then: failed, lost, stale."""
    time_ns: Nanoseconds
    """Of the newest value: the device's where it has one, else when it was read; 0 is none yet."""
    read_ns: Nanoseconds
    """When the point was read last."""
    sent_quality: Words
    sent_ns: Nanoseconds
    held: Mask
    """Changed, and waiting for the minimum interval to end."""
    owner: NDArray[np.int32]
    """The number of the column that said each point's newest read."""
    stamped: Mask
    """Whether the time of the newest value is the device's own: events have one, polls may not."""
    values: dict[ValueType, Values] = field(default_factory=dict)
    sent_values: dict[ValueType, Values] = field(default_factory=dict)

    @classmethod
    def of(cls, value_types: Sequence[ValueType], *, timed: bool) -> "Memory":
        """Know nothing yet about points of these types."""
        count = len(value_types)
        word, moment, yes = np.dtype(np.uint32), np.dtype(np.int64), np.dtype(np.bool_)
        memory = cls(
            shared(np.array(value_types, np.uint8)),
            timed,
            flat(count, NOT_YET_READ, word),
            flat(count, 0, word),
            flat(count, 0, moment),
            flat(count, 0, moment),
            flat(count, NEVER_SENT, word),
            flat(count, 0, moment),
            flat(count, False, yes),  # noqa: FBT003  the value of every point
            flat(count, -1, np.dtype(np.int32)),
            flat(count, False, yes),  # noqa: FBT003
        )
        for value_type in set(value_types):
            memory.room(value_type)
        return memory

    def room(self, value_type: ValueType) -> None:
        """Make room for values of one type, where there is none."""
        if value_type in self.values:
            return
        for columns in (self.values, self.sent_values):
            fill = "" if value_type is ValueType.TEXT else 0
            columns[value_type] = flat(len(self.quality), fill, value_type.dtype)

    def note(self, batch: Batch, rows: Rows) -> None:
        """Take ``batch`` as the newest read of its points."""
        self.room(batch.value_type)
        flagged = bool(np.count_nonzero(batch.quality))
        self.quality = put(self.quality, rows, batch.quality if flagged else 0)
        self.mark = put(self.mark, rows, 0)
        self.read_ns = put(self.read_ns, rows, batch.received_ns)
        time_ns: Nanoseconds | int = batch.received_ns
        if batch.source_ns is not None:
            time_ns = batch.source_ns
        stamped = batch.source_ns is not None and batch.clock is Clock.DEVICE
        empty = batch.quality & Quality.NO_VALUE if flagged else None
        if empty is None or not np.count_nonzero(empty):
            there, values = rows, batch.values
        else:
            kept = empty == 0
            there, values = batch.index[kept], batch.values[kept]
            time_ns = time_ns if isinstance(time_ns, int) else time_ns[kept]
        self.values[batch.value_type] = put(self.values[batch.value_type], there, values)
        self.stamped = put(self.stamped, there, stamped)
        self.time_ns = put(self.time_ns, there, time_ns)

    def succeed(self, batch: Batch, rows: Rows) -> None:
        """Let go of values that ``batch`` has taken the place of, before it is written down."""
        if covers(rows, len(self.quality)):
            before = self.values[batch.value_type]
            self.values[batch.value_type] = instead(before, batch.values)

    def settle(self, column: Column) -> None:
        """Write down, point by point, what ``column`` has put off."""
        if column.read is not None:
            self.note(column.read, column.rows)
            column.read = None
        if not column.noted:
            self._note_time(column)
        self.settle_sent(column)

    def settle_sent(self, column: Column) -> None:
        """Write down what was sent last."""
        if column.sent is not None:
            self.note_sent(column.sent, column.rows)
            column.sent = None

    def _note_time(self, column: Column) -> None:
        """Take the time of a reply that did not change what ``column`` said before."""
        column.noted = True
        self.read_ns = put(self.read_ns, column.rows, column.received_ns)
        time_ns = column.received_ns if column.source_ns is None else column.source_ns
        if column.quality is None or not column.quality.any():
            self.time_ns = put(self.time_ns, column.rows, time_ns)
        else:
            there = column.quality & Quality.NO_VALUE == 0
            numbers = column.index[there]
            time_ns = time_ns if isinstance(time_ns, int) else time_ns[there]
            self.time_ns = put(self.time_ns, numbers, time_ns)

    def note_sent(self, batch: Batch, numbers: Rows, sent_ns: int | None = None) -> None:
        """Take ``batch`` as what was sent last about ``numbers``, when it was received or so."""
        of = batch.value_type
        self.sent_values[of] = put(self.sent_values[of], numbers, batch.values)
        flagged = np.count_nonzero(batch.quality)
        self.sent_quality = put(self.sent_quality, numbers, batch.quality if flagged else 0)
        if self.timed:
            moment_ns = batch.received_ns if sent_ns is None else sent_ns
            self.sent_ns = put(self.sent_ns, numbers, moment_ns)
        self.held = put(self.held, numbers, said=False)

    def marked(self, which: Mask, word: int) -> None:
        """Add ``word`` to the marks of some points."""
        self.mark = np.where(which, self.mark | np.uint32(word), self.mark)

    def sent_at(self, now_ns: int) -> None:
        """Count what was never sent as sent now: silence begins here."""
        self.sent_ns = flat(len(self.sent_ns), now_ns, self.sent_ns.dtype)

    def disown(self) -> None:
        """Let no column be the one that said a point's newest read."""
        self.owner = flat(len(self.owner), -1, self.owner.dtype)

    def shift(self, step_ns: int) -> None:
        """Move every time of our own by ``step_ns``: the clock was set."""
        self.read_ns = np.where(self.read_ns != 0, self.read_ns + step_ns, 0)
        self.sent_ns = self.sent_ns + step_ns
        ours = (self.time_ns != 0) & ~self.stamped
        self.time_ns = np.where(ours, self.time_ns + step_ns, self.time_ns)

    def answered(self) -> Mask:
        """Say which points' newest read gave a value that is not invalid."""
        good: Mask = self.quality & VALIDITY_MASK != Quality.INVALID
        return good
