"""Modbus RTU on a pseudo-terminal and over TCP, and Modbus UDP, for simulated devices.

pymodbus serves Modbus TCP; here is what it does not serve as a device on a line behaves: at the
pace of the line, silent to units that are not there, and with the faults of each unit.
"""

import asyncio
import contextlib
import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from otgate.endpoint.serial import Parity, SerialSettings
from otgate_sim.faults import Fault, Trouble, foreign, garbled, refused
from otgate_sim.modbus import TABLES, Served

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, NO_RESPONSE = 0x01, 0x02, 0x03, 0x0B
"""Exception codes: Modbus Application Protocol V1.1b3, §7."""

MOST_BITS, MOST_REGISTERS = 2000, 125
"""In one read: V1.1b3, §6.1 and §6.3."""

REQUEST_SIZE = 8
"""An RTU request: unit, function, address, quantity and CRC."""

THINKING_S = 0.005
"""From the end of a request to the start of its reply."""

ADAPTER_S = 0.004
"""How often an adapter hands over what it has."""

LOOK_S = 0.05
"""How often a terminal that nobody has opened is looked at."""

STALLED_S = 0.2
"""A request that stops for so long in its midst has ended."""

Say = Callable[[bytes], None]


def crc(data: bytes) -> bytes:
    """Return the checksum of an RTU frame: over Serial Line V1.02, §2.5.1.2."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return struct.pack("<H", value)


def answered(served: Served, body: bytes) -> bytes:
    """Return a unit's reply to a request; both from the unit identifier on, without checksum."""
    unit, function = body[0], body[1]

    def refusal(code: int) -> bytes:
        return bytes((unit, function | 0x80, code))

    if function not in TABLES or len(body) != 6:
        return refusal(ILLEGAL_FUNCTION)
    table = TABLES[function]
    address, count = struct.unpack(">HH", body[2:])
    if not 1 <= count <= (MOST_BITS if table.is_bits else MOST_REGISTERS):
        return refusal(ILLEGAL_VALUE)
    found = served.unit.read(table, address, count)
    if found is None:
        return refusal(ILLEGAL_ADDRESS)
    data = packed(found) if table.is_bits else struct.pack(f">{count}H", *found)
    return bytes((unit, function, len(data))) + data


def packed(bits: list[int]) -> bytes:
    """Pack bits, the first the lowest of the first byte: V1.1b3, §6.1."""
    data = bytearray(-(-len(bits) // 8))
    for at, bit in enumerate(bits):
        data[at // 8] |= bool(bit) << at % 8
    return bytes(data)


def spoilt(frame: bytes, trouble: Trouble) -> bytes | None:
    """Return a Modbus TCP frame as the unit's trouble has it, or None where it says nothing.

    Lateness and hanging up are the caller's.
    """
    match trouble.in_force():
        case Fault.EXCEPTION:
            return refused(frame)
        case Fault.GARBAGE:
            return garbled(frame, trouble.rng)
        case Fault.WRONG_TID:
            return foreign(frame)
        case Fault.SILENT | Fault.CLOSE:
            return None
    return frame


def spoilt_rtu(body: bytes, trouble: Trouble) -> bytes | None:
    """Return an RTU frame as the unit's trouble has it; one of another unit is nobody's."""
    match trouble.in_force():
        case Fault.EXCEPTION:
            body = bytes((body[0], body[1] | 0x80, 0x04))
        case Fault.GARBAGE:
            return trouble.rng.randbytes(len(body) + 2)
        case Fault.WRONG_TID:
            body = bytes((body[0] ^ 0x40,)) + body[1:]
        case Fault.SILENT | Fault.CLOSE:
            return None
    return body + crc(body)


class Line:
    """The units of one RTU line. It hears requests and says what they answer."""

    def __init__(self, served: Mapping[int, Served], hang_up: Callable[[], None]) -> None:
        self.served = served
        self._hang_up = hang_up
        self._loop = asyncio.get_running_loop()
        self._held = b""
        self._heard_s = 0.0

    def hear(self, data: bytes, say: Say) -> None:
        """Take bytes; answer each request in them. What is no request is stepped over."""
        now = self._loop.time()
        if now - self._heard_s > STALLED_S:
            self._held = b""
        self._heard_s = now
        self._held += data
        while len(self._held) >= REQUEST_SIZE:
            frame = self._held[:REQUEST_SIZE]
            if crc(frame[:-2]) != frame[-2:]:
                self._held = self._held[1:]
                continue
            self._held = self._held[REQUEST_SIZE:]
            self._answer(frame[:-2], say)

    def _answer(self, body: bytes, say: Say) -> None:
        served = self.served.get(body[0])
        if served is None:
            return
        trouble = served.trouble
        frame = spoilt_rtu(answered(served, body), trouble)
        match trouble.now():
            case Fault.CLOSE:
                self._hang_up()
            case Fault.LATE if frame is not None:
                self._loop.call_later(trouble.late_s, say, frame)
            case _ if frame is not None:
                say(frame)


class RtuStream(asyncio.Protocol):
    """One client of a line over TCP."""

    def __init__(self, served: Mapping[int, Served], streams: set["RtuStream"]) -> None:
        self._line = Line(served, self.hang_up)
        self._streams = streams

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection into use."""
        self._transport = cast("asyncio.Transport", transport)
        self._streams.add(self)

    def data_received(self, data: bytes) -> None:
        """Answer a client."""
        self._line.hear(data, self._say)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  whatever ended it
        """Forget the client."""
        self._streams.discard(self)

    def hang_up(self) -> None:
        """Close the connection at once."""
        self._transport.abort()

    def _say(self, frame: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(frame)


class RtuOverTcp:
    """A terminal server: one port, the units of a line behind it."""

    def __init__(self, host: str, port: int, served: Mapping[int, Served]) -> None:
        self._host = host
        self._port = port
        self._served = served
        self._streams: set[RtuStream] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """Listen; return where.

        Raises:
            OSError: the port is taken.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: RtuStream(self._served, self._streams), self._host, self._port
        )
        return f"rtu+tcp://{self._host}:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            self._server.close()
        for stream in list(self._streams):
            stream.hang_up()


class Datagrams(asyncio.DatagramProtocol):
    """Modbus UDP: a request in a datagram, its reply in another."""

    def __init__(self, host: str, port: int, served: Mapping[int, Served]) -> None:
        self._host = host
        self._port = port
        self._served = served
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> str:
        """Listen; return where.

        Raises:
            OSError: the port is taken.
        """
        transport, _ = await self._loop.create_datagram_endpoint(
            lambda: self, local_addr=(self._host, self._port)
        )
        self._transport = transport
        return f"udp://{self._host}:{transport.get_extra_info('sockname')[1]}"

    async def stop(self) -> None:
        """Close the port."""
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Answer a request; what is none is dropped."""
        if len(data) < 8 or data[2:4] != b"\0\0" or int.from_bytes(data[4:6]) != len(data) - 6:
            return
        served = self._served.get(data[6])
        if served is None:
            body: bytes = bytes((data[6], data[7] | 0x80, NO_RESPONSE))
            self._say(data[:4] + len(body).to_bytes(2) + body, addr)
            return
        body = answered(served, data[6:])
        trouble = served.trouble
        frame = spoilt(data[:4] + len(body).to_bytes(2) + body, trouble)
        late = trouble.now() is Fault.LATE
        if frame is not None:
            self._loop.call_later(trouble.late_s if late else 0.0, self._say, frame, addr)

    def _say(self, frame: bytes, addr: Any) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(frame, addr)


class SerialLine:
    """A pseudo-terminal with the units of a line behind it, at the pace of the line.

    ``link`` is where it is found; behind it is another terminal after each hanging up.
    """

    def __init__(self, link: Path, line: SerialSettings, served: Mapping[int, Served]) -> None:
        self._link = link
        bits = 9 + (line.parity is not Parity.NONE) + line.stop_bits
        self._character_s = bits / line.baud
        self._line = Line(served, self.hang_up)
        self._loop = asyncio.get_running_loop()
        self._near = -1
        self._free_s = 0.0
        self._look: asyncio.TimerHandle | None = None

    async def start(self) -> str:
        """Make the terminal; return where it is.

        Raises:
            OSError: there is no terminal left, or the path is taken.
        """
        if self._link.exists() and not self._link.is_symlink():
            raise FileExistsError(f"{self._link} is there already")
        self._open()
        return f"serial://{self._link.absolute()}"

    async def stop(self) -> None:
        """Take the terminal away."""
        if self._near >= 0:
            self._close()
            self._link.unlink(missing_ok=True)

    def hang_up(self) -> None:
        """Hang up as an adapter does that is pulled out, and come back as another terminal."""
        self._close()
        self._open()

    def _open(self) -> None:
        self._near, far = os.openpty()
        os.set_blocking(self._near, False)
        partial = self._link.with_name(f".{self._link.name}.{os.getpid()}")
        partial.unlink(missing_ok=True)
        partial.symlink_to(os.ttyname(far))
        partial.replace(self._link)
        os.close(far)
        self._listen()

    def _close(self) -> None:
        if self._look is not None:
            self._look.cancel()
        if self._near >= 0:
            self._loop.remove_reader(self._near)
            os.close(self._near)
            self._near = -1

    def _listen(self) -> None:
        self._loop.add_reader(self._near, self._readable)

    def _readable(self) -> None:
        try:
            data = os.read(self._near, 4096)
        except BlockingIOError:
            return
        except OSError:  # nobody has it open
            self._loop.remove_reader(self._near)
            self._look = self._loop.call_later(LOOK_S, self._listen)
            return
        # on a line these bytes would still be arriving
        self._free_s = max(self._free_s, self._loop.time()) + len(data) * self._character_s
        self._line.hear(data, self._say)

    def _say(self, frame: bytes) -> None:
        near, piece = self._near, max(1, int(ADAPTER_S / self._character_s))
        self._free_s = max(self._free_s, self._loop.time()) + THINKING_S
        for at in range(0, len(frame), piece):
            part = frame[at : at + piece]
            self._free_s += len(part) * self._character_s
            self._loop.call_at(self._free_s, self._write, near, part)

    def _write(self, near: int, part: bytes) -> None:
        if near == self._near:
            with contextlib.suppress(OSError):
                os.write(near, part)
