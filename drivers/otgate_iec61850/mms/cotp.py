"""Transport class 0 over TCP: RFC 1006 packets, ISO 8073 TPDUs, and TSDUs put together."""

from dataclasses import dataclass
from enum import IntEnum

from otgate_iec61850.mms.errors import Malformed

TPKT_VERSION, TPKT_HEADER = 3, 4
"""RFC 1006, section 6."""

SMALLEST_TPKT = 7
"""A header of a packet and the shortest TPDU, which has three octets."""

DATA_HEADER = 3
LAST = 0x80
"""End of TSDU: ISO 8073, DT TPDU."""

TPDU_SIZE, CALLING, CALLED = 0xC0, 0xC1, 0xC2
"""Parameters of CR and CC: ISO 8073."""

LARGEST_TPDU = 13
"""8192 octets, as its power of two: the most that the parameter says."""

DEFAULT_TPDU = 7
"""128 octets, where the parameter is absent."""

TSDU_CAP = 1 << 18
"""Octets of one TSDU at most, whatever PDUs are agreed upon."""


class Code(IntEnum):
    """TPDU codes of class 0."""

    CONNECT = 0xE0
    CONFIRM = 0xD0
    DISCONNECT = 0x80
    ERROR = 0x70
    DATA = 0xF0


@dataclass(frozen=True, slots=True)
class Connect:
    """A connection request, or its confirmation."""

    code: Code
    destination: int
    source: int
    calling: bytes
    called: bytes
    size: int = DEFAULT_TPDU
    """TPDU size as its power of two."""

    def octets(self) -> bytes:
        """Return the TPDU."""
        parameters = bytes((TPDU_SIZE, 1, self.size))
        for code, selector in ((CALLING, self.calling), (CALLED, self.called)):
            if selector:
                parameters += bytes((code, len(selector))) + selector
        fixed = bytes((self.code,)) + self.destination.to_bytes(2, "big")
        body = fixed + self.source.to_bytes(2, "big") + b"\0" + parameters
        return bytes((len(body),)) + body


@dataclass(frozen=True, slots=True)
class Ended:
    """The peer disconnects, or says that it did not understand."""

    reason: int
    """ISO 8073: 0 unspecified, 1 congestion, 2 not attached, 3 address unknown."""


Event = bytes | Connect | Ended
"""A whole TSDU, or what else a TPDU may be."""


def packet(tpdu: bytes) -> bytes:
    """Return the TPKT that carries a TPDU."""
    return b"\x03\0" + (len(tpdu) + TPKT_HEADER).to_bytes(2, "big") + tpdu


def disconnect(reason: int, destination: int = 0, source: int = 0) -> bytes:
    """Return the TPKT of a disconnect request, by which a connection is refused too."""
    references = destination.to_bytes(2, "big") + source.to_bytes(2, "big")
    return packet(b"\x06\x80" + references + bytes((reason,)))


def segments(tsdu: bytes, size: int) -> bytes:
    """Return the TPKTs that carry ``tsdu`` in TPDUs of at most ``2 ** size`` octets."""
    load = (1 << size) - DATA_HEADER
    if len(tsdu) <= load:
        return packet(b"\x02\xf0\x80" + tsdu)
    parts = []
    for at in range(0, len(tsdu), load):
        last = LAST if at + load >= len(tsdu) else 0
        parts.append(packet(bytes((2, Code.DATA, last)) + tsdu[at : at + load]))
    return b"".join(parts)


class Reader:
    """Finds TPDUs in a stream and puts TSDUs of at most ``cap`` octets together."""

    def __init__(self, cap: int = TSDU_CAP) -> None:
        self._cap = cap
        self._rest = bytearray()
        self._tsdu = bytearray()
        self.broken: Malformed | None = None
        """What ended the stream after the events that were returned last."""

    def feed(self, data: bytes) -> list[Event]:
        """Take octets and return what they complete, which may be the last: see ``broken``.

        Raises:
            Malformed: they are no such stream.
        """
        self._rest += data
        found: list[Event] = []
        try:
            self._packets(found)
        except Malformed as broken:
            self.broken = broken
            if not found:
                raise
        return found

    def _packets(self, found: list[Event]) -> None:
        rest = self._rest
        at, end = 0, len(rest)
        while end - at >= TPKT_HEADER:
            size = rest[at + 2] << 8 | rest[at + 3]
            if rest[at] != TPKT_VERSION or size < SMALLEST_TPKT:
                raise Malformed(f"no TPKT: {bytes(rest[at : at + 4]).hex(' ')}")
            if end - at < size:
                break
            self._tpdu(bytes(rest[at + TPKT_HEADER : at + size]), found)
            at += size
        del rest[:at]

    def _tpdu(self, tpdu: bytes, found: list[Event]) -> None:
        if tpdu[1] == Code.DATA and tpdu[0] == 2:
            self._data(tpdu, found)
            return
        header = tpdu[1 : 1 + tpdu[0]]
        if len(header) != tpdu[0] or len(header) < 4:
            raise Malformed("a TPDU's header is cut short")
        code = header[0] & 0xF0
        if code in {Code.CONNECT, Code.CONFIRM}:
            found.append(_connect(Code(code), header))
        elif code == Code.DISCONNECT:
            found.append(Ended(header[5] if len(header) > 5 else 0))
        elif code == Code.ERROR:
            found.append(Ended(header[3]))
        else:
            raise Malformed(f"TPDU {header[0]:#x} is none of class 0")

    def _data(self, tpdu: bytes, found: list[Event]) -> None:
        if len(self._tsdu) + len(tpdu) - DATA_HEADER > self._cap:
            raise Malformed(f"a TSDU of more than {self._cap} octets")
        if tpdu[2] & LAST and not self._tsdu:
            found.append(tpdu[DATA_HEADER:])
            return
        self._tsdu += tpdu[DATA_HEADER:]
        if tpdu[2] & LAST:
            found.append(bytes(self._tsdu))
            self._tsdu.clear()


def _connect(code: Code, header: bytes) -> Connect:
    if len(header) < 6 or header[5] & 0xF0:
        raise Malformed("a connection of another class than 0")
    parameters = dict(_parameters(header, 6))
    size = parameters.get(TPDU_SIZE, bytes((DEFAULT_TPDU,)))
    if len(size) != 1 or not DEFAULT_TPDU <= size[0] <= LARGEST_TPDU:
        raise Malformed(f"a TPDU size of {size.hex()}")
    destination, source = (int.from_bytes(header[at : at + 2], "big") for at in (1, 3))
    calling, called = (parameters.get(each, b"") for each in (CALLING, CALLED))
    return Connect(code, destination, source, calling, called, size[0])


def _parameters(header: bytes, at: int) -> list[tuple[int, bytes]]:
    found = []
    while at + 2 <= len(header):
        stop = at + 2 + header[at + 1]
        if stop > len(header):
            raise Malformed("a TPDU's parameter is cut short")
        found.append((header[at], header[at + 2 : stop]))
        at = stop
    return found
