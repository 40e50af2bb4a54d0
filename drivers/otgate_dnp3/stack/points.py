"""What the object groups are points of, and how a value shares an octet with its flags.

IEEE 1815-2012, Annex A.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntFlag, auto
from typing import Any


class PointType(Enum):
    """What kind of point an object is of; indices count within one of these."""

    BINARY_INPUT = auto()
    DOUBLE_BIT_INPUT = auto()
    BINARY_OUTPUT = auto()
    BINARY_COMMAND = auto()
    """A command that an output received: the flags column is its status code."""
    COUNTER = auto()
    FROZEN_COUNTER = auto()
    ANALOG_INPUT = auto()
    FROZEN_ANALOG_INPUT = auto()
    ANALOG_DEADBAND = auto()
    ANALOG_OUTPUT = auto()
    ANALOG_COMMAND = auto()
    """A command that an output received: the flags column is its status code."""
    OCTET_STRING = auto()
    TIME = auto()
    """Milliseconds since the Unix epoch."""
    COMMON_TIME = auto()
    DELAY_MS = auto()


class Flag(IntFlag):
    """Flags of an object; those above 4 depend on the point type."""

    ONLINE = 1 << 0
    RESTART = 1 << 1
    COMM_LOST = 1 << 2
    REMOTE_FORCED = 1 << 3
    LOCAL_FORCED = 1 << 4
    CHATTER_FILTER = 1 << 5
    """Binary and double-bit inputs."""
    ROLLOVER = 1 << 5
    """Counters; obsolete."""
    OVER_RANGE = 1 << 5
    """Analogs."""
    DISCONTINUITY = 1 << 6
    """Counters."""
    REFERENCE_ERR = 1 << 6
    """Analogs."""


class TimeQuality(Enum):
    """Where the times of a block come from."""

    ABSENT = auto()
    """The variation carries none."""
    GIVEN = auto()
    """Absolute in each object; whether the clock was right, need-time says."""
    SYNCHRONISED = auto()
    """Relative to a common time of occurrence that was synchronised."""
    UNSYNCHRONISED = auto()
    """Relative to one that was not."""
    UNRELATED = auto()
    """Relative, and no common time went before: it cannot be known."""


@dataclass(frozen=True, slots=True)
class Group:
    """What a delivered group is of. ``state_shift`` is where the state sits in the flags octet."""

    point_type: PointType
    event: bool
    state_shift: int = 0
    deltas: frozenset[int] = frozenset()
    """Variations whose value is a change since the last report, not a value."""


BI, DBI, BO = PointType.BINARY_INPUT, PointType.DOUBLE_BIT_INPUT, PointType.BINARY_OUTPUT
COUNTER, FROZEN = PointType.COUNTER, PointType.FROZEN_COUNTER
AI, FROZEN_AI = PointType.ANALOG_INPUT, PointType.FROZEN_ANALOG_INPUT
DELTAS = frozenset({3, 4, 7, 8})

GROUPS = {
    1: Group(BI, event=False, state_shift=7),
    2: Group(BI, event=True, state_shift=7),
    3: Group(DBI, event=False, state_shift=6),
    4: Group(DBI, event=True, state_shift=6),
    10: Group(BO, event=False, state_shift=7),
    11: Group(BO, event=True, state_shift=7),
    13: Group(PointType.BINARY_COMMAND, event=True, state_shift=7),
    20: Group(COUNTER, event=False, deltas=DELTAS),
    21: Group(FROZEN, event=False, deltas=DELTAS | {11, 12}),
    22: Group(COUNTER, event=True, deltas=DELTAS),
    23: Group(FROZEN, event=True, deltas=DELTAS),
    30: Group(AI, event=False),
    31: Group(FROZEN_AI, event=False),
    32: Group(AI, event=True),
    33: Group(FROZEN_AI, event=True),
    34: Group(PointType.ANALOG_DEADBAND, event=False),
    40: Group(PointType.ANALOG_OUTPUT, event=False),
    42: Group(PointType.ANALOG_OUTPUT, event=True),
    43: Group(PointType.ANALOG_COMMAND, event=True),
    50: Group(PointType.TIME, event=False),
    51: Group(PointType.COMMON_TIME, event=False),
    52: Group(PointType.DELAY_MS, event=False),
    110: Group(PointType.OCTET_STRING, event=False),
    111: Group(PointType.OCTET_STRING, event=True),
}

Values = Sequence[Any]
"""Of int, float or bytes, by the variation."""


@dataclass(slots=True)
class Columns:
    """The objects of one block as columns of equal length, state bits out of the flags.

    ``flags`` is None where the variation carries none: nothing is said of the point's quality
    beyond that it was sent. ``time_ms`` is None where no time is known.
    """

    group: int
    variation: int
    point_type: PointType
    event: bool
    index: Sequence[int]
    values: Values
    flags: Sequence[int] | None = None
    time_ms: Sequence[int] | None = None
    time_quality: TimeQuality = TimeQuality.ABSENT

    def __len__(self) -> int:
        return len(self.index)
