"""Where in a lane the samples begin that are not old yet, found without reading what is before."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from otgate.errors import SpoolUnusable
from otgate.spool.cursor import Place
from otgate.spool.frame import FRAME, span, spooled_ns
from otgate.spool.segment import Damaged, SegmentId
from otgate.spool.shelf import Opened, Shelf

FRAMES = 1024
"""Read at a time."""


class Head(NamedTuple):
    """A place between two frames, and where in which file that is."""

    place: Place
    base: int
    """How many samples of the lane lie before the epoch."""
    segment: SegmentId
    offset: int


def head(shelf: Shelf, cut_ns: int) -> Head | None:
    """Return the first place from which on frames were spooled at ``cut_ns`` or later.

    The end of the lane where all are older; None where there is no segment. What a clock that was
    set back has stamped with later times counts as new.
    """
    found: Head | None = None
    for opened in _opened(shelf, _since(shelf, cut_ns)):
        start = opened.start
        place = Place(start.id.epoch, start.first_seq)
        found = Head(place, start.epoch_base, start.id, opened.at)
        for body, offset in _bodies(opened):
            spanned = span(body)
            if spanned is not None and spooled_ns(body) >= cut_ns:
                return found._replace(place=Place(start.id.epoch, spanned[0]), offset=offset)
            if spanned is not None:
                place = Place(start.id.epoch, sum(spanned))
                found = found._replace(place=place, offset=offset + FRAME.size + len(body))
    return found


def _since(shelf: Shelf, cut_ns: int) -> Sequence[SegmentId]:
    """Return the segments from the last one on that was begun before ``cut_ns``."""
    listed = shelf.listed()
    for number in range(len(listed) - 1, -1, -1):
        for opened in _opened(shelf, listed[number : number + 1]):
            if opened.start.created_ns < cut_ns:
                return listed[number:]
    return listed


def _opened(shelf: Shelf, segments: Sequence[SegmentId]) -> Iterator[Opened]:
    for segment in segments:
        with suppress(OSError, Damaged, SpoolUnusable):
            opened = shelf.opened(segment)
            try:
                yield opened
            finally:
                opened.close()


def _bodies(opened: Opened) -> Iterator[tuple[memoryview, int]]:
    """Yield the body of each frame and where the frame begins."""
    offset = opened.at
    while bodies := opened.next_bodies(FRAMES, 1 << 20).bodies:
        for body in bodies:
            yield body, offset
            offset += FRAME.size + len(body)
