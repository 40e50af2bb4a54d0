"""Replies to columns: compiled once per scan, then a gather, a view and a division per poll.

All replies of a poll are laid end to end. Per value type one index picks the bytes of all its
points, least significant byte first, whatever their byte order on the wire. Points of one
encoding lie together as a run, so that a run is a numpy view of the picked bytes.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from otgate.alike import Alike, shared
from otgate.model import Batch, Index, Origin, Values, ValueType, Words, distinct
from otgate.quality import Quality
from otgate_modbus.encoding import Encoding, Form
from otgate_modbus.factors import Factors
from otgate_modbus.planner import Block
from otgate_modbus.raw import Bytes, Numbers, Step, step_for
from otgate_modbus.reading import Reading
from otgate_modbus.rollover import Rolling, Rollovers
from otgate_modbus.spots import Spot, spots_of
from otgate_modbus.stamps import milliseconds, zone_of
from otgate_modbus.verdict import FAILED, GONE, UNSUPPORTED

UNSPELLED = int(GONE | Quality.INCONSISTENT)
"""A BCD digit above nine, a modulus register above 9999, text that is none."""

BEYOND = int(Quality.QUESTIONABLE | Quality.OUT_OF_RANGE)
BOUNDLESS = int(GONE | Quality.OVERFLOW)
"""Infinity."""

TAKEN = frozenset({Form.UNSIGNED, Form.SIGNED, Form.BITS})
"""Forms whose numbers are what the registers hold: nothing that numpy would warn of."""

NO_VALUE = np.uint32(Quality.NO_VALUE)
NO_NUMBER = int(FAILED)
MISSING = int(UNSUPPORTED)


PLACEHOLDERS = {
    ValueType.F64: np.nan,
    ValueType.I64: 0,
    ValueType.U64: 0,
    ValueType.BOOL: False,
    ValueType.TEXT: "",
}
"""What stands where quality says that there is no value."""


EMPTY: Alike[bytes] = Alike()
"""What stands where a reply is missing."""

NO_VALUES: Values = np.zeros(0)
NO_WORDS: Words = np.zeros(0, np.uint32)


class Run:
    """Neighbours in a column that share an encoding and hence a numpy type."""

    rolling: Rolling | None = None
    """Those of them that roll over."""

    def __init__(self, encoding: Encoding, spots: Sequence[Spot], column: ValueType) -> None:
        self.encoding = encoding
        self.count = len(spots)
        readings = [spot.reading for spot in spots]
        shifts = shared(np.array([spot.shift for spot in spots], np.uint16))
        masks = shared(np.array([(1 << reading.width) - 1 for reading in readings], np.uint16))
        self._step: Step = step_for(encoding, shifts, masks)
        self._invert = _or_none(np.array([reading.invert for reading in readings], np.bool_))
        self._known = _known(readings)
        self._limits(readings)
        self._scale(readings, column)

    def _limits(self, readings: Sequence[Reading]) -> None:
        low = np.array([reading.scaling.low for reading in readings], np.float64)
        high = np.array([reading.scaling.high for reading in readings], np.float64)
        bounded = np.isfinite([low, high]).any()
        self._bounds = (shared(low), shared(high)) if bounded else None

    def _scale(self, readings: Sequence[Reading], column: ValueType) -> None:
        scalings = [reading.scaling for reading in readings]
        self._scaled = column is ValueType.F64
        rolls = any(reading.modulus for reading in readings)
        self.calculates = self._scaled or rolls or self.encoding.form not in TAKEN
        """Whether more is done than to take registers as they are."""
        self._times = _unless([scaling.times for scaling in scalings], 1.0)
        self._plus = _unless([scaling.plus for scaling in scalings], 0.0)
        self._over = _unless([scaling.over for scaling in scalings], 1.0)

    def decode(self, rows: Bytes, values: Values, quality: Words) -> None:
        """Fill this run's part of ``values`` and worsen its ``quality``."""
        numbers, bad = self._step(rows)
        if self.encoding.missing or self.encoding.lacking:
            self._mark_missing(rows, numbers, quality)
        if bad is not None and np.count_nonzero(bad):
            _mark(np.flatnonzero(bad), UNSPELLED, quality)
        for some, codes in self._known:
            strange = (numbers[some, None] != codes).all(axis=1)
            _mark(some[strange], BEYOND, quality)
        if self._bounds is not None:
            beyond = (numbers < self._bounds[0]) | (numbers > self._bounds[1])
            _mark(np.flatnonzero(beyond), BEYOND, quality)
        if self.rolling is not None:
            numbers = self.rolling(numbers, quality)
        if self._scaled:
            values[:] = self._in_units(numbers)
        elif self._invert is not None:
            values[:] = numbers.astype(np.bool_) ^ self._invert
        else:
            values[:] = numbers

    def _in_units(self, numbers: Numbers) -> Numbers:
        if self._times is not None:
            numbers = numbers * self._times
        if self._plus is not None:
            numbers = numbers + self._plus
        return numbers if self._over is None else numbers / self._over

    def _mark_missing(self, rows: Bytes, numbers: Numbers, quality: Words) -> None:
        if self.encoding.lacking:
            quality[np.isnan(numbers)] |= np.uint32(MISSING)
        words = rows.view(f"<u{self.encoding.size}")[:, 0]
        for word in self.encoding.missing:
            quality[words == words.dtype.type(word)] |= np.uint32(MISSING)


class FactoredRun(Run):
    """Numbers that come with a register that says their power of ten."""

    def __init__(self, encoding: Encoding, spots: Sequence[Spot], column: ValueType) -> None:
        super().__init__(encoding, spots, column)
        self.factors = Factors([spot.factor_apart for spot in spots])

    def _in_units(self, numbers: Numbers) -> Numbers:
        """Divide once, by a whole power of ten, so that 372 at -1 is 37.2."""
        times, plus, over = self._times, self._plus, self._over
        up, down = self.factors.up, self.factors.down
        numbers = numbers * (up if times is None else times * up)
        if plus is not None:
            numbers = numbers + plus * down
        return numbers / (down if over is None else over * down)


class TextRun(Run):
    """Strings: up to the first NUL, without the spaces that pad them."""

    def decode(self, rows: Bytes, values: Values, quality: Words) -> None:
        """Fill this run's part of ``values`` and worsen its ``quality``."""
        for at, row in enumerate(rows):
            try:
                values[at] = self._read(row.tobytes())
            except UnicodeDecodeError:
                quality[at] |= np.uint32(UNSPELLED)
            if self.encoding.lacking and not values[at]:
                quality[at] |= np.uint32(MISSING)

    def _read(self, spelled: bytes) -> str:
        """Cut at the NUL before decoding: what stands behind it need not be text."""
        if self.encoding.codec == "utf-16-be":
            ends = (at for at in range(0, len(spelled), 2) if spelled[at : at + 2] == b"\0\0")
            spelled = spelled[: next(ends, len(spelled))]
        else:
            spelled = spelled.split(b"\0", 1)[0]
        return spelled.decode(self.encoding.codec).rstrip(" ")


class StampRun(Run):
    """Dates: few, seldom changed, and each to be looked up in its time zone."""

    def __init__(self, encoding: Encoding, spots: Sequence[Spot], column: ValueType) -> None:
        super().__init__(encoding, spots, column)
        self._zones = [zone_of(spot.reading.zone) for spot in spots]

    def decode(self, rows: Bytes, values: Values, quality: Words) -> None:
        """Fill this run's part of ``values`` and worsen its ``quality``."""
        self._mark_missing(rows, values, quality)
        for at, (registers, zone) in enumerate(zip(rows.view("<u2"), self._zones, strict=True)):
            try:
                values[at], doubt = milliseconds(registers[::-1].tolist(), zone)
            except (ValueError, OverflowError):
                doubt = Quality(UNSPELLED)
            _mark(np.array([at]), int(doubt), quality)


class Column:
    """All points of one value type."""

    def __init__(
        self, value_type: ValueType, runs: Sequence[tuple[Run, Sequence[Spot]]], size: int
    ) -> None:
        """Take the runs, and how many bytes all replies of a poll have."""
        self.value_type = value_type
        spots = [spot for _, some in runs for spot in some]
        self.index = shared(np.array([spot.reading.number for spot in spots], np.int32))
        self._blocks = shared(np.array([spot.home.number for spot in spots], np.intp))
        self._besides = [
            (row, home.number) for row, spot in enumerate(spots) for home in spot.others
        ]
        """Rows that need another block as well."""
        picks = [at for spot in spots for at in spot.bytes_of()]
        self._factors = len(picks)
        """Where the scale factors begin, behind the bytes of all values."""
        picks += [at for spot in spots for at in spot.factor_bytes()]
        self._pick = pick_for(picks)
        self._picks_all = len(set(picks)) == size
        """Whether replies that differ are always news to this column."""
        self._runs: list[tuple[Run, slice, slice]] = []
        self._cut([run for run, _ in runs])
        self._calculates = any(run.calculates for run, _ in runs)
        self._spelled = b""
        self.torn = False
        """Whether the next poll has to be decoded even if it says the same."""
        self._good: Words = shared(np.zeros(len(spots), np.uint32))
        self.last: tuple[Values, Words] = (NO_VALUES, NO_WORDS)
        """Values and quality; the very same arrays while nothing changes."""

    def _cut(self, runs: Sequence[Run]) -> None:
        at = byte = 0
        for run in runs:
            stop, end = at + run.count, byte + run.count * run.encoding.size
            self._runs.append((run, slice(at, stop), slice(byte, end)))
            at, byte = stop, end

    def decode(self, replies: Bytes, states: Words) -> None:
        """Take replies that are not those of the last poll, and a quality per block.

        The quality is not zero if the block failed.
        """
        picked = self._pick(replies)
        spelled = b"" if self._picks_all else states.tobytes() + picked.tobytes()
        if self._picks_all or spelled != self._spelled or self.torn:
            self._spelled = spelled
            self.torn = False
            self.last = self._decoded(picked, states)

    @cached_property
    def parts(self) -> list[tuple[int, Index, Index]]:
        """Per block with points here: its number, their rows, and the index of those."""
        blocks = distinct(self._blocks)
        rows = [np.flatnonzero(self._blocks == block).astype(np.int32) for block in blocks]
        return [(block, some, self.index[some]) for block, some in zip(blocks, rows, strict=True)]

    def _decoded(self, picked: Bytes, states: Words) -> tuple[Values, Words]:
        quality = np.zeros(len(self.index), np.uint32)
        values = np.empty(len(self.index), self.value_type.dtype)
        unread = self._unread(states) if np.count_nonzero(states) else None
        if unread is not None:
            quality |= unread
        if self.value_type is ValueType.TEXT:
            values[:] = ""
        if self._calculates:
            with np.errstate(all="ignore"):
                self._run_through(picked, values, quality)
        else:
            self._run_through(picked, values, quality)
        if self.value_type is ValueType.F64:
            _mark_unbounded(values, quality)
        if unread is not None:
            quality = np.where(unread, unread, quality)
        if not np.count_nonzero(quality):
            return values, self._good  # known again by identity
        gone = quality & NO_VALUE != 0
        values[gone] = PLACEHOLDERS[self.value_type]
        return values, quality

    def _run_through(self, picked: Bytes, values: Values, quality: Words) -> None:
        factors = picked[self._factors :].view("<i2")
        for run, rows, span in self._runs:
            if isinstance(run, FactoredRun):
                run.factors.take(factors[: run.count], quality[rows])
                self.torn |= run.factors.torn
                factors = factors[run.count :]
            matrix = picked[span].reshape(-1, run.encoding.size)
            run.decode(matrix, values[rows], quality[rows])

    def _unread(self, states: Words) -> Words:
        unread = states[self._blocks]
        for row, block in self._besides:
            unread[row] |= states[block]
        return unread


Pick = Callable[[Bytes], Bytes]
"""Lay bytes of the replies end to end."""


def pick_for(picks: Sequence[int]) -> Pick:
    """Return what picks these bytes.

    Most registers lie side by side, so that words that are swapped are what an index would pick,
    at a tenth of its cost and without its eight bytes for each.
    """
    index = np.array(picks, np.intp)
    first = int(index.min(initial=0))
    span = slice(first, first + len(index))
    for width in (2, 4, 8):
        if len(index) % width == 0 and np.array_equal(index - first, _swapped(width, len(index))):
            return _words_swapped(span, width)
    index = shared(index)
    return lambda replies: replies[index]


def _swapped(width: int, count: int) -> NDArray[np.intp]:
    """Return where the bytes of ``count // width`` words lie, each from its end."""
    return np.arange(count, dtype=np.intp).reshape(-1, width)[:, ::-1].ravel()


def _words_swapped(span: slice, width: int) -> Pick:
    wire, ours = np.dtype(f">u{width}"), np.dtype(f"<u{width}")
    return lambda replies: replies[span].view(wire).astype(ours).view(np.uint8)


class Layout:
    """What the replies of one scan mean, block by block."""

    def __init__(
        self,
        device: str,
        readings: Sequence[Reading],
        blocks: Sequence[Block],
        rollovers: Rollovers | None = None,
    ) -> None:
        self.blocks = tuple(blocks)
        self._device = device
        self._empty = [EMPTY.one(bytes(block.reply_size)) for block in blocks]
        self._columns = _columns(readings, blocks, rollovers)
        self._clear: Words = shared(np.zeros(len(self.blocks), np.uint32))
        self._last: tuple[tuple[bytes | None, ...], Sequence[int]] | None = None

    def decode(
        self, replies: Sequence[bytes | None], states: Sequence[int], received_ns: int
    ) -> list[Batch]:
        """Decode one reply and one quality per block; a block without a reply gives None."""
        said = tuple(replies), states
        if self._last != said or any(column.torn for column in self._columns):
            pairs = zip(replies, self._empty, strict=True)
            raw = b"".join([empty if reply is None else reply for reply, empty in pairs])
            received, words = np.frombuffer(raw, np.uint8), self._words(states)
            for column in self._columns:
                column.decode(received, words)
        self._last = said  # the replies that their requests hold as well: no copy
        return [self._batch(column, received_ns) for column in self._columns]

    def _words(self, states: Sequence[int]) -> Words:
        """Return states as a column; nearly always none of them has a flag."""
        return np.array(states, np.uint32) if any(states) else self._clear

    def apart(self, times_ns: Sequence[int]) -> list[Batch]:
        """Return what was decoded last block by block, each at its own time, oldest first."""
        batches = []
        for column in self._columns:
            whole = self._batch(column, 0)
            for block, rows, index in column.parts:
                part = replace(
                    whole,
                    index=index,
                    values=whole.values[rows],
                    quality=whole.quality[rows],
                    received_ns=times_ns[block],
                )
                batches.append(part)
        return sorted(batches, key=lambda batch: batch.received_ns)

    def _batch(self, column: Column, received_ns: int) -> Batch:
        values, quality = column.last
        return Batch(
            self._device,
            column.value_type,
            Origin.POLL,
            column.index,
            values,
            quality,
            received_ns,
        )


RUNS: Mapping[Form, type[Run]] = {Form.TEXT: TextRun, Form.STAMP: StampRun}
Kindred = tuple[ValueType, Encoding, bool]
"""What points of one run have in common; the last says whether they have scale factors."""


def _columns(
    readings: Sequence[Reading], blocks: Sequence[Block], rollovers: Rollovers | None
) -> list[Column]:
    runs: dict[Kindred, list[Spot]] = defaultdict(list)
    for spot in spots_of({reading.number: reading for reading in readings}, blocks):
        reading = spot.reading
        runs[reading.value_type, reading.encoding, reading.factor is not None].append(spot)
    columns: dict[ValueType, list[tuple[Run, list[Spot]]]] = defaultdict(list)
    for (value_type, encoding, factored), spots in sorted(runs.items(), key=_widest_first):
        make = FactoredRun if factored else RUNS.get(encoding.form, Run)
        run = make(encoding, spots, value_type)
        run.rolling = None if rollovers is None else _rolling(spots, rollovers)
        columns[value_type].append((run, spots))
    size = sum(block.reply_size for block in blocks)
    return [Column(value_type, columns[value_type], size) for value_type in sorted(columns)]


def _rolling(spots: Sequence[Spot], rollovers: Rollovers) -> Rolling | None:
    rows = [row for row, spot in enumerate(spots) if spot.reading.modulus]
    if not rows:
        return None
    counters = [spots[row].reading for row in rows]
    slots = rollovers.slots(
        [counter.number for counter in counters], [counter.modulus for counter in counters]
    )
    return Rolling(rows, slots, rollovers)


def _widest_first(run: tuple[Kindred, list[Spot]]) -> tuple[int, str]:
    """Order runs so that every numpy view is aligned."""
    _, encoding, factored = run[0]
    return -encoding.size, f"{encoding.name} {encoding.missing} {factored}"


def _known(readings: Sequence[Reading]) -> list[tuple[NDArray[np.intp], NDArray[np.int64]]]:
    """Return rows of enumerations and the codes that they may have."""
    rows: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for row, reading in enumerate(readings):
        if reading.codes:
            rows[tuple(reading.codes)].append(row)
    return [(np.array(some), np.array(codes, np.int64)) for codes, some in rows.items()]


def _unless(terms: Sequence[float], plain: float) -> Numbers | None:
    found = np.array(terms, np.float64)
    return None if (found == plain).all() else shared(found)


def _or_none(mask: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    return shared(mask) if mask.any() else None


def _mark(rows: NDArray[np.intp], word: int, quality: Words) -> None:
    """Worsen the quality of values; where it is known that there is none, nothing is to be said."""
    quality[rows[quality[rows] & np.uint32(Quality.NO_VALUE) == 0]] |= np.uint32(word)


def _mark_unbounded(values: Values, quality: Words) -> None:
    finite = np.isfinite(values)
    if np.count_nonzero(finite) == len(finite):
        return
    unmarked = quality & np.uint32(Quality.NO_VALUE) == 0
    quality[unmarked & np.isnan(values)] |= np.uint32(NO_NUMBER)
    quality[unmarked & np.isinf(values)] |= np.uint32(BOUNDLESS)
