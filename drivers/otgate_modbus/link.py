"""One TCP connection to a Modbus server, one poll at a time, shared by its unit ids."""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import cast

from otgate.errors import LinkLost, in_words
from otgate_modbus.codec import Answer, Ask, Codec, FramingLost, Missing
from otgate_modbus.verdict import STOPPING

OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 3),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 10_000),
)
"""A peer that vanished is noticed after 10 s with data under way (in ms), after 19 s without."""

CONNECT_S = 5.0
GRAIN_S = 0.002
"""Timers fire up to a millisecond early: uvloop's grain."""


class Poll:
    """The deadline that all requests of one poll share, and its one retry."""

    __slots__ = ("deadline", "depth", "held", "over", "patience_s", "retried", "timeout_s")

    def __init__(self, now: float, timeout_s: float, depth: int = 1) -> None:
        self.timeout_s = timeout_s
        self.deadline = now + timeout_s
        self.depth = depth
        """How many requests may be under way at once."""
        self.patience_s = timeout_s / 2
        """How long silence lasts before the retry is spent on it."""
        self.retried = False
        self.held = True
        """False once some of several requests under way were answered and others were not."""
        self.over = False
        """Whether an answer said that further requests would fare no better."""


class Exchange:
    """Requests that go out one after another, until the last is answered or given up."""

    __slots__ = ("count", "depth", "done", "heard_s", "left", "lost", "poll", "queue", "under_way")

    def __init__(
        self, asks: Sequence[Ask], poll: Poll, depth: int, done: asyncio.Future[None]
    ) -> None:
        self.queue = deque(asks)
        self.under_way: list[Ask] = []
        self.count = self.left = len(asks)
        """Asked in all, and not answered."""
        self.poll = poll
        self.depth = depth
        self.done = done
        self.lost = False
        """Whether the connection ended before it was done."""
        self.heard_s = 0.0
        """When the last request was sent, or answered while others were under way."""

    def take(self) -> list[Ask]:
        """Take what may go out now."""
        room = self.depth - len(self.under_way)
        taken = [self.queue.popleft() for _ in range(min(room, len(self.queue)))]
        self.under_way += taken
        return taken

    def answered(self, ask: Ask) -> None:
        """Take an answer to what is under way, or late, to what was to be asked again."""
        self.left -= 1
        for row in (self.under_way, self.queue):
            if ask in row:
                row.remove(ask)

    def ask_again(self) -> None:
        """Ask what is under way once more, now one request at a time."""
        if self.depth > 1 and self.left < self.count:
            self.poll.held = False
        self.depth = 1
        self.queue.extendleft(reversed(self.under_way))
        self.under_way.clear()

    def finish(self) -> None:
        """Let the waiter go on."""
        if not self.done.done():
            self.done.set_result(None)


class Wire(asyncio.Protocol):
    """The connection. ``turn`` is held by whoever polls."""

    def __init__(self, clock: Callable[[], int], gap_s: float = 0.0, transaction: int = 0) -> None:
        self._loop = asyncio.get_running_loop()
        self.turn = asyncio.Lock()
        self.gone: asyncio.Future[str] = self._loop.create_future()
        """Why the connection ended, once it has."""
        self._codec = Codec(transaction)
        self.counts = self._codec.counts
        self._clock = clock
        self._gap_s = gap_s
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rest: asyncio.TimerHandle | None = None

    @property
    def transaction(self) -> int:
        """The id of the last request."""
        return self._codec.transaction

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection into use."""
        self._transport = cast("asyncio.Transport", transport)
        connected = transport.get_extra_info("socket")
        for option in OPTIONS:
            with suppress(OSError):
                connected.setsockopt(*option)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whatever is pending, at once."""
        if isinstance(exc, OSError):
            self._end(f"the connection broke: {in_words(exc)}")
        else:
            self._end(str(exc) if exc else "the server closed the connection")

    def data_received(self, data: bytes) -> None:
        """Check what arrived and go on to the next requests."""
        received_ns = self._clock()
        try:
            answered = self._codec.feed(data)
        except FramingLost as lost:
            self._end(str(lost))
            self.close()
            return
        for ask in answered:
            ask.received_ns = received_ns
            self._answered(ask)
        if answered:
            self._go_on()

    async def exchange(self, asks: Sequence[Ask], poll: Poll, depth: int = 1) -> None:
        """Send ``asks``, ``depth`` at once; return when each has its answer, or at the deadline.

        Raises:
            LinkLost: the connection is gone.
        """
        if self.gone.done():
            raise LinkLost(self.gone.result())
        if not asks or poll.over or self._loop.time() + GRAIN_S >= poll.deadline:
            return
        depth = 1 if self._gap_s else depth
        exchange = self._exchange = Exchange(asks, poll, depth, self._loop.create_future())
        try:
            self._send()
            self._watch(exchange)
            await exchange.done
            if exchange.lost:
                raise LinkLost(self.gone.result())
        finally:
            self._exchange = None
            self._codec.forget()
            for handle in (self._timer, self._rest):
                if handle is not None:
                    handle.cancel()

    def close(self) -> None:
        """Drop the connection without waiting for what is unsent."""
        if self._transport is not None:
            self._transport.abort()

    def _send(self) -> None:
        exchange = self._exchange
        if exchange is None or self._transport is None or exchange.done.done():
            return
        asks = exchange.take()
        if not asks:
            return
        exchange.heard_s = self._loop.time()
        for ask in asks:
            ask.answer = Missing.SILENT
        self._transport.write(b"".join(map(self._codec.request, asks)))

    def _answered(self, ask: Ask) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        if ask.answer is Missing.MISMATCHED and not exchange.poll.retried:
            self._retry(exchange)
            return
        exchange.answered(ask)
        exchange.poll.over = exchange.poll.over or _stops(ask.answer)
        if not exchange.left or exchange.poll.over:
            exchange.finish()

    def _go_on(self) -> None:
        """Send what may follow the answers that have arrived."""
        exchange = self._exchange
        if exchange is None or exchange.done.done():
            return
        if self._gap_s and not exchange.under_way:
            exchange.heard_s = self._loop.time() + self._gap_s
            self._rest = self._loop.call_later(self._gap_s, self._send)
        elif exchange.queue:
            self._send()
        else:
            exchange.heard_s = self._loop.time()

    def _retry(self, exchange: Exchange) -> None:
        exchange.poll.retried = True
        self.counts.retries += 1
        exchange.ask_again()
        self._send()

    def _watch(self, exchange: Exchange) -> None:
        """Call back when the retry is due or the deadline has come, whichever is first."""
        poll = exchange.poll
        due = poll.deadline
        if not poll.retried:
            due = min(due, exchange.heard_s + poll.patience_s)
        self._timer = self._loop.call_at(due, self._look, exchange)

    def _look(self, exchange: Exchange) -> None:
        now = self._loop.time() + GRAIN_S
        poll = exchange.poll
        if now >= poll.deadline:
            exchange.finish()
            return
        if not poll.retried and now >= exchange.heard_s + poll.patience_s:
            self._retry(exchange)
        self._watch(exchange)

    def _end(self, reason: str) -> None:
        if not self.gone.done():
            self.gone.set_result(reason)
        if self._exchange is not None and not self._exchange.done.done():
            self._exchange.lost = True
            self._exchange.finish()


def _stops(answer: Answer) -> bool:
    return isinstance(answer, int) and answer in STOPPING


async def open_wire(
    host: str, port: int, clock: Callable[[], int], gap_s: float, transaction: int = 0
) -> Wire:
    """Connect; ``transaction`` is the id of the last request that any connection made.

    Raises:
        LinkLost: nobody answers there.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_S):
            _, wire = await loop.create_connection(
                lambda: Wire(clock, gap_s, transaction), host, port
            )
    except TimeoutError:
        raise LinkLost(f"no connection to {host}:{port} within {CONNECT_S:g} s") from None
    except OSError as error:
        raise LinkLost(f"no connection to {host}:{port}: {in_words(error)}") from error
    return wire
