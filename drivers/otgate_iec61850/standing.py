"""What is known of each point of a device: value, quality, time; and samples made of that."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from otgate.model import Batch, Origin, ValueType
from otgate.quality import Quality
from otgate_iec61850.columns import Conversion
from otgate_iec61850.flags import (
    MISSED,
    MISSED_UNKNOWN,
    NO_STAMP,
    UNSPELLED,
    Stamp,
    quality_of,
    refusal,
    stamp_of,
)
from otgate_iec61850.mms.values import Failure
from otgate_iec61850.places import ABSENT, Atlas, Take, dig
from otgate_iec61850.reading import Reading

UNTOLD = int(Quality.QUESTIONABLE)
"""Quality of a value whose ``q`` exists and has not come yet."""

UNTIMED = Stamp(None)
"""A point that has no ``t``."""


@dataclass(slots=True)
class Cell:
    """One point."""

    value_type: ValueType
    quality: int
    stamp: Stamp
    timed: bool
    """Whether the server has a ``t`` for it."""
    raw: Any = None
    flaw: int = 0
    """Why there is no value."""
    known: bool = False


class Kind(NamedTuple):
    """What one batch is of."""

    value_type: ValueType
    origin: Origin
    stamped: bool


class Standing:
    """The points of one device."""

    def __init__(self, device: str, readings: Sequence[Reading], count: int, atlas: Atlas) -> None:
        self._device = device
        self._conversion = Conversion(readings, count)
        self._cells: dict[int, Cell] = {}
        for reading in readings:
            spot = atlas.spots[reading.number]
            quality = int(Quality.GOOD) if spot.q is None else UNTOLD
            timed = spot.t is not None
            stamp = NO_STAMP if timed else UNTIMED
            self._cells[reading.number] = Cell(reading.value_type, quality, stamp, timed)

    def known(self, number: int) -> bool:
        """Tell whether a point's value, or why there is none, has come."""
        return self._cells[number].known

    def absorb(self, takes: Iterable[Take], value: Any, event: Stamp | None = None) -> None:
        """Take what one variable brings; ``event`` is when it changed, if that is why it came."""
        cells = self._cells
        for number, at, q, t in takes:
            cell = cells[number]
            if type(value) is Failure:
                if at is not None:
                    self._fail(cell, refusal(value.error))
                continue
            if at is not None:
                self._put(cell, dig(value, at), event, timed=t is not None)
            if q is not None:
                cell.quality = quality_of(dig(value, q))
            if t is not None:
                cell.stamp = stamp_of(dig(value, t))

    def _fail(self, cell: Cell, flaw: int) -> None:
        cell.raw, cell.flaw, cell.known = None, flaw, True

    def _put(self, cell: Cell, raw: Any, event: Stamp | None, *, timed: bool) -> None:
        """Keep a value; one that comes without its time has the event's, or that of before."""
        if type(raw) is Failure:
            self._fail(cell, refusal(raw.error))
            return
        if raw is ABSENT:
            self._fail(cell, UNSPELLED)
            return
        if not timed and cell.timed and (raw != cell.raw or not cell.known):
            cell.stamp = event or NO_STAMP
        cell.raw, cell.flaw, cell.known = raw, 0, True

    def batches(self, origins: Mapping[int, Origin], received_ns: int) -> list[Batch]:
        """Return the samples of points as they are now, those not known left out."""
        groups: dict[tuple[ValueType, Origin, bool], list[int]] = {}
        cells = self._cells
        for number, origin in origins.items():
            cell = cells[number]
            if cell.known:
                kind = (cell.value_type, origin, cell.stamp.ns is not None)
                if kind in groups:
                    groups[kind].append(number)
                else:
                    groups[kind] = [number]
        return [self._batch(Kind(*kind), numbers, received_ns) for kind, numbers in groups.items()]

    def missed(self, numbers: Iterable[int], received_ns: int) -> list[Batch]:
        """Return points as what they are once events were lost: of questionable age."""
        groups: dict[Kind, list[int]] = {}
        for number in numbers:
            cell = self._cells[number]
            kind = Kind(cell.value_type, Origin.EVENT, cell.stamp.ns is not None)
            groups.setdefault(kind, []).append(number)
        found = []
        for kind, members in groups.items():
            batch = self._batch(kind, members, received_ns)
            known = np.array([self._cells[each].raw is not None for each in members])
            marks = np.where(known, MISSED, MISSED_UNKNOWN).astype(np.uint32)
            found.append(replace(batch, quality=batch.quality | marks))
        return found

    def _batch(self, kind: Kind, numbers: Sequence[int], received_ns: int) -> Batch:
        cells = [self._cells[number] for number in numbers]
        index = np.array(numbers, np.int32)
        quality = np.array(
            [cell.quality | cell.stamp.quality | cell.flaw for cell in cells], np.uint32
        )
        raw = [cell.raw for cell in cells]
        values = self._conversion.column(kind.value_type, index, raw, quality)
        source = None
        if kind.stamped:
            source = np.array([cell.stamp.ns for cell in cells], np.int64)
        return Batch(
            self._device, kind.value_type, kind.origin, index, values, quality, received_ns, source
        )


class Sheet:
    """A poll's answer and the columns made of it, which an unchanged answer is given again."""

    def __init__(self) -> None:
        self._said: Sequence[Any] | None = None
        self._batches: list[Batch] = []

    def batches(self, said: Sequence[Any], received_ns: int) -> list[Batch] | None:
        """Return the columns of before with a new time, or None where the answer is another."""
        if self._said != said:
            return None
        return [replace(batch, received_ns=received_ns) for batch in self._batches]

    def keep(self, said: Sequence[Any], batches: list[Batch]) -> None:
        """Keep an answer and its columns."""
        self._said, self._batches = said, batches
