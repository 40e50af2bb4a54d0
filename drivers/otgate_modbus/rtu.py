"""Modbus RTU without I/O: frames one request, judges what comes back by its exact length.

There are no transaction ids: which request a reply belongs to is known from the order alone. So
one request is under way at a time, and what arrives when none is belongs to nobody. Clauses: Modbus
Application Protocol V1.1b3 ("AP") and Modbus over Serial Line V1.02 ("SL").
"""

from struct import Struct

from otgate_modbus.codec import (
    EXCEPTION,
    IDENTIFICATION,
    IDENTIFY,
    Answer,
    Ask,
    Counts,
    Missing,
)

CRC = Struct("<H")
"""The low byte goes first: SL §2.5.1.2."""

OVERHEAD = 5
"""Unit, function, byte count and CRC around the data of a reply; an exception in all: AP §7."""

REQUEST_SIZE = 8

IDENTIFICATION_HEAD, OBJECT_HEAD = 8, 2
"""Bytes before the objects of an identification, the unit included, and before each: AP §6.21."""

LONGEST_FRAME = 256
"""Bytes of a frame, unit and CRC included: SL §2.5.1."""


def _row(low: int) -> int:
    for _ in range(8):
        low = (low >> 1) ^ (0xA001 if low & 1 else 0)
    return low


TABLE = tuple(map(_row, range(256)))
"""CRC-16 of each byte, polynomial 0x8005 reflected: SL §2.5.1.2."""


def crc16(data: bytes) -> int:
    """Return the CRC of ``data``; over a frame with its own CRC it is 0."""
    crc = 0xFFFF
    table = TABLE
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc


def framed(body: bytes) -> bytes:
    """Return ``body``, from the unit id on, with its CRC."""
    return body + CRC.pack(crc16(body))


class RtuCodec:
    """The client's end of one line.

    ``echo`` is for adapters that hear what they send; ``trailing`` forgives bytes behind a reply.
    """

    def __init__(self, *, echo: bool = False, trailing: bool = False) -> None:
        self.counts = Counts()
        self.spoilt = False
        """Whether what arrived is no reply; whatever follows before a silence is not read."""
        self._echoes = echo
        self._trailing = trailing
        self._ask: Ask | None = None
        self._echo = b""
        self._held = b""
        self._size = 0

    @property
    def begun(self) -> bool:
        """Whether anything but the echo has arrived since the request."""
        return self._size > 0

    @property
    def settled(self) -> bool:
        """Whether a spoilt reply was the reply: it began as one, and was as long as one can be."""
        ask = self._ask
        return ask is None or (self._size >= OVERHEAD and _begins(self._held, ask))

    def request(self, ask: Ask) -> bytes:
        """Return the frame that asks; whatever was held is forgotten."""
        self.forget()
        self._ask = ask
        self.counts.requests += 1
        frame = framed(ask.body)
        self._echo = frame if self._echoes else b""
        return frame

    def forget(self) -> None:
        """Wait for nothing any more: what still arrives belongs to nobody."""
        self._ask = None
        self._echo = self._held = b""
        self._size = 0
        self.spoilt = False

    def feed(self, data: bytes) -> list[Ask]:
        """Take received bytes; return the ask whose answer they complete, if they do."""
        if self._ask is None:
            self.counts.stray += len(data)
            return []
        if self._echo:
            data = self._without_echo(data)
        self._size += len(data)
        if self.spoilt or not data:
            return []
        self._held += data
        return self._judged(self._ask)

    def give_up(self) -> Ask | None:
        """End a reply that is spoilt, or that stopped in its midst; return its ask."""
        ask = self._ask
        if ask is not None:
            ask.answer = Missing.MISMATCHED
            self.counts.mismatched += 1
        self.forget()
        return ask

    def _without_echo(self, data: bytes) -> bytes:
        heard = min(len(self._echo), len(data))
        if data[:heard] != self._echo[:heard]:
            self.spoilt = True
            self._echo = b""
            return data
        self._echo = self._echo[heard:]
        return data[heard:]

    def _judged(self, ask: Ask) -> list[Ask]:
        answer = _answer(ask, self._held, trailing=self._trailing)
        if answer is Missing.SILENT:
            return []
        if answer is Missing.MISMATCHED:
            self.spoilt = True
            return []
        ask.answer = answer
        self.counts.replies += 1
        if isinstance(answer, int):
            self.counts.exceptions[ask.unit] += 1
        self.forget()
        return [ask]


def _begins(held: bytes, ask: Ask) -> bool:
    """Say whether ``held`` begins as a reply to ``ask`` does, as far as it goes."""
    starts = bytes((ask.unit, ask.function)), bytes((ask.unit, ask.function | EXCEPTION))
    return held[:2] in starts or held == starts[0][:1]


def _extent(ask: Ask, held: bytes) -> int | None:
    """Return how long a reply to ``ask`` is, as far as ``held`` tells; None where it is none."""
    if held[1:2] == bytes((ask.function | EXCEPTION,)):
        return OVERHEAD
    if ask.function == IDENTIFY:
        return _identification_extent(held)
    return OVERHEAD + ask.size if held[2:3] in {b"", bytes((ask.size,))} else None


def _identification_extent(held: bytes) -> int | None:
    """Walk the objects that have arrived; each says how long it is: AP §6.21."""
    if held[2:3] not in {b"", bytes((IDENTIFICATION,))}:
        return None
    end = IDENTIFICATION_HEAD
    for _ in range(held[end - 1] if len(held) >= end else 0):
        if len(held) < end + OBJECT_HEAD:
            return end + OBJECT_HEAD + CRC.size
        end += OBJECT_HEAD + held[end + 1]
    return end + CRC.size if end + CRC.size <= LONGEST_FRAME else None


def _answer(ask: Ask, held: bytes, *, trailing: bool) -> Answer:
    """Judge what was received so far: SILENT is not all yet, MISMATCHED no reply to ``ask``."""
    end = _extent(ask, held) if _begins(held, ask) else None
    if end is None:
        return Missing.MISMATCHED
    if len(held) < end:
        return Missing.SILENT
    if crc16(held[:end]) or (len(held) > end and not trailing):
        return Missing.MISMATCHED
    if held[1] & EXCEPTION:
        return held[2]
    return held[2 if ask.function == IDENTIFY else 3 : end - CRC.size]
