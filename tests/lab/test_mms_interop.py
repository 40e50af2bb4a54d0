"""Our MMS client and server ends against an independent implementation, in a process of its own.

`iec61850` (PyPI, MIT or Apache-2.0) has wheels for x86-64 alone. Its buffered blocks send nothing,
so that buffered reports are not checked here.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from mms_served import DOMAIN, HERE, Served, serving
from otgate_iec61850.mms import rcb, report
from otgate_iec61850.mms.access import Write
from otgate_iec61850.mms.association import Ends
from otgate_iec61850.mms.blocks import read_control_block, set_up
from otgate_iec61850.mms.browse import ObjectClass
from otgate_iec61850.mms.client import Client, connected
from otgate_iec61850.mms.errors import AccessFailed, Rejected
from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.reference import list_name, reference
from otgate_iec61850.mms.report import Reason, Report
from otgate_iec61850.mms.typespec import Kind, Scalar, component
from otgate_iec61850.mms.values import NO_SUCH_OBJECT, Bits

pytestmark = pytest.mark.skipif(
    find_spec("iec61850") is None, reason="iec61850 has no wheel for this machine"
)

TESTS = Path(__file__).parents[1]
LD = "PEERLD0"


@dataclass
class Foreign:
    """Our client of the foreign server, what was reported, and how to change a value there."""

    client: Client
    reports: list[Report]
    process: asyncio.subprocess.Process

    def change(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")

    async def until(self, seen: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not seen():  # noqa: ASYNC110  reports come by themselves
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def foreign(ends: Ends | None = None) -> AsyncIterator[Foreign]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(TESTS / "mms_foreign_server.py"),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            port = int((await process.stdout.readline()).rpartition(b":")[2])
        reports: list[Report] = []
        async with connected(
            HERE, port, ends or Ends(), lambda said, _: reports.append(report.read(said))
        ) as client:
            yield Foreign(client, reports, process)
    finally:
        process.kill()
        await process.communicate()


async def test_a_foreign_server_is_browsed_and_read() -> None:
    async with foreign() as there:
        client = there.client
        assert (await client.identify()).vendor == "foreign"
        assert await client.domains() == [LD]
        names = await client.names(ObjectClass.VARIABLE, LD)
        assert {"GGIO1$MX$AnIn30$mag$f", "LLN0$ST$Mod$stVal"} <= set(names)
        described = await client.attributes(Name(LD, "GGIO1"))
        assert component(described, "MX$AnIn1$mag$f")[1] == Scalar(Kind.FLOAT, 32)
        found = await client.read(
            [reference(f"{LD}/GGIO1.AnIn{at}.mag.f [MX]").variable for at in range(1, 31)] * 20
        )
        assert found == [1.5] * 600
        whole, none = await client.read(
            [Variable(Name(LD, "GGIO1$ST$Ind1")), Variable(Name(LD, "none$ST$x"))]
        )
        assert isinstance(whole, tuple)
        assert whole[:2] == (False, Bits(13, 0))
        assert none == NO_SUCH_OBJECT
        assert len(await client.read_list(Name(LD, "LLN0$events"))) == 38


async def test_a_foreign_server_reports_to_us() -> None:
    async with foreign() as there:
        block = await read_control_block(there.client, Name(LD, "LLN0$RP$urcb01"))
        assert (block.owner, block.enabled) == (b"", False)
        members = await there.client.members(list_name(block.data_set, LD))
        assert len(members.members) == 38
        wanted = rcb.Wanted(options=rcb.EVERYTHING, triggers=rcb.EVERY_TRIGGER)
        settings = [*rcb.configured(block, wanted), *rcb.enabled(block), rcb.interrogated()]
        assert await set_up(there.client, block, settings) == []
        await there.until(lambda: there.reports)
        first = there.reports[0]
        assert len(first.values) == 38
        assert set(first.reasons or ()) == {Reason.GENERAL_INTERROGATION}
        for at in range(50):
            there.change(f"f LD0/GGIO1.AnIn2.mag.f {at + 10}")
        await there.until(lambda: there.reports[-1].values == [59.0])
        found = there.reports[1:]
        values = [value for each in found for value in each.values]
        assert values == sorted(set(values))  # the server may put two changes into one report
        assert {tuple(each.members) for each in found} == {(9,)}
        assert [each.sq_num for each in there.reports] == list(range(len(there.reports)))


async def test_a_foreign_server_refuses_in_ways_that_we_understand() -> None:
    async with foreign() as there:
        with pytest.raises(Rejected):
            await there.client.status()
        with pytest.raises(AccessFailed):
            await there.client.write(Variable(Name(LD, "none$SP$x")), value=True)
        block = await read_control_block(there.client, Name(LD, "LLN0$BR$brcb01"))
        assert tuple(block.attributes) == rcb.BUFFERED


async def test_reads_of_a_foreign_server_given_up_shift_none_after_them() -> None:
    async with foreign() as there:
        client, names = there.client, [f"{LD}/GGIO1.AnIn{at}.mag.f [MX]" for at in range(1, 31)]
        for at in range(1, 31):
            there.change(f"f LD0/GGIO1.AnIn{at}.mag.f {at}")
        variables = [reference(each).variable for each in names]
        async with asyncio.timeout(20):
            while await client.read(variables[-1:]) != [30.0]:
                pass
        for at in range(200):
            given_up = asyncio.ensure_future(client.read([variables[at % 30]]))
            await asyncio.sleep(0)
            given_up.cancel()
            assert await client.read([variables[(at + 7) % 30]]) == [float((at + 7) % 30 + 1)]
        assert client.connection.requests.counts.late > 0


async def test_a_foreign_client_browses_reads_and_writes_our_server() -> None:
    served = Served()
    leaf = Name(DOMAIN, "MMXU1$MX$Val0007$mag$f")
    served.values[leaf] = 7.5
    async with serving(served):
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(TESTS / "mms_foreign_client.py"), str(served.port),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(60):
            said, _ = await process.communicate()
    found = json.loads(said)
    assert found["domains"] == [DOMAIN]
    assert (found["one"], found["members"], found["values"]) == (7.5, 50, 50)
    assert served.values[leaf] == 70.5
    assert isinstance(served.asked[-1], Write)
    assert [peer.broken for peer in served.peers] == [[]]
