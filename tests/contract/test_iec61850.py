"""The driver contract, kept by IEC 61850 against a server on our own responder."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from ied_served import POINTS, device, ied, point
from mms_served import HERE
from otgate.driver import Driver
from otgate.model import Device
from otgate.testing.contract import DriverContract
from otgate_iec61850 import Iec61850
from otgate_iec61850.mms import access, browse, pdu
from otgate_iec61850.mms.responder import Responder

READS = (
    access.Read, browse.GetAttributes, browse.GetList, browse.GetNameList, browse.Identify,
)  # fmt: skip


@pytest.mark.both_loops
class TestIec61850(DriverContract):
    answer_s = 3.0

    def driver(self) -> Driver:
        return Iec61850()

    def device(self, host: str, port: int) -> Device:
        return device(host=host, port=port)

    def refused_device(self, host: str, port: int) -> tuple[Device, frozenset[str]]:
        absent = (
            point("gone", "MMXU1.TotVAr.mag.f [MX]"),
            point("far", "MMXU9.TotW.mag.f [MX]", scan="fast"),
        )
        return device(*POINTS, *absent, host=host, port=port), frozenset({"gone", "far"})

    def mistaken_device(self, host: str, port: int) -> Device:
        return device(*POINTS, point("odd", "MMXU1.TotW.mag.f"), host=host, port=port)

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[tuple[str, int]]:
        async with ied() as served:
            yield HERE, served.port

    def serving(self) -> AbstractAsyncContextManager[tuple[str, int]]:
        return self._serving()

    def writes(self, sent: bytes) -> Sequence[str]:
        found = Responder().receive(sent)
        asked = [each.service for each in found if isinstance(each, pdu.Request)]
        return [repr(each) for each in asked if not isinstance(each, READS)]
