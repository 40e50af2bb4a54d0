"""Modbus over UDP: a frame in each datagram, matched by transaction id; what is lost is lost."""

import asyncio
import socket
from typing import cast

from otgate.endpoint.sockets import connected
from otgate.errors import LinkLost, in_words
from otgate.via import ANY_WAY, Via
from otgate_modbus.codec import Ask, Codec, FramingLost
from otgate_modbus.link import Wire


class DatagramCodec(Codec):
    """Reads whole frames only. A datagram that is no reply is counted and dropped."""

    single = True

    def feed(self, data: bytes) -> list[Ask]:
        """Take one datagram and return each ask whose answer it holds."""
        try:
            answered = super().feed(data)
        except FramingLost:
            self.counts.malformed += 1
            return []
        self.counts.malformed += self.unfinished
        self.cut()
        return answered


class Datagrams(asyncio.DatagramProtocol):
    """A socket that feeds a wire."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket into use."""
        self._transport = cast("asyncio.DatagramTransport", transport)
        self._wire.attach(self)

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002  connected
        """Take a datagram."""
        self._wire.data_received(data)

    def error_received(self, exc: Exception) -> None:
        """End the wire: nobody listens there."""
        why = in_words(exc) if isinstance(exc, OSError) else str(exc)
        self._wire.lost(f"nobody listens there: {why}")

    def connection_lost(self, exc: Exception | None) -> None:
        """End the wire."""
        self._wire.connection_lost(exc)

    def write(self, data: bytes) -> None:
        """Send one frame."""
        if self._transport is not None:
            self._transport.sendto(data)

    def abort(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.abort()


async def open_datagrams(wire: Wire, host: str, port: int, via: Via = ANY_WAY) -> None:
    """Send to and receive from one address, by ``via``, for ``wire``.

    Raises:
        LinkLost: there is no way to it.
    """
    loop = asyncio.get_running_loop()
    try:
        made = await connected(host, port, via, socket.SOCK_DGRAM)
        await loop.create_datagram_endpoint(lambda: Datagrams(wire), sock=made)
    except OSError as error:
        raise LinkLost(f"no socket to {host}:{port}: {in_words(error)}") from error
