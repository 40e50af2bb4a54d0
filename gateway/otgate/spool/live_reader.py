"""The liveness log as its reader sees it: only the newest sign of life matters."""

from contextlib import suppress
from pathlib import Path

from otgate.spool.files import Files
from otgate.spool.frame import good_bodies, unpack_live
from otgate.spool.items import Live
from otgate.spool.segment import (
    PEEK_BYTES,
    Damaged,
    Log,
    SegmentId,
    header_length,
    unpack_header,
)
from otgate.spool.shelf import Catalogs, Shelf

LOOKED_AT = 4
"""Of the newest names: two are the writer's at most, others may be anybody's."""

READ_BYTES = 1 << 20
"""Read at once; segments of this log are far smaller."""


class LiveReader:
    """Follows the newest segment of the liveness log."""

    def __init__(self, files: Files, directory: Path) -> None:
        self._files = files
        self._directory = directory
        self._shelf = Shelf(files, directory, Log.LIVE, Catalogs())
        self._segment: SegmentId | None = None
        self._at = 0
        self._newest: Live | None = None

    def newest(self) -> Live | None:
        """Return the newest sign of life there is, or the last one seen.

        Raises:
            SpoolUnusable: it is of a newer format.
        """
        for segment in self._shelf.listed()[-LOOKED_AT:]:
            if self._segment is None or segment >= self._segment:
                with suppress(OSError, Damaged):
                    self._follow(segment)
        return self._newest

    def _follow(self, segment: SegmentId) -> None:
        descriptor = self._files.open(self._directory / segment.name)
        try:
            if segment != self._segment:
                self._at = self._first_frame(segment, descriptor)
                self._segment = segment
            block = self._files.pread(descriptor, READ_BYTES, self._at)
        finally:
            self._files.close(descriptor)
        good = good_bodies(block, segment.seed(Log.LIVE), len(block))
        self._at += good.end
        for body in good.bodies:
            self._newest = unpack_live(body, segment.epoch) or self._newest

    def _first_frame(self, segment: SegmentId, descriptor: int) -> int:
        length = header_length(self._files.pread(descriptor, PEEK_BYTES, 0))
        block = self._files.pread(descriptor, length, 0)
        return unpack_header(Log.LIVE, segment, block).size
