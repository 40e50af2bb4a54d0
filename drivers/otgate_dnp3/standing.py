"""Which points an outstation has been heard of, and what to say of those that it has not."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from otgate.model import Batch, Mask, Origin, ValueType, Words
from otgate.quality import Quality

UNREPORTED = np.uint32(Quality.INVALID | Quality.NO_VALUE | Quality.ILLEGAL_ADDRESS)


class Standing:
    """The points of one device as a mask each: what the poll under way has brought.

    A point may be reported by its events alone. The last one is then kept, and said again where
    a poll leaves the point out.
    """

    def __init__(self, device: str, value_types: Sequence[ValueType]) -> None:
        self._device = device
        self._types = np.array(value_types, np.uint8)
        self.partial = False
        """Whether the poll under way had a part that could not be read: it leaves nothing out."""
        self.seen: Mask = np.zeros(len(value_types), np.bool_)
        self._known: Mask = np.zeros(len(value_types), np.bool_)
        """Points that static data has brought in this connection."""
        self._told: dict[int, tuple[Any, int, int | None]] = {}
        """Of points that only events have brought: value, quality, time."""

    def begin(self) -> None:
        """Begin a poll."""
        self.partial = False
        self.seen[:] = False

    def note(self, batch: Batch) -> None:
        """Note what a batch brings."""
        if batch.origin in {Origin.INTEGRITY, Origin.POLL}:
            self.seen[batch.index] = True
            self._known[batch.index] = True
        elif not self._known[batch.index].all():
            self._remember(batch)

    def left_out(self, points: Sequence[int]) -> list[int]:
        """Return those of ``points`` that neither this poll nor any event has brought."""
        return [point for point in self._unseen(points) if point not in self._told]

    def said_again(self, points: Sequence[int], now_ns: int) -> list[Batch]:
        """Return what the poll that has ended says of ``points`` that it left out."""
        unseen = self._unseen(points)
        absent = [point for point in unseen if point not in self._told]
        found = [self._empty(part, now_ns) for part in self._by_type(absent)]
        for timed in (False, True):
            told = [
                point
                for point in unseen
                if point in self._told and (self._told[point][2] is not None) is timed
            ]
            found += [self._again(part, now_ns, timed=timed) for part in self._by_type(told)]
        return found

    def _unseen(self, points: Sequence[int]) -> list[int]:
        if self.partial:
            return []
        numbers = np.asarray(points, np.intp)
        left: list[int] = numbers[~self.seen[numbers]].tolist()
        return left

    def _by_type(self, points: Sequence[int]) -> Iterable[list[int]]:
        for value_type in sorted({int(self._types[point]) for point in points}):
            yield [point for point in points if self._types[point] == value_type]

    def _empty(self, points: list[int], now_ns: int) -> Batch:
        value_type = ValueType(int(self._types[points[0]]))
        values = np.full(len(points), "" if value_type is ValueType.TEXT else 0, value_type.dtype)
        quality: Words = np.full(len(points), UNREPORTED, np.uint32)
        return self._batch(points, values, quality, now_ns)

    def _again(self, points: list[int], now_ns: int, *, timed: bool) -> Batch:
        value_type = ValueType(int(self._types[points[0]]))
        told = [self._told[point] for point in points]
        values = np.array([each[0] for each in told], value_type.dtype)
        batch = self._batch(points, values, np.array([each[1] for each in told], np.uint32), now_ns)
        if timed:
            batch.source_ns = np.array([each[2] for each in told], np.int64)
        return batch

    def _batch(self, points: list[int], values: Any, quality: Words, now_ns: int) -> Batch:
        value_type = ValueType(int(self._types[points[0]]))
        index = np.array(points, np.int32)
        return Batch(self._device, value_type, Origin.POLL, index, values, quality, now_ns)

    def _remember(self, batch: Batch) -> None:
        stamps = [None] * len(batch) if batch.source_ns is None else batch.source_ns.tolist()
        rows = zip(
            batch.index.tolist(), batch.values.tolist(), batch.quality.tolist(), stamps, strict=True
        )
        for point, value, quality, stamp in rows:
            if not self._known[point]:
                self._told[point] = value, quality, stamp
