"""Our MMS client against a simulated IEC 61850 server, over TCP."""

import asyncio
import json
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import trustme

from captures import capture, dissected
from daemons import eventually
from ieds import (
    CID,
    FREQUENCY,
    LOADS,
    OPERATIONS,
    POSITION,
    POSITIONS,
    Listener,
    bay,
    listening,
)
from mms_dissected import MMS_PORT, complaints
from mms_dissected import names as names_of
from otgate.endpoint.tls import TlsFiles
from otgate.errors import Refused
from otgate_iec61850.mms.association import Ends
from otgate_iec61850.mms.browse import ObjectClass
from otgate_iec61850.mms.commander import Commander, Controlled
from otgate_iec61850.mms.control import (
    AddCause,
    Command,
    CommandRefused,
    ControlModel,
)
from otgate_iec61850.mms.errors import (
    AccessFailed,
    AssociationLost,
    AssociationRefused,
    Malformed,
    ServiceFailed,
)
from otgate_iec61850.mms.initiate import Terms
from otgate_iec61850.mms.naming import ASSOCIATION, Name, Variable
from otgate_iec61850.mms.rcb import Wanted, interrogated
from otgate_iec61850.mms.responder import Doors
from otgate_iec61850.mms.typespec import named
from otgate_iec61850.mms.values import Bits, Failure, UtcTime
from otgate_sim.iec61850.behaviour import IedFault, Options
from otgate_sim.iec61850.server import Server
from otgate_sim.iec61850.site import server_from_scl
from otgate_sim.simulation import steady_clock
from pems import keep_private

FOREIGN = Path(__file__).parents[1] / "ied_foreign_client.py"
BREAKER = "F3Q1CTRL/CSWI1$CO$Pos"
POSITIONS_BLOCK = "F3Q1CTRL/LLN0.BR.brcbPositions01"
SETTING = Variable(Name("F3Q1PROT", "PTOC1$SP$StrVal$setMag$f"))
LIST = Name("F3Q1MEAS", "LLN0$mine")
HERTZ = Variable(Name("F3Q1MEAS", "MMXU1$MX$Hz"))


async def test_names_come_in_pages_and_every_one_has_a_type_and_a_value() -> None:
    server = bay(Options(page=7))
    async with server.serving(), listening(server) as heard:
        client = heard.client
        for domain in await client.domains():
            names = [Name(domain, n) for n in await client.names(ObjectClass.VARIABLE, domain)]
            values = await client.read([Variable(each) for each in names])
            for name, value in zip(names, values, strict=True):
                assert not isinstance(value, Failure), name
                named(await client.attributes(name), value)


async def test_configured_values_are_served() -> None:
    server = bay()
    async with server.serving(), listening(server) as heard:
        model = Variable(Name("F3Q1CTRL", "CSWI1$CF$Pos$ctlModel"))
        assert await heard.client.read([SETTING, model]) == [480.0, ControlModel.SBO_ENHANCED]


async def test_a_setting_can_be_written_and_a_measurement_cannot() -> None:
    server = bay()
    async with server.serving(), listening(server) as heard:
        await heard.client.write(SETTING, 500.0)
        assert await heard.client.read([SETTING]) == [500.0]
        with pytest.raises(AccessFailed, match="type_inconsistent"):
            await heard.client.write(SETTING, 5)
        with pytest.raises(AccessFailed, match="access_denied"):
            await heard.client.write(HERTZ, ((1.0,), (1.0,), Bits(13, 0), UtcTime(bytes(8))))


async def test_what_is_not_there_is_said_not_to_be_there() -> None:
    server = bay()
    async with server.serving(), listening(server) as heard:
        (value,) = await heard.client.read([Variable(Name("F3Q1MEAS", "MMXU9$MX$Hz"))])
        assert isinstance(value, Failure)
        for call in (heard.client.attributes, heard.client.members, heard.client.read_list):
            with pytest.raises(ServiceFailed):
                await call(Name("F3Q1MEAS", "MMXU9"))
        with pytest.raises(ServiceFailed):
            await heard.client.names(ObjectClass.VARIABLE, "NOWHERE")


async def test_a_data_set_has_its_members_and_as_many_values() -> None:
    server = bay()
    server.set(FREQUENCY, 49.5)
    async with server.serving(), listening(server) as heard:
        found = await heard.client.members(Name("F3Q1MEAS", "LLN0$loads"))
        values = await heard.client.read_list(Name("F3Q1MEAS", "LLN0$loads"), 5)
        assert found.members[4] == HERTZ
        assert not found.deletable
        assert values[4][1] == (49.5,)  # type: ignore[index]


@pytest.mark.parametrize("name", [LIST, Name(ASSOCIATION, "mine")])
async def test_a_client_makes_reports_from_and_deletes_a_data_set(name: Name) -> None:
    server = bay()
    async with server.serving(), listening(server) as heard:
        await heard.client.define_list(name, [HERTZ])
        wanted = Wanted(data_set=f"@{name.item}" if name.domain == ASSOCIATION else str(name))
        await heard.enable(LOADS, wanted, ending=(interrogated(),))
        await heard.until(lambda: bool(heard.reports))
        assert heard.reports[0].size == 1
        assert not await heard.client.delete_list(name)
        await heard.enable(LOADS, Wanted(data_set="F3Q1MEAS/LLN0$loads"))
        assert await heard.client.delete_list(name)


async def test_the_configured_data_set_stays() -> None:
    server = bay()
    async with server.serving(), listening(server) as heard:
        assert not await heard.client.delete_list(Name("F3Q1MEAS", "LLN0$energy"))
        with pytest.raises(ServiceFailed):
            await heard.client.define_list(Name("F3Q1MEAS", "LLN0$energy"), [HERTZ])


async def test_a_file_comes_in_chunks_as_it_is() -> None:
    server = bay(Options(chunk=700))
    async with server.serving(), listening(server) as heard:
        (entry,) = await heard.client.directory()
        assert (entry.name, entry.size) == ("bay.cid", len(CID.read_bytes()))
        assert await heard.client.file("bay.cid") == CID.read_bytes()
        with pytest.raises(ServiceFailed):
            await heard.client.file("other")


async def test_answers_fit_the_smallest_pdu() -> None:
    server = bay()
    ends = Ends(terms=Terms(largest_pdu=512))
    async with server.serving(), listening(server, ends=ends) as heard:
        names = await heard.client.names(ObjectClass.VARIABLE, "F3Q1CTRL")
        assert names == server.holding.names("F3Q1CTRL")
        node = Variable(Name("F3Q1MEAS", "MMXU1"))
        assert isinstance((await heard.client.read([node]))[0], Failure)


async def test_two_clients_have_a_block_each_and_neither_the_others() -> None:
    server = bay()
    other = Name("F3Q1CTRL", "LLN0$BR$brcbPositions02")
    async with server.serving(), listening(server) as one, listening(server) as two:
        await one.enable(POSITIONS)
        await two.enable(other)
        server.set(POSITION, 2)
        await one.until(lambda: bool(one.reports))
        await two.until(lambda: bool(two.reports))
        block = await two.block(POSITIONS)
        assert (block.enabled, block.owner) == (True, b"\x7f\0\0\1")
        with pytest.raises(AccessFailed, match="temporarily"):
            await two.client.write(block.attribute("RptEna"), value=False)


async def cut_and_resumed(server: Server, cuts: int) -> list[int]:
    """Every operation count that a client has taken, which loses its association in between."""
    taken: list[int] = []
    last: bytes | None = None
    for _ in range(cuts):
        async with listening(server) as heard:
            await heard.enable(POSITIONS, resume=last)
            server.burst(OPERATIONS, 10)
            seen = len(server.blocks[POSITIONS_BLOCK].buffer.sent)
            await heard.until(lambda heard=heard: len(heard.reports) > 3)  # type: ignore[misc]
            server.burst(OPERATIONS, 5)
            server.cut()  # with reports under way
            assert len(server.blocks[POSITIONS_BLOCK].buffer.sent) >= seen
            kept = heard.reports[: max(1, len(heard.reports) - 2)]  # the others were not durable
            taken += [value[0] for each in kept for value in each.values]
            last = kept[-1].entry_id
    async with listening(server) as heard:
        await heard.enable(POSITIONS, resume=last)
        newest = server.leaf(OPERATIONS).value
        await heard.until(lambda: bool(heard.of(4)) and heard.of(4)[-1][0] == newest)
        return taken + [value[0] for value in heard.of(4)]


async def test_no_event_is_lost_repeated_or_out_of_order_over_20_cuts() -> None:
    server = bay()
    async with server.serving():
        taken = await cut_and_resumed(server, 20)
    assert taken == list(range(1, 301))


async def test_a_restart_loses_what_was_kept_and_refuses_what_was_known() -> None:
    server = bay()
    async with server.serving():
        server.burst(OPERATIONS, 3)
        async with listening(server) as heard:
            await heard.enable(POSITIONS)
            await heard.until(lambda: len(heard.reports) == 3)
            server.restart()
        async with listening(server) as heard:
            with pytest.raises(AccessFailed, match="value_invalid"):
                await heard.enable(POSITIONS, resume=(3).to_bytes(8))
            await heard.enable(POSITIONS)
            server.burst(OPERATIONS, 1)
            await heard.until(lambda: bool(heard.reports))
            assert heard.of(4)[0][0] == 4


async def test_another_configuration_has_other_members_and_a_higher_revision() -> None:
    server = bay()
    async with server.serving():
        server.reconfigure("F3Q1MEAS/LLN0$loads", [HERTZ])
        async with listening(server) as heard:
            await heard.enable(LOADS, ending=(interrogated(),))
            await heard.until(lambda: bool(heard.reports))
            assert (heard.reports[0].size, heard.reports[0].conf_rev) == (1, 2)


async def test_each_event_of_a_burst_has_its_own_time() -> None:
    server = bay()
    async with server.serving(), listening(server) as heard:
        await heard.enable(POSITIONS)
        made = server.burst(POSITION, 50, step_ns=7_000_000)
        await heard.until(lambda: len(heard.of(0)) == 50)
        times = [value[4] for value in heard.of(0)]
        assert times == [UtcTime.of(each.ns, 0x0A) for each in made]


@pytest.mark.parametrize("fault", [IedFault.NONE, IedFault.EARLY_REPORT])
async def test_a_report_follows_the_response_unless_told_otherwise(fault: IedFault) -> None:
    server = bay()
    server.burst(OPERATIONS, 3)
    server.trouble.begin(fault)
    async with server.serving(), listening(server) as heard:
        enabling = (await heard.block(POSITIONS)).attribute("RptEna")
        heard.keep_order()
        await heard.client.write(enabling, value=True)
        await heard.until(lambda: len(heard.reports) == 3)
    reports = ["InformationReport"] * 3
    early = fault is IedFault.EARLY_REPORT
    assert heard.order[:4] == ([*reports, "Response"] if early else ["Response", *reports])


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("DatSet", "/"), ("DatSet", "x"), ("TrgOps", Bits(2, 1)), ("Owner", b"")],
)
async def test_an_odd_setting_does_not_end_the_association(attribute: str, value: Any) -> None:
    server = bay()
    async with server.serving(), listening(server) as heard:
        with suppress(AccessFailed):
            await heard.client.write((await heard.block(POSITIONS)).attribute(attribute), value)
        server.set(POSITION, 2)
        assert (await heard.client.identify()).vendor == "otgate"


async def reports_under(fault: IedFault, place: int = 0) -> tuple[Listener, Server]:
    """What a client gets of an interrogation while a fault is in force."""
    server = bay()
    async with server.serving(), listening(server) as heard:
        await heard.enable(POSITIONS)
        server.trouble.begin(fault)
        server.set(POSITION, 2)
        await heard.client.write((await heard.block(POSITIONS)).attribute("GI"), value=True)
        await heard.until(lambda: len(heard.unasked) > 1 + place)
        return heard, server


async def test_a_dropped_segment_leaves_no_whole_report() -> None:
    heard, server = await reports_under(IedFault.DROP_SEGMENT, 1)
    assert len(heard.reports) == 1  # the change of one member
    assert heard.segments.dropped
    assert server.blocks[POSITIONS_BLOCK].buffer.made == 2


async def test_another_revision_is_shown() -> None:
    heard, _ = await reports_under(IedFault.CONF_REV)
    assert {each.conf_rev for each in heard.reports} == {2}


async def test_a_report_names_a_data_set_that_nobody_has() -> None:
    heard, _ = await reports_under(IedFault.UNKNOWN_DATA_SET)
    assert {each.data_set for each in heard.reports} == {"NOWHERE0/LLN0$nothing"}


async def test_an_overflow_is_told_and_buffers_keep_one_entry() -> None:
    server = bay()
    server.burst(OPERATIONS, 5)
    server.trouble.begin(IedFault.OVERFLOW)
    async with server.serving(), listening(server) as heard:
        await heard.enable(POSITIONS)
        await heard.until(lambda: bool(heard.reports))
        assert (heard.of(4)[0][0], heard.reports[0].overflow) == (5, True)


async def test_a_late_reply_comes_and_is_nobodys() -> None:
    server = bay()
    server.trouble.late_s = 0.3
    async with server.serving(), listening(server) as heard:
        heard.client.timeout_s = 0.1
        server.trouble.begin(IedFault.LATE)
        with pytest.raises(TimeoutError):
            await heard.client.identify()
        server.trouble.begin(IedFault.NONE)
        heard.client.timeout_s = 5.0
        await eventually(lambda: heard.client.connection.requests.counts.late == 1)
        assert (await heard.client.identify()).vendor == "otgate"


async def test_a_reply_with_another_invoke_id_answers_nothing() -> None:
    server = bay()
    async with server.serving(), listening(server) as heard:
        heard.client.timeout_s = 0.2
        server.trouble.begin(IedFault.WRONG_INVOKE_ID)
        with pytest.raises((TimeoutError, AssociationLost, Malformed)):
            await heard.client.identify()


async def test_silence_is_silence() -> None:
    server = bay()
    async with server.serving(), listening(server) as heard:
        heard.client.timeout_s = 0.2
        server.trouble.begin(IedFault.SILENT, 30)
        with pytest.raises(TimeoutError):
            await heard.client.identify()
        assert server.trouble.spoilt == 1
        server.trouble.begin(IedFault.NONE)


@pytest.mark.parametrize("fault", [IedFault.ABORT, IedFault.CLOSE, IedFault.GARBAGE])
async def test_an_association_ends(fault: IedFault) -> None:
    server = bay()
    async with server.serving(), listening(server) as heard:
        server.trouble.begin(fault)
        with pytest.raises((AssociationLost, Malformed)):
            await heard.client.identify()


async def commanded(server: Server, heard: Listener, name: str, value: Any) -> None:
    """Operate an object as its model says."""
    controlled = server.controls[name]
    commander = Commander(heard.client, termination_s=5.0)
    heard.commander = commander
    command = Command(value, 1, UtcTime.of(server.clock()))
    await commander.operate(Controlled(controlled.name, controlled.model), command)


@pytest.mark.parametrize("model", [m for m in ControlModel if m])
async def test_a_command_is_carried_out_under_each_model(
    model: ControlModel, tmp_path: Path
) -> None:
    way, how = model.name.lower().split("_")
    word = f"{way}-with-{how}-security"
    cid = tmp_path / "bay.cid"
    text = CID.read_text().replace(
        ">sbo-with-enhanced-security</Val></DAI>", f">{word}</Val></DAI>"
    )
    cid.write_text(text)
    server = server_from_scl(cid, steady_clock())
    async with server.serving(), listening(server) as heard:
        await commanded(server, heard, BREAKER, value=True)
    assert server.controls[BREAKER].model is model
    assert server.controls[BREAKER].commands == [True]
    assert server.leaf("F3Q1CTRL/CSWI1.Pos.stVal [ST]").value == Bits(2, 2)


async def test_an_object_for_status_only_is_not_commanded() -> None:
    server = bay()
    async with server.serving(), listening(server) as heard:
        with pytest.raises(CommandRefused, match="not_supported"):
            await commanded(server, heard, "F3Q1CTRL/XCBR1$CO$Pos", value=True)


async def test_a_control_model_that_is_none_commands_nothing() -> None:
    server = bay()
    async with server.serving(), listening(server) as heard:
        await heard.client.write(Variable(Name("F3Q1CTRL", "CSWI1$CF$Pos$ctlModel")), -1)
        with pytest.raises(CommandRefused, match="not_supported"):
            await commanded(server, heard, BREAKER, value=True)


async def test_an_object_that_is_not_selected_is_not_operated() -> None:
    server = bay()
    async with server.serving(), listening(server) as heard:
        chosen = Controlled(server.controls[BREAKER].name, ControlModel.DIRECT_ENHANCED)
        command = Command(value=True, number=1, time=UtcTime.of(server.clock()))
        heard.commander = Commander(heard.client)
        with pytest.raises(CommandRefused, match="object_not_selected"):
            await heard.commander.operate(chosen, command)


async def test_an_interlocked_command_says_so() -> None:
    server = bay()
    name = BREAKER
    server.controls[name].refuses = AddCause.BLOCKED_BY_INTERLOCKING
    async with server.serving(), listening(server) as heard:
        heard.keep_order()
        with pytest.raises(CommandRefused, match="interlocking"):
            await commanded(server, heard, name, value=True)
        assert heard.order == ["InformationReport", "Response"]  # LastApplError comes first
        server.controls[name].refuses = None
        server.controls[name].ends_with = AddCause.TIME_LIMIT_OVER
        with pytest.raises(CommandRefused, match="time_limit"):
            await commanded(server, heard, name, value=True)
    assert not server.controls[name].commands


async def test_an_object_that_another_client_selected_is_locked() -> None:
    server = bay()
    name = BREAKER
    async with server.serving(), listening(server) as one, listening(server) as two:
        chosen = Controlled(server.controls[name].name, ControlModel.SBO_ENHANCED)
        command = Command(value=True, number=1, time=UtcTime.of(server.clock()))
        await Commander(one.client).select(chosen, command)
        with pytest.raises(CommandRefused):
            await Commander(two.client).select(chosen, command)
        await Commander(one.client).cancel(chosen, command)
        await Commander(two.client).select(chosen, command)


async def test_a_server_that_asks_for_a_password_refuses_without_it() -> None:
    server = bay(Options(doors=Doors(password=b"secret")))
    async with server.serving():
        with pytest.raises(AssociationRefused, match="password"):
            async with listening(server):
                pass
        async with listening(server, ends=Ends(password=b"secret")) as heard:
            assert (await heard.client.identify()).vendor == "otgate"


async def test_it_is_served_under_tls(tmp_path: Path) -> None:
    authority, paths = trustme.CA(), {}
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for end in ("client", "server"):
        issued = authority.issue_cert("127.0.0.1")
        issued.cert_chain_pems[0].write_to_path(tmp_path / f"{end}.pem")
        keep_private(issued, tmp_path / f"{end}.key")
        paths[end] = TlsFiles(tmp_path / "ca.pem", tmp_path / f"{end}.pem", tmp_path / f"{end}.key")
    server = bay(Options(tls=paths["server"]))
    async with server.serving(), listening(server, paths["client"]) as heard:
        assert server.url.startswith("mmss://")
        await heard.enable(POSITIONS)
        server.set(POSITION, 2)
        await heard.until(lambda: bool(heard.reports))


def test_a_server_without_that_ied_is_refused() -> None:
    with pytest.raises(Refused, match="no IED"):
        server_from_scl(CID, lambda: 0, ied="OTHER")


async def test_an_independent_client_browses_reads_writes_and_takes_reports() -> None:
    if find_spec("iec61850") is None:
        pytest.skip("the package iec61850 has no wheel for this machine")
    server = bay()
    server.set(FREQUENCY, 50.25)
    async with server.serving() as port:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(FOREIGN), str(port), stdout=asyncio.subprocess.PIPE
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), 60)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    found = json.loads(said)
    assert found["domains"] == ["F3Q1CTRL", "F3Q1LD0", "F3Q1MEAS", "F3Q1PROT"]
    assert (found["nodes"], found["hertz"]) == (["LLN0", "MMTR1", "MMXU1"], 50.25)
    assert (found["members"], found["values"]) == (5, 5)
    assert list(found["reports"].values()) == [[5], [6]]
    assert server.leaf("F3Q1PROT/PTOC1.StrVal.setMag.f [SP]").value == 510.0


async def test_an_independent_dissector_finds_nothing_wrong(tmp_path: Path) -> None:
    server, said = bay(Options(segment_members=2)), []
    server.tap = lambda client, octets: said.append((client, octets))
    async with server.serving(), listening(server) as heard:
        names = await heard.client.names(ObjectClass.VARIABLE, "F3Q1MEAS")
        await heard.client.read([Variable(Name("F3Q1MEAS", each)) for each in names])
        await heard.client.attributes(Name("F3Q1CTRL", "CSWI1"))
        await heard.client.define_list(LIST, [HERTZ])
        await heard.client.delete_list(LIST)
        await heard.client.directory()
        await heard.enable(POSITIONS, ending=(interrogated(),))
        await heard.enable(LOADS, ending=(interrogated(),))
        await heard.until(lambda: len(heard.reports) == 2)
        server.controls[BREAKER].refuses = AddCause.BLOCKED_BY_MODE
        with pytest.raises(CommandRefused):
            await commanded(server, heard, BREAKER, value=True)
    capture(tmp_path / "session.pcap", said, MMS_PORT)
    packets = await asyncio.to_thread(dissected, tmp_path / "session.pcap")
    assert not complaints(packets)
    assert {"mms.informationReport_element", "mms.getNameList_element"} <= names_of(packets)
