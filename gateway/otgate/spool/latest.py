"""The newest sample of one point in a spool, wherever it lies, found without a trace."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from otgate.model import Lane
from otgate.spool.cursor import Place
from otgate.spool.files import OS, Files
from otgate.spool.frame import unpack
from otgate.spool.items import Frame
from otgate.spool.segment import Damaged, Log
from otgate.spool.shelf import BLOCK_BYTES, Catalogs, Opened, Shelf

MOST_FRAMES = 1024

Step = Callable[[str, int, int], None]
"""Told what is read, and how much of how much."""


class Latest(NamedTuple):
    """One sample."""

    lane: Lane
    place: Place
    value: Any
    quality: int
    received_ns: int
    spooled_ns: int


def latest(
    directory: Path, device: str, point: str, step: Step, files: Files = OS
) -> Latest | None:
    """Look from the newest segment back; None where no sample of the point is there.

    Raises:
        SpoolUnusable: the spool is of a newer format.
    """
    found = [
        one for lane in Lane if (one := _in_lane(directory, lane, (device, point), step, files))
    ]
    return max(found, key=lambda one: one.spooled_ns, default=None)


def _in_lane(
    directory: Path, lane: Lane, path: tuple[str, str], step: Step, files: Files
) -> Latest | None:
    shelf = Shelf(files, directory / lane, Log(lane), Catalogs())
    segments = shelf.listed()
    for number, segment in enumerate(reversed(segments)):
        step(f"looking for it in {directory.name}/{lane}", number, len(segments))
        with suppress(OSError, Damaged):
            opened = shelf.opened(segment)
            try:
                if (one := _in_segment(opened, lane, path)) is not None:
                    return one
            finally:
                opened.close()
    return None


def _in_segment(opened: Opened, lane: Lane, path: tuple[str, str]) -> Latest | None:
    wanted = number_of(opened, *path)
    newest = None
    while wanted is not None and (bodies := opened.next_bodies(MOST_FRAMES, BLOCK_BYTES).bodies):
        for body in bodies:
            frame = unpack(body, lane, opened.start.id.epoch, opened.catalog)
            if isinstance(frame, Frame) and frame.batch.device == path[0]:
                newest = _in_frame(frame, wanted) or newest
    return newest


def number_of(opened: Opened, device: str, point: str) -> int | None:
    """Return the number that a segment's catalog gives a point, or None where it has none."""
    first = 0
    for each in opened.catalog.devices:
        if each.id == device:
            ids = opened.catalog.ids[first : first + each.count].tolist()
            return first + ids.index(point) if point in ids else None
        first += each.count
    return None


def _in_frame(frame: Frame, wanted: int) -> Latest | None:
    batch = frame.batch
    places = (batch.index == wanted).nonzero()[0]
    if not len(places):
        return None
    at = int(places[-1])
    value, quality = batch.values[at : at + 1].tolist()[0], int(batch.quality[at])
    place = Place(frame.epoch, frame.seq + at)
    return Latest(frame.lane, place, value, quality, batch.received_ns, frame.spooled_ns)
