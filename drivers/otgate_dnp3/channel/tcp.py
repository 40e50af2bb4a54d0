"""TCP either way round, plain or with mutual TLS.

The kernel delays its ACK by up to 40 ms, and an outstation that leaves Nagle's algorithm on waits
for it with the rest of each fragment: TCP_QUICKACK, which lasts for one read, is set again after
every read.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Collection
from typing import cast

from otgate.endpoint.sockets import listener as bound_listener
from otgate.endpoint.tcp import dial, set_options
from otgate.endpoint.tls import TlsFiles, tls_context
from otgate.errors import LinkLost
from otgate.via import ANY_WAY, Via
from otgate_dnp3.channel.line import Line

GAP_S = 2.0
"""Longer than a retransmission, shorter than a response timeout."""


class Stream(asyncio.Protocol):
    """A connection that feeds a line."""

    def __init__(self, line: Line, made: Callable[["Stream"], None] | None = None) -> None:
        self.line = line
        self.transport: asyncio.Transport | None = None
        self._made = made
        self._socket: socket.socket | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection into use."""
        self.transport = cast("asyncio.Transport", transport)
        self._socket = transport.get_extra_info("socket")
        if self._socket is not None:
            set_options(self._socket)
        self._acknowledge()
        self.line.opened(self.transport)
        if self._made is not None:
            self._made(self)

    def data_received(self, data: bytes) -> None:
        """Have the kernel acknowledge at once, and take the octets."""
        self._acknowledge()
        self.line.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the line."""
        self.line.lost(str(exc) if exc else "the other end closed the connection")

    def _acknowledge(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


async def open_tcp(host: str, port: int, tls: TlsFiles | None = None, via: Via = ANY_WAY) -> Line:
    """Connect to an outstation by ``via``.

    Raises:
        LinkLost: nobody answers there, or not with the right certificate.
        Unusable: a TLS file cannot be used.
    """
    line = Line(GAP_S)
    await dial(lambda: Stream(line), host, port, tls, via)
    return line


class Listener:
    """Waits for outstations that dial in. The newest connection replaces the one before."""

    def __init__(self, peers: Collection[str]) -> None:
        self._peers = peers
        self._current: Line | None = None
        self._newest: asyncio.Queue[Line] = asyncio.Queue(1)
        self.refused = 0
        """Connections from an address that is none of the peers'."""

    async def accept(self, limit_s: float) -> Line:
        """Return the line of an outstation that dials in.

        Raises:
            LinkLost: none did within ``limit_s``.
        """
        try:
            async with asyncio.timeout(limit_s):
                return await self._newest.get()
        except TimeoutError:
            raise LinkLost(f"no outstation has connected within {limit_s:g} s") from None

    def stream(self) -> Stream:
        """Return the protocol of a connection that comes in."""
        return Stream(Line(GAP_S), self._made)

    def close(self) -> None:
        """Let go of the connection that was not accepted, if there is one."""
        while not self._newest.empty():
            self._newest.get_nowait().close()

    def _made(self, stream: Stream) -> None:
        transport = stream.transport
        address = transport.get_extra_info("peername") if transport is not None else None
        if self._peers and (not address or address[0] not in self._peers):
            self.refused += 1
            stream.line.close()
            return
        if self._current is not None and not self._current.gone.done():
            self._current.lost("the outstation has connected again")
            self._current.close()
        self.close()
        self._current = stream.line
        self._newest.put_nowait(stream.line)


@contextlib.asynccontextmanager
async def listening(
    host: str,
    port: int,
    peers: Collection[str] = (),
    tls: TlsFiles | None = None,
    via: Via = ANY_WAY,
) -> AsyncIterator[Listener]:
    """Listen by ``via`` for outstations from ``peers``, or from anywhere, while the block runs.

    Raises:
        LinkLost: the address cannot be listened on.
        Unusable: a TLS file cannot be used.
    """
    context = None
    if tls is not None:
        context = await asyncio.to_thread(tls_context, tls, server=True)
    listener, loop = Listener(peers), asyncio.get_running_loop()
    try:
        made = await bound_listener(host, port, via)
        server = await loop.create_server(listener.stream, sock=made, ssl=context)
    except OSError as error:
        raise LinkLost(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    try:
        yield listener
    finally:
        server.close()
        listener.close()
