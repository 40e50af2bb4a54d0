"""Simulated Modbus devices whose every value says who it is of and when it was read.

A device counts its replies. The value of a counted point holds that number and check digits of
device and point, so that a value that was never served, or served to another question, is known
by itself. Other points follow the time alone.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from otgate_sim.faults import Fault, Trouble
from otgate_sim.modbus import Served
from otgate_sim.modbus_lines import answered, spoilt
from otgate_sim.registers import Table

COUNTED = 6
"""Points c0.. of a device: 32 bits each, from input register 0 on."""
SLOW, BREAKER, SECRET = 100, 3, 200
"""Register of the point that changes each minute, bit of the breaker, register of the secret."""
SECRET_WORD = 60_913
CHECK_BITS, CHECK = 12, 0xFFF
NUMBERS = 1 << 20
HEADER_BYTES = 6


def counted(device: int, point: int, number: int) -> int:
    """Return what point ``point`` is in reply ``number``."""
    return number % NUMBERS << CHECK_BITS | check(device, point, number)


def check(device: int, point: int, number: int) -> int:
    return (device * 1009 + point * 127 + number * 31 + 5) & CHECK


def slow(device: int, now_s: float) -> int:
    return (int(now_s // 60) * 3 + device * 1000) & 0x7FFF


def breaker(device: int, now_s: float) -> int:
    return int(now_s // (41 + 13 * device)) & 1


@dataclass
class Registers:
    """What a device answers from, and what it has answered."""

    number: int
    device: str
    time: Callable[[], float]

    def __post_init__(self) -> None:
        self.served_s: list[float] = []
        """When each reply was given."""

    def read(self, table: Table, address: int, count: int) -> list[int] | None:
        """Return ``count`` words or bits, or None where there are none."""
        held = self._held(table)
        found = [held.get(at) for at in range(address, address + count)]
        if None in found:
            return None
        return [word for word in found if word is not None]

    def _held(self, table: Table) -> Mapping[int, int]:
        now_s = self.time()
        reply = len(self.served_s)
        self.served_s.append(now_s)
        if table is Table.DISCRETE:
            return {bit: breaker(self.number, now_s) for bit in range(BREAKER + 1)}
        if table is not Table.INPUT:
            return {SECRET: SECRET_WORD}
        words = {SLOW: slow(self.number, now_s)}
        for point in range(COUNTED):
            value = counted(self.number, point, reply)
            words |= {2 * point: value >> 16, 2 * point + 1: value & 0xFFFF}
        return words

    def is_true(self, point: str, value: float, since_s: float, until_s: float) -> bool:
        """Tell whether a reply of that time had ``value`` for ``point``."""
        first = bisect_left(self.served_s, since_s)
        replies = range(first, bisect_left(self.served_s, until_s + 1e-6))
        if point != "cb" and point.startswith("c"):
            return any(value == counted(self.number, int(point[1:]), one) for one in replies)
        truth = {"slow": slow, "cb": breaker}[point]
        return any(value == truth(self.number, self.served_s[one]) for one in replies)


class Server(asyncio.Protocol):
    """A connection to a Modbus TCP server; a second one takes the place of the first."""

    def __init__(self, served: Mapping[int, Served], standing: "list[Server]") -> None:
        self._served = served
        self._standing = standing
        self._in = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        for other in self._standing:
            other._transport.abort()
        self._standing[:] = [self]

    def data_received(self, data: bytes) -> None:
        self._in += data
        while len(self._in) > HEADER_BYTES:
            size = HEADER_BYTES + int.from_bytes(self._in[4:6])
            if len(self._in) < size:
                return
            request = bytes(self._in[:size])
            del self._in[:size]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        served = self._served.get(request[HEADER_BYTES])
        if served is None:
            return
        body = answered(served, request[HEADER_BYTES:])
        frame = spoilt(request[:4] + len(body).to_bytes(2) + body, served.trouble)
        match served.trouble.now():
            case Fault.CLOSE:
                self._transport.abort()
            case Fault.LATE if frame is not None:
                late_s = served.trouble.late_s
                asyncio.get_running_loop().call_later(late_s, self._transport.write, frame)
            case _ if frame is not None:
                self._transport.write(frame)


def device(number: int, time: Callable[[], float]) -> Served:
    registers = Registers(number, f"d{number}", time)
    return Served(registers, Trouble(time))  # type: ignore[arg-type]
