"""What IEC 61850 driver tests talk to: a small server with buffered reports, and devices of it.

The server keeps a history of entries, sends what a client that enables its block has not had, and
forgets or misbehaves where a test says so.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import numpy as np

from mms_served import DOMAIN, GOOD, HERE, Peer, Served, serving
from otgate.driver import Link
from otgate.errors import LinkLost
from otgate.model import Batch, Device, Kind, Point, Scan
from otgate.testing.collected import Collected
from otgate.testing.contract import Remembered
from otgate.together import cancelled
from otgate_iec61850 import Iec61850
from otgate_iec61850.mms import access, pdu
from otgate_iec61850.mms import typespec as ts
from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.rcb import BUFFERED
from otgate_iec61850.mms.report import Reason, Report, write
from otgate_iec61850.mms.typespec import Scalar, Structure, Type
from otgate_iec61850.mms.values import (
    BinaryTime,
    Bits,
    Failure,
    Unsigned,
    UtcTime,
    Value,
)
from otgate_iec61850.session import IedSession

LIMIT_S = 10.0
START_NS = 1_700_000_000_000_000_000
S = 1_000_000_000

BLOCK = Name(DOMAIN, "LLN0$BR$brcb01")
LIST = Name(DOMAIN, "LLN0$events")
RCB = f"{DOMAIN}/LLN0.BR.brcb01"
EMPTY = {
    "RptID": "events", "RptEna": False, "DatSet": str(LIST), "ConfRev": Unsigned(1),
    "OptFlds": Bits(10, 0), "BufTm": Unsigned(0), "SqNum": Unsigned(0), "TrgOps": Bits(6, 0),
    "IntgPd": Unsigned(0), "GI": False, "PurgeBuf": False, "EntryID": bytes(8),
    "TimeofEntry": BinaryTime(bytes(6)), "ResvTms": 0, "Owner": b"",
}  # fmt: skip


def valued(name: str, kind: Scalar) -> Structure:
    """Return the type of a data object of one value, quality and time."""
    stamp = Scalar(ts.Kind.UTC_TIME)
    return Structure(((name, kind), ("q", Scalar(ts.Kind.BIT_STRING, -13)), ("t", stamp)))


STATUS: Type = valued("stVal", Scalar(ts.Kind.BOOLEAN))
POSITION: Type = valued("stVal", Scalar(ts.Kind.BIT_STRING, 2))
COUNT: Type = valued("actVal", Scalar(ts.Kind.INTEGER, 64))
TEXT: Type = valued("stVal", Scalar(ts.Kind.VISIBLE_STRING, -255))
MEASURED: Type = Structure((
    ("mag", Structure((("f", Scalar(ts.Kind.FLOAT, 32)),))),
    ("q", Scalar(ts.Kind.BIT_STRING, -13)),
    ("t", Scalar(ts.Kind.UTC_TIME)),
))  # fmt: skip


def stamp(step: int = 0, quality: int = 0x0A) -> UtcTime:
    return UtcTime.of(START_NS + step * S, quality)


class Ied(Served):
    """A server with five data objects and one buffered report of two of them."""

    def __init__(self) -> None:
        super().__init__(0)
        self.put("MMXU1$MX$TotW", MEASURED, ((412.5,), GOOD, stamp()))
        self.put("XCBR1$ST$Pos", POSITION, (Bits(2, 2), GOOD, stamp()))
        self.put("PTRC1$ST$Tr", STATUS, (False, GOOD, stamp()))
        self.put("MMTR1$ST$TotWh", COUNT, (123456789012, GOOD, stamp()))
        self.put("LPHD1$ST$PhyNam", TEXT, ("relay 7", GOOD, stamp()))
        self.lists = {LIST: self.members_of("MMXU1$MX$TotW", "XCBR1$ST$Pos")}
        self.block: dict[str, Any] = dict(EMPTY)
        self.entries: list[tuple[bytes, Sequence[int], Sequence[int]]] = []
        self.history: dict[bytes, Sequence[Value]] = {}
        self.number = 0
        self.sent = 0
        self.holder: Peer | None = None
        self.after = b""
        self.writes: list[tuple[str, Value]] = []
        self.refuse: Callable[[str, Value], bool] = lambda attribute, value: False
        self.altered: Callable[[Report], Report | None] = lambda report: report
        self.masked = 0
        """Bits of OptFlds that it does not have."""
        self.answer = self._answer
        self._show()

    def members_of(self, *items: str) -> tuple[Variable, ...]:
        return tuple(Variable(Name(DOMAIN, item)) for item in items)

    def put(self, item: str, described: Type, value: Value) -> None:
        self.types[Name(DOMAIN, item)] = described
        self.values[Name(DOMAIN, item)] = value

    # Events

    def change(self, item: str, value: Value, reason: int = Reason.DATA_CHANGE) -> None:
        """Change a data object and report it, now or when somebody resumes."""
        self.values[Name(DOMAIN, item)] = value
        places = [at for at, each in enumerate(self.lists[LIST]) if each.name.item == item]
        self._enter(places, reason)

    def interrogate(self) -> None:
        self._enter(range(len(self.lists[LIST])), Reason.GENERAL_INTERROGATION)

    def _enter(self, places: Sequence[int], reason: int) -> None:
        self.number += 1
        entry = self.number.to_bytes(8, "big")
        self.entries.append((entry, places, [reason] * len(places)))
        self.history[entry] = [self.values[self.lists[LIST][at].name] for at in places]
        if self.holder is not None:
            self._send(*self.entries[-1])

    def _send(self, entry: bytes, places: Sequence[int], reasons: Sequence[int]) -> None:
        assert self.holder is not None
        report = Report(
            self.block["RptID"] or str(BLOCK), self.block["OptFlds"], len(self.lists[LIST]),
            list(places), list(self.history[entry]), self.sent, BinaryTime.of(START_NS),
            self.block["DatSet"], entry_id=entry, overflow=False, conf_rev=self.block["ConfRev"],
            reasons=list(reasons),
        )  # fmt: skip
        self.sent = (self.sent + 1) & 0xFFFF
        altered = self.altered(report)
        if altered is not None:
            self.holder.report(write(altered))

    # The block

    def _answer(self, peer: Peer, asked: pdu.Request) -> bool:
        if self.holder is not None and self.holder.transport.is_closing():
            self.release()
        service = asked.service
        if not isinstance(service, access.Write) or isinstance(service.access, Name):
            return True
        item = service.access[0].name.item
        if not item.startswith(BLOCK.item):
            return True
        attribute, value = item.rsplit("$", 1)[1], service.values[0]
        self.writes.append((attribute, value))
        failure = Failure(11) if self._refused(attribute, value) else None
        if failure is None:
            self._set(peer, attribute, value)
        peer.responder.respond(asked, access.Written([failure]))
        peer.flush()
        if failure is None and attribute == "RptEna" and value:
            for each in list(self._since()):
                self._send(*each)
        if failure is None and attribute == "GI":
            self.interrogate()
        return False

    def _refused(self, attribute: str, value: Value) -> bool:
        if self.refuse(attribute, value):
            return True
        return attribute == "EntryID" and value not in self.history

    def _set(self, peer: Peer, attribute: str, value: Value) -> None:
        if attribute == "EntryID":
            assert isinstance(value, bytes)
            self.after = value
        elif attribute == "RptEna":
            self.holder, self.sent = (peer, 0) if value else (None, 0)
        if attribute == "OptFlds" and isinstance(value, Bits):
            value = Bits(value.size, value.value & ~self.masked)
        if attribute not in {"GI", "EntryID"}:
            self.block[attribute] = value
        self._show()

    def _since(self) -> Sequence[tuple[bytes, Sequence[int], Sequence[int]]]:
        known = [at for at, (entry, _, _) in enumerate(self.entries) if entry == self.after]
        return self.entries[known[0] + 1 :] if known else self.entries

    def release(self) -> None:
        """Forget the client that had the block."""
        self.holder = None
        self.block["RptEna"] = False
        self._show()

    def forget(self) -> None:
        """Lose every entry, as a restart does."""
        self.entries.clear()
        self.history.clear()

    def _show(self) -> None:
        self.values[BLOCK] = tuple(self.block[name] for name in BUFFERED)
        for name in BUFFERED:
            self.values[Name(BLOCK.domain, f"{BLOCK.item}${name}")] = self.block[name]

    def drop(self) -> None:
        """Cut every connection."""
        for peer in self.peers:
            peer.transport.abort()
        self.release()


# Devices


def point(point_id: str, address: str, **cells: Any) -> Point:
    cells.setdefault("kind", Kind.MEASUREMENT)
    return Point(id=point_id, address=f"{DOMAIN}/{address}", **cells)


POINTS = (
    point("w", "MMXU1.TotW.mag.f [MX]", type="FLOAT32", scan="fast"),
    point("cb", "XCBR1.Pos.stVal [ST]", kind=Kind.STATUS, type="Dbpos", scan="fast"),
    point("trip", "PTRC1.Tr.stVal [ST]", kind=Kind.EVENT, type="BOOLEAN"),
    point("energy", "MMTR1.TotWh.actVal [ST]", kind=Kind.COUNTER, type="INT64"),
    point("name", "LPHD1.PhyNam.stVal [ST]", kind=Kind.TEXT, type="VisString255"),
)
SCANS = {"fast": 0.5, "normal": 2.0}


def device(*points: Point, port: int = 102, host: str = HERE, **settings: Any) -> Device:
    scans = settings.pop("scans", SCANS)
    settings.setdefault("timeout_s", 1.0)
    block = Iec61850.settings(url=f"mms://{host}:{port}", **settings)
    return Device("ied1", "iec61850", "bay", points or POINTS, scans, block)


class Disk(Collected):
    """Keeps what is emitted; it is durable once `flowing` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.flowing = asyncio.Event()
        self.flowing.set()

    def __call__(self, batch: Batch) -> Any:
        super().__call__(batch)
        return self

    async def durable(self, limit_s: float = 5.0) -> None:
        await self.flowing.wait()

    def of(self, number: int) -> list[tuple[Any, int, int | None, str]]:
        """Return value, quality, time and origin of each sample of a point."""
        found = []
        for batch in self.batches:
            for row in np.flatnonzero(batch.index == number).tolist():
                time = None if batch.source_ns is None else int(batch.source_ns[row])
                value = batch.values[row]
                value = value.item() if isinstance(value, np.generic) else value
                found.append((value, int(batch.quality[row]), time, batch.origin.name))
        return found


class Talk:
    """A connected session that listens."""

    def __init__(self, session: IedSession, plan: Sequence[Scan], disk: Disk) -> None:
        self.session = session
        self.plan = {scan.name: scan for scan in plan}
        self.disk = disk

    async def scan(self, name: str = "fast") -> None:
        await self.session.scan(self.plan[name], self.disk)


@contextlib.asynccontextmanager
async def talking(made: Device, state: Remembered, disk: Disk | None = None) -> AsyncIterator[Talk]:
    """Connect the driver to a device and listen."""
    driver, disk = Iec61850(), disk or Disk()
    plan = driver.plan(made)
    link = Link([made], {made.id: plan}, {made.id: state})
    async with driver.connect(link) as sessions:
        session = sessions[made.id]
        assert isinstance(session, IedSession)
        listening = asyncio.ensure_future(session.listen(disk))
        try:
            yield Talk(session, plan, disk)
        finally:
            await cancelled([listening])
            if not listening.cancelled() and isinstance(listening.exception(), LinkLost):
                pass


async def until(holds: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(limit_s):
        while not holds():  # noqa: ASYNC110  many conditions, no event
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def ied() -> AsyncIterator[Ied]:
    """Serve on a free port."""
    served = Ied()
    async with serving(served):
        yield served
