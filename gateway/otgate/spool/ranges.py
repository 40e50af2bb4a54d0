"""Sets of whole numbers kept as ranges."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class Ranges:
    """Half-open ranges, sorted, apart from each other."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        for start, stop in ranges:
            self.add(start, stop)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(list(zip(self._starts, self._stops, strict=True)))

    def __len__(self) -> int:
        return len(self._starts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    @property
    def first_hole(self) -> int:
        """The least number from 0 on that is not in the set."""
        return self._stops[0] if self._starts and self._starts[0] <= 0 else 0

    def add(self, start: int, stop: int) -> None:
        """Put [start, stop) in."""
        if start >= stop:
            return
        if self._stops and self._stops[-1] == start:  # nearly always
            self._stops[-1] = stop
            return
        low = bisect_left(self._stops, start)
        high = bisect_right(self._starts, stop)
        if low < high:
            start = min(start, self._starts[low])
            stop = max(stop, self._stops[high - 1])
        self._starts[low:high] = [start]
        self._stops[low:high] = [stop]

    def remove(self, start: int, stop: int) -> None:
        """Take [start, stop) out."""
        if start >= stop:
            return
        kept = [
            part
            for low, high in self
            for part in ((low, min(high, start)), (max(low, stop), high))
            if part[0] < part[1]
        ]
        self._starts = [low for low, _ in kept]
        self._stops = [high for _, high in kept]

    def missing(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Return the parts of [start, stop) that are not in the set, in order."""
        if start < stop and (not self._stops or start >= self._stops[-1]):  # nearly always
            return [(start, stop)]
        found: list[tuple[int, int]] = []
        at = bisect_right(self._stops, start)
        while start < stop:
            beyond = at >= len(self._starts) or self._starts[at] >= stop
            hole_stop = stop if beyond else self._starts[at]
            if start < hole_stop:
                found.append((start, hole_stop))
            if beyond:
                break
            start = self._stops[at]
            at += 1
        return found
