"""The segments of one log as a reader finds and opens them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from otgate.errors import SpoolUnusable
from otgate.spool.catalog import Catalog
from otgate.spool.files import Files
from otgate.spool.frame import FRAME, MAX_BODY_BYTES, Bodies, good_bodies
from otgate.spool.segment import (
    PEEK_BYTES,
    Damaged,
    Log,
    SegmentId,
    Start,
    header_length,
    peek,
    segments,
    unpack_catalog,
    unpack_header,
)

BLOCK_BYTES = 128 << 10
"""Read at a time; a frame may be longer and is then read whole."""


@dataclass(slots=True)
class Opened:
    """A segment being read."""

    start: Start
    catalog: Catalog
    seed: int
    at: int
    """The first byte not read yet."""
    files: Files
    path: Path
    descriptor: int
    last_look: bool = False
    """Whether a successor was there before it was read last."""

    def next_bodies(self, limit: int, room_bytes: int) -> Bodies:
        """Read on: at most ``limit`` frames, in about ``room_bytes``, but one where there is."""
        good = Bodies([], 0)
        size = min(room_bytes, BLOCK_BYTES)
        with suppress(OSError):  # an unreadable block ends a segment as a damaged one does
            block = self.files.pread(self.descriptor, size, self.at)
            good = good_bodies(block, self.seed, limit)
            if not good.bodies and len(block) == size:
                longest = FRAME.size + MAX_BODY_BYTES
                block = self.files.pread(self.descriptor, longest, self.at)
                good = good_bodies(block, self.seed, 1)
        self.at += good.end
        return good

    @property
    def holds_more(self) -> bool:
        """Whether there are bytes beyond the good frames, as far as can be seen."""
        with suppress(OSError):
            return self.files.size(self.path) > self.at
        return False

    def close(self) -> None:
        """Give the file back."""
        with suppress(OSError):
            self.files.close(self.descriptor)


class Catalogs:
    """The catalog read last: segments of one writer share theirs."""

    def __init__(self) -> None:
        self._packed = b""
        self._catalog = unpack_catalog(b"")

    def unpacked(self, packed: bytes) -> Catalog:
        """Return the catalog, the same object for the same bytes.

        Raises:
            Damaged: it is not a catalog.
        """
        if packed != self._packed:
            self._catalog = unpack_catalog(packed)
            self._packed = packed
        return self._catalog


@dataclass(slots=True)
class Shelf:
    """One log's directory, which may be absent."""

    files: Files
    directory: Path
    log: Log
    catalogs: Catalogs
    _stamp: int | None = None
    """The directory's, since which it was listed."""
    _names: Sequence[str] = ()
    _segments: Sequence[SegmentId] = ()
    """What was read from the names, which are the same at nearly every look."""

    def listed(self) -> Sequence[SegmentId]:
        """Return the segments in order; none where the directory cannot be read."""
        try:
            stamp = self.files.stamp(self.directory)  # first: a change meanwhile gives another one
            if stamp is not None and stamp == self._stamp:
                return self._segments
            names = self.files.names(self.directory)
        except OSError:
            self._stamp = None
            return ()
        self._stamp = stamp
        if names != self._names:
            self._names, self._segments = names, segments(names)
        return self._segments

    def opened(self, segment: SegmentId) -> Opened:
        """Open a segment behind its header.

        Raises:
            OSError: it cannot be opened or read.
            Damaged: its header is not sound.
            SpoolUnusable: it is of a newer format.
        """
        path = self.directory / segment.name
        descriptor = self.files.open(path)
        try:
            length = header_length(self.files.pread(descriptor, PEEK_BYTES, 0))
            header = unpack_header(self.log, segment, self.files.pread(descriptor, length, 0))
            catalog = self.catalogs.unpacked(header.packed_catalog)
        except (OSError, Damaged, SpoolUnusable):
            self.files.close(descriptor)
            raise
        seed = segment.seed(self.log)
        return Opened(header.start, catalog, seed, header.size, self.files, path, descriptor)

    def sound(self, segment: SegmentId) -> bool:
        """Tell whether a file of that name is a segment, of whatever format."""
        try:
            self.opened(segment).close()
        except SpoolUnusable:
            return True
        except (OSError, Damaged):
            return False
        return True

    def size_bytes(self, segment: SegmentId) -> int:
        """Return how long a segment is, or 0 where that cannot be told."""
        with suppress(OSError):
            return self.files.size(self.directory / segment.name)
        return 0

    def first_seq(self, segment: SegmentId, otherwise: int) -> int:
        """Return where a segment starts, or ``otherwise`` where that cannot be read."""
        try:
            descriptor = self.files.open(self.directory / segment.name)
        except OSError:
            return otherwise
        try:
            peeked = self.files.pread(descriptor, PEEK_BYTES, 0)
            return peek(self.log, segment, peeked).first_seq
        except (OSError, Damaged):
            return otherwise
        finally:
            self.files.close(descriptor)
