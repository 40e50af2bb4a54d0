"""The newest catalog of a spool, whatever its reader has come to: it governs all that is older."""

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from otgate.spool.catalog import Catalog
from otgate.spool.segment import Damaged, SegmentId
from otgate.spool.shelf import Shelf


class Governing(NamedTuple):
    """A catalog and the epoch that brought it."""

    epoch: int
    catalog: Catalog


class Ahead:
    """Looks at the newest segment of each lane; cheap where none has been added."""

    def __init__(self, shelves: Sequence[Shelf]) -> None:
        self._shelves = shelves
        self._seen: dict[int, SegmentId] = {}
        self._newest: Governing | None = None

    def newest(self) -> Governing | None:
        """Return the newest catalog that could be read, or None before the first.

        Raises:
            SpoolUnusable: it is of a newer format.
        """
        for number, shelf in enumerate(self._shelves):
            listed = shelf.listed()
            if listed and listed[-1] != self._seen.get(number):
                self._look(number, shelf, listed[-1])
        return self._newest

    def _look(self, number: int, shelf: Shelf, segment: SegmentId) -> None:
        if self._newest is not None and segment.epoch <= self._newest.epoch:
            self._seen[number] = segment
            return
        with suppress(OSError, Damaged):
            opened = shelf.opened(segment)
            opened.close()
            self._newest = Governing(segment.epoch, opened.catalog)
            self._seen[number] = segment
