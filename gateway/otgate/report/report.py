"""Of one device's samples pass what is news: a change, an edge of quality, a refresh.

A point's newest read and its last sending are columns over all points (`Memory`). A session that
emits the same arrays again says that nothing changed; their identity is all that is compared. What
is written down point by point waits until somebody asks for points. ADR 0007.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from otgate.model import (
    Batch,
    Clock,
    Device,
    Index,
    Mask,
    Nanoseconds,
    Origin,
    ValueType,
    distinct,
)
from otgate.quality import VALIDITY_MASK, Quality
from otgate.report.about import About, plain
from otgate.report.change import EXACT, comparison, deadbands, max_ages_ns, paced
from otgate.report.memory import NEVER_SENT, Column, Memory, rows_of
from otgate.report.sparing import put

FAILED = int(Quality.INVALID | Quality.FAILURE)
LOST = int(Quality.INVALID | Quality.COMM_LOST)
STALE = int(Quality.QUESTIONABLE | Quality.STALE)

NO_VALUE = np.uint32(Quality.NO_VALUE)

COLUMNS = 1024
"""Index arrays remembered at once: a session that makes new ones for ever costs no memory."""

STEP_NS = 1_000_000_000
"""A clock that goes back further than this was set."""

NEVER = 1 << 62


class Report:
    """Report by exception for one device."""

    def __init__(
        self, device: Device, value_types: Sequence[ValueType], origin: Origin = Origin.POLL
    ) -> None:
        self.passed = 0
        """Samples that went on."""
        self.suppressed = 0
        """Polled samples that were no news."""
        self._device = device
        self._origin = origin
        """Of what is sent for what time or the link says of a value."""
        self._test = int(Quality.TEST) if device.maintenance else 0
        self._bands = deadbands(device)
        self._max_age_ns = max_ages_ns(device.points)
        ages = self._max_age_ns[self._max_age_ns > 0]
        self._least_age_ns = int(ages.min()) if len(ages) else NEVER
        self._min_ns = round(device.reporting.min_interval_s * 1e9)
        self._max_ns = round(device.reporting.max_interval_s * 1e9)
        self._refresh_ns = round(device.reporting.refresh_s * 1e9)
        self._memory = Memory.of(value_types, timed=bool(self._min_ns or self._max_ns))
        self._paced = paced(device) if self._min_ns else None
        self._columns: dict[int, Column] = {}
        self._claims = 0
        """How often a column has taken points over from others."""
        self._latest_ns = 0
        self._refreshed_ns = 0
        self._due_ns = 0

    def pass_(self, batch: Batch) -> Batch | None:
        """Return what of ``batch`` is news, or None. All origins but POLL pass whole."""
        return self.news(batch) if batch.origin is Origin.POLL else self._pass_whole(batch)

    def news(self, batch: Batch) -> Batch | None:
        """Return what of ``batch`` is news, whatever its origin."""
        if batch.received_ns >= self._latest_ns > 0:
            self._latest_ns = batch.received_ns
        else:
            self._heard(batch.received_ns)
        column = self._columns.get(id(batch.index))
        if column is None:
            column = self._column(batch)
        elif column.says_again(batch):
            column.received_ns = batch.received_ns
            column.source_ns = batch.source_ns
            column.noted = False
            self.suppressed += len(batch)
            return None
        return self._pass_changed(batch, column)

    def failed(self, points: Sequence[int], now_ns: int) -> list[Batch]:
        """Mark ``points`` invalid: the slot in which they were due brought no answer."""
        self._look(now_ns)
        asked = np.zeros(len(self._bands), np.bool_)
        asked[np.asarray(points, np.intp)] = True
        news = asked & (self._memory.mark & (Quality.FAILURE | Quality.COMM_LOST) == 0)
        self._memory.marked(news, FAILED)
        return self._send(news, self._origin, now_ns)

    def lost(self, now_ns: int) -> list[Batch]:
        """Mark every point comm_lost, with its last value and that value's time."""
        self._look(now_ns)
        memory = self._memory
        news = memory.mark & Quality.COMM_LOST == 0
        memory.mark = (memory.mark & np.uint32(Quality.STALE)) | np.uint32(LOST)
        return self._send(news, self._origin, now_ns)

    def tick(self, now_ns: int) -> list[Batch]:
        """Return what became due by time alone: stale, held back, unchanged for long, a refresh."""
        if self._latest_ns - STEP_NS <= now_ns < self._due_ns:
            self._latest_ns = max(self._latest_ns, now_ns)
            return []
        self._settle(now_ns)
        stale = self._stale(now_ns)
        if stale.any():
            self._memory.marked(stale, STALE)
            self._forget()
        news = stale | self._released(now_ns)
        again = self._repeated(now_ns) & ~news
        batches = self._send(news, self._origin, now_ns) if news.any() else []
        if again.any():
            batches += self._send(again, Origin.REFRESH, now_ns)
        self._due_ns = self._next_due_ns()
        return batches

    # What a poll says

    def _heard(self, received_ns: int) -> None:
        if received_ns < self._latest_ns - STEP_NS or not self._latest_ns:
            self._set_clock(received_ns)
        self._latest_ns = max(self._latest_ns, received_ns)

    def _column(self, batch: Batch) -> Column:
        if len(self._columns) >= COLUMNS:
            self._settle(self._latest_ns)
            self._columns.clear()
            self._memory.disown()
        self._memory.room(batch.value_type)
        rows = rows_of(batch.index)
        hold = None if self._paced is None else self._paced[rows]
        changed = comparison(batch.value_type, self._bands[rows])
        column = Column(
            len(self._columns),
            batch.index,
            rows,
            changed,
            changed in EXACT,
            hold if hold is not None and hold.any() else None,
        )
        self._columns[id(batch.index)] = column
        return column

    def _pass_changed(self, batch: Batch, column: Column) -> Batch | None:
        if column.claim != self._claims:
            self._claim(column)
        flagged = column.flags(batch.quality)
        self._note(batch, column, flagged=flagged)
        news = self._news(batch, column, flagged=flagged)
        count, whole = int(np.count_nonzero(news)), len(batch.index)
        self.suppressed += whole - count
        if not count:
            return None
        if count < whole:
            kept = batch.kept(news)
            self._note_part(batch, kept, column, flagged=flagged)
            return self._out(kept)
        if column.paced is None:
            column.sent = batch
        else:
            self._memory.note_sent(batch, column.rows)
        return self._out(batch)

    def _note_part(self, batch: Batch, kept: Batch, column: Column, *, flagged: bool) -> None:
        """Note that of ``batch`` the samples ``kept`` were sent."""
        if column.exact and not flagged and not self._memory.timed:
            column.sent = batch  # what was not sent is as it was sent before
            return
        self._memory.settle_sent(column)
        self._memory.note_sent(kept, kept.index)

    def _claim(self, column: Column) -> None:
        """Take over points that another column spoke about last: it has to look at them anew."""
        memory = self._memory
        if np.count_nonzero(memory.owner[column.rows] != column.number):
            self._forget()
            memory.owner = put(memory.owner, column.rows, column.number)
            self._claims += 1
        column.claim = self._claims

    def _note(self, batch: Batch, column: Column, *, flagged: bool) -> None:
        """Take ``batch`` as the newest read, or put that off."""
        if flagged:
            self._memory.settle(column)  # a point without a value keeps what its last one left
            self._memory.note(batch, column.rows)
        else:
            self._memory.succeed(batch, column.rows)
            column.read = batch
        column.values, column.quality, column.noted = batch.values, batch.quality, True
        self._due_ns = min(self._due_ns, batch.received_ns + self._least_age_ns)

    def _news(self, batch: Batch, column: Column, *, flagged: bool) -> Mask:
        """Say which samples are an edge of quality or a change that may go now."""
        memory, sent = self._memory, column.sent
        if sent is None:
            sent_values = memory.sent_values[batch.value_type][column.rows]
            edges = batch.quality != memory.sent_quality[column.rows]
        else:
            sent_values = sent.values
            edges = None if sent.quality is batch.quality else batch.quality != sent.quality
        moved = column.changed(batch.values, sent_values)
        if flagged:
            moved &= batch.quality & NO_VALUE == 0
        if edges is None:
            return moved
        if column.paced is not None:
            moved = self._hold(batch, column, edges, moved)
        news: Mask = edges | moved
        return news

    def _hold(self, batch: Batch, column: Column, edges: Mask, moved: Mask) -> Mask:
        """Hold back what was sent within the minimum interval; return what moved and may go."""
        memory = self._memory
        ends_ns = memory.sent_ns[column.rows] + self._min_ns
        hold = moved & ~edges & (batch.received_ns < ends_ns)
        if column.paced is not None:
            hold &= column.paced
        memory.held = put(memory.held, column.rows, hold)
        column.holding = bool(np.count_nonzero(hold))
        if column.holding:
            self._due_ns = min(self._due_ns, int(ends_ns[hold].min()))
        return moved & ~hold

    def _pass_whole(self, batch: Batch) -> Batch:
        self._heard(batch.received_ns)
        self._forget()  # first: it writes down the times of polls that came before
        rows = rows_of(batch.index)
        self._memory.note(batch, rows)
        self._memory.note_sent(batch, rows)
        self._due_ns = min(self._due_ns, batch.received_ns + self._least_age_ns)
        return self._out(batch)

    # What time says

    def _stale(self, now_ns: int) -> Mask:
        memory = self._memory
        waiting = (self._max_age_ns > 0) & (memory.mark & Quality.STALE == 0) & memory.answered()
        aged: Mask = waiting & (now_ns - memory.read_ns > self._max_age_ns)
        return aged

    def _released(self, now_ns: int) -> Mask:
        released: Mask = self._memory.held & (now_ns - self._memory.sent_ns >= self._min_ns)
        return released

    def refresh(self, now_ns: int) -> list[Batch]:
        """Return every point as it is known, one that was never read too."""
        self._look(now_ns)
        return self._send(np.ones(len(self._bands), np.bool_), Origin.REFRESH, now_ns)

    def _repeated(self, now_ns: int) -> Mask:
        if self._refresh_ns and now_ns - self._refreshed_ns >= self._refresh_ns:
            elapsed = now_ns - self._refreshed_ns
            self._refreshed_ns += elapsed - elapsed % self._refresh_ns
            return np.ones(len(self._bands), np.bool_)
        if self._max_ns:
            long_ago: Mask = now_ns - self._memory.sent_ns >= self._max_ns
            return long_ago
        return np.zeros(len(self._bands), np.bool_)

    def _next_due_ns(self) -> int:
        memory = self._memory
        due = [NEVER]
        waiting = (self._max_age_ns > 0) & (memory.mark & Quality.STALE == 0) & memory.answered()
        if waiting.any():
            due.append(int((memory.read_ns + self._max_age_ns)[waiting].min()) + 1)
        if memory.held.any():
            due.append(int(memory.sent_ns[memory.held].min()) + self._min_ns)
        if self._max_ns and len(memory.sent_ns):
            due.append(int(memory.sent_ns.min()) + self._max_ns)
        if self._refresh_ns:
            due.append(self._refreshed_ns + self._refresh_ns)
        return min(due)

    def _look(self, now_ns: int) -> None:
        """Bring the memory up to date, and look at every next poll whatever it says."""
        self._settle(now_ns)
        self._forget()

    def _settle(self, now_ns: int) -> None:
        for column in self._columns.values():
            self._memory.settle(column)
        if now_ns < self._latest_ns - STEP_NS or not self._latest_ns:
            self._set_clock(now_ns)
        self._latest_ns = max(self._latest_ns, now_ns)

    def _forget(self) -> None:
        for column in self._columns.values():
            self._memory.settle(column)
            column.values = column.quality = column.judged = None

    def _set_clock(self, now_ns: int) -> None:
        """Begin, or go on after the clock was set back, with every age as it was."""
        if not self._latest_ns:
            self._memory.sent_at(now_ns)
            self._refreshed_ns = now_ns
        else:
            for column in self._columns.values():
                self._memory.settle(column)
            step_ns = now_ns - self._latest_ns
            self._memory.shift(step_ns)
            self._refreshed_ns += step_ns
        self._latest_ns = now_ns
        self._due_ns = 0

    # What goes on

    def _out(self, batch: Batch) -> Batch:
        self.passed += len(batch.index)
        if self._test:
            batch = batch.kept(np.ones(len(batch), np.bool_))
            batch.quality |= np.uint32(self._test)
        return batch

    def _send(self, which: Mask, origin: Origin, now_ns: int) -> list[Batch]:
        """Send the newest value of ``which`` again, with its own time and marks."""
        batches = []
        for batch in self._again(which, origin, now_ns):
            self._memory.note_sent(batch, batch.index, now_ns)
            batches.append(self._out(batch))
        return batches

    def about(self, number: int) -> About:
        """Return what is known of one point; nothing is sent, and no poll is looked at anew."""
        memory = self._memory
        for column in self._columns.values():
            memory.settle(column)
        of = ValueType(memory.value_types[number])
        sent = int(memory.sent_quality[number])
        return About(
            value=plain(memory.values[of][number]),
            quality=int(memory.quality[number] | memory.mark[number]),
            time_ns=int(memory.time_ns[number]),
            read_ns=int(memory.read_ns[number]),
            sent_value=plain(memory.sent_values[of][number]),
            sent_quality=None if sent == NEVER_SENT else sent,
            held=bool(memory.held[number]),
            deadband=float(self._bands[number]),
        )

    def newest(self, numbers: Index) -> str | None:
        """Return the newest values of some points, spelled; None where all of them are invalid."""
        memory = self._memory
        for column in self._columns.values():
            memory.settle(column)
        words = memory.quality[numbers] | memory.mark[numbers]
        if (words & np.uint32(VALIDITY_MASK) == np.uint32(Quality.INVALID)).all():
            return None
        types = memory.value_types[numbers]
        return repr([memory.values[of][numbers[types == of]].tolist() for of in memory.values])

    def known(self, now_ns: int) -> list[Batch]:
        """Return every value that was read, with its own time and marks; nothing is sent."""
        self._look(now_ns)
        return list(self._again(self._memory.read_ns != 0, Origin.REFRESH, now_ns))

    def _again(self, which: Mask, origin: Origin, now_ns: int) -> Iterator[Batch]:
        memory = self._memory
        for value_type in memory.values:
            numbers = np.flatnonzero(which & (memory.value_types == value_type)).astype(np.int32)
            for part, received_ns, source_ns, clock in self._timed(numbers, now_ns):
                quality = memory.quality[part] | memory.mark[part]
                values = memory.values[value_type][part]
                yield Batch(
                    self._device.id,
                    value_type,
                    origin,
                    part,
                    values,
                    quality,
                    received_ns,
                    source_ns,
                    clock,
                )

    def _timed(
        self, numbers: Index, now_ns: int
    ) -> Iterator[tuple[Index, int, Nanoseconds | None, Clock]]:
        """Split points so that every value goes with its own time.

        A value as it was read has the time of that read. One that the gateway marked is sent
        for what happened now, so its own time goes along as the source's.
        """
        memory = self._memory
        stamped = memory.stamped[numbers]
        aged = (memory.mark[numbers] != 0) | stamped
        for moment in distinct(memory.read_ns[numbers[~aged]]):
            part = numbers[~aged & (memory.read_ns[numbers] == moment)]
            yield part, moment or now_ns, None, Clock.GATEWAY
        for clock, which in ((Clock.DEVICE, aged & stamped), (Clock.GATEWAY, aged & ~stamped)):
            if which.any():
                times = memory.time_ns[numbers[which]]
                times = np.where(times == 0, now_ns, times) if times.any() else None
                yield numbers[which], now_ns, times, clock
