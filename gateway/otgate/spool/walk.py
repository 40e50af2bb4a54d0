"""Reads a lane from somewhere on, beside its own reader and without a trace."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from otgate.model import Lane
from otgate.spool.cursor import LaneCursor, Place
from otgate.spool.files import OS, Files
from otgate.spool.items import Item
from otgate.spool.lane_reader import LaneReader
from otgate.spool.recovery import start_of
from otgate.spool.segment import Log, Start
from otgate.spool.shelf import Catalogs, Shelf

MOST_FRAMES, MOST_BYTES = 256, 1 << 20


class Walked(NamedTuple):
    """An item, and how far the walk has come."""

    item: Item
    segment: int
    """How many segments were entered before this one."""
    segments: int
    """How many there were at the beginning."""


class Walk:
    """One lane of the spool in ``directory``."""

    def __init__(self, directory: Path, lane: Lane, files: Files = OS) -> None:
        self._lane = lane
        self._shelf = Shelf(files, directory / lane, Log(lane), Catalogs())

    def everything(self) -> Iterator[Walked]:
        """Yield all that is there; what is gone before it is no gap.

        Raises:
            SpoolUnusable: the spool is of a newer format.
        """
        reader = LaneReader(self._lane, self._shelf, LaneCursor())
        reader.forgive()
        yield from self._through(reader)

    def unacknowledged(self, cursor: LaneCursor) -> Iterator[Walked]:
        """Yield what ``cursor`` has not: what its reader would read next.

        Raises:
            SpoolUnusable: the spool is of a newer format.
        """
        yield from self._through(LaneReader(self._lane, self._shelf, cursor))

    def since(self, from_ns: int) -> Iterator[Walked]:
        """Yield from the segment on that holds what was spooled at ``from_ns``.

        Raises:
            SpoolUnusable: the spool is of a newer format.
        """
        begin = None
        for start in self._starts():
            if begin is not None and start.created_ns > from_ns:
                break
            begin = start
        yield from self._from(begin)

    def at(self, place: Place) -> Iterator[Walked]:
        """Yield from the segment on that holds ``place``.

        Raises:
            SpoolUnusable: the spool is of a newer format.
        """
        before = [each for each in self._starts() if (each.id.epoch, each.first_seq) <= place]
        yield from self._from(before[-1] if before else None)

    def newest(self) -> Iterator[Walked]:
        """Yield what the newest segment that can be read holds.

        Raises:
            SpoolUnusable: the spool is of a newer format.
        """
        starts = list(self._starts())
        yield from self._from(starts[-1] if starts else None)

    def _starts(self) -> Iterator[Start]:
        for segment in self._shelf.listed():
            start = start_of(self._shelf.files, self._shelf.directory, self._shelf.log, segment)
            if start is not None:
                yield start

    def _from(self, start: Start | None) -> Iterator[Walked]:
        if start is None:
            yield from self.everything()
            return
        cursor = LaneCursor()
        cursor.stand_at(Place(start.id.epoch, start.first_seq), start.epoch_base)
        yield from self._through(LaneReader(self._lane, self._shelf, cursor))

    def _through(self, reader: LaneReader) -> Iterator[Walked]:
        segments = list(self._shelf.listed())
        entered = {segment: number for number, segment in enumerate(segments)}
        number = 0
        try:
            while items := reader.read(MOST_FRAMES, MOST_BYTES):
                with suppress(KeyError):  # a segment that was begun meanwhile
                    if reader.standing is not None:
                        number = entered[reader.standing]
                for item in items:
                    yield Walked(item, number, len(segments))
        finally:
            reader.close()
