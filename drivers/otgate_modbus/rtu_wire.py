"""Modbus RTU on a serial line or over TCP, one request at a time, shared by its units.

A reply is known by its unit and its order alone, so a unit is not asked while it may still answer
something else: a request without a reply puts it in quarantine until nothing strayed over the line
for the late window. Other units keep their turns. Clauses: Modbus over Serial Line V1.02 ("SL").
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from otgate.endpoint.serial import Parity, SerialSettings
from otgate.errors import LinkLost
from otgate_modbus.codec import Ask, Missing
from otgate_modbus.link import GRAIN_S, Poll, ending, stops
from otgate_modbus.manners import IDLE_S, Manners, Rests
from otgate_modbus.rtu import OVERHEAD, REQUEST_SIZE, RtuCodec

FAST_BAUD, FAST_GAP_S = 19_200, 0.001_75
"""Above this speed the silence between frames is fixed: SL §2.5.1.1."""

CHARACTERS_BETWEEN = 3.5
"""Silence between frames in characters: SL §2.5.1.1."""

STALL_S = 0.1
"""A frame that stops for so long in its midst has ended. SL §2.5.1.1 says 1.5 characters, which
no operating system keeps: adapters hand over what they have every 16 ms."""

NETWORK_STALL_S = 0.5
"""The same where a network lies between: longer than a retransmission."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What a line's speed decides."""

    character_s: float = 0.0
    frame_gap_s: float = 0.0
    stall_s: float = NETWORK_STALL_S

    @classmethod
    def of(cls, line: SerialSettings) -> "Timing":
        """Return the timing of a serial line."""
        bits = 9 + (line.parity is not Parity.NONE) + line.stop_bits
        character_s = bits / line.baud
        slow = line.baud <= FAST_BAUD
        gap_s = CHARACTERS_BETWEEN * character_s if slow else FAST_GAP_S
        return cls(character_s, gap_s, max(STALL_S, 2 * gap_s))


class Port(Protocol):
    """Where bytes go."""

    def write(self, data: bytes) -> None:
        """Send ``data``."""

    def abort(self) -> None:
        """Let go of it at once."""

    def flush(self) -> None:
        """Throw away what was received and not read yet."""


Key = tuple[int, int, int]
"""Unit, function and size: replies alike in these are told apart by their order alone."""


class RtuWire:
    """One line. ``turn`` is held by whoever polls."""

    single = True

    def __init__(self, clock: Callable[[], int], manners: Manners, timing: Timing) -> None:
        self._loop = asyncio.get_running_loop()
        self.turn = asyncio.Lock()
        self.gone: asyncio.Future[str] = self._loop.create_future()
        """Why the line ended, once it has for good."""
        self._codec = RtuCodec(echo=manners.echo, trailing=manners.trailing)
        self.counts = self._codec.counts
        self.rests = Rests(manners, timing.frame_gap_s)
        self.transaction = 0
        self._clock = clock
        self._timing = timing
        self._port: Port | None = None
        self._redial: Callable[[], Awaitable[Port]] = _nowhere
        self._is_network = False
        self._closed = False
        """Whether the other end closed the connection while it rested."""
        self._waiter: asyncio.Future[None] | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._settled = True
        self._owed: set[Key] = set()
        """Requests on this connection whose replies may still come, however late."""

    async def open(self, redial: Callable[[], Awaitable[Port]], *, network: bool) -> None:
        """Open the line by ``redial``, and a connection again whenever it closed as it rested.

        Raises:
            LinkLost: it is not to be had.
            Unusable: it can never be used as it is.
        """
        self._redial, self._is_network = redial, network
        self._port = await redial()
        self._idle_from_s = self._loop.time()

    def received(self, data: bytes) -> None:
        """Take bytes from the line."""
        received_ns = self._clock()
        self.rests.stirred()
        for ask in self._codec.feed(data):
            ask.received_ns = received_ns
            self._wake()
        if self._waiter is None or self._codec.spoilt:
            self.rests.strayed()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        if self._waiter is not None and (self._codec.begun or self._codec.spoilt):
            self._stall = self._loop.call_later(self._timing.stall_s, self._stalled)

    def lost(self, reason: str) -> None:
        """Take notice that the line has ended."""
        self._end(reason)

    def closed(self, port: Port, exc: Exception | None) -> None:
        """Take notice that a connection has ended; one that rested is opened again when needed."""
        if port is not self._port:
            return
        if self._was_resting(exc):
            self._closed = True
            self.counts.closed_idle += 1
            self._wake()
        else:
            self._end(ending(exc))

    async def ready(self, unit: int, spacing_s: float = 0.0) -> None:
        """Return when ``unit`` may be asked: the line is there, and has been silent.

        Raises:
            LinkLost: it is not to be had any more.
        """
        if self._closed:
            await self._reopened()
        await self.rests.over(unit, spacing_s)

    async def exchange(self, asks: Sequence[Ask], poll: Poll, depth: int = 1) -> None:  # noqa: ARG002  always one at a time
        """Send ``asks`` one by one; return when each has its answer, or at the deadline.

        Raises:
            LinkLost: the line is gone.
        """
        for ask in asks:
            if self.gone.done():
                raise LinkLost(self.gone.result())
            if poll.over or self._loop.time() + GRAIN_S >= poll.deadline:
                return
            await self._asked(ask, poll)
            poll.over = stops(ask.answer)

    def close(self) -> None:
        """Let go of the line."""
        if self._port is not None:
            self._port.abort()

    async def _asked(self, ask: Ask, poll: Poll) -> None:
        """Ask once, and once more after a spoilt reply where the poll has its retry left."""
        if await self._is_clear(ask, poll):
            await self._once(ask, poll)
        spoilt = ask.answer is Missing.MISMATCHED or (ask.answer is Missing.SILENT and self._closed)
        in_time = self._loop.time() + GRAIN_S < poll.deadline
        again = spoilt and in_time and not poll.retried
        if again and await self._is_clear(ask, poll):
            poll.retried = True
            self.counts.retries += 1
            await self._once(ask, poll)

    async def _is_clear(self, ask: Ask, poll: Poll) -> bool:
        """Wait until ``ask`` may be sent; say whether that is before the deadline.

        Over a network a reply may be late by any time. A new connection carries none of the old.
        """
        if self._closed or (self._is_network and _key(ask) in self._owed):
            await self._reopened()
        latest_s = poll.deadline - self._airtime_s(ask)
        return await self.rests.over(ask.unit, poll.spacing_s, latest_s)

    async def _once(self, ask: Ask, poll: Poll) -> None:
        if self._port is None or self.gone.done():
            raise LinkLost(self.gone.result() if self.gone.done() else "the line is closed")
        self._port.flush()
        ask.answer = Missing.SILENT
        waiter = self._waiter = self._loop.create_future()
        self.rests.asked(ask.unit)
        in_time_s = self._loop.time() + self._airtime_s(ask) + poll.reply_s
        self._port.write(self._codec.request(ask))
        timer = self._loop.call_at(min(in_time_s, poll.deadline), self._wake)
        try:
            await waiter
        finally:
            self._waiter = None
            timer.cancel()
            if self._stall is not None:
                self._stall.cancel()
                self._stall = None
            self._conclude(ask, in_time_s)
        if self.gone.done():
            raise LinkLost(self.gone.result())

    def _airtime_s(self, ask: Ask) -> float:
        """Return how long request and reply are on the line."""
        characters = REQUEST_SIZE + OVERHEAD + ask.size
        return characters * self._timing.character_s + 2 * self._timing.frame_gap_s

    def _conclude(self, ask: Ask, in_time_s: float) -> None:
        """Decide what the line needs before the next request.

        ``in_time_s`` is until when a reply is not late, though nobody may wait for it any more.
        """
        if ask.answer is Missing.SILENT and self._codec.begun:
            self._stalled()
        self._codec.forget()
        self._idle_from_s = self._loop.time()
        self.rests.stirred()
        if not isinstance(ask.answer, Missing):
            self._owed = {key for key in self._owed if key[0] != ask.unit}  # a unit keeps to order
        elif not self._closed and (ask.answer is Missing.SILENT or not self._settled):
            self._owed.add(_key(ask))
            self.rests.quarantine(ask.unit, in_time_s)

    def _stalled(self) -> None:
        """Give up a reply that is spoilt, or that stopped in its midst."""
        self._settled = self._codec.settled and not self.rests.in_doubt
        self._codec.give_up()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _was_resting(self, exc: Exception | None) -> bool:
        """Say whether the connection closed when nothing had been asked for long, or just been."""
        if not self.counts.replies or self._loop.time() - self._idle_from_s < IDLE_S:
            return False
        if self._waiter is None:
            return exc is None
        return not self._codec.begun and (exc is None or isinstance(exc, ConnectionResetError))

    async def _reopened(self) -> None:
        """Connect again, to the same place.

        Raises:
            LinkLost: it is not to be had any more.
        """
        old, self._port = self._port, None
        if old is not None:
            old.abort()
        try:
            self._port = await self._redial()
        except LinkLost as lost:
            self._end(str(lost))
            raise
        finally:
            self._closed = self._port is None
        self._idle_from_s = self._loop.time()
        self._owed.clear()

    def _end(self, reason: str) -> None:
        if not self.gone.done():
            self.gone.set_result(reason)
        self._wake()


async def _nowhere() -> Port:
    raise LinkLost("the line is closed")


def _key(ask: Ask) -> Key:
    return ask.unit, ask.function, ask.size
