"""A segment file: its name and its header.

Magic, format version, header length and the checksum that ends the header keep their places in
every version of the format, so that an old program tells a newer segment from a damaged one.
"""

import re
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from otgate.errors import SpoolUnusable
from otgate.spool.catalog import Catalog
from otgate.spool.epoch import epoch_number, epoch_text

MAGIC = b"otgspool"
FORMAT = 1
MAX_HEADER_BYTES = 64 << 20

FIXED = struct.Struct("<8sHBxIQIIQQQQQq")
"""Magic, format, log, header length, epoch, segment, length of the catalog, first
sequence number, samples before, previous epoch, its end, dropped before, time of creation."""

CHECKSUM = struct.Struct("<I")
PEEK_BYTES = FIXED.size + CHECKSUM.size
"""What has to be read to know a header's numbers, under a checksum of their own."""

NO_CATALOG = Catalog("", "", "", ())
NAME = re.compile(r"([0-9A-HJKMNP-TV-Z]{8})-([0-9a-f]{8})\.(seg|new)")


class Log(StrEnum):
    """The three logs of a spool, each a directory: the two lanes and liveness."""

    DATA = "data"
    EVENT = "event"
    LIVE = "live"


LOG_CODES = {Log.DATA: 0, Log.EVENT: 1, Log.LIVE: 2}


class Damaged(Exception):
    """Bytes that are no header of the segment asked for; never leaves the spool."""


class SegmentId(NamedTuple):
    """Which segment: they sort in the order in which they were written."""

    epoch: int
    number: int

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{epoch_text(self.epoch)}-{self.number:08x}.seg"

    @property
    def new_name(self) -> str:
        """The name of its file before its header is on the disk."""
        return f"{epoch_text(self.epoch)}-{self.number:08x}.new"

    def seed(self, log: Log) -> int:
        """Return what the checksums of its frames start from."""
        return zlib.crc32(struct.pack("<BQI", LOG_CODES[log], *self))


@dataclass(frozen=True, slots=True)
class Start:
    """The numbers of a header: where a segment stands in its lane."""

    id: SegmentId
    first_seq: int
    samples_before: int
    """Samples of the lane before this segment, in all epochs."""
    previous_epoch: int
    previous_end: int
    dropped_before: int
    """How many of the last samples before the epoch only a tally tells of: at least so many."""
    created_ns: int

    @property
    def epoch_base(self) -> int:
        """Samples of the lane before this segment's epoch."""
        return self.samples_before - self.first_seq


class Header(NamedTuple):
    """A whole header as read, and the bytes it takes."""

    start: Start
    packed_catalog: bytes
    size: int


def segments(names: Iterable[str]) -> list[SegmentId]:
    """Return the segments among ``names`` in order; foreign names are left out."""
    found = (NAME.fullmatch(name) for name in names)
    return sorted(
        SegmentId(epoch_number(match[1]), int(match[2], 16))
        for match in found
        if match is not None and match[3] == "seg"
    )


def unfinished(names: Iterable[str]) -> list[str]:
    """Return the names that a writer's crash left between creation and rename."""
    return [name for name in names if name.endswith(".new") and NAME.fullmatch(name)]


def pack_catalog(catalog: Catalog) -> bytes:
    """Encode a catalog as headers carry it."""
    return msgspec.msgpack.encode(catalog)


def unpack_catalog(packed: bytes) -> Catalog:
    """Read what `pack_catalog` wrote, and that every point can be read.

    Raises:
        Damaged: it is not a catalog.
    """
    if not packed:
        return NO_CATALOG
    try:
        catalog = msgspec.msgpack.decode(packed, type=Catalog)
        len(catalog.ids)
    except (zlib.error, msgspec.DecodeError) as error:
        raise Damaged(str(error)) from error
    return catalog


def pack_header(log: Log, start: Start, hashes: tuple[str, str], packed_catalog: bytes) -> bytes:
    """Encode a header; ``hashes`` are the policy's and the point map's."""
    texts = [text.encode()[:255] for text in hashes]
    tail = b"".join((*(bytes((len(text),)) + text for text in texts), packed_catalog))
    fixed = FIXED.pack(
        MAGIC,
        FORMAT,
        LOG_CODES[log],
        PEEK_BYTES + len(tail) + CHECKSUM.size,
        start.id.epoch,
        start.id.number,
        len(packed_catalog),
        start.first_seq,
        start.samples_before,
        start.previous_epoch,
        start.previous_end,
        start.dropped_before,
        start.created_ns,
    )
    head = fixed + CHECKSUM.pack(zlib.crc32(fixed)) + tail
    return head + CHECKSUM.pack(zlib.crc32(head))


def header_length(peeked: bytes) -> int:
    """Return how long the header is that begins with ``peeked``, in any format.

    Raises:
        Damaged: this is no segment.
    """
    if len(peeked) < 16 or not peeked.startswith(MAGIC):
        raise Damaged("not a segment")
    length: int = struct.unpack_from("<I", peeked, 12)[0]
    if not 16 < length <= MAX_HEADER_BYTES:
        raise Damaged("impossible header length")
    return length


def peek(log: Log, segment: SegmentId, peeked: bytes) -> Start:
    """Read a header's numbers from its first `PEEK_BYTES` bytes.

    Raises:
        Damaged: they are not those of ``segment``, or of a newer format.
    """
    if len(peeked) < PEEK_BYTES:
        raise Damaged("short header")
    fields: tuple[Any, ...] = FIXED.unpack_from(peeked)
    magic, version, code, _, epoch, number, _, *numbers = fields
    if magic != MAGIC or version != FORMAT or code != LOG_CODES[log]:
        raise Damaged("not a segment of this log")
    if CHECKSUM.unpack_from(peeked, FIXED.size)[0] != zlib.crc32(peeked[: FIXED.size]):
        raise Damaged("header checksum")
    if (epoch, number) != segment:
        raise Damaged("a header under another name")
    return Start(SegmentId(epoch, number), *numbers)


def unpack_header(log: Log, segment: SegmentId, block: bytes) -> Header:
    """Read the whole header at the start of ``block``.

    Raises:
        Damaged: it is not the header of ``segment``.
        SpoolUnusable: it is sound, and of a format that this program does not know.
    """
    size = header_length(block)
    end = size - CHECKSUM.size
    if len(block) < size or CHECKSUM.unpack_from(block, end)[0] != zlib.crc32(block[:end]):
        raise Damaged("header checksum")
    if (version := int.from_bytes(block[8:10], "little")) != FORMAT:
        raise SpoolUnusable(
            f"Segment {segment.name} has spool format {version}; this program knows format "
            f"{FORMAT}. Run the version of otgate that wrote it, or a later one."
        )
    start = peek(log, segment, block)
    length = int.from_bytes(block[28:32], "little")
    return Header(start, block[end - length : end], size)
