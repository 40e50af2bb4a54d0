"""Opens whatever a URL names as one wire, which a session asks without knowing what it is."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from otgate.endpoint.serial import SerialSettings, open_serial
from otgate.endpoint.tcp import dial, set_options
from otgate.endpoint.tls import TlsFiles
from otgate.via import ANY_WAY, Via
from otgate_modbus.codec import Ask, Codec, Counts
from otgate_modbus.datagrams import DatagramCodec, open_datagrams
from otgate_modbus.endpoint import Endpoint, Framing, Tcp, Udp
from otgate_modbus.link import Poll, Wire
from otgate_modbus.manners import Manners
from otgate_modbus.rtu_wire import Port, RtuWire, Timing

Clock = Callable[[], int]


class AnyWire(Protocol):
    """A connection, socket or line. ``turn`` is held by whoever polls."""

    turn: asyncio.Lock
    gone: "asyncio.Future[str]"
    """Why it ended, once it has for good."""
    counts: Counts

    @property
    def single(self) -> bool:
        """Whether one request is under way at once, and no more."""

    @property
    def transaction(self) -> int:
        """The id of the last request, where requests have one."""

    async def ready(self, unit: int, spacing_s: float = 0.0) -> None:
        """Return when ``unit`` may be asked.

        Raises:
            LinkLost: there is no connection any more.
        """

    async def exchange(self, asks: Sequence[Ask], poll: Poll, depth: int = 1) -> None:
        """Send ``asks``; return when each has its answer, or at the deadline.

        Raises:
            LinkLost: the connection is gone.
        """

    def close(self) -> None:
        """Let go of it at once."""


class Stream(asyncio.Protocol):
    """A TCP connection that feeds a line; see `otgate_modbus.rtu_wire.Port`."""

    def __init__(self, wire: RtuWire) -> None:
        self._wire = wire
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection into use."""
        self._transport = cast("asyncio.Transport", transport)
        set_options(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        """Take bytes."""
        self._wire.received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that the connection has ended."""
        self._wire.closed(self, exc)

    def write(self, data: bytes) -> None:
        """Send ``data``."""
        if self._transport is not None:
            self._transport.write(data)

    def flush(self) -> None:
        """Do nothing: what was received has been taken."""

    def abort(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()


async def opened(
    place: Endpoint,
    manners: Manners,
    clock: Clock,
    tls: TlsFiles | None,
    transaction: int = 0,
    *,
    via: Via = ANY_WAY,
) -> AnyWire:
    """Open a wire to ``place`` by ``via``; its transaction ids follow ``transaction``.

    Raises:
        LinkLost: nobody answers there.
        Unusable: a port or a certificate can never be used as it is.
    """
    match place:
        case Tcp(host, port, Framing.RTU):
            return await _rtu_stream(host, port, via, RtuWire(clock, manners, Timing()))
        case Tcp(host, port, Framing.MBAP, secure):
            files = tls if secure else None
            wire = Wire(clock, manners, codec_of(Codec, manners, transaction))
            await wire.open(lambda: dial(lambda: wire, host, port, files, via))
        case Udp(host, port):
            wire = Wire(clock, manners, codec_of(DatagramCodec, manners, transaction))
            await wire.open(lambda: open_datagrams(wire, host, port, via))
        case SerialSettings():
            return await _serial(place, RtuWire(clock, manners, Timing.of(place)))
    return wire


def codec_of(kind: type[Codec], manners: Manners, transaction: int) -> Codec:
    """Return the codec that devices with these manners need."""
    return kind(
        transaction, ignore_transaction=manners.ignore_transaction, trailing=manners.trailing
    )


async def _serial(place: SerialSettings, wire: RtuWire) -> RtuWire:
    async def redial() -> Port:
        return open_serial(place, wire)

    await wire.open(redial, network=False)
    return wire


async def _rtu_stream(host: str, port: int, via: Via, wire: RtuWire) -> RtuWire:
    async def redial() -> Port:
        stream = Stream(wire)
        await dial(lambda: stream, host, port, via=via)
        return stream

    await wire.open(redial, network=True)
    return wire
