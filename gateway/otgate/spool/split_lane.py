"""One lane read in two places at once: what is new, and behind it the backlog.

Both ends acknowledge into one cursor. Once the one behind has come to where the other began, there
is one again.
"""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from otgate.model import Lane
from otgate.spool.cursor import LaneCursor, Place
from otgate.spool.head import head
from otgate.spool.items import Item
from otgate.spool.lane_reader import Acked, LaneReader
from otgate.spool.shelf import Shelf

MakeShelf: TypeAlias = Callable[[], Shelf]


class SplitLane:
    """Reads in order until it is told to `split`, and again after a `rewind`."""

    def __init__(self, lane: Lane, make_shelf: MakeShelf, cursor: LaneCursor) -> None:
        self.acked = Acked.SKIPPED
        """What becomes of samples that are acknowledged already, from the next rewind on."""
        self.live_from: Place | None = None
        """Where what is read first begins, while there is something behind it."""
        self._lane = lane
        self._make_shelf = make_shelf
        self._cursor = cursor
        self._reader = LaneReader(lane, make_shelf(), cursor)
        self._behind: LaneReader | None = None
        self._remarks: list[str] = []

    @property
    def dry(self) -> bool:
        """Whether the last `read` came to the end of what there was."""
        return self._reader.dry

    @property
    def at(self) -> Place:
        """Up to where everything that is new was handed out."""
        return self._reader.at

    @property
    def unread_bytes(self) -> int:
        """What is unread, with what was read first meanwhile; as far as sizes of files tell."""
        return (self._behind or self._reader).unread_bytes

    @property
    def backlog(self) -> int:
        """How many samples are left behind, as far as they were not handed out."""
        if self._behind is None or self.live_from is None:
            return 0
        return self._cursor.unacknowledged(self._behind.at, self.live_from)

    def read(self, max_frames: int, max_bytes: int) -> list[Item]:
        """Return the next items of what is new, or of all where there is no backlog.

        Raises:
            SpoolUnusable: the next segment is of a newer format.
        """
        items = self._reader.read(max_frames, max_bytes)
        if self._reader.wiped:
            self._begin_anew(self._reader)
        return items

    def read_behind(self, max_frames: int, max_bytes: int) -> list[Item]:
        """Return the next items of the backlog; none once there is none any more.

        Raises:
            SpoolUnusable: the next segment is of a newer format.
        """
        if self._behind is None:
            return []
        items = self._behind.read(max_frames, max_bytes)
        if self._behind.wiped:
            self._begin_anew(self._behind)
        elif self._behind.done:
            self._unite(self._reader)
            self._reader.take_over()
        return items

    async def split(self, cut_ns: int) -> None:
        """Go on where samples begin that were spooled at ``cut_ns`` or later, if it is not there.

        It follows upon a `rewind`, with nothing read between.
        """
        found = await asyncio.to_thread(head, self._make_shelf(), cut_ns)
        if found is None or found.place <= self._reader.at:
            return
        self._cursor.know(found.place.epoch, found.base)
        if not self._cursor.unacknowledged(self._reader.at, found.place):
            return
        self._behind, self.live_from = self._reader, found.place
        self._behind.read_until(found.place)
        self._reader = LaneReader(
            self._lane, self._make_shelf(), self._cursor, since=found, acked=self.acked
        )

    def rewind(self) -> None:
        """Go back to where the cursor stands, and read in order."""
        self._unite(self._behind or self._reader)
        self._reader.acked = self.acked
        self._reader.rewind()

    def forgive(self) -> None:
        """Start at the oldest segment without calling what is missing before it a gap."""
        self._reader.forgive()

    def close(self) -> None:
        """Give the open segments back."""
        self._unite(self._reader)
        self._reader.close()

    def remarks(self) -> list[str]:
        """Return, once each, what a person should be told of."""
        self._take_remarks(self._reader)
        remarks, self._remarks = self._remarks, []
        return remarks

    def _begin_anew(self, reader: LaneReader) -> None:
        """Go on with the reader that found another spool in the place of the one before."""
        reader.wiped = False
        self._unite(reader)

    def _unite(self, stays: LaneReader) -> None:
        for reader in (self._reader, self._behind):
            if reader is not None and reader is not stays:
                self._take_remarks(reader)
                reader.close()
        self._reader, self._behind, self.live_from = stays, None, None

    def _take_remarks(self, reader: LaneReader) -> None:
        self._remarks += reader.remarks
        reader.remarks.clear()
