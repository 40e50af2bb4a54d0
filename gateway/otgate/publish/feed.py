"""Unread spool items, one at a time: the event lane first, but never alone; a backlog behind both.

After an outage the data lane is read in two places: what is live at once, and what is older behind
it. Where the order is strict there is one place, and no backlog.
"""

from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum
from typing import NamedTuple

from otgate.model import Lane
from otgate.publish.message import Urgency
from otgate.publish.settings import Backlog, Order
from otgate.spool.items import Frame, Item
from otgate.spool.reader import Place, Span, SpoolReader

EVENTS_IN_A_ROW = 4
"""Event items taken while data waits, before one data item goes."""
EVENTS_FIRST, DATA_FIRST = (Lane.EVENT, Lane.DATA), (Lane.DATA, Lane.EVENT)
LANES = len(Lane)
LOOK_AFTER = 8
"""Data items taken before another place is looked into again, which costs system calls."""
LOOK_AFTER_NS = 50_000_000
"""It is looked into again after that time too: over a narrow link an item takes long."""


class Room(Enum):
    """Whether something late may be under way beside what is."""

    FREE = "free"
    TAKEN = "taken"


class Taken(NamedTuple):
    """An item, and whether it is late."""

    item: Item
    urgency: Urgency


class Feed:
    """Draws from the reader, in order within each lane, but for what `take_behind` returns."""

    def __init__(self, reader: SpoolReader, clock: Callable[[], int], backlog: Backlog) -> None:
        self.overdue = False
        """Whether live data became old before they were taken: a rewind makes a backlog of them."""
        self._reader = reader
        self._clock = clock
        self._backlog = backlog
        self._live_ns = backlog.live_ns
        self._waiting: dict[Lane, deque[Item]] = {lane: deque() for lane in Lane}
        self._behind: deque[Item] = deque()
        self._live_from: Place | None = None
        self._row = 0
        self._data_taken = 0
        """Since the event lane was looked into."""
        self._looked_ns = 0
        """When that was."""
        self._dry: set[Lane] = set()
        """Lanes whose end was seen since the last None."""
        self._resting = 0
        """Items of the backlog to be taken before what is live is looked for again."""

    def take(self, late: Room = Room.FREE) -> Taken | None:
        """Return the next item that is not behind, or None when everything is read for now.

        Then it is time to wait for a change, which one since the last read is as well; the take
        after that reads again.
        """
        if self._resting:
            return None
        taken = None if self._exhausted else self._turn(late)
        if taken is None:
            self._dry.clear()
            self._resting = LOOK_AFTER if self.live_from else 0
        return taken

    def take_behind(self) -> Taken | None:
        """Return the next item of the backlog, or None where there is none."""
        if not self._behind and self.live_from:
            self._behind.extend(self._reader.read_behind(Lane.DATA))
        self._resting = max(0, self._resting - 1)
        return Taken(self._behind.popleft(), Urgency.LATE) if self._behind else None

    def look_again(self) -> None:
        """Take it that something may have changed."""
        self._resting = 0

    @property
    def live_from(self) -> Place | None:
        """Where live data begin, or None once everything before was taken."""
        if self._live_from and not self._behind and not self._reader.live_from(Lane.DATA):
            self._live_from = None
        return self._live_from

    @property
    def behind(self) -> int:
        """How many samples of the backlog are to be taken, but for a few that are read already."""
        return self._reader.backlog(Lane.DATA)

    async def rewind(self, seconds: float, under_way: Iterable[Span] = ()) -> None:
        """Start again from what is acknowledged, less ``seconds``; what is live first.

        What is ``under_way`` is left out.
        """
        for waiting in (*self._waiting.values(), self._behind):
            waiting.clear()
        self._dry.clear()
        self._resting = 0
        self.overdue = False
        self._reader.rewind(seconds, under_way)
        if self._backlog.order is Order.LIVE:
            # half of the age is left for getting it out
            await self._reader.split(Lane.DATA, self._clock() - self._backlog.live_ns // 2)
        self._live_from = self._reader.live_from(Lane.DATA)

    @property
    def _exhausted(self) -> bool:
        """Whether all that was read, up to the ends of both lanes, has been handed out."""
        return len(self._dry) == LANES and not any(self._waiting.values())

    def _turn(self, late: Room) -> Taken | None:
        """Take an item of the lane whose turn it is, or of the other."""
        for lane in EVENTS_FIRST if self._row < EVENTS_IN_A_ROW else DATA_FIRST:
            waiting = self._waiting[lane] or self._filled(lane)
            if not waiting:
                continue
            urgency = Urgency.LATE if self._is_late(waiting[0]) else Urgency.LIVE
            if urgency is Urgency.LIVE or self._may_go(lane, late):
                self._row = self._row + 1 if lane is Lane.EVENT else 0
                self._data_taken += lane is Lane.DATA
                return Taken(waiting.popleft(), urgency)
        return None

    def _may_go(self, lane: Lane, late: Room) -> bool:
        """Tell whether what is late may go in the place of what is live."""
        if self._backlog.order is Order.STRICT:
            return True
        if lane is Lane.DATA:
            self.overdue = True
            return False
        return late is Room.FREE

    def _is_late(self, item: Item) -> bool:
        return isinstance(item, Frame) and self._clock() - item.spooled_ns > self._live_ns

    def _filled(self, lane: Lane) -> deque[Item]:
        """Return what waits of a lane of which nothing did, once it was looked into."""
        waiting = self._waiting[lane]
        if self._worth_a_look(lane):
            waiting.extend(self._reader.read(lane))
            (self._dry.add if self._reader.is_dry(lane) else self._dry.discard)(lane)
        return waiting

    def _worth_a_look(self, lane: Lane) -> bool:
        """Tell whether it is time: of the event lane, while data wait, only now and then."""
        if lane is Lane.EVENT:
            now_ns = self._clock()
            lately = abs(now_ns - self._looked_ns) < LOOK_AFTER_NS
            if self._waiting[Lane.DATA] and self._data_taken < LOOK_AFTER and lately:
                return False
            self._data_taken, self._looked_ns = 0, now_ns
        return True
