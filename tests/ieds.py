"""Simulated IEC 61850 servers for tests, and a client that keeps what it is sent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otgate.endpoint.tls import TlsFiles, tls_context
from otgate_iec61850.mms.access import InformationReport
from otgate_iec61850.mms.association import Ends
from otgate_iec61850.mms.blocks import read_control_block, set_up
from otgate_iec61850.mms.client import Client
from otgate_iec61850.mms.connection import Way, associate
from otgate_iec61850.mms.control import read_notice
from otgate_iec61850.mms.naming import Name
from otgate_iec61850.mms.pdu import Pdu
from otgate_iec61850.mms.rcb import ControlBlock, Setting, Wanted, configured, enabled
from otgate_iec61850.mms.report import Report, Segments, is_report, read
from otgate_sim.iec61850.behaviour import Options
from otgate_sim.iec61850.server import Server
from otgate_sim.iec61850.site import server_from_scl
from otgate_sim.simulation import steady_clock

if TYPE_CHECKING:
    from otgate_iec61850.mms.commander import Commander

CID = Path(__file__).parents[1] / "config" / "lab" / "bay.cid"
POSITION = "F3Q1CTRL/XCBR1.Pos.stVal [ST]"
OPERATIONS = "F3Q1CTRL/XCBR1.OpCnt.stVal [ST]"
CURRENT = "F3Q1MEAS/MMXU1.A.phsA.cVal.mag.f [MX]"
FREQUENCY = "F3Q1MEAS/MMXU1.Hz.mag.f [MX]"
POSITIONS = Name("F3Q1CTRL", "LLN0$BR$brcbPositions01")
LOADS = Name("F3Q1MEAS", "LLN0$RP$urcbLoads01")


def bay(options: Options | None = None, clock: Callable[[], int] | None = None) -> Server:
    """The lab's bay controller."""
    return server_from_scl(CID, clock or steady_clock(), options=options)


class Listener:
    """A client and the reports it was sent, segments put together."""

    def __init__(self) -> None:
        self.client: Client
        self.segments = Segments()
        self.unasked: list[InformationReport] = []
        self.reports: list[Report] = []
        self.came = asyncio.Event()
        self.commander: Commander | None = None
        self.order: list[str] = []
        """Kinds of PDU as they came."""

    def keep_order(self) -> None:
        """Note the kind of every PDU from now on."""
        receive = self.client.connection.association.receive

        def noted(data: bytes) -> list[Pdu]:
            found = receive(data)
            self.order += [type(each).__name__ for each in found]
            return found

        self.client.connection.association.receive = noted  # type: ignore[method-assign]

    def take(self, report: InformationReport, _: int) -> None:
        self.unasked.append(report)
        whole = self.segments.add(read(report)) if is_report(report) else None
        if whole is not None:
            self.reports.append(whole)
        notice = read_notice(report)
        if notice is not None and self.commander is not None:
            self.commander.notice(notice)
        self.came.set()

    async def until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Wait until what has come satisfies a condition."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self.came.clear()
                await self.came.wait()

    async def block(self, name: Name) -> ControlBlock:
        described = await self.client.attributes(name)
        return await read_control_block(self.client, name, described)

    async def enable(
        self,
        name: Name,
        wanted: Wanted | None = None,
        *,
        resume: bytes | None = None,
        purge: bool = False,
        ending: tuple[Setting, ...] = (),
    ) -> None:
        """Set a block up and enable it, then write what else is given."""
        block = await self.block(name)
        settings = configured(block, wanted or Wanted())
        settings += [*enabled(block, resume=resume, purge=purge), *ending]
        await set_up(self.client, block, settings)

    def of(self, place: int) -> list[Any]:
        """The values of one member of the data set, in the order in which they came."""
        return [
            value
            for report in self.reports
            for at, value in zip(report.members, report.values, strict=True)
            if at == place
        ]


@asynccontextmanager
async def listening(
    server: Server, tls: TlsFiles | None = None, ends: Ends | None = None
) -> AsyncIterator[Listener]:
    """A client of a server while the block runs."""
    listener = Listener()
    context = await asyncio.to_thread(tls_context, tls, server=False) if tls else None
    connection = await associate(
        "127.0.0.1", server.port, ends or Ends(), listener.take, way=Way(context), heartbeat_s=3.0
    )
    listener.client = Client(connection)
    try:
        yield listener
    finally:
        await connection.conclude(1.0)
