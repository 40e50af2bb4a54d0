"""Channels of simulated outstations: TCP, either end connecting, and UDP. One may carry several.

The newest connection wins: a master that comes back is served though its old connection is half
open.
"""

import asyncio
import math
import socket
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Protocol

from otgate_dnp3.stack.link import BROADCASTS, Frame, FrameReader
from otgate_sim.dnp3.outstation import Outgoing, Outstation
from otgate_sim.loopback import LOOPBACK

SHORTEST_WAIT_S = 0.001


class Way(Enum):
    """Which way octets went."""

    FROM_MASTER = auto()
    TO_MASTER = auto()


Tap = Callable[[Way, bytes], None]


def _untapped(_: Way, __: bytes) -> None:
    return None


class Channel(Protocol):
    """What carries octets to and from one master."""

    def send(self, frames: Iterable[bytes]) -> None:
        """Send frames, each by itself."""

    def close(self) -> None:
        """Close once what was written has gone."""

    def cut(self) -> None:
        """Close at once."""


class Stream(asyncio.Protocol):
    """One master's connection."""

    def __init__(self, endpoint: "Endpoint") -> None:
        self.endpoint = endpoint
        self.reader = FrameReader()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # asyncio's own words
        """Serve the master that connected, and no other."""
        self.transport = transport
        if self.endpoint.nagle:
            made: socket.socket = transport.get_extra_info("socket")
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        self.endpoint.serve(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the outstations know."""
        del exc
        self.endpoint.lose(self)

    def data_received(self, data: bytes) -> None:
        """Take octets."""
        self.endpoint.tap(Way.FROM_MASTER, data)
        self.endpoint.take(self, self.reader.feed(data))

    def send(self, frames: Iterable[bytes]) -> None:
        """Send frames, each by itself."""
        for frame in frames:
            if self.transport is not None and not self.transport.is_closing():
                self.endpoint.tap(Way.TO_MASTER, frame)
                self.transport.write(frame)

    def close(self) -> None:
        """Close once what was written has gone."""
        if self.transport is not None:
            self.transport.close()

    def cut(self) -> None:
        """Close at once."""
        if self.transport is not None:
            self.transport.abort()


class Datagrams(asyncio.DatagramProtocol):
    """The datagrams of whichever master sent the last one."""

    def __init__(self, endpoint: "Endpoint") -> None:
        self.endpoint = endpoint
        self.peer: tuple[str, int] | None = None
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # asyncio's own words
        """Wait for a master."""
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take the frames of a datagram; answers go where it came from."""
        if self.peer != addr:
            self.peer = addr
            self.endpoint.serve(self)
        self.endpoint.tap(Way.FROM_MASTER, data)
        self.endpoint.take(self, FrameReader().feed(data))

    def send(self, frames: Iterable[bytes]) -> None:
        """Send frames, a datagram each."""
        for frame in frames:
            if self.transport is not None and self.peer is not None:
                self.endpoint.tap(Way.TO_MASTER, frame)
                self.transport.sendto(frame, self.peer)

    def close(self) -> None:
        """Forget the master."""
        self.peer = None

    def cut(self) -> None:
        """Forget the master."""
        self.peer = None


class Endpoint:
    """One address, the outstations behind it, and the master that is connected."""

    def __init__(
        self, outstations: Iterable[Outstation], port: int = 0, host: str = LOOPBACK
    ) -> None:
        self.host = host
        self.outstations = {each.options.outstation: each for each in outstations}
        self.port = port
        self.tap: Tap = _untapped
        self.nagle = any(each.options.nagle for each in self.outstations.values())
        self.connections = 0
        self._channel: Channel | None = None
        self._listening: asyncio.Server | asyncio.DatagramTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._woken = False
        for each in self.outstations.values():
            each.rtu.wake = self.wake

    async def start(self) -> int:
        """Listen for TCP, and return the port.

        Raises:
            OSError: the port is taken.
        """
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Stream(self), self.host, self.port)
        self._listening = server
        self.port = server.sockets[0].getsockname()[1]
        return self.port

    async def start_udp(self) -> int:
        """Listen for UDP, and return the port.

        Raises:
            OSError: the port is taken.
        """
        loop = asyncio.get_running_loop()
        self._listening, _ = await loop.create_datagram_endpoint(
            lambda: Datagrams(self), (self.host, self.port)
        )
        self.port = self._listening.get_extra_info("sockname")[1]
        return self.port

    async def dial(self, host: str, port: int) -> None:
        """Connect to a master that listens.

        Raises:
            OSError: nobody does.
        """
        await asyncio.get_running_loop().create_connection(lambda: Stream(self), host, port)

    async def stop(self) -> None:
        """Close the port and the connection."""
        self._disarm()
        self.hang_up()
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        await asyncio.sleep(0)

    def hang_up(self) -> None:
        """Close the connection at once, as a cut of the link."""
        channel = self._channel
        if channel is not None:
            self.lose(channel)
            channel.cut()

    def wake(self) -> None:
        """See to the outstations soon: something has happened to one of them."""
        if not self._woken:
            self._woken = True
            try:
                asyncio.get_running_loop().call_soon(self.see_to)
            except RuntimeError:  # outside the loop, before it runs
                self._woken = False

    def serve(self, channel: Channel) -> None:
        """Let ``channel`` be the one that is served."""
        if self._channel is not None and self._channel is not channel:
            old = self._channel
            self.lose(old)
            old.close()
        self._channel = channel
        self.connections += 1
        for outstation in self.outstations.values():
            outstation.link_up()
        self.see_to()

    def lose(self, channel: Channel) -> None:
        """Forget a connection, if it is the one that is served."""
        if channel is self._channel:
            self._channel = None
            for outstation in self.outstations.values():
                outstation.link_lost()

    def take(self, channel: Channel, frames: Iterable[Frame]) -> None:
        """Hand frames to the outstations that they are for."""
        if channel is not self._channel:
            return
        for frame in frames:
            for outstation in self._addressed(frame):
                outstation.receive(frame)
        self.see_to()

    def see_to(self) -> None:
        """Send what there is to send, and come back when more is due."""
        self._woken = False
        for outstation in self.outstations.values():
            outstation.tick()
            ready, outstation.outbox = outstation.outbox, []
            for outgoing in ready:
                self._send(outgoing)
        if any(each.hangs_up for each in self.outstations.values()):
            self._close()
        self._arm()

    def _addressed(self, frame: Frame) -> list[Outstation]:
        if frame.destination in BROADCASTS:
            return list(self.outstations.values())
        found = self.outstations.get(frame.destination)
        return [found] if found else []

    def _send(self, outgoing: Outgoing) -> None:
        if self._channel is None:
            return
        if outgoing.after_s:
            loop = asyncio.get_running_loop()
            loop.call_later(outgoing.after_s, self._channel.send, outgoing.frames)
        else:
            self._channel.send(outgoing.frames)

    def _close(self) -> None:
        channel = self._channel
        for outstation in self.outstations.values():
            outstation.hangs_up = False
        if channel is not None:
            self.lose(channel)
            channel.close()

    def _arm(self) -> None:
        self._disarm()
        due_s = min((each.due_s() for each in self.outstations.values()), default=math.inf)
        if due_s == math.inf or self._channel is None:
            return
        now_s = next(iter(self.outstations.values())).rtu.seconds()
        wait_s = max(SHORTEST_WAIT_S, due_s - now_s)
        self._timer = asyncio.get_running_loop().call_later(wait_s, self.see_to)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
