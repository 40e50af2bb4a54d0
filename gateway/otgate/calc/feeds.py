"""Which points are followed in which windows, and what comes out when one is over."""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from otgate.calc.calculation import Window
from otgate.calc.panes import Aggregate
from otgate.calc.states import Newest, Slots
from otgate.calc.windows import Closed, Span, Windows
from otgate.model import ValueType


class Feed(NamedTuple):
    """Some of a list of slots, by their positions there, that are rows of some windows."""

    windows: Windows
    positions: Slots
    rows: Slots


class Part(NamedTuple):
    """One aggregate of some rows, and the slots that it is written to."""

    aggregate: Aggregate
    rows: Slots
    slots: Slots


class Group:
    """Windows of one span over points of one type, and what is made of them."""

    def __init__(
        self, kind: ValueType, span: Span, given: Mapping[str, Window], newest: Newest, now_ns: int
    ) -> None:
        inputs = dict.fromkeys(window.of for window in given.values())
        self.paths = {path: row for row, path in enumerate(inputs)}
        self.rows = {newest.slots[path]: row for path, row in self.paths.items()}
        self.windows = Windows(span, kind, len(inputs), now_ns)
        self.parts = [self._part(one, given, newest) for one in Aggregate]
        self.slots: Slots = np.array([newest.slots[path] for path in given], np.intp)
        self._newest = newest

    def _part(self, aggregate: Aggregate, given: Mapping[str, Window], newest: Newest) -> Part:
        mine = {path: one for path, one in given.items() if one.aggregate is aggregate}
        rows = [self.paths[window.of] for window in mine.values()]
        slots = [newest.slots[path] for path in mine]
        return Part(aggregate, np.array(rows, np.intp), np.array(slots, np.intp))

    def write(self, closed: Closed) -> None:
        """Take what a window says as the newest values of its points; its time is its end."""
        for aggregate, rows, slots in self.parts:
            if len(slots):
                values, quality = closed.summary.column(aggregate)
                stamps = np.full(len(slots), 2 * closed.end_ns, np.int64)
                self._newest.write(slots, values[rows], quality[rows], stamps)


class Feeds:
    """All windows of a site."""

    def __init__(self, given: Mapping[str, Window], newest: Newest, now_ns: int) -> None:
        alike: dict[tuple[ValueType, Span], dict[str, Window]] = {}
        for path, window in given.items():
            alike.setdefault((window.of_kind, window.span), {})[path] = window
        self.groups = {key: Group(*key, windows, newest, now_ns) for key, windows in alike.items()}

    def of(self, slots: Slots) -> list[Feed]:
        """Return which windows follow points of ``slots``."""
        found = []
        for group in self.groups.values():
            pairs = [
                (at, row)
                for at, slot in enumerate(slots.tolist())
                if (row := group.rows.get(slot, -1)) >= 0
            ]
            if pairs:
                positions, rows = np.array(pairs, np.intp).T.copy()
                found.append(Feed(group.windows, positions, rows))
        return found

    def close(self, now_ns: int) -> Iterator[Group]:
        """Write each window that is over, and yield its group."""
        for group in self.groups.values():
            for closed in group.windows.close(now_ns):
                group.write(closed)
                yield group

    def inherit(self, older: "Feeds", kept: Collection[str]) -> None:
        """Go on as ``older`` did with the inputs that are ``kept``."""
        for key, group in self.groups.items():
            before = older.groups.get(key)
            if before is not None:
                both = [path for path in group.paths if path in kept and path in before.paths]
                pairs = [(group.paths[path], before.paths[path]) for path in both]
                group.windows.inherit(before.windows, pairs)
