"""UDP: whole frames in each datagram, from the one address that is configured."""

import asyncio
import socket
from typing import cast

from otgate.endpoint.sockets import connected
from otgate.errors import LinkLost
from otgate.via import ANY_WAY, Via
from otgate_dnp3.channel.line import Line


class Datagrams(asyncio.DatagramProtocol):
    """A socket that feeds a line, a datagram at a time."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket into use."""
        self._transport = cast("asyncio.DatagramTransport", transport)
        self._line.opened(self)

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002  connected
        """Take a datagram; no frame goes on in the next one."""
        self._line.received(data)
        self._line.silent()

    def error_received(self, exc: Exception) -> None:
        """End the line: nobody listens there."""
        self._line.lost(str(exc))

    def connection_lost(self, exc: Exception | None) -> None:
        """End the line."""
        self._line.lost(str(exc) if exc else "the socket was closed")

    def write(self, data: bytes) -> None:
        """Send the frames of one fragment as one datagram."""
        if self._transport is not None:
            self._transport.sendto(data)

    def abort(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.abort()


async def open_udp(host: str, port: int, local_port: int = 0, via: Via = ANY_WAY) -> Line:
    """Send to and receive from one address, by ``via``; ``local_port`` 0 takes a free one.

    Raises:
        LinkLost: there is no way to it, or the local port is taken.
    """
    loop, line = asyncio.get_running_loop(), Line(gap_s=0.0)
    try:
        made = await connected(host, port, via, socket.SOCK_DGRAM, local_port)
        await loop.create_datagram_endpoint(lambda: Datagrams(line), sock=made)
    except OSError as error:
        raise LinkLost(f"no socket to {host}:{port}: {error.strerror or error}") from error
    return line
