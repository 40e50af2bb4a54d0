"""The driver contract, kept by DNP3 against our outstation."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from dnp3_devices import device, point
from otgate.driver import Driver
from otgate.model import Device, Kind
from otgate.testing.contract import DriverContract
from otgate_dnp3 import Dnp3
from otgate_dnp3.stack.application import Function, parsed_request
from otgate_dnp3.stack.association import Association
from otgate_dnp3.stack.link import FrameReader
from otgate_dnp3.stack.station import Role, Station
from otgate_sim.dnp3.database import Entry
from outstations import AI, AOS, BI, BO, CTR, DBI, FCTR, OCT, listening, outstation

ENTRIES = (
    Entry(BI, 0, 1, value=1),
    Entry(BI, 7, 1, value=0),
    Entry(DBI, 0, 1, value=2),
    Entry(BO, 1, value=1),
    Entry(CTR, 4, 3, value=40_000),
    Entry(FCTR, 4, 3, value=39_000),
    Entry(AI, 12, 2, 5, 7, value=41.25),
    Entry(AI, 13, 2, 1, 3, value=-372),
    Entry(AOS, 1, value=17),
    Entry(OCT, 2, 3, value=b"RTU 7"),
)
POINTS = (
    point("trip", "bi 0", kind=Kind.EVENT),
    point("door", "bi 7", kind=Kind.STATUS, scan="fast"),
    point("cb", "dbi 0", kind=Kind.STATUS),
    point("fan", "bo 1", kind=Kind.STATUS),
    point("energy", "ctr 4", kind=Kind.COUNTER, scan="fast"),
    point("frozen", "fctr 4", kind=Kind.COUNTER),
    point("ia", "ai 12", scan="fast"),
    point("temperature", "ai 13", scale=0.1),
    point("setpoint", "aos 1"),
    point("name", "oct 2", kind=Kind.TEXT),
)
SCANS = {"integrity": 60.0, "fast": 0.5}


@pytest.mark.both_loops
class TestDnp3(DriverContract):
    answer_s = 2.0

    def driver(self) -> Driver:
        return Dnp3()

    def made(self, host: str, port: int, *more: object) -> Device:
        points = (*POINTS, *more)
        return device(
            *points,
            host=host,
            port=port,
            scans=SCANS,
            timeout_s=0.5,
            event_poll_s=0,  # type: ignore[arg-type]
        )

    def device(self, host: str, port: int) -> Device:
        return self.made(host, port)

    def refused_device(self, host: str, port: int) -> tuple[Device, frozenset[str]]:
        absent = (point("gone", "ai 90"), point("far", "bi 900", scan="fast"))
        return self.made(host, port, *absent), frozenset({"gone", "far"})

    def mistaken_device(self, host: str, port: int) -> Device:
        return self.made(host, port, point("odd", "hr 100"))

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[tuple[str, int]]:
        made = outstation(*(Entry(**_fields(each)) for each in ENTRIES), needs_time=False)
        async with listening(made) as endpoint:
            yield "127.0.0.1", endpoint.port

    def serving(self) -> AbstractAsyncContextManager[tuple[str, int]]:
        return self._serving()

    def writes(self, sent: bytes) -> Sequence[str]:
        outstation_end = Association(Station(Role.OUTSTATION, 10, 1))
        found = []
        for frame in FrameReader().feed(sent):
            request = parsed_request(outstation_end.receive(frame)[1])
            if request is not None and request.function not in {Function.READ, Function.CONFIRM}:
                found.append(Function(request.function).name)
        return found


def _fields(entry: Entry) -> dict[str, object]:
    return {
        name: getattr(entry, name)
        for name in (
            "point_type",
            "index",
            "event_class",
            "static_variation",
            "event_variation",
            "value",
        )
    }
