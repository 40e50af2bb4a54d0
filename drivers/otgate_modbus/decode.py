"""Replies to columns: compiled once per scan, then a gather, a view and a division per poll.

All replies of a poll are laid end to end. Per value type one index picks the bytes of all its
points, least significant byte first, whatever their byte order on the wire. Points of one
encoding lie together as a run, so that a run is a numpy view of the picked bytes.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from otgate.model import Batch, Index, Origin, Values, ValueType, Words
from otgate.quality import Quality
from otgate_modbus.address import BIT_TABLES
from otgate_modbus.encoding import Encoding, Form, wire_order
from otgate_modbus.planner import Block
from otgate_modbus.raw import Bytes, Numbers, Step, step_for
from otgate_modbus.reading import Reading
from otgate_modbus.verdict import FAILED, GONE, UNSUPPORTED

UNSPELLED = int(GONE | Quality.INCONSISTENT)
"""A BCD digit above nine, a modulus register above 9999, text that is none."""

BEYOND = int(Quality.QUESTIONABLE | Quality.OUT_OF_RANGE)
BOUNDLESS = int(GONE | Quality.OVERFLOW)
"""Infinity."""

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


NO_VALUES: Values = np.zeros(0)
NO_WORDS: Words = np.zeros(0, np.uint32)


class Spot:
    """Where a reading lies: its block, and its first byte in the replies laid end to end."""

    __slots__ = ("block", "offset", "reading", "shift")

    def __init__(self, reading: Reading, block: int, base: int, within: Block) -> None:
        self.reading = reading
        self.block = block
        ahead = reading.start - within.start
        if reading.table in BIT_TABLES:
            self.offset, self.shift = base + ahead // 8, ahead % 8
        else:
            self.offset, self.shift = base + 2 * ahead, reading.shift

    def bytes_of(self, limit: int) -> list[int]:
        """Return where each byte lies, least significant first; ``limit`` ends the block."""
        encoding = self.reading.encoding
        if self.reading.table in BIT_TABLES:  # the lowest address is the lowest bit: V1.1b3 §6.1
            return [self.offset, min(self.offset + 1, limit - 1)]
        if encoding.half >= 0:
            return [self.offset + encoding.half]
        if encoding.form is Form.TEXT:
            order = wire_order(self.reading.order, 2)
            return [self.offset + (at & ~1) + order[at & 1] for at in range(encoding.size)]
        if encoding.form is Form.BITS:
            return [self.offset + 1, self.offset]
        order = wire_order(self.reading.order, encoding.size)
        return [self.offset + at for at in reversed(order)]


class Run:
    """Neighbours in a column that share an encoding and hence a numpy type."""

    def __init__(self, encoding: Encoding, spots: Sequence[Spot], column: ValueType) -> None:
        self.encoding = encoding
        self.count = len(spots)
        readings = [spot.reading for spot in spots]
        shifts = np.array([spot.shift for spot in spots], np.uint16)
        masks = np.array([(1 << reading.width) - 1 for reading in readings], np.uint16)
        self._step: Step = step_for(encoding, shifts, masks)
        self._invert = _or_none(np.array([reading.invert for reading in readings], np.bool_))
        self._limits(readings)
        self._scale(readings, column)

    def _limits(self, readings: Sequence[Reading]) -> None:
        low = np.array([reading.scaling.low for reading in readings], np.float64)
        high = np.array([reading.scaling.high for reading in readings], np.float64)
        self._bounds = (low, high) if np.isfinite([low, high]).any() else None

    def _scale(self, readings: Sequence[Reading], column: ValueType) -> None:
        scalings = [reading.scaling for reading in readings]
        self._scaled = column is ValueType.F64
        self._times = _unless([scaling.times for scaling in scalings], 1.0)
        self._plus = _unless([scaling.plus for scaling in scalings], 0.0)
        self._over = _unless([scaling.over for scaling in scalings], 1.0)

    def decode(self, rows: Bytes, values: Values, quality: Words) -> None:
        """Fill this run's part of ``values`` and worsen its ``quality``."""
        numbers, bad = self._step(rows)
        if bad is not None and bad.any():
            quality[bad] |= np.uint32(UNSPELLED)
        if self.encoding.missing is not None:
            self._mark_missing(rows, numbers, quality)
        if self._bounds is not None:
            beyond = (numbers < self._bounds[0]) | (numbers > self._bounds[1])
            quality[beyond] |= np.uint32(BEYOND)
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
        if self.encoding.form is Form.FLOAT:
            missing = np.isnan(numbers)
        else:
            words = rows.view(f"<u{self.encoding.size}")[:, 0]
            missing = words == words.dtype.type(self.encoding.missing)
        quality[missing] |= np.uint32(MISSING)


class TextRun(Run):
    """Strings: up to the first NUL, without the spaces that pad them."""

    def decode(self, rows: Bytes, values: Values, quality: Words) -> None:
        """Fill this run's part of ``values`` and worsen its ``quality``."""
        for at, row in enumerate(rows):
            spelled = row.tobytes().split(b"\0", 1)[0].rstrip(b" ")
            try:
                values[at] = spelled.decode("utf-8")
            except UnicodeDecodeError:
                quality[at] |= np.uint32(UNSPELLED)


class Column:
    """All points of one value type."""

    def __init__(
        self,
        value_type: ValueType,
        runs: Sequence[tuple[Run, Sequence[Spot]]],
        limits: Sequence[int],
    ) -> None:
        self.value_type = value_type
        spots = [spot for _, some in runs for spot in some]
        self.index = np.array([spot.reading.number for spot in spots], np.int32)
        self._blocks = np.array([spot.block for spot in spots], np.intp)
        picks = [at for spot in spots for at in spot.bytes_of(limits[spot.block])]
        self._pick = np.array(picks, np.intp)
        self._runs: list[tuple[Run, slice, slice]] = []
        self._cut([run for run, _ in runs])
        self._spelled = b""
        self.last: tuple[Values, Words] = (NO_VALUES, NO_WORDS)
        """Values and quality; the very same arrays while nothing changes."""

    def _cut(self, runs: Sequence[Run]) -> None:
        at = byte = 0
        for run in runs:
            stop, end = at + run.count, byte + run.count * run.encoding.size
            self._runs.append((run, slice(at, stop), slice(byte, end)))
            at, byte = stop, end

    def decode(self, replies: Bytes, states: Words) -> None:
        """Take the replies of a poll, and a quality per block that is not zero if it failed."""
        picked = replies[self._pick]
        spelled = states.tobytes() + picked.tobytes()
        if spelled != self._spelled:
            self._spelled = spelled
            self.last = self._decoded(picked, states)

    @cached_property
    def parts(self) -> list[tuple[int, Index, Index]]:
        """Per block with points here: its number, their rows, and the index of those."""
        blocks: list[int] = np.unique(self._blocks).tolist()
        rows = [np.flatnonzero(self._blocks == block).astype(np.int32) for block in blocks]
        return [(block, some, self.index[some]) for block, some in zip(blocks, rows, strict=True)]

    def _decoded(self, picked: Bytes, states: Words) -> tuple[Values, Words]:
        quality = np.zeros(len(self.index), np.uint32)
        values = np.empty(len(self.index), self.value_type.dtype)
        if self.value_type is ValueType.TEXT:
            values[:] = ""
        with np.errstate(all="ignore"):
            for run, rows, span in self._runs:
                matrix = picked[span].reshape(-1, run.encoding.size)
                run.decode(matrix, values[rows], quality[rows])
        if self.value_type is ValueType.F64:
            _mark_unbounded(values, quality)
        if states.any():
            unread = states[self._blocks]
            quality = np.where(unread, unread, quality)
        if quality.any():
            gone = quality & np.uint32(Quality.NO_VALUE) != 0
            values[gone] = PLACEHOLDERS[self.value_type]
        return values, quality


class Layout:
    """What the replies of one scan mean, block by block."""

    def __init__(self, device: str, readings: Sequence[Reading], blocks: Sequence[Block]) -> None:
        self.blocks = tuple(blocks)
        self._device = device
        self._empty = [bytes(block.reply_size) for block in blocks]
        self._columns = _columns(readings, blocks)
        self._last: tuple[bytes, Sequence[int]] | None = None

    def decode(
        self, replies: Sequence[bytes | None], states: Sequence[int], received_ns: int
    ) -> list[Batch]:
        """Decode one reply and one quality per block; a block without a reply gives None."""
        raw = b"".join(
            empty if reply is None else reply
            for reply, empty in zip(replies, self._empty, strict=True)
        )
        if self._last != (raw, states):
            self._last = (raw, states)
            picked, words = np.frombuffer(raw, np.uint8), np.array(states, np.uint32)
            for column in self._columns:
                column.decode(picked, words)
        return [self._batch(column, received_ns) for column in self._columns]

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


def _columns(readings: Sequence[Reading], blocks: Sequence[Block]) -> list[Column]:
    runs: dict[tuple[ValueType, Encoding], list[Spot]] = defaultdict(list)
    limits = []
    base = 0
    by_number = {reading.number: reading for reading in readings}
    for at, block in enumerate(blocks):
        for number in block.numbers:
            reading = by_number[number]
            runs[reading.value_type, reading.encoding].append(Spot(reading, at, base, block))
        base += block.reply_size
        limits.append(base)
    columns: dict[ValueType, list[tuple[Run, list[Spot]]]] = defaultdict(list)
    for (value_type, encoding), spots in sorted(runs.items(), key=_widest_first):
        make = TextRun if encoding.form is Form.TEXT else Run
        columns[value_type].append((make(encoding, spots, value_type), spots))
    return [Column(value_type, columns[value_type], limits) for value_type in sorted(columns)]


def _widest_first(run: tuple[tuple[ValueType, Encoding], list[Spot]]) -> tuple[int, str]:
    """Order runs so that every numpy view is aligned."""
    encoding = run[0][1]
    return -encoding.size, f"{encoding.name} {encoding.missing}"


def _unless(terms: Sequence[float], plain: float) -> Numbers | None:
    column = np.array(terms, np.float64)
    return None if (column == plain).all() else column


def _or_none(mask: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    return mask if mask.any() else None


def _mark_unbounded(values: Values, quality: Words) -> None:
    finite = np.isfinite(values)
    if finite.all():
        return
    unmarked = quality & np.uint32(Quality.NO_VALUE) == 0
    quality[unmarked & np.isnan(values)] |= np.uint32(NO_NUMBER)
    quality[unmarked & np.isinf(values)] |= np.uint32(BOUNDLESS)
