"""Times of an outstation as ``source_ns``, and what they are worth.

An outstation stamps in milliseconds since 1970, by the standard in UTC. One that stamps in local
time has a `time_zone`: the hour that comes twice is then questionable, as it may be either.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from otgate.model import Nanoseconds, Words
from otgate.quality import Quality
from otgate_dnp3.stack.points import TimeQuality

UNSYNCHRONISED = np.uint32(Quality.CLOCK_UNSYNCHRONISED)
UNKNOWN = np.uint32(Quality.SOURCE_TIME_UNKNOWN)
AMBIGUOUS = np.uint32(Quality.QUESTIONABLE | Quality.CLOCK_UNSYNCHRONISED)
"""Whole hours off, perhaps."""

LAST_MS = (1 << 63) // 1_000_000 - 86_400_000
"""A stamp of 48 bits can be later than nanoseconds in 64 bits can say."""

MS_NS = 1_000_000
QUARTER_MS = 900_000
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  a wall clock's
LAST_WALL_MS = 253_370_764_800_000
"""The year 9999 of a wall clock."""


class Offset(NamedTuple):
    """How far a wall clock is ahead of UTC, and whether it could be another offset as well."""

    ms: int
    ambiguous: bool


class SourceTimes:
    """The times of one outstation."""

    def __init__(self, time_zone: str) -> None:
        self._zone = ZoneInfo(time_zone) if time_zone and time_zone.upper() != "UTC" else None

    def read(
        self, time_ms: Sequence[int], received_ns: int, quality: Words, known: TimeQuality
    ) -> Nanoseconds:
        """Return ``source_ns``, and note in ``quality`` what they are worth.

        Where a stamp means nothing, ``received_ns`` stands in.
        """
        stamps = np.array(time_ms, np.int64)
        senseless = (stamps <= 0) | (stamps > LAST_MS)
        if self._zone is not None:
            stamps = self._in_utc(stamps, quality, self._zone)
        if known is TimeQuality.UNSYNCHRONISED:
            quality |= UNSYNCHRONISED
        if senseless.any():
            quality[senseless] |= UNKNOWN
            stamps[senseless] = 0
            stamps *= MS_NS
            stamps[senseless] = received_ns
        else:
            stamps *= MS_NS
        return stamps

    def _in_utc(self, stamps: Nanoseconds, quality: Words, zone: ZoneInfo) -> Nanoseconds:
        quarters, which = np.unique(stamps // QUARTER_MS, return_inverse=True)
        offsets = [_offset(zone, quarter) for quarter in quarters.tolist()]
        ambiguous = np.array([offset.ambiguous for offset in offsets])[which]
        quality[ambiguous] |= AMBIGUOUS
        return stamps - np.array([offset.ms for offset in offsets], np.int64)[which]


@lru_cache(maxsize=4096)
def _offset(zone: ZoneInfo, quarter: int) -> Offset:
    """Return the offset of a quarter of an hour by the wall clock: no rule changes within one."""
    wall_ms = quarter * QUARTER_MS
    if not 0 < wall_ms < LAST_WALL_MS:
        return Offset(0, ambiguous=False)
    wall = EPOCH + timedelta(milliseconds=wall_ms)
    early, late = (wall.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    offset = early.utcoffset() or timedelta()
    exists = early.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall
    ambiguous = early.utcoffset() != late.utcoffset()
    return Offset(round(offset.total_seconds() * 1000), ambiguous or not exists)
