"""One TCP connection to a Modbus server, one poll at a time, shared by its unit ids."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, cast

from otgate.endpoint.tcp import dial, set_options
from otgate.errors import LinkLost, in_words
from otgate_modbus.codec import Answer, Ask, Codec, FramingLost, Missing
from otgate_modbus.manners import IDLE_S, Manners, Rests
from otgate_modbus.verdict import STOPPING

GRAIN_S = 0.002
"""Timers fire up to a millisecond early: uvloop's grain."""


LATE_S = 0.05
"""A timer that fires this much later than it was set for says that the loop had too much to do."""


class Poll:
    """The deadline that all requests of one poll share, and its one retry."""

    __slots__ = (
        "deadline",
        "depth",
        "held",
        "lenient",
        "over",
        "patience_s",
        "reply_s",
        "retried",
        "spacing_s",
        "timeout_s",
    )

    def __init__(
        self,
        now: float,
        timeout_s: float,
        depth: int = 1,
        *,
        reply_s: float = 0.0,
        spacing_s: float = 0.0,
    ) -> None:
        self.timeout_s = timeout_s
        self.reply_s = reply_s or timeout_s
        """How long one reply may take on a line that has a deadline for many."""
        self.spacing_s = spacing_s
        """Rest that keeps the device's requests within their rate."""
        self.deadline = now + timeout_s
        self.depth = depth
        """How many requests may be under way at once."""
        self.patience_s = self.reply_s / 2
        """How long silence lasts before the retry is spent on it."""
        self.retried = False
        self.held = True
        """False once some of several requests under way were answered and others were not."""
        self.lenient = False
        """Whether the deadline was moved because our loop was late."""
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
        queue, room = self.queue, self.depth - len(self.under_way)
        if room >= len(queue):
            taken = list(queue)
            queue.clear()
        else:
            taken = [queue.popleft() for _ in range(room)]
        self.under_way += taken
        return taken

    def answered(self, ask: Ask) -> None:
        """Take an answer to what is under way, or late, to what was to be asked again."""
        self.left -= 1
        if self.under_way and self.under_way[0] is ask:  # nearly always: in the order of asking
            del self.under_way[0]
            return
        for row in (self.under_way, self.queue):
            if ask in row:
                row.remove(ask)

    def answered_whole(self, asks: Sequence[Ask]) -> bool:
        """Take data for all that is under way, in the order of asking; False where it is not so."""
        if self.under_way != asks or any([type(ask.answer) is not bytes for ask in asks]):  # noqa: C419  a third
            return False
        self.under_way = []
        self.left -= len(asks)
        return True

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


class Port(Protocol):
    """Where frames go."""

    def write(self, data: bytes) -> None:
        """Send ``data``."""

    def abort(self) -> None:
        """Let go of it at once."""


class Wire(asyncio.Protocol):
    """The connection. ``turn`` is held by whoever polls.

    A server may close a connection that rests: then it is opened again before the next poll.
    """

    def __init__(self, clock: Callable[[], int], manners: Manners, codec: Codec) -> None:
        self._loop = asyncio.get_running_loop()
        self.turn = asyncio.Lock()
        self.gone: asyncio.Future[str] = self._loop.create_future()
        """Why the connection ended, once it has for good."""
        self._codec = codec
        self.counts = self._codec.counts
        self._clock = clock
        self._gap_s = manners.gap_s
        self._by_order = manners.ignore_transaction
        """Whether a late reply looks like one to the next request."""
        self.rests = Rests(manners)
        self._redial: Callable[[], Awaitable[None]] = _nowhere
        self._closed = False
        """Whether the server closed the connection while it rested."""
        self._idle_from_s = 0.0
        self._discarded = 0
        """Connections that we have dropped and not yet heard the end of."""
        self._doubtful = False
        """Whether a reply may still come that could not be told from another."""
        self._transport: Port | None = None
        self._exchange: Exchange | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        """When it should have fired."""
        self._rest: asyncio.TimerHandle | None = None

    @property
    def single(self) -> bool:
        """Whether one request is under way at once, and no more."""
        return self._gap_s > 0 or self._codec.single

    @property
    def transaction(self) -> int:
        """The id of the last request."""
        return self._codec.transaction

    async def open(self, redial: Callable[[], Awaitable[None]]) -> None:
        """Connect by ``redial``, now and whenever the server closed what rested.

        Raises:
            LinkLost: nobody answers there.
        """
        self._redial = redial
        await redial()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection into use."""
        set_options(transport.get_extra_info("socket"))
        self.attach(cast("asyncio.Transport", transport))

    def attach(self, port: Port) -> None:
        """Send to ``port`` from now on."""
        self._transport = port
        self._idle_from_s = self._loop.time()
        self._codec.restart()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whatever is pending, at once."""
        if self._discarded or self.gone.done():
            self._discarded -= self._discarded > 0
        elif self._was_resting(exc):
            self._closed = True
            self.counts.closed_idle += 1
            if self._exchange is not None:
                self._exchange.finish()
        else:
            self._end(ending(exc))

    def lost(self, reason: str) -> None:
        """Take notice that there is nobody at the other end."""
        self._end(reason)

    def data_received(self, data: bytes) -> None:
        """Check what arrived and go on to the next requests."""
        received_ns = self._clock()
        try:
            answered = self._codec.feed(data)
        except FramingLost as lost:
            self.counts.malformed += 1
            self._end(str(lost))
            self.close()
            return
        for ask in answered:
            ask.received_ns = received_ns
        exchange = self._exchange
        if exchange is None or not answered:
            return
        if not exchange.answered_whole(answered):
            for ask in answered:
                self._answered(exchange, ask)
        elif not exchange.left:
            exchange.finish()
        self._go_on(exchange)

    async def ready(self, unit: int, spacing_s: float = 0.0) -> None:
        """Return when ``unit`` may be asked: the connection is there, and has rested.

        Raises:
            LinkLost: it is not to be had any more.
        """
        if self._doubtful and not self._closed:
            self._closed = True
            self._discarded += 1
            self.close()
        self._doubtful = False
        if self._closed:
            await self._reopened()
        if self.rests.needed or spacing_s:
            await self.rests.over(unit, spacing_s)
        self.rests.asked(unit)

    async def exchange(self, asks: Sequence[Ask], poll: Poll, depth: int = 1) -> None:
        """Send ``asks``, ``depth`` at once; return when each has its answer, or at the deadline.

        Raises:
            LinkLost: the connection is gone.
        """
        if self.gone.done():
            raise LinkLost(self.gone.result())
        if not asks or poll.over or self._loop.time() + GRAIN_S >= poll.deadline:
            return
        depth = 1 if self.single or poll.spacing_s else depth
        if self._closed:
            await self._reopened()
        exchange = await self._exchanged(asks, poll, depth)
        if self._closed:  # the request and the server's farewell met on the way
            poll.retried = True
            self.counts.retries += 1
            await self._reopened()
            exchange = await self._exchanged(asks, poll, depth)
        if exchange.lost:
            raise LinkLost(self.gone.result())

    def close(self) -> None:
        """Drop the connection without waiting for what is unsent."""
        if self._transport is not None:
            self._transport.abort()

    async def _exchanged(self, asks: Sequence[Ask], poll: Poll, depth: int) -> Exchange:
        exchange = Exchange(asks, poll, depth, self._loop.create_future())
        self._exchange = exchange
        try:
            self._send()
            self._watch(exchange)
            await exchange.done
        finally:
            self._exchange = None
            self._codec.forget()
            self._doubtful = self._doubtful or (self._by_order and exchange.left > 0)
            self._idle_from_s = self.rests.stirred()
            for handle in (self._timer, self._rest):
                if handle is not None:
                    handle.cancel()
        return exchange

    async def _reopened(self) -> None:
        """Connect again, to the same place.

        Raises:
            LinkLost: it is not to be had any more.
        """
        self._closed = False
        try:
            await self._redial()
        except LinkLost as lost:
            self._end(str(lost))
            raise
        except asyncio.CancelledError:
            self._closed = True
            raise

    def _was_resting(self, exc: Exception | None) -> bool:
        """Say whether the server closed a connection on which nothing had been asked for long.

        A request may have gone out just before that was known: then it was not answered.
        """
        exchange = self._exchange
        if not self.counts.replies or self._loop.time() - self._idle_from_s < IDLE_S:
            return False
        if exchange is None:
            return exc is None
        untouched = exchange.left == exchange.count and not exchange.poll.retried
        return untouched and (exc is None or isinstance(exc, ConnectionResetError))

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
        if len(asks) == 1:  # as most are: no list and no join
            self._transport.write(self._codec.request(asks[0]))
        else:
            self._transport.write(self._codec.requests(asks))

    def _answered(self, exchange: Exchange, ask: Ask) -> None:
        if ask.answer is Missing.MISMATCHED and not exchange.poll.retried:
            self._retry(exchange)
            return
        exchange.answered(ask)
        if type(ask.answer) is not bytes and stops(ask.answer):
            exchange.poll.over = True
        if not exchange.left or exchange.poll.over:
            exchange.finish()

    def _go_on(self, exchange: Exchange) -> None:
        """Send what may follow the answers that have arrived."""
        if exchange.done.done():
            return
        if exchange.queue:
            self._send_rested(exchange)
        else:
            exchange.heard_s = self._loop.time()

    def _send_rested(self, exchange: Exchange) -> None:
        """Send what comes next, after the rest that the device needs."""
        gap_s = max(self._gap_s, exchange.poll.spacing_s)
        if not gap_s:
            self._send()
        elif not exchange.under_way:
            exchange.heard_s = self._loop.time() + gap_s
            self._rest = self._loop.call_later(gap_s, self._send)

    def _retry(self, exchange: Exchange) -> None:
        exchange.poll.retried = True
        self.counts.retries += 1
        exchange.ask_again()
        self._send_rested(exchange)

    def _watch(self, exchange: Exchange) -> None:
        """Call back when the retry is due or the deadline has come, whichever is first."""
        poll = exchange.poll
        due = poll.deadline
        if not poll.retried:
            due = min(due, exchange.heard_s + poll.patience_s)
        self._due = due
        self._timer = self._loop.call_at(due, self._look, exchange)

    def _excuse(self, exchange: Exchange, late_s: float) -> None:
        """Wait as much longer as we were late: replies may lie there that are not read yet."""
        exchange.poll.deadline += late_s
        exchange.heard_s += late_s
        self._watch(exchange)

    def _look(self, exchange: Exchange) -> None:
        now = self._loop.time() + GRAIN_S
        poll = exchange.poll
        if now - self._due > LATE_S and not poll.lenient:
            poll.lenient = True
            self._excuse(exchange, now - self._due)
            return
        if now >= poll.deadline:
            exchange.finish()
            return
        if not poll.retried and now >= exchange.heard_s + poll.patience_s:
            self._silent(exchange)
        self._watch(exchange)

    def _silent(self, exchange: Exchange) -> None:
        """Spend the retry on silence, where a late reply can be told from the next."""
        if self._by_order:
            exchange.poll.retried = True
        else:
            self._retry(exchange)

    def _end(self, reason: str) -> None:
        if not self.gone.done():
            self.gone.set_result(reason)
        if self._exchange is not None and not self._exchange.done.done():
            self._exchange.lost = True
            self._exchange.finish()


def ending(exc: Exception | None) -> str:
    """Say how a connection ended."""
    if isinstance(exc, OSError):
        return f"the connection broke: {in_words(exc)}"
    return str(exc) if exc else "the server closed the connection"


async def _nowhere() -> None:
    raise LinkLost("the server closed the connection")


def stops(answer: Answer) -> bool:
    """Say whether further requests would fare no better after ``answer``."""
    return isinstance(answer, int) and answer in STOPPING


async def open_wire(host: str, port: int, clock: Callable[[], int], gap_s: float = 0.0) -> Wire:
    """Connect to a server over TCP.

    Raises:
        LinkLost: nobody answers there.
    """
    wire = Wire(clock, Manners(gap_s=gap_s), Codec())
    await wire.open(lambda: dial(lambda: wire, host, port))
    return wire
