"""Modbus TCP servers for simulated devices: pymodbus answers, the plant fills, faults spoil.

One endpoint per distinct address of the site, with every unit identifier that shares it. A
connection is served one request at a time, in order, however the client sends them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.datastore import ModbusServerContext
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler

from otgate_sim.faults import Fault, Trouble, foreign, garbled, refused
from otgate_sim.memory import Unit
from otgate_sim.registers import Table

TABLES = {1: Table.COIL, 2: Table.DISCRETE, 3: Table.HOLDING, 4: Table.INPUT}
"""Table that each read function reads: Modbus Application Protocol V1.1b3, §6.1 to §6.4."""
HEADER_BYTES = 6
FRAME_LENGTHS = range(3, 255)
"""What the length field may say: unit, function code and at least a byte, at most 253 more."""


@dataclass(slots=True)
class Served:
    """One unit identifier: its registers, and the fault it shows."""

    unit: Unit
    trouble: Trouble


class Bank(ModbusServerContext):
    """What one endpoint serves, by unit identifier. Nothing can be written."""

    def __init__(self, served: Mapping[int, Served]) -> None:
        self.served = served
        self.simdevices = []
        self.old_simulator = True  # takes the server's way that asks this class for every value

    async def async_getValues(  # noqa: N802  pymodbus's name
        self,
        device_id: int,
        func_code: int,
        address: int,
        count: int = 1,
    ) -> list[int] | list[bool] | ExcCodes:
        """Return words or bits, or the exception code with which the unit refuses."""
        if device_id not in self.served:
            return ExcCodes.GATEWAY_NO_RESPONSE
        if func_code not in TABLES:
            return ExcCodes.ILLEGAL_FUNCTION
        table = TABLES[func_code]
        found = self.served[device_id].unit.read(table, address, count)
        if found is None:
            return ExcCodes.ILLEGAL_ADDRESS
        return [bool(bit) for bit in found] if table.is_bits else found

    async def async_setValues(  # noqa: N802  pymodbus's name
        self,
        device_id: int,
        func_code: int,
        address: int,
        values: Sequence[int] | Sequence[bool],
    ) -> ExcCodes | None:
        """Refuse: a simulated device is read only."""
        del device_id, func_code, address, values
        return ExcCodes.ILLEGAL_FUNCTION

    def device_ids(self) -> list[int]:
        """Return the unit identifiers."""
        return list(self.served)


class Connection(ServerRequestHandler):
    """One client of an endpoint."""

    def __init__(self, endpoint: "Endpoint") -> None:
        super().__init__(endpoint, None, None, None)  # type: ignore[no-untyped-call]  # pymodbus is untyped here
        self.served = endpoint.served
        self.waiting = bytearray()
        self.busy = False

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client; close on what cannot be a frame."""
        self.waiting += data
        self.answer_next()

    def answer_next(self) -> None:
        """Hand the next whole request to pymodbus, unless one is being answered."""
        while not self.busy and len(self.waiting) > HEADER_BYTES:
            length = int.from_bytes(self.waiting[4:6])
            if any(self.waiting[2:4]) or length not in FRAME_LENGTHS:
                self.hang_up()
                return
            if len(self.waiting) < HEADER_BYTES + length:
                return
            frame = bytes(self.waiting[: HEADER_BYTES + length])
            del self.waiting[: HEADER_BYTES + length]
            self.busy = True
            super().data_received(frame)
            self.busy = self.busy and self.last_pdu is not None

    def send(self, data: bytes, addr: tuple[str, int] | None = None) -> None:
        """Send pymodbus's reply, or what the unit's fault makes of it."""
        del addr
        self.busy = False
        served = self.served.get(data[6])
        if served is None:
            super().send(data)
        else:
            self.send_spoilt(data, served.trouble)
        self.loop.call_soon(self.answer_next)

    def send_spoilt(self, data: bytes, trouble: Trouble) -> None:
        """Send ``data`` as the device's trouble has it."""
        match trouble.now():
            case Fault.NONE | Fault.RESCALE:
                super().send(data)
            case Fault.EXCEPTION:
                super().send(refused(data))
            case Fault.GARBAGE:
                super().send(garbled(data, trouble.rng))
            case Fault.WRONG_TID:
                super().send(foreign(data))
            case Fault.LATE:
                self.loop.call_later(trouble.late_s, self.send_late, data)
            case Fault.CLOSE:
                self.hang_up()
            case Fault.SILENT:
                pass

    def send_late(self, data: bytes) -> None:
        """Send a reply that was held, if the client is still there."""
        if not self.is_closing and self.is_active():
            super().send(data)

    def hang_up(self) -> None:
        """Close the connection at once."""
        self.waiting.clear()
        transport: Any = self.transport
        transport.abort()


class Endpoint(ModbusTcpServer):
    """One listening port and the units behind it."""

    def __init__(
        self, host: str, port: int, served: Mapping[int, Served], tls: SSLContext | None = None
    ) -> None:
        self.served = served
        super().__init__(Bank(served), address=(host, port))
        self.comm_params.sslctx = tls
        self.init_setup_connect_listen(host, port)  # again: it has taken the context already

    def callback_new_connection(self) -> Connection:
        """Serve a client that has connected."""
        return Connection(self)

    async def start(self) -> str:
        """Listen; return where.

        Raises:
            OSError: the port is taken.
        """
        try:
            await self.serve_forever(background=True)
        except RuntimeError as refusal:
            raise OSError(f"port {self.comm_params.source_address} is taken") from refusal
        listening: Any = self.transport  # a server: asyncio's or uvloop's
        scheme = "tcp" if self.comm_params.sslctx is None else "tcps"
        host, port = listening.sockets[0].getsockname()
        return f"{scheme}://{host}:{port}"

    async def stop(self) -> None:
        """Close the port and every connection."""
        await self.shutdown()  # type: ignore[no-untyped-call]  # pymodbus is untyped here
