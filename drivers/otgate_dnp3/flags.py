"""Flags of DNP3 objects as quality: one table, a row for each flag of each type of point.

The flags are those of IEEE 1815-2012, Annex A. State bits are not among them: the stack has taken
them out. A variation without flags says nothing of quality; the standard has an outstation use one
only for points that are on-line with nothing else set, so that they are good as sent.
"""

from enum import Enum
from typing import NamedTuple

import numpy as np

from otgate.model import Words
from otgate.quality import Quality
from otgate_dnp3.stack.points import Flag, PointType

QUESTIONABLE, INVALID = Quality.QUESTIONABLE, Quality.INVALID

BINARIES = (PointType.BINARY_INPUT, PointType.DOUBLE_BIT_INPUT)
COUNTERS = (PointType.COUNTER, PointType.FROZEN_COUNTER)
ANALOGS = (PointType.ANALOG_INPUT, PointType.FROZEN_ANALOG_INPUT, PointType.ANALOG_OUTPUT)
FLAGGED = (*BINARIES, PointType.BINARY_OUTPUT, *COUNTERS, *ANALOGS)


class When(Enum):
    """How a flag has to stand."""

    SET = True
    CLEAR = False


class Row(NamedTuple):
    """What a flag adds to the quality of the points it is of."""

    flag: Flag
    points: tuple[PointType, ...]
    quality: Quality
    text: str
    when: When = When.SET

    def says(self, point_type: PointType, flags: int) -> bool:
        """Tell whether the row is about such a point with these flags."""
        return point_type in self.points and bool(flags & self.flag) is self.when.value


ROWS = (
    Row(Flag.ONLINE, FLAGGED, INVALID | Quality.FAILURE, "not on-line", When.CLEAR),
    Row(Flag.RESTART, FLAGGED, INVALID | Quality.RESTART, "not read since its restart"),
    Row(
        Flag.COMM_LOST,
        FLAGGED,
        INVALID | Quality.COMM_LOST | Quality.OLD_DATA,
        "the outstation has lost the device behind it; the last value",
    ),
    Row(Flag.REMOTE_FORCED, FLAGGED, QUESTIONABLE | Quality.SUBSTITUTED, "forced elsewhere"),
    Row(
        Flag.LOCAL_FORCED,
        FLAGGED,
        QUESTIONABLE | Quality.SUBSTITUTED | Quality.OPERATOR_BLOCKED,
        "forced at the outstation",
    ),
    Row(
        Flag.CHATTER_FILTER,
        BINARIES,
        QUESTIONABLE | Quality.OSCILLATORY,
        "changes faster than it is let through",
    ),
    Row(Flag.ROLLOVER, COUNTERS, Quality.OVERFLOW, "has passed its greatest value"),
    Row(
        Flag.DISCONTINUITY,
        COUNTERS,
        QUESTIONABLE | Quality.INCONSISTENT,
        "cannot be compared with the value before",
    ),
    Row(
        Flag.OVER_RANGE,
        ANALOGS,
        QUESTIONABLE | Quality.OUT_OF_RANGE | Quality.OVERFLOW,
        "beyond its range, or beyond what the variation holds",
    ),
    Row(
        Flag.REFERENCE_ERR,
        ANALOGS,
        QUESTIONABLE | Quality.BAD_REFERENCE,
        "measured against a reference that is off",
    ),
)


def quality_of(point_type: PointType, flags: int) -> Quality:
    """Return what the rows say of a point's flags."""
    quality = Quality.GOOD
    for row in ROWS:
        if row.says(point_type, flags):
            quality |= row.quality
    return quality


def _table(point_type: PointType) -> Words:
    return np.array([quality_of(point_type, flags) for flags in range(256)], np.uint32)


TABLES = {point_type: _table(point_type) for point_type in FLAGGED}
"""Quality by flags octet."""
