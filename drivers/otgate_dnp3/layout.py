"""Objects to samples: compiled once per device, then a few array operations per object header.

A block that says again what it said last gives the very same arrays, so that what comes behind
knows an unchanged reply by a comparison.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from otgate.decimals import shortest
from otgate.model import Index, Mask, Nanoseconds, Values, ValueType, Words
from otgate.quality import Quality
from otgate.scaling import PLAIN
from otgate_dnp3.flags import TABLES
from otgate_dnp3.reading import Reading
from otgate_dnp3.stack.layouts import LAYOUTS
from otgate_dnp3.stack.points import Columns, PointType, TimeQuality
from otgate_dnp3.times import UNKNOWN, UNSYNCHRONISED, SourceTimes

GONE = Quality.INVALID | Quality.NO_VALUE
NO_NUMBER = np.uint32(GONE | Quality.FAILURE)
BOUNDLESS = np.uint32(GONE | Quality.OVERFLOW)
BEYOND = np.uint32(Quality.QUESTIONABLE | Quality.OUT_OF_RANGE)
UNSPELLED = np.uint32(GONE | Quality.INCONSISTENT)

SHORT_FLOATS = frozenset(
    kind for kind, row in LAYOUTS.items() if row.structs and "f" in row.structs[0].format
)
"""Variations whose value is a float of 32 bits."""

BLOCKS = 256
"""Blocks remembered at once: an outstation that cuts its data ever anew costs no memory."""

EVERY = slice(None)


class Pick(NamedTuple):
    """Which objects of a block are points: their numbers, and their rows where not all are."""

    numbers: Index
    rows: Any
    """A slice, or the rows as an array."""
    slots: Index


@dataclass(slots=True, eq=False)
class Piece:
    """Samples from one block, or from several joined."""

    value_type: ValueType
    numbers: Index
    values: Values
    quality: Words
    source_ns: Nanoseconds | None = None
    lasting: bool = False
    """Whether the same block again is the same piece."""


class Family:
    """The points of one type that are held alike."""

    def __init__(
        self, point_type: PointType, value_type: ValueType, readings: Sequence[Reading]
    ) -> None:
        self.point_type = point_type
        self.value_type = value_type
        self._table = TABLES.get(point_type)
        ordered = sorted(readings, key=lambda reading: reading.address.index)
        self._numbers = np.array([reading.number for reading in ordered], np.int32)
        self._slots = np.full(ordered[-1].address.index + 2, -1, np.int32)
        """By index, the place among ours; -1 for no point, as is what lies behind the last."""
        self._slots[[reading.address.index for reading in ordered]] = np.arange(len(ordered))
        self._invert = _or_none(np.array([reading.invert for reading in ordered]))
        self._scale(ordered)
        self._ranges: dict[range, Pick | None] = {}

    def _scale(self, readings: Sequence[Reading]) -> None:
        scalings = [reading.scaling for reading in readings]
        self._times, self._plus, self._over = (
            _unless([scaling[place] for scaling in scalings], PLAIN[place]) for place in range(3)
        )
        low = np.array([scaling.low for scaling in scalings])
        high = np.array([scaling.high for scaling in scalings])
        self._bounds = (low, high) if np.isfinite([low, high]).any() else None

    def read(self, columns: Columns, pick: Pick | None = None) -> Piece | None:
        """Return the samples of a block, without times; None where no point is in it."""
        pick = pick or self.picked(columns.index)
        if pick is None:
            return None
        quality = self._quality(columns, pick)
        values = self._values(columns, pick, quality)
        return Piece(self.value_type, pick.numbers, values, quality)

    def picked(self, index: Sequence[int]) -> Pick | None:
        """Return which objects of a block are points; None where none is."""
        if not isinstance(index, range):
            return self._pick(self._slots[np.minimum(index, len(self._slots) - 1)])
        if index not in self._ranges:
            slots = self._slots[index.start : min(index.stop, len(self._slots))]
            _keep(self._ranges, index, self._pick(slots, whole=len(slots) == len(index)))
        return self._ranges[index]

    def _pick(self, slots: Index, *, whole: bool = True) -> Pick | None:
        there = slots >= 0
        if whole and there.all():
            return Pick(self._numbers[slots], EVERY, slots)
        rows = np.flatnonzero(there)
        if not len(rows):
            return None
        mine = slots[rows]
        return Pick(self._numbers[mine], rows, mine)

    def _quality(self, columns: Columns, pick: Pick) -> Words:
        if columns.flags is None or self._table is None:
            return np.zeros(len(pick.numbers), np.uint32)
        quality: Words = self._table[_octets(columns.flags)[pick.rows]]
        return quality

    def _values(self, columns: Columns, pick: Pick, quality: Words) -> Values:
        if self.value_type is ValueType.TEXT:
            return _texts(columns.values, pick, quality)
        if self.value_type is ValueType.F64:
            return self._measured(columns, pick, quality)
        if isinstance(columns.values, bytes):
            numbers: Values = np.frombuffer(columns.values, np.uint8)[pick.rows]
        else:
            numbers = np.array(columns.values, self.value_type.dtype)[pick.rows]
        values = numbers.astype(self.value_type.dtype, copy=False)
        if self._invert is not None:
            values = values ^ self._invert[pick.slots]
        return values

    def _measured(self, columns: Columns, pick: Pick, quality: Words) -> Values:
        numbers: Values = np.array(columns.values, np.float64)[pick.rows]
        finite = np.isfinite(numbers)
        if not finite.all():
            quality[np.isnan(numbers)] |= NO_NUMBER
            quality[np.isinf(numbers)] |= BOUNDLESS
            numbers = np.where(finite, numbers, 0.0)
        if (columns.group, columns.variation) in SHORT_FLOATS:
            numbers = shortest(numbers.astype(np.float32))
        if self._bounds is not None:
            low, high = (bound[pick.slots] for bound in self._bounds)
            quality[(numbers < low) | (numbers > high)] |= BEYOND
        if self._times is not None:
            numbers = numbers * self._times[pick.slots]
        if self._plus is not None:
            numbers = numbers + self._plus[pick.slots]
        return numbers if self._over is None else numbers / self._over[pick.slots]


Key = tuple[PointType, int, int, range, ValueType]


@dataclass(slots=True, eq=False)
class Last:
    """What a block of static data said last."""

    values: Sequence[Any]
    flags: Sequence[int] | None
    piece: Piece


class Layout:
    """Every point of a device."""

    def __init__(self, readings: Iterable[Reading], time_zone: str) -> None:
        members: dict[tuple[PointType, ValueType], list[Reading]] = {}
        for reading in readings:
            members.setdefault((reading.address.point_type, reading.value_type), []).append(reading)
        self._families: dict[PointType, list[Family]] = {}
        for (point_type, value_type), some in members.items():
            family = Family(point_type, value_type, some)
            self._families.setdefault(point_type, []).append(family)
        self._times = SourceTimes(time_zone)
        self._last: dict[Key, Last] = {}
        self._joined: dict[tuple[int, ...], tuple[Sequence[Piece], Piece]] = {}
        self._numbers: dict[tuple[int, ...], tuple[Sequence[Index], Index]] = {}

    def read(self, columns: Columns, received_ns: int, *, synchronised: bool) -> list[Piece]:
        """Return the samples of a block.

        ``synchronised`` is False where the outstation says that its clock is not.
        """
        timed = columns.time_ms is not None or columns.time_quality is TimeQuality.UNRELATED
        pieces = []
        for family in self._families.get(columns.point_type, ()):
            if timed:
                piece = self._stamped(family, columns, received_ns, synchronised=synchronised)
            elif columns.event or not isinstance(columns.index, range):
                piece = family.read(columns)
            else:
                piece = self._static(family, columns)
            if piece is not None:
                pieces.append(piece)
        return pieces

    def joined(self, pieces: Sequence[Piece]) -> Piece:
        """Return pieces of one value type as one; the same ones again give the same arrays."""
        if len(pieces) == 1:
            return pieces[0]
        lasting = all(piece.lasting for piece in pieces)
        key = tuple(map(id, pieces))
        if lasting and key in self._joined:
            return self._joined[key][1]
        stamps = [piece.source_ns for piece in pieces if piece.source_ns is not None]
        whole = Piece(
            pieces[0].value_type,
            self._together([piece.numbers for piece in pieces], lasting=lasting),
            np.concatenate([piece.values for piece in pieces]),
            np.concatenate([piece.quality for piece in pieces]),
            np.concatenate(stamps) if stamps else None,
        )
        if lasting:
            _keep(self._joined, key, (pieces, whole))
        return whole

    def _together(self, numbers: Sequence[Index], *, lasting: bool) -> Index:
        key = tuple(map(id, numbers))
        if lasting and key in self._numbers:
            return self._numbers[key][1]
        whole: Index = np.concatenate(numbers)
        if lasting:
            _keep(self._numbers, key, (numbers, whole))
        return whole

    def _static(self, family: Family, columns: Columns) -> Piece | None:
        index = columns.index
        assert isinstance(index, range)  # noqa: S101  the caller looked
        key = (
            columns.point_type,
            columns.group,
            columns.variation,
            index,
            family.value_type,
        )
        last = self._last.get(key)
        if last is not None and last.values == columns.values and last.flags == columns.flags:
            return last.piece
        piece = family.read(columns)
        if piece is None:
            return None
        piece.lasting = True
        _keep(self._last, key, Last(columns.values, columns.flags, piece))
        return piece

    def _stamped(
        self, family: Family, columns: Columns, received_ns: int, *, synchronised: bool
    ) -> Piece | None:
        pick = family.picked(columns.index)
        piece = None if pick is None else family.read(columns, pick)
        if pick is None or piece is None:
            return None
        if columns.time_ms is None:
            piece.quality |= UNKNOWN
            return piece
        stamps: Any = np.array(columns.time_ms, np.int64)[pick.rows]
        quality = piece.quality
        piece.source_ns = self._times.read(stamps, received_ns, quality, columns.time_quality)
        if not synchronised and columns.time_quality is TimeQuality.GIVEN:
            quality |= UNSYNCHRONISED
        return piece


def _keep(kept: dict[Any, Any], key: Any, value: Any) -> None:
    """Remember a value, which is held with what its key is made of, so that ids stay theirs."""
    if len(kept) >= BLOCKS:
        kept.clear()
    kept[key] = value


def _octets(flags: Sequence[int]) -> Any:
    if isinstance(flags, bytes):
        return np.frombuffer(flags, np.uint8)
    return np.array(flags, np.uint8)


def _texts(values: Sequence[Any], pick: Pick, quality: Words) -> Values:
    """Read UTF-8 up to the first NUL, without the spaces that pad it."""
    rows = range(len(values)) if pick.rows is EVERY else pick.rows.tolist()
    texts = np.full(len(pick.numbers), "", object)
    for at, row in enumerate(rows):
        try:
            texts[at] = values[row].split(b"\0", 1)[0].rstrip(b" ").decode("utf-8")
        except UnicodeDecodeError:
            quality[at] |= UNSPELLED
    return texts


def _or_none(mask: Mask) -> Mask | None:
    return mask if mask.any() else None


def _unless(numbers: Sequence[float], usual: float) -> Values | None:
    column = np.array(numbers)
    return None if (column == usual).all() else column
