"""Commands: all four models, what refuses them, and how they end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from mms_served import HERE, STAMP, Peer, Served, serving
from otgate_iec61850.mms import control, pdu
from otgate_iec61850.mms.access import InformationReport, Read, Results, Write, Written
from otgate_iec61850.mms.association import Ends
from otgate_iec61850.mms.client import connected
from otgate_iec61850.mms.commander import Commander, Controlled
from otgate_iec61850.mms.control import (
    AddCause,
    ApplicationError,
    Command,
    CommandRefused,
    ControlModel,
    part,
    read_notice,
    structure,
)
from otgate_iec61850.mms.errors import Malformed
from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.values import Bits, Failure, Unsigned, UtcTime

POS = Name("LD", "CSWI1$CO$Pos")
ON = Command(value=True, number=300, time=STAMP, identity=b"me")
BLOCKED = ApplicationError("LD/CSWI1$CO$Pos", 1, 44, AddCause.BLOCKED_BY_INTERLOCKING)


def test_a_command_is_built_as_the_server_describes_it() -> None:
    assert structure(ON, control.OPERATE) == (
        True, (3, b"me"), Unsigned(44), STAMP, False, Bits(2, 0),
    )  # fmt: skip
    assert structure(ON, ("ctlVal", "operTm"))[1] == UtcTime(bytes(8))
    with pytest.raises(Malformed):
        structure(ON, ("ctlVal", "more"))


@pytest.mark.parametrize("error", [None, BLOCKED])
def test_the_end_of_a_command_comes_back(error: ApplicationError | None) -> None:
    said = control.termination_report(part(POS, "Oper"), structure(ON, control.OPERATE), error)
    notice = read_notice(said)
    assert notice is not None
    assert (notice.control, notice.error) == (POS, error)


def test_a_cause_comes_back_in_words() -> None:
    notice = read_notice(control.error_report(BLOCKED))
    assert notice is not None
    assert (notice.control, notice.error) == (None, BLOCKED)
    assert BLOCKED.words == "blocked_by_interlocking"
    assert ApplicationError("x", 0, 0, 99).words == "cause 99"


def test_what_is_about_no_command_is_none() -> None:
    assert read_notice(InformationReport(Name("", "RPT"), ())) is None
    assert read_notice(InformationReport((Variable(Name("LD", "A$ST$x")),), (1,))) is None


@pytest.mark.parametrize("value", [5, (1, 2), ("x", "y", 1, 2, 3)])
def test_a_cause_of_other_types_is_malformed(value: Any) -> None:
    with pytest.raises(Malformed):
        control.read_error(value)


@dataclass
class Switch:
    """A switch on a server: what it was told, what it refuses, how it ends."""

    refuses: str = ""
    ends: ApplicationError | None = None
    told: list[str] = field(default_factory=list)

    def answer(self, peer: Peer, asked: pdu.Request) -> bool:
        service = asked.service
        if not isinstance(service, Read | Write) or isinstance(service.access, Name):
            return True
        what = service.access[0].name.item.rsplit("$", 1)[1]
        self.told.append(what)
        if isinstance(service, Read):
            peer.responder.respond(asked, Results(["" if self.refuses == what else str(POS)]))
            return False
        if self.refuses == what:
            peer.report(control.error_report(BLOCKED))
        peer.responder.respond(asked, Written([Failure(3) if self.refuses == what else None]))
        if what == "Oper" and self.refuses != what:
            peer.report(control.termination_report(part(POS, what), service.values[0], self.ends))
        return False


@contextlib.asynccontextmanager
async def commanding(switch: Switch) -> AsyncIterator[Commander]:
    served = Served()
    served.answer = switch.answer
    waiting: list[InformationReport] = []
    async with (
        serving(served),
        connected(HERE, served.port, Ends(), lambda said, _: hand(said)) as client,
    ):
        commander = Commander(client, termination_s=0.2)

        def hand(said: InformationReport) -> None:
            waiting.append(said)
            notice = read_notice(said)
            if notice is not None:
                commander.notice(notice)

        yield commander


@pytest.mark.parametrize(("model", "told"), [
    (ControlModel.DIRECT_NORMAL, ["Oper"]),
    (ControlModel.SBO_NORMAL, ["SBO", "Oper"]),
    (ControlModel.DIRECT_ENHANCED, ["Oper"]),
    (ControlModel.SBO_ENHANCED, ["SBOw", "Oper"]),
])  # fmt: skip
async def test_each_model_has_its_steps(model: ControlModel, told: list[str]) -> None:
    switch = Switch()
    async with commanding(switch) as commander:
        await commander.operate(Controlled(POS, model), ON)
    assert switch.told == told


@pytest.mark.parametrize(("model", "refuses"), [
    (ControlModel.DIRECT_NORMAL, "Oper"), (ControlModel.SBO_ENHANCED, "SBOw"),
    (ControlModel.SBO_ENHANCED, "Oper"),
])  # fmt: skip
async def test_a_refusal_tells_its_cause_and_is_not_tried_again(
    model: ControlModel, refuses: str
) -> None:
    switch = Switch(refuses)
    async with commanding(switch) as commander:
        with pytest.raises(CommandRefused, match="blocked_by_interlocking"):
            await commander.operate(Controlled(POS, model), ON)
    assert switch.told.count(refuses) == 1
    assert switch.told[-1] == refuses


async def test_an_object_that_is_not_selected_is_not_operated() -> None:
    switch = Switch("SBO")
    async with commanding(switch) as commander:
        with pytest.raises(CommandRefused, match="not selected"):
            await commander.operate(Controlled(POS, ControlModel.SBO_NORMAL), ON)
    assert switch.told == ["SBO"]


async def test_a_command_that_ends_without_success_says_why() -> None:
    async with commanding(Switch(ends=BLOCKED)) as commander:
        with pytest.raises(CommandRefused, match="without success: blocked_by_interlocking"):
            await commander.operate(Controlled(POS, ControlModel.DIRECT_ENHANCED), ON)


async def test_a_command_whose_end_is_not_told_times_out() -> None:
    switch = Switch()
    async with commanding(switch) as commander:
        commander.notice = lambda _: None  # type: ignore[method-assign]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(
                commander.operate(Controlled(POS, ControlModel.DIRECT_ENHANCED), ON), 5
            )


async def test_a_selection_is_cancelled() -> None:
    switch = Switch()
    async with commanding(switch) as commander:
        controlled = Controlled(POS, ControlModel.SBO_ENHANCED)
        await commander.select(controlled, ON)
        await commander.cancel(controlled, ON)
    assert switch.told == ["SBOw", "Cancel"]
