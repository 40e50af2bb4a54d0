"""Unread spool items, one at a time: the event lane first, but never alone."""

from collections import deque

from otgate.model import Lane
from otgate.spool.items import Item
from otgate.spool.reader import SpoolReader

EVENTS_IN_A_ROW = 4
"""Event items taken while data waits, before one data item goes."""
LOOK_AFTER = 8
"""Data items taken before the event lane is looked into again, which costs system calls."""


class Feed:
    """Draws from the reader, in order within each lane."""

    def __init__(self, reader: SpoolReader) -> None:
        self._reader = reader
        self._waiting: dict[Lane, deque[Item]] = {lane: deque() for lane in Lane}
        self._row = 0
        self._data_taken = 0
        """Since the event lane was looked into."""
        self._dry: set[Lane] = set()
        """Lanes whose end was seen since the last None."""

    def take(self) -> Item | None:
        """Return the next item, or None when everything is read for now.

        Then it is time to wait for a change, which one since the last read is as well; the take
        after that reads again.
        """
        lane = None if self._exhausted else self._turn()
        if lane is None:
            self._dry.clear()
            return None
        self._row = self._row + 1 if lane is Lane.EVENT else 0
        self._data_taken += lane is Lane.DATA
        return self._waiting[lane].popleft()

    def rewind(self, seconds: float) -> None:
        """Start again from what is acknowledged, less ``seconds``."""
        for waiting in self._waiting.values():
            waiting.clear()
        self._dry.clear()
        self._reader.rewind(seconds)

    @property
    def _exhausted(self) -> bool:
        """Whether all that was read, up to the ends of both lanes, has been handed out."""
        return len(self._dry) == len(Lane) and not any(self._waiting.values())

    def _turn(self) -> Lane | None:
        first, second = Lane.EVENT, Lane.DATA
        if self._row >= EVENTS_IN_A_ROW:
            first, second = second, first
        if self._filled(first):
            return first
        return second if self._filled(second) else None

    def _filled(self, lane: Lane) -> bool:
        waiting = self._waiting[lane]
        if not waiting and self._worth_a_look(lane):
            waiting.extend(self._reader.read(lane))
            (self._dry.add if self._reader.is_dry(lane) else self._dry.discard)(lane)
        return bool(waiting)

    def _worth_a_look(self, lane: Lane) -> bool:
        if lane is Lane.EVENT:
            if self._waiting[Lane.DATA] and self._data_taken < LOOK_AFTER:
                return False
            self._data_taken = 0
        return True
