"""An association over TCP: asyncio, timers, and nothing that is not about those.

The kernel delays its ACK by up to 40 ms, and a server that leaves Nagle's algorithm on waits for
it with the rest of each reply: TCP_QUICKACK, which lasts for one read, is set again after each.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import Any, cast

from otgate_iec61850.mms import pdu
from otgate_iec61850.mms.access import InformationReport
from otgate_iec61850.mms.association import Ends, State
from otgate_iec61850.mms.browse import Identify
from otgate_iec61850.mms.errors import AssociationLost, MmsError
from otgate_iec61850.mms.initiator import Initiator
from otgate_iec61850.mms.requests import Call, Event, Requester

PORT, TLS_PORT = 102, 3782
"""ISO transport on TCP: RFC 1006; its secure variant: IEC 62351-3."""

OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 3),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 10_000),
)
"""A peer that vanished is noticed after 10 s with data under way (in ms)."""

CONNECT_S = 5.0
HEARTBEAT_S = 3.0
"""A server silent from one beat to the next is asked who it is; until the next, it is dead."""

Reported = Callable[[InformationReport, int], None]
"""Takes what came unasked and when, in ns since the Unix epoch; it must not block.

Where it raises `Malformed`, of a report that is none, the association ends.
"""


Dial = Callable[[str, int], Awaitable[socket.socket]]
"""Connects to a host and port. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Way:
    """How a server is connected to; without TLS and by the system's routes where it is not said."""

    tls: ssl.SSLContext | None = None
    server_name: str = ""
    """What the server's certificate names, where that is not the host."""
    dial: Dial | None = None


STRAIGHT = Way()


class Connection(asyncio.Protocol):
    """One association with a server. ``gone`` is done, with the reason, once it has ended."""

    def __init__(
        self,
        ends: Ends,
        reported: Reported,
        heartbeat_s: float = HEARTBEAT_S,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.association = Initiator(ends)
        self.requests = Requester(self.association, self._loop.time)
        self.opened: asyncio.Future[None] = self._loop.create_future()
        self.gone: asyncio.Future[MmsError] = self._loop.create_future()
        self.received_ns = 0
        """When the newest octets came."""
        self._reported = reported
        self._clock = clock
        self._heartbeat_s = heartbeat_s
        self._timer: asyncio.TimerHandle | None = None
        self._heard = True
        self._beat: Call | None = None
        self._concluded = asyncio.Event()
        self._waiters: dict[Call, asyncio.Future[Any]] = {}
        self._transport: asyncio.Transport | None = None
        self._socket: socket.socket | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to associate."""
        self._transport = cast("asyncio.Transport", transport)
        self._socket = transport.get_extra_info("socket")
        for option in OPTIONS:
            self._set(*option)
        self._set(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        self.association.start()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whatever is pending, at once."""
        self._end(AssociationLost(str(exc) if exc else "the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        """Take octets, and hand on what they bring, in order."""
        self._set(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        self.received_ns = self._clock()
        self._heard = True
        try:
            for event in self.requests.receive(data):
                self._hand(event)
        except MmsError as error:
            self.association.end(error)
        self._flush()
        self._moved_on()

    @property
    def local_address(self) -> bytes:
        """This end's IP address as octets, as a server tells it in a block's Owner."""
        place = self._transport.get_extra_info("sockname") if self._transport else None
        try:
            return ip_address(str(place[0]).partition("%")[0]).packed if place else b""
        except ValueError:
            return b""

    async def call(self, service: Any, timeout_s: float) -> Any:
        """Return the response to a request; cancelling gives it up.

        Raises:
            ServiceFailed, Rejected: the server refuses it.
            TooLarge: it does not fit into a PDU.
            AssociationLost, Malformed: the association is gone.
            TimeoutError: there was no response in time.
        """
        waiter = self.begin(service)
        async with asyncio.timeout(timeout_s):
            return await waiter

    def begin(self, service: Any) -> asyncio.Future[Any]:
        """Send a request, or queue it, and return the future of its response.

        Cancelling the future gives the request up. Raises as `call` does, of what is known now.
        """
        if self.gone.done():
            raise AssociationLost(str(self.gone.result()))
        call = self.requests.ask(service)
        waiter = self._waiters[call] = self._loop.create_future()
        waiter.add_done_callback(lambda done: self._settled(call, done))
        self._flush()
        return waiter

    async def conclude(self, timeout_s: float) -> None:
        """End the association in good order, or at least end it."""
        with contextlib.suppress(TimeoutError, MmsError):
            async with asyncio.timeout(timeout_s):
                self.association.send(pdu.CONCLUDE_REQUEST)
                self._flush()
                await self._concluded.wait()
                if self.association.state is State.OPEN:
                    self.association.release()
                    self._flush()
                await asyncio.shield(self.gone)
        await self.let_go()

    async def let_go(self) -> None:
        """Close, and leave the loop the turn that it takes to free the socket."""
        self.close()
        await asyncio.sleep(0)

    def close(self) -> None:
        """Abort the association, if there is one, and let go of the connection."""
        self.association.abort()
        self._flush()
        self._end(AssociationLost("it was closed"))

    def _moved_on(self) -> None:
        state = self.association.state
        if self.association.failure is not None:
            self._end(self.association.failure)
        elif state is State.OPEN and not self.opened.done():
            self.opened.set_result(None)
            self._watch()
        elif state is State.CLOSED:
            self._end(AssociationLost("the association was released"))

    def _hand(self, event: Event) -> None:
        if isinstance(event, InformationReport):
            self._reported(event, self.received_ns)
        elif isinstance(event, Call):
            self._answer(event)
        elif event.agreed:
            self._concluded.set()

    def _answer(self, call: Call) -> None:
        waiter = self._waiters.pop(call, None)
        if waiter is None or waiter.done():
            return
        if isinstance(call.outcome, MmsError):
            waiter.set_exception(call.outcome)
        else:
            waiter.set_result(call.outcome)

    def _settled(self, call: Call, done: asyncio.Future[Any]) -> None:
        if done.cancelled() and self._waiters.pop(call, None) is not None:
            self.requests.give_up(call)

    def _watch(self) -> None:
        """Look for signs of life, again and again."""
        if not self._heartbeat_s or self.gone.done():
            return
        if self._heard:
            self._beat = None
        elif self._beat is not None:
            self._end(AssociationLost(f"silent for {2 * self._heartbeat_s:g} s"))
            return
        else:
            with contextlib.suppress(MmsError):
                self._beat = self.requests.ask(Identify())
            self._flush()
        self._heard = False
        self._timer = self._loop.call_later(self._heartbeat_s, self._watch)

    def _flush(self) -> None:
        octets = self.association.take()
        if octets and self._transport is not None and not self._transport.is_closing():
            self._transport.write(octets)

    def _end(self, why: MmsError) -> None:
        if self.gone.done():
            return
        self.gone.set_result(why)
        self._concluded.set()
        if self._timer is not None:
            self._timer.cancel()
        self.requests.lost(why)
        for call in list(self._waiters):
            self._answer(call)
        if not self.opened.done():
            self.opened.set_exception(why)
            self.opened.exception()
        if self._transport is not None:
            self._transport.close()

    def _set(self, level: int, option: int, value: int) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(level, option, value)


async def associate(
    host: str,
    port: int,
    ends: Ends,
    reported: Reported,
    *,
    way: Way = STRAIGHT,
    connect_s: float = CONNECT_S,
    heartbeat_s: float = HEARTBEAT_S,
) -> Connection:
    """Connect to a server and associate with it.

    Raises:
        AssociationRefused: the server does not want the association as it was asked for.
        AssociationLost, Malformed: nobody answers there, or not so that one could understand.
    """
    connection = Connection(ends, reported, heartbeat_s)
    try:
        async with asyncio.timeout(connect_s):
            await _attach(connection, host, port, way)
            await asyncio.shield(connection.opened)
            return connection
    except TimeoutError:
        await connection.let_go()
        raise AssociationLost(f"{host}:{port} did not associate within {connect_s:g} s") from None
    except BaseException:  # a cancellation too leaves no open socket
        await connection.let_go()
        raise


async def _attach(connection: Connection, host: str, port: int, way: Way) -> None:
    attach = partial(
        asyncio.get_running_loop().create_connection,
        lambda: connection,
        ssl=way.tls,
        server_hostname=(way.server_name or host) if way.tls is not None else None,
    )
    try:
        await (attach(host, port) if way.dial is None else attach(sock=await way.dial(host, port)))
    except ssl.SSLError as error:
        raise AssociationLost(f"TLS with {host}:{port}: {error.reason or error}") from error
    except OSError as error:
        why = error.strerror or str(error)
        raise AssociationLost(f"no connection to {host}:{port}: {why}") from error
