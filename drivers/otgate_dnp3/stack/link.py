"""Link frames without I/O: built, found in a stream of octets, and checked.

IEEE 1815-2012, clause 9: frame format FT3, a header of ten octets and blocks of sixteen, each
with a CRC. What cannot be a frame is skipped an octet at a time, so that a frame behind noise, or
behind a frame that lost octets, is found.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from otgate_dnp3.stack.crc import BLOCK, blocked, crc, unblocked, wire_size

START = b"\x05\x64"
HEADER = struct.Struct("<2sBBHHH")
HEADER_SIZE = HEADER.size
UNCOUNTED = 5
"""Octets of the length field that are no user data: control and two addresses."""

LONGEST_DATA = 250
LONGEST_FRAME = HEADER_SIZE + wire_size(LONGEST_DATA)

DIR, PRM, FCB, FCV = 0x80, 0x40, 0x20, 0x10
"""Control octet: sent by the master, by the primary, frame count bit and its validity."""

DFC = 0x10
"""Control octet of a secondary: it cannot take more user data."""

FUNCTION_MASK = 0x0F

SELF_ADDRESS = 0xFFFC
BROADCASTS = frozenset({0xFFFD, 0xFFFE, 0xFFFF})
LAST_ADDRESS = 0xFFEF
"""The highest address that one station may have."""


class Primary(IntEnum):
    """Functions of a frame from a primary station."""

    RESET_LINK_STATES = 0
    TEST_LINK_STATES = 2
    CONFIRMED_USER_DATA = 3
    UNCONFIRMED_USER_DATA = 4
    REQUEST_LINK_STATUS = 9


class Secondary(IntEnum):
    """Functions of a frame from a secondary station."""

    ACK = 0
    NACK = 1
    LINK_STATUS = 11
    NOT_SUPPORTED = 15


class Frame(NamedTuple):
    """A link frame whose CRCs were right; ``data`` is without them."""

    control: int
    destination: int
    source: int
    data: bytes

    @property
    def function(self) -> int:
        """The function code: a `Primary` one where PRM is set, else a `Secondary` one."""
        return self.control & FUNCTION_MASK


@dataclass(slots=True)
class FrameCounts:
    """What a stream has carried, in frames unless it says otherwise."""

    frames: int = 0
    junk_octets: int = 0
    """Octets skipped because no frame was found in them."""
    bad_header: int = 0
    bad_length: int = 0
    bad_block: int = 0
    incomplete: int = 0
    """Frames whose end never came."""


def frame(control: int, destination: int, source: int, data: bytes = b"") -> bytes:
    """Return the octets of a frame.

    Raises:
        ValueError: ``data`` is longer than a frame carries.
    """
    if len(data) > LONGEST_DATA:
        raise ValueError(f"{len(data)} octets in one frame")
    header = HEADER.pack(START, len(data) + UNCOUNTED, control, destination, source, 0)[:-2]
    return header + crc(header).to_bytes(2, "little") + blocked(data)


class FrameReader:
    """Finds the frames in a stream. Keeps at most one unfinished frame."""

    def __init__(self, counts: FrameCounts | None = None) -> None:
        self.counts = counts if counts is not None else FrameCounts()
        self._rest = b""

    @property
    def unfinished(self) -> bool:
        """Whether octets are held that may begin a frame."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[Frame]:
        """Take received octets and return the frames that they complete."""
        buffer = self._rest + data if self._rest else data
        found: list[Frame] = []
        at, end = 0, len(buffer)
        while True:
            start = buffer.find(START, at)
            if start < 0:
                start = end - 1 if buffer.endswith(START[:1], at) else end
            self.counts.junk_octets += start - at
            at = start
            size = self._size(buffer, at) if end - at >= HEADER_SIZE else LONGEST_FRAME
            if size and at + size > end:
                break
            received = self._checked(buffer, at, size) if size else None
            if received is None:
                self.counts.junk_octets += 1
                at += 1
                continue
            found.append(received)
            at += size
        self._rest = buffer[at:]
        self.counts.frames += len(found)
        return found

    def give_up(self) -> list[Frame]:
        """Stop waiting for the end of an unfinished frame; return the frames found inside it.

        For a line that has been silent longer than the gap inside a frame can be.
        """
        found: list[Frame] = []
        while self._rest:
            self.counts.incomplete += 1
            self.counts.junk_octets += 1
            rest, self._rest = self._rest[1:], b""
            found += self.feed(rest)
        return found

    def _size(self, buffer: bytes, at: int) -> int:
        """Return the octets of the frame that begins here, 0 where none does."""
        header = buffer[at : at + HEADER_SIZE]
        if crc(header[:8]) != header[8] | header[9] << 8:
            self.counts.bad_header += 1
            return 0
        if header[2] < UNCOUNTED:
            self.counts.bad_length += 1
            return 0
        return HEADER_SIZE + wire_size(header[2] - UNCOUNTED)

    def _checked(self, buffer: bytes, at: int, size: int) -> Frame | None:
        data = unblocked(buffer[at + HEADER_SIZE : at + size])
        _, _, control, destination, source, _ = HEADER.unpack_from(buffer, at)
        if data is None or _swallowed_header(data, destination, source):
            self.counts.bad_block += 1
            return None
        return Frame(control, destination, source, data)


def _swallowed_header(data: bytes, destination: int, source: int) -> bool:
    """Tell whether the last block is the header of the frame that came after a truncated one.

    A header is eight octets and their CRC, just as a last block of eight is: where a frame lost
    exactly its last ten octets, the next header is read in their place without a CRC error.
    """
    if len(data) % BLOCK != HEADER_SIZE - 2 or data[-8:-6] != START:
        return False
    return data[-4:] == struct.pack("<HH", destination, source)
