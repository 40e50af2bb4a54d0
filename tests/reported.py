"""Short spellings for tests of the report: devices, polls, and what came out."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from otgate.model import (
    Batch,
    Deadband,
    Device,
    Index,
    Kind,
    Origin,
    Point,
    Reporting,
    Values,
    ValueType,
    Words,
)
from otgate.quality import Quality
from otgate.report import Report

START_NS = 1_790_000_000_000_000_000
S = 1_000_000_000
FAILED = Quality.INVALID | Quality.FAILURE
LOST = Quality.INVALID | Quality.COMM_LOST
STALE = Quality.QUESTIONABLE | Quality.STALE
UNREAD = Quality.INVALID | Quality.NO_VALUE | Quality.NOT_YET_READ


def point(
    kind: Kind = Kind.MEASUREMENT,
    deadband: Deadband | None = None,
    max_age_s: float = 0.0,
    eu: tuple[float, float] | None = None,
    *,
    latch: bool = False,
) -> Point:
    lo, hi = eu or (None, None)
    return Point("p", kind, deadband=deadband, max_age_s=max_age_s, eu_lo=lo, eu_hi=hi, latch=latch)


class Bench:
    """A report of one device whose points all have one value type, fed from one scan."""

    def __init__(
        self,
        points: Sequence[Point] = (point(),),
        value_type: ValueType = ValueType.F64,
        reporting: Reporting | None = None,
        *,
        maintenance: bool = False,
    ) -> None:
        self.value_type = value_type
        device = Device(
            "d",
            "none",
            "bay",
            points,
            {},
            None,
            reporting or Reporting(),
            maintenance=maintenance,
        )
        self.report = Report(device, [value_type] * len(points))
        self.index: Index = np.arange(len(points), dtype=np.int32)
        self.now_ns = START_NS
        self.values: Values = np.zeros(0)
        self.quality: Words = np.zeros(0, np.uint32)

    def after(self, seconds: float) -> "Bench":
        self.now_ns += round(seconds * S)
        return self

    def poll(self, *values: Any, quality: int | Sequence[int] = 0) -> list[Any]:
        """Poll new columns and return what passed as (value, quality) pairs."""
        self.values = np.array(values, self.value_type.dtype)
        self.quality = np.broadcast_to(np.array(quality, np.uint32), len(values)).copy()
        return self.again()

    def again(self) -> list[Any]:
        """Poll the very same columns once more."""
        return self.emit(Origin.POLL)

    def emit(self, origin: Origin, source_ns: Sequence[int] | None = None) -> list[Any]:
        batch = self.report.pass_(
            Batch(
                "d",
                self.value_type,
                origin,
                self.index,
                self.values,
                self.quality,
                self.now_ns,
                None if source_ns is None else np.array(source_ns, np.int64),
            )
        )
        return [] if batch is None else pairs([batch])

    def tick(self) -> list[Any]:
        return pairs(self.report.tick(self.now_ns))

    def lost(self) -> list[Any]:
        return pairs(self.report.lost(self.now_ns))

    def failed(self, *points: int) -> list[Any]:
        return pairs(self.report.failed(points, self.now_ns))


def pairs(batches: Sequence[Batch]) -> list[Any]:
    """Spell batches as (value, quality) pairs in order; None where there is no value."""
    return [
        (None if quality & Quality.NO_VALUE else value, quality)
        for batch in batches
        for value, quality in zip(batch.values.tolist(), batch.quality.tolist(), strict=True)
    ]
