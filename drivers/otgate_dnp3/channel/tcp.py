"""TCP either way round, plain or with mutual TLS.

The kernel delays its ACK by up to 40 ms, and an outstation that leaves Nagle's algorithm on waits
for it with the rest of each fragment: TCP_QUICKACK, which lasts for one read, is set again after
every read.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from otgate.errors import LinkLost, Unusable
from otgate_dnp3.channel.line import Line

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
GAP_S = 2.0
"""Longer than a retransmission, shorter than a response timeout."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where both ends' trust is kept, in PEM. Both ends show a certificate."""

    authority: Path
    certificate: Path
    key: Path
    server_name: str = ""
    """What a server's certificate has to name, where that is not the host dialled."""


def tls_context(files: TlsFiles, *, server: bool) -> ssl.SSLContext:
    """Return a context that takes TLS 1.2 or newer and demands the peer's certificate. It blocks.

    Raises:
        Unusable: a file cannot be read or used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(files.authority)
        context.load_cert_chain(files.certificate, files.key, _no_password)
    except (OSError, ValueError) as error:
        raise Unusable(f"TLS files: {error}") from error
    return context


def _no_password() -> str:
    raise ValueError("the private key must not have a password")


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
        for option in OPTIONS:
            self._set(*option)
        self._set(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        self.line.opened(self.transport)
        if self._made is not None:
            self._made(self)

    def data_received(self, data: bytes) -> None:
        """Have the kernel acknowledge at once, and take the octets."""
        self._set(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        self.line.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the line."""
        self.line.lost(str(exc) if exc else "the other end closed the connection")

    def _set(self, level: int, option: int, value: int) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.setsockopt(level, option, value)


async def open_tcp(host: str, port: int, tls: TlsFiles | None = None) -> Line:
    """Connect to an outstation.

    Raises:
        LinkLost: nobody answers there, or not with the right certificate.
        Unusable: a TLS file cannot be used.
    """
    context = None
    if tls is not None:
        context = await asyncio.to_thread(tls_context, tls, server=False)
    name = (tls.server_name or host) if tls is not None else None
    loop, line = asyncio.get_running_loop(), Line(GAP_S)
    try:
        async with asyncio.timeout(CONNECT_S):
            await loop.create_connection(
                lambda: Stream(line), host, port, ssl=context, server_hostname=name
            )
    except TimeoutError:
        raise LinkLost(f"no connection to {host}:{port} within {CONNECT_S:g} s") from None
    except ssl.SSLError as error:
        raise LinkLost(f"TLS with {host}:{port}: {error.reason or error}") from error
    except OSError as error:
        raise LinkLost(f"no connection to {host}:{port}: {error.strerror or error}") from error
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
    host: str, port: int, peers: Collection[str] = (), tls: TlsFiles | None = None
) -> AsyncIterator[Listener]:
    """Listen for outstations from ``peers``, or from anywhere, while the block runs.

    Raises:
        LinkLost: the address cannot be listened on.
        Unusable: a TLS file cannot be used.
    """
    context = None
    if tls is not None:
        context = await asyncio.to_thread(tls_context, tls, server=True)
    listener, loop = Listener(peers), asyncio.get_running_loop()
    try:
        server = await loop.create_server(
            listener.stream, host, port, ssl=context, reuse_address=True
        )
    except OSError as error:
        raise LinkLost(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    try:
        yield listener
    finally:
        server.close()
        listener.close()
