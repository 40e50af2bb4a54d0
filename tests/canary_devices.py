"""The devices of the canary site: a server of each protocol, and how each spoils its replies."""

import asyncio
import struct
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from enum import Enum
from threading import Event, Thread
from typing import Self

import canary_tokens as tokens
from canary_site import CONDUITS, VALUE, Layout, Ports, server_name
from ied_served import valued
from mms_served import DOMAIN, GOOD, Peer, Served, serving
from otgate.testing.relay import Relay
from otgate_dnp3.stack.points import PointType
from otgate_iec61850.mms import access, pdu
from otgate_iec61850.mms.naming import Name
from otgate_iec61850.mms.typespec import Kind, Scalar, Structure, Type
from otgate_iec61850.mms.values import NO_SUCH_OBJECT, Double, UtcTime, Value
from otgate_sim.dnp3.database import Entry
from otgate_sim.dnp3.faults import Dnp3Fault
from outstations import listening, outstation

TURN_S = 0.2
"""How often the outstation's values change."""


class Misdeed(Enum):
    """How the devices spoil their replies, with the values of denied points in them."""

    NONE = 0
    EXCEPTION = 1
    """A refusal; from the outstation objects that cannot be read."""
    SHORT = 2
    """A byte count that is wrong, values that are missing, a CRC that does not fit."""
    FOREIGN = 3
    """Another request's number; values of another type."""
    CLOSE = 4
    NOISE = 5
    """The values with no head before them."""


DNP3_FAULTS = {
    Misdeed.NONE: Dnp3Fault.NONE,
    Misdeed.EXCEPTION: Dnp3Fault.CORRUPT_BODY,
    Misdeed.SHORT: Dnp3Fault.CORRUPT,
    Misdeed.FOREIGN: Dnp3Fault.WRONG_SEQUENCE,
    Misdeed.CLOSE: Dnp3Fault.CLOSE,
    Misdeed.NOISE: Dnp3Fault.GARBAGE,
}


def value(point: int, count: int) -> bytes:
    """The value of a point: eight bytes of a whole number or a real one, or a text, in turn."""
    if point % 3 == 2:
        return tokens.text(point, VALUE).encode() + b"%06x" % (count & 0xFFFFFF)
    return tokens.number((tokens.WHOLE, tokens.REAL)[point % 3], point, count)


class Meter:
    """A Modbus server whose every value is a token that counts."""

    def __init__(self) -> None:
        self.misdeed = Misdeed.NONE
        self.spoilt = False
        """Whether it has done its misdeed."""
        self._asked = Counter[int]()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(EOFError, OSError):
            while True:
                request = struct.unpack(">HHHBBHH", await reader.readexactly(12))
                reply = self.answer(*request)
                if not reply or writer.is_closing():
                    break
                writer.write(reply)
        writer.close()

    def answer(
        self, tid: int, _: int, __: int, unit: int, function: int, first: int, count: int
    ) -> bytes:
        self._asked[first] += 1
        self.spoilt |= self.misdeed is not Misdeed.NONE
        content = registers(first, count, self._asked[first])
        if self.misdeed is Misdeed.CLOSE:
            return b""
        if self.misdeed is Misdeed.NOISE:
            return content
        if self.misdeed is Misdeed.EXCEPTION:
            return struct.pack(">HHHBBB", tid, 0, 3, unit, function | 0x80, 2)
        tid ^= self.misdeed is Misdeed.FOREIGN
        size = len(content) - 2 * (self.misdeed is Misdeed.SHORT)
        return struct.pack(">HHHBBB", tid, 0, 3 + len(content), unit, function, size) + content


def registers(first: int, count: int, asked: int) -> bytes:
    """Return the registers of a read: eight to a point, of which four are used, or all."""
    begin, away = divmod(first - tokens.FIRST_ADDRESS, tokens.REGISTERS_EACH)
    points = range(begin, begin + (away + count) // tokens.REGISTERS_EACH + 1)
    held = b"".join(value(point, asked).ljust(16, b"\0") for point in points)
    return held[2 * away : 2 * (away + count)]


class Remote:
    """A DNP3 outstation that reports unasked; whole numbers are texts of their digits."""

    def __init__(self, points: Iterable[int]) -> None:
        entries = [self.entry(point) for point in points]
        self.entries = entries
        self.outstation = outstation(*entries, needs_time=False)
        self._count = 0

    def entry(self, point: int) -> Entry:
        index = tokens.address(point)
        if point % 3 == 1:
            return Entry(
                PointType.ANALOG_INPUT,
                index,
                event_class=2,
                static_variation=6,
                event_variation=8,
                value=remote_value(point, 0),
            )
        return Entry(PointType.OCTET_STRING, index, event_class=2, value=remote_value(point, 0))

    async def turn(self) -> None:
        """Give every point a new value, for ever."""
        while True:
            await asyncio.sleep(TURN_S)
            self._count += 1
            for entry in self.entries:
                point = (entry.index - tokens.FIRST_ADDRESS) // tokens.REGISTERS_EACH
                self.outstation.rtu.update(entry, remote_value(point, self._count))


def remote_value(point: int, count: int) -> float | bytes:
    held = value(point, count)
    match point % 3:
        case 0:
            return str(int.from_bytes(held)).encode()
        case 1:
            return tokens.real(int.from_bytes(held))
        case _:
            return held


STAMP = Scalar(Kind.UTC_TIME)
DOUBLE = Structure((("f", Scalar(Kind.FLOAT, 64)),))
MODELS: tuple[tuple[str, Type], ...] = (
    ("ST", Structure((("actVal", Scalar(Kind.INTEGER, 64)), *valued("x", STAMP).components[1:]))),
    ("MX", Structure((("mag", DOUBLE), *valued("x", STAMP).components[1:]))),
    ("ST", valued("stVal", Scalar(Kind.VISIBLE_STRING, -255))),
)


class Relay61850(Served):
    """An MMS server that gives other values at each read."""

    def __init__(self, points: Iterable[int]) -> None:
        super().__init__(0)
        self.misdeed = Misdeed.NONE
        self.spoilt = False
        self._places = {name_of(point): point for point in points}
        self._count = 0
        self.types |= {name: MODELS[point % 3][1] for name, point in self._places.items()}
        self.answer = self._answer
        self._turn()

    def _turn(self) -> None:
        self._count += 1
        stamp = UtcTime.of(time.time_ns(), 0x0A)
        foreign = self.misdeed is Misdeed.FOREIGN
        for name, point in self._places.items():
            held = served_value(point + foreign, self._count)
            self.values[name] = ((held,) if point % 3 == 1 else held, GOOD, stamp)

    def _answer(self, peer: Peer, asked: pdu.Request) -> bool:
        if peer.transport.is_closing():
            return False
        if not isinstance(asked.service, access.Read):
            return True
        self._turn()
        self.spoilt |= self.misdeed is not Misdeed.NONE
        match self.misdeed:
            case Misdeed.NONE | Misdeed.FOREIGN:
                return True
            case Misdeed.CLOSE:
                peer.transport.abort()
            case Misdeed.NOISE:
                peer.transport.write(b"".join(value(one, 0) for one in self._places.values()))
            case Misdeed.SHORT:
                found = peer.read(asked.service)
                peer.responder.respond(asked, access.Results(found.values[:-1]))
            case _:
                count = len(peer.read(asked.service).values)
                peer.responder.respond(asked, access.Results([NO_SUCH_OBJECT] * count))
        return False


def name_of(point: int) -> Name:
    return Name(DOMAIN, f"GGIO1${MODELS[point % 3][0]}${server_name(point)}")


def served_value(point: int, count: int) -> Value:
    held = value(point, count)
    match point % 3:
        case 0:
            return int.from_bytes(held)
        case 1:
            return Double(tokens.real(int.from_bytes(held)))
        case _:
            return held.decode()


class Beside:
    """The devices and the relays before the broker, on a loop of their own beside the test."""

    def __init__(self, layout: Layout, broker_port: int) -> None:
        self.meter = Meter()
        self.remote = Remote(layout.points_of("rtu"))
        self.ied = Relay61850(layout.points_of("ied"))
        self.relays = {conduit: Relay(("127.0.0.1", broker_port)) for conduit in CONDUITS}
        self._ready = Event()
        self._thread = Thread(target=asyncio.run, args=(self._run(),))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)

    def behave(self, misdeed: Misdeed) -> None:
        """Let every device spoil its replies so from now on."""
        self.meter.misdeed = self.ied.misdeed = misdeed
        self.meter.spoilt = self.ied.spoilt = False
        self.remote.outstation.trouble.begin(DNP3_FAULTS[misdeed])
        self.remote.outstation.trouble.spoilt = 0

    def spoilt(self) -> set[str]:
        """Return the devices that have spoilt a reply as they were told."""
        done = {
            "f1": self.meter.spoilt,
            "f2": self.meter.spoilt,
            "rtu": self.remote.outstation.trouble.spoilt,
            "ied": self.ied.spoilt,
        }
        return {name for name, spoilt in done.items() if spoilt}

    async def _run(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        async with AsyncExitStack() as stack:
            server = await asyncio.start_server(self.meter.serve, "0.0.0.0", 0)
            stack.callback(server.close)
            endpoint = await stack.enter_async_context(listening(self.remote.outstation))
            await stack.enter_async_context(serving(self.ied))
            for relay in self.relays.values():
                await relay.start()
                stack.push_async_callback(relay.stop)
            turning = asyncio.ensure_future(self.remote.turn())
            stack.callback(turning.cancel)
            modbus = server.sockets[0].getsockname()[1]
            self.ports = Ports(modbus, endpoint.port, self.ied.port)
            self._ready.set()
            await self._ended.wait()
