"""Objects packed into a fragment: consecutive ones of a kind share a header."""

from typing import NamedTuple

from otgate_dnp3.stack import encode
from otgate_dnp3.stack.layouts import LAYOUTS, Shape
from otgate_dnp3.stack.points import GROUPS, Columns
from otgate_sim.dnp3.families import RELATIVE, Value, fitted

MOST_RELATIVE_MS = 0xFFFF
COMMON_TIME_SIZE = 10
"""Octets of a common time of occurrence with its header."""
MOST_PREFIXED = {1: 0xFF, 2: 0xFFFF}
"""Objects under one header, by the width of its count."""


class Row(NamedTuple):
    """One object about to be sent."""

    group: int
    variation: int
    at: int
    value: Value
    flags: int
    time_ms: int
    synchronised: bool = True


class Packing:
    """A fragment's objects, at most ``size`` octets; ``index_width`` octets index an event."""

    def __init__(self, size: int, index_width: int) -> None:
        self._size = size
        self._width = index_width
        self._closed: list[bytes] = []
        self._used = 0
        self._rows: list[Row] = []
        self._common: tuple[int, bool] | None = None
        """Common time in force, and whether it is synchronised."""

    @property
    def objects(self) -> bytes:
        """What has been packed."""
        self._close()
        return b"".join(self._closed)

    def offer(self, row: Row) -> bool:
        """Add an object, or tell that the fragment is full."""
        if self._continues(row):
            if self._used + self._open_size(row, len(self._rows) + 1) > self._size:
                return False
            self._rows.append(row)
            return True
        self._close()
        common = self._needs_common(row)
        needed = self._open_size(row, 1) + (COMMON_TIME_SIZE if common else 0)
        if self._used + needed > self._size:
            return False
        if common:
            self._begin_common(row)
        self._rows = [row]
        return True

    def put(self, block: bytes) -> bool:
        """Add a whole block, or tell that the fragment is full."""
        self._close()
        if self._used + len(block) > self._size:
            return False
        self._closed.append(block)
        self._used += len(block)
        return True

    def _continues(self, row: Row) -> bool:
        if not self._rows:
            return False
        last = self._rows[-1]
        if (row.group, row.variation) != (last.group, last.variation) or self._needs_common(row):
            return False
        if GROUPS[row.group].event:
            return len(self._rows) < MOST_PREFIXED[self._width]
        return row.at == last.at + 1

    def _needs_common(self, row: Row) -> bool:
        if (row.group, row.variation) not in RELATIVE:
            return False
        if self._common is None or self._common[1] != row.synchronised:
            return True
        return not 0 <= row.time_ms - self._common[0] <= MOST_RELATIVE_MS

    def _begin_common(self, row: Row) -> None:
        variation = 1 if row.synchronised else 2
        times = Columns(51, variation, GROUPS[51].point_type, False, range(1), [row.time_ms])  # noqa: FBT003
        self.put(encode.block(times))
        self._common = row.time_ms, row.synchronised

    def _open_size(self, row: Row, count: int) -> int:
        """Return the octets that ``count`` objects like ``row``, the last one, take."""
        layout = LAYOUTS[row.group, row.variation]
        if GROUPS[row.group].event:
            return 3 + self._width + count * (self._width + layout.size)
        header = 5 if row.at <= 0xFF else 7
        if layout.shape is Shape.BITS:
            return header + (count + 7) // 8
        if layout.shape is Shape.PAIRS:
            return header + (count + 3) // 4
        return header + count * layout.size

    def _close(self) -> None:
        if not self._rows:
            return
        rows, self._rows = self._rows, []
        event = GROUPS[rows[0].group].event
        common_ms = self._common[0] if self._common else 0
        width = self._width if event else 0
        block = encode.block(_columns(rows), index_width=width, common_ms=common_ms)
        self._closed.append(block)
        self._used += len(block)


def _columns(rows: list[Row]) -> Columns:
    group, variation = rows[0].group, rows[0].variation
    of = GROUPS[group]
    fits = [fitted(group, variation, row.value, row.flags) for row in rows]
    values, flags = zip(*fits, strict=True)
    index = [row.at for row in rows]
    times = [row.time_ms for row in rows]
    return Columns(group, variation, of.point_type, of.event, index, values, flags, times)
