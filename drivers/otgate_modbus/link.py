"""One TCP connection to a Modbus server, one request at a time, shared by its unit ids."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import cast

from otgate.errors import LinkLost
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

    __slots__ = ("deadline", "over", "patience_s", "retried", "timeout_s")

    def __init__(self, now: float, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.deadline = now + timeout_s
        self.patience_s = timeout_s / 2
        """How long a request waits before the retry is spent on it."""
        self.retried = False
        self.over = False
        """Whether an answer said that further requests would fare no better."""


class Exchange:
    """Requests that go out one after another, until the last is answered or given up."""

    __slots__ = ("asks", "at", "done", "lost", "poll", "sent")

    def __init__(self, asks: Sequence[Ask], poll: Poll, done: asyncio.Future[None]) -> None:
        self.asks = asks
        self.at = 0
        self.poll = poll
        self.done = done
        self.lost = False
        """Whether the connection ended before it was done."""
        self.sent = 0.0

    def finish(self) -> None:
        """Let the waiter go on."""
        if not self.done.done():
            self.done.set_result(None)


class Wire(asyncio.Protocol):
    """The connection. ``turn`` is held by whoever polls."""

    def __init__(self, clock: Callable[[], int], gap_s: float = 0.0) -> None:
        self._loop = asyncio.get_running_loop()
        self.turn = asyncio.Lock()
        self.gone: asyncio.Future[str] = self._loop.create_future()
        """Why the connection ended, once it has."""
        self._codec = Codec()
        self.counts = self._codec.counts
        self._clock = clock
        self._gap_s = gap_s
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._rest: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection into use."""
        self._transport = cast("asyncio.Transport", transport)
        connected = transport.get_extra_info("socket")
        for option in OPTIONS:
            with suppress(OSError):
                connected.setsockopt(*option)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whatever is pending, at once."""
        self._end(str(exc) if exc else "the server closed the connection")

    def data_received(self, data: bytes) -> None:
        """Check what arrived and go on to the next request."""
        received_ns = self._clock()
        try:
            for ask in self._codec.feed(data):
                ask.received_ns = received_ns
                self._answered(ask)
        except FramingLost as lost:
            self._end(str(lost))
            self.close()

    async def exchange(self, asks: Sequence[Ask], poll: Poll) -> None:
        """Send ``asks`` one by one and return when each has its answer, or at the deadline.

        Raises:
            LinkLost: the connection is gone.
        """
        if self.gone.done():
            raise LinkLost(self.gone.result())
        if not asks or poll.over or self._loop.time() + GRAIN_S >= poll.deadline:
            return
        exchange = self._exchange = Exchange(asks, poll, self._loop.create_future())
        try:
            self._send(asks[0])
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

    def _send(self, ask: Ask) -> None:
        exchange = self._exchange
        if exchange is None or self._transport is None or exchange.done.done():
            return
        exchange.sent = self._loop.time()
        ask.answer = Missing.SILENT
        self._transport.write(self._codec.request(ask))

    def _answered(self, ask: Ask) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        if ask.answer is Missing.MISMATCHED and not exchange.poll.retried:
            self._retry(exchange, ask)
            return
        exchange.at += 1
        exchange.poll.over = _stops(ask.answer)
        if exchange.at == len(exchange.asks) or exchange.poll.over:
            exchange.finish()
        elif self._gap_s:
            exchange.sent = self._loop.time() + self._gap_s
            self._rest = self._loop.call_later(self._gap_s, self._send, exchange.asks[exchange.at])
        else:
            self._send(exchange.asks[exchange.at])

    def _retry(self, exchange: Exchange, ask: Ask) -> None:
        exchange.poll.retried = True
        self.counts.retries += 1
        self._send(ask)

    def _watch(self, exchange: Exchange) -> None:
        """Call back when the retry is due or the deadline has come, whichever is first."""
        poll = exchange.poll
        due = poll.deadline
        if not poll.retried:
            due = min(due, exchange.sent + poll.patience_s)
        self._timer = self._loop.call_at(due, self._look, exchange)

    def _look(self, exchange: Exchange) -> None:
        now = self._loop.time() + GRAIN_S
        poll = exchange.poll
        if now >= poll.deadline:
            exchange.finish()
            return
        if not poll.retried and now >= exchange.sent + poll.patience_s:
            self._retry(exchange, exchange.asks[exchange.at])
        self._watch(exchange)

    def _end(self, reason: str) -> None:
        if not self.gone.done():
            self.gone.set_result(reason)
        if self._exchange is not None and not self._exchange.done.done():
            self._exchange.lost = True
            self._exchange.finish()


def _stops(answer: Answer) -> bool:
    return isinstance(answer, int) and answer in STOPPING


async def open_wire(host: str, port: int, clock: Callable[[], int], gap_s: float) -> Wire:
    """Connect.

    Raises:
        LinkLost: nobody answers there.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_S):
            _, wire = await loop.create_connection(lambda: Wire(clock, gap_s), host, port)
    except TimeoutError:
        raise LinkLost(f"no connection to {host}:{port} within {CONNECT_S:g} s") from None
    except OSError as error:
        raise LinkLost(f"no connection to {host}:{port}: {error.strerror or error}") from error
    return wire
