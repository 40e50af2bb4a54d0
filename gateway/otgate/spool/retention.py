"""Retention: how much a spool keeps, and which whole segments go when it is too much."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from otgate.spool.recovery import Kept
from otgate.spool.segment import Log
from otgate.spool.segment_log import Limits

SEGMENT_BYTES = 8 << 20
SMALLEST_SEGMENT_BYTES = 16 << 10
OLDEST_SEGMENT_S = 3600.0
SEGMENTS = 16
"""Parts that the bytes kept are at least divided into."""


@dataclass(frozen=True, slots=True)
class Retention:
    """What a spool keeps at most, over both lanes. The segments being written stay."""

    size_bytes: int
    age_ns: int
    reserve_bytes: int = 0
    """Of the disk, left free by data; half of it by events. 0: none."""

    @property
    def limits(self) -> Limits:
        """When a lane's segment is closed."""
        size_bytes = max(min(SEGMENT_BYTES, self.size_bytes // SEGMENTS), SMALLEST_SEGMENT_BYTES)
        return Limits(size_bytes, min(self.age_ns / 1e9 / SEGMENTS, OLDEST_SEGMENT_S))


def surplus(
    retention: Retention,
    data: deque[Kept],
    event: deque[Kept],
    active_bytes: int,
    now_ns: int,
    least: tuple[int, int] = (0, 0),
) -> Iterable[tuple[Log, Kept]]:
    """Yield the closed segments to drop, and take them out of ``data`` and ``event``.

    By age in either lane; by bytes the oldest data first, events once no data is left. As many
    as ``least`` says stay in each.
    """
    oldest_ns = now_ns - retention.age_ns
    held = active_bytes + sum(kept.size_bytes for lane in (data, event) for kept in lane)
    for log, lane, stay in ((Log.DATA, data, least[0]), (Log.EVENT, event, least[1])):
        while len(lane) > stay and (lane[0].closed_ns < oldest_ns or held > retention.size_bytes):
            kept = lane.popleft()
            held -= kept.size_bytes
            yield log, kept
