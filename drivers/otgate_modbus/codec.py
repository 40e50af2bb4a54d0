"""Modbus TCP without I/O: frames requests, checks replies, pairs them by transaction id.

Requests are the four reads and the device identification; a write cannot be spelled here. Clauses:
Modbus Application Protocol V1.1b3 ("AP") and Modbus Messaging on TCP/IP Implementation Guide
V1.0b ("MG").
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache
from struct import Struct

from otgate.errors import LinkLost

HEAD = Struct(">HHH")
"""Transaction id, protocol id, length: MG §3.1.3."""

REST = Struct(">HH")
"""What follows the transaction id: protocol id and length."""

BODY = Struct(">BBHH")
"""Unit, function, first address, quantity: AP §6.1 to §6.4."""

SHORTEST, LONGEST = 3, 254
"""Length field of a reply: unit and an exception (AP §7), or unit and a PDU of 253 (AP §4.1)."""

EXCEPTION = 0x80
"""Added to the function code of a refusal: AP §7."""

READS = frozenset({1, 2, 3, 4})

IDENTIFY, IDENTIFICATION = 0x2B, 0x0E
"""Encapsulated interface transport, read device identification: AP §6.21."""

UNASKED = 64
"""Frames that nobody waits for, beyond one for each request: a server that says more floods us."""


class FramingLost(LinkLost):
    """What was received is no Modbus TCP; the stream cannot be trusted any further."""


class Missing(Enum):
    """Why a request has no answer."""

    NOT_ASKED = auto()
    SILENT = auto()
    MISMATCHED = auto()
    """An answer came under its transaction id that belongs to another request."""


Answer = bytes | int | Missing
"""Data of the reply, its exception code, or why there is neither."""


@dataclass(slots=True)
class Counts:
    """What a link has seen since it opened."""

    requests: int = 0
    replies: int = 0
    retries: int = 0
    late: int = 0
    """Frames under a transaction id that nobody waits for."""
    mismatched: int = 0
    closed_idle: int = 0
    """Connections that the server closed while nothing was asked, and that were opened again."""
    malformed: int = 0
    """What came instead of the Modbus frames asked for: it ends a stream, and not datagrams."""
    exceptions: Counter[int] = field(default_factory=Counter)
    """Exceptions in answer to a request, by unit."""
    stray: int = 0
    """Bytes on a line without transaction ids that came while nothing was asked."""


class Ask:
    """One read: what it asks and, once there, its answer."""

    __slots__ = ("answer", "body", "function", "opening", "received_ns", "rest", "size", "unit")

    def __init__(self, unit: int, function: int, address: int, count: int) -> None:
        if function not in READS:
            raise ValueError(f"function {function} is no read")
        self.unit = unit
        self.function = function
        self.body = BODY.pack(unit, function, address, count)
        self.rest = REST.pack(0, len(self.body)) + self.body
        """The frame behind its transaction id."""
        self.size = -(-count // 8) if function <= 2 else 2 * count
        self.opening = opening(unit, function, self.size)
        """What a reply with data begins with."""
        self.answer: Answer = Missing.NOT_ASKED
        self.received_ns = 0


class Identify(Ask):
    """A question for the device identification: the objects of a category, from one on."""

    __slots__ = ()

    def __init__(self, unit: int, category: int, first: int) -> None:
        self.unit = unit
        self.function = IDENTIFY
        self.body = bytes((unit, IDENTIFY, IDENTIFICATION, category, first))
        self.rest = REST.pack(0, len(self.body)) + self.body
        self.size = LONGEST - 3
        self.opening = b""
        self.answer = Missing.NOT_ASKED
        self.received_ns = 0


@lru_cache(maxsize=1024)
def opening(unit: int, function: int, size: int) -> bytes:
    """Return unit, function and byte count of a reply: AP §6.1 to §6.4."""
    return bytes((unit, function, size & 0xFF))


class Codec:
    """The client's end of one connection.

    ``ignore_transaction`` takes any frame for the reply to the one request under way;
    ``trailing`` forgives bytes behind a reply.
    """

    single = False
    """Whether one request may be under way at once, and no more."""

    def __init__(
        self,
        transaction: int = 0,
        *,
        ignore_transaction: bool = False,
        trailing: bool = False,
    ) -> None:
        self.counts = Counts()
        self.transaction = transaction
        """The id of the last request. It runs on over connections: what was asked on an earlier
        one may be answered on this one, by a gateway that kept the reply."""
        self._ignores = ignore_transaction
        self._trailing = trailing
        self.single = self.single or ignore_transaction
        self._pending: dict[int, Ask] = {}
        self._rest = b""

    def request(self, ask: Ask) -> bytes:
        """Return the frame that asks, under a new transaction id."""
        self.transaction = transaction = (self.transaction + 1) & 0xFFFF
        self._pending[transaction] = ask
        self.counts.requests += 1
        return transaction.to_bytes(2) + ask.rest

    def requests(self, asks: Sequence[Ask]) -> bytes:
        """Return the frames that ask for some, one after another."""
        numbered = [(number & 0xFFFF, ask) for number, ask in enumerate(asks, self.transaction + 1)]
        self.transaction = (self.transaction + len(asks)) & 0xFFFF
        self._pending.update(numbered)
        self.counts.requests += len(asks)
        return b"".join([number.to_bytes(2) + ask.rest for number, ask in numbered])

    def forget(self) -> None:
        """Wait for nothing any more: whatever is still answered is late."""
        self._pending.clear()

    @property
    def unfinished(self) -> bool:
        """Whether a frame has begun."""
        return bool(self._rest)

    def cut(self) -> None:
        """Forget a frame that has begun: it does not go on."""
        self._rest = b""

    def restart(self) -> None:
        """Begin on a new connection."""
        self.forget()
        self.cut()

    def feed(self, data: bytes) -> list[Ask]:
        """Take received bytes and return each ask whose answer they complete.

        Raises:
            FramingLost: they are no Modbus TCP; drop the link.
        """
        if self._rest:
            data = self._rest + data
        answered: list[Ask] = []
        pending = self._pending
        at, end = 0, len(data)
        while end - at >= 6:
            transaction, protocol, length = HEAD.unpack_from(data, at)
            if protocol or not SHORTEST <= length <= LONGEST:
                raise FramingLost(f"no Modbus TCP header: {data[at : at + 6].hex(' ')}")
            start, at = at, at + 6 + length
            if at > end:
                at = start
                break
            ask = pending.pop(transaction, None)
            if ask is None and self._ignores and pending:
                _, ask = pending.popitem()
            if ask is None:
                self._unasked()
                continue
            if length == ask.size + 3 and data[start + 6 : start + 9] == ask.opening:
                self.counts.replies += 1  # as `_checked` finds, without the call
                ask.answer = data[start + 9 : at]
            else:
                ask.answer = self._checked(ask, data[start + 6 : at])
            if pending and ask in pending.values():
                self._settle(ask)
            answered.append(ask)
        self._rest = data[at:] if at else data
        return answered

    def _checked(self, ask: Ask, body: bytes) -> Answer:
        """Judge a reply, from its unit id on, that came under the ask's transaction id."""
        unit, function = body[0], body[1]
        if self._trailing:
            body = _trimmed(ask, body)
        if function == ask.function and body[2] == ask.size == len(body) - 3 and unit == ask.unit:
            self.counts.replies += 1
            return body[3:]
        if function & EXCEPTION:
            if len(body) != 3:
                raise FramingLost(f"an exception of {len(body)} bytes: {body[:8].hex(' ')}")
            if function == ask.function | EXCEPTION and unit == ask.unit:
                self.counts.replies += 1
                self.counts.exceptions[unit] += 1
                return body[2]
        elif function == IDENTIFY == ask.function and unit == ask.unit:
            self.counts.replies += 1
            return body[2:]
        elif function in READS and body[2] != len(body) - 3:
            raise FramingLost(f"byte count {body[2]} in a reply of {len(body) - 3}")
        self.counts.mismatched += 1
        return Missing.MISMATCHED

    def _unasked(self) -> None:
        counts = self.counts
        counts.late += 1
        if counts.late > counts.requests + UNASKED:
            raise FramingLost(f"{counts.late} frames came that nobody asked for")

    def _settle(self, ask: Ask) -> None:
        """Forget the other transaction id of an ask that was retried."""
        for transaction in [at for at, other in self._pending.items() if other is ask]:
            del self._pending[transaction]


def _trimmed(ask: Ask, body: bytes) -> bytes:
    """Return a reply without what a device may add to it."""
    if body[1] & EXCEPTION:
        return body[:3]
    return body[: 3 + ask.size] if body[1:3] == bytes((ask.function, ask.size)) else body
