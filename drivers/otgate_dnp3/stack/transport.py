"""Transport segments: a fragment cut into frames' loads and put together again.

IEEE 1815-2012, clause 8. Whatever does not continue what came before is dropped and counted.
"""

from dataclasses import dataclass

FIN, FIR, SEQUENCE_MASK = 0x80, 0x40, 0x3F
"""Transport header: last segment, first segment, sequence number modulo 64."""

LONGEST_LOAD = 249
"""Octets of a fragment in one segment: a frame's 250 less the transport header."""

FRAGMENT_CAP = 16_384
"""A fragment longer than this is dropped: eight times what every master takes."""


@dataclass(slots=True)
class TransportCounts:
    """Fragments that came together, and segments that were dropped, by reason."""

    fragments: int = 0
    unstarted: int = 0
    """No first segment went before."""
    out_of_sequence: int = 0
    repeated: int = 0
    abandoned: int = 0
    """Fragments begun and never finished."""
    oversized: int = 0


class Reassembly:
    """Puts the fragments of one link together, at most ``cap`` octets each."""

    def __init__(self, cap: int = FRAGMENT_CAP) -> None:
        self.counts = TransportCounts()
        self._cap = cap
        self.reset()

    def reset(self) -> None:
        """Forget a fragment begun; for a new connection."""
        self._loads: list[bytes] = []
        self._size = 0
        self._last = b""

    def feed(self, segment: bytes) -> bytes:
        """Take a segment and return the fragment that it completes, or b""."""
        if not segment:
            return b""
        header = segment[0]
        if header & FIR:
            self.counts.abandoned += bool(self._loads)
            self._loads, self._size = [], 0
        elif not self._continues(segment):
            return b""
        self._loads.append(segment[1:])
        self._size += len(segment)
        self._last = segment
        if self._size > self._cap:
            self.counts.oversized += 1
            self.reset()
        elif header & FIN:
            return self._completed()
        return b""

    def _continues(self, segment: bytes) -> bool:
        if not self._loads:
            self.counts.unstarted += 1
            return False
        if segment == self._last:
            self.counts.repeated += 1
            return False
        if (segment[0] ^ (self._last[0] + 1)) & SEQUENCE_MASK:
            self.counts.out_of_sequence += 1
            self.reset()
            return False
        return True

    def _completed(self) -> bytes:
        fragment = b"".join(self._loads)
        self.reset()
        self.counts.fragments += bool(fragment)
        return fragment


class Segmenter:
    """Cuts fragments into segments whose sequence numbers run on."""

    def __init__(self) -> None:
        self._sequence = 0

    def cut(self, fragment: bytes) -> list[bytes]:
        """Return the segments that carry ``fragment``."""
        segments = []
        for at in range(0, len(fragment), LONGEST_LOAD):
            first = FIR if at == 0 else 0
            final = FIN if at + LONGEST_LOAD >= len(fragment) else 0
            header = bytes((first | final | self._sequence,))
            segments.append(header + fragment[at : at + LONGEST_LOAD])
            self._sequence = (self._sequence + 1) & SEQUENCE_MASK
        return segments
