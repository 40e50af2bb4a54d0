"""SunSpec devices for tests: registers as pysunspec2, which is not ours, encodes them."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sunspec2.device import Model

from otgate.browser import Browsed
from otgate_modbus.sunspec.browse import ModbusBrowser

MARKER = (0x5375, 0x6E53)
END = (0xFFFF, 0)

COMMON = {"Mn": "Ours", "Md": "Inverter 10", "Vr": "1.2", "SN": "0815", "DA": 1}
INVERTER = {
    "A": 4321, "AphA": 1441, "AphB": 1440, "AphC": 1440, "A_SF": -2,
    "PPVphAB": 4001, "PhVphA": 2310, "PhVphB": 2311, "PhVphC": 2312, "V_SF": -1,
    "W": 998, "W_SF": 1, "Hz": 50012, "Hz_SF": -3, "VA": 1000, "VA_SF": 1,
    "WH": 123_456_789, "WH_SF": 0, "DCW": 1021, "DCW_SF": 1, "TmpCab": 412, "Tmp_SF": -1,
    "St": 4, "Evt1": 0b1000_0001,
}  # fmt: skip
STRINGS = {
    "DCA_SF": -2, "DCV_SF": -1, "DCW_SF": 0, "DCWH_SF": 0, "N": 2,
    "module": [
        {"ID": 1, "IDStr": "east", "DCA": 812, "DCV": 6301, "DCW": 5117, "DCSt": 4},
        {"ID": 2, "IDStr": "west", "DCA": 790, "DCV": 6299, "DCW": 4976, "DCSt": 4},
    ],
}  # fmt: skip


def encoded(model: int, data: Mapping[str, Any]) -> list[int]:
    """Return the registers of a model, number and length included."""
    packed = Model(model, data=dict(data)).get_mb()
    return list(struct.unpack(f">{len(packed) // 2}H", packed))


def image(*models: list[int], at: int = 40000, end: tuple[int, ...] = END) -> dict[int, int]:
    """Return the registers of a device by address."""
    words = [*MARKER, *(word for model in models for word in model), *end]
    return dict(enumerate(words, at))


def inverter(at: int = 40000) -> dict[int, int]:
    """Return an inverter with two strings."""
    return image(encoded(1, COMMON), encoded(103, INVERTER), encoded(160, STRINGS), at=at)


async def browsed(
    where: tuple[str, int], options: str = "unit=1", timeout_s: float = 2.0
) -> Browsed:
    """Browse a device as the command line does."""
    url = f"tcp://{where[0]}:{where[1]}?{options}"
    return await asyncio.to_thread(ModbusBrowser().browse, url, timeout_s)


class Served:
    """A Modbus server of one unit that does as a test says."""

    def __init__(self, registers: Mapping[int, int]) -> None:
        self.registers = dict(registers)
        self.most = 125
        """Registers that it gives at once."""
        self.identity: dict[int, bytes] = {}
        self.per_reply = 2
        """Objects of the identity in one reply."""
        self.silent: Callable[[int, int], bool] = lambda _at, _count: False
        self.changes: Callable[[int, int], None] = lambda _at, _count: None
        """Called before each read."""
        self.asked: list[tuple[int, int]] = []
        self.functions: set[int] = set()
        self.connections = 0
        self._writers: set[asyncio.StreamWriter] = set()

    def hang_up(self) -> None:
        """Close every connection."""
        for writer in self._writers:
            writer.close()

    def answer(self, pdu: bytes) -> bytes | None:
        """Return the reply to a request, from the function code on; None is silence."""
        self.functions.add(pdu[0])
        if pdu[0] == 43:
            return self.identified(pdu[2], pdu[3]) if self.identity else b"\xab\x01"
        at, count = struct.unpack(">HH", pdu[1:])
        self.asked.append((at, count))
        self.changes(at, count)
        if self.silent(at, count):
            return None
        if count > self.most:
            return b"\x83\x03"
        words = [self.registers.get(each) for each in range(at, at + count)]
        if None in words:
            return b"\x83\x02"
        return struct.pack(f">BB{count}H", 3, 2 * count, *words)

    def identified(self, category: int, first: int) -> bytes:
        """Return the objects of a category from one on, a few to a reply."""
        last = 2 if category == 1 else 6
        wanted = [number for number in sorted(self.identity) if first <= number <= last]
        here, rest = wanted[: self.per_reply], wanted[self.per_reply :]
        more = (0xFF, rest[0]) if rest else (0, 0)
        objects = b"".join(
            bytes((number, len(self.identity[number]))) + self.identity[number] for number in here
        )
        return bytes((43, 14, category, 0x82, *more, len(here))) + objects

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client, request by request."""
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readexactly(7)
                pdu = await reader.readexactly(int.from_bytes(head[4:6]) - 1)
                reply = self.answer(pdu)
                if reply is not None:
                    length = (len(reply) + 1).to_bytes(2)
                    writer.write(head[:4] + length + head[6:] + reply)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()


@asynccontextmanager
async def serving(
    served: Served, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[str, int]]:
    """Serve on a free loopback port."""
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[:2]
    finally:
        server.close()
        await server.wait_closed()
