"""A report control block of a simulated server: what it reports, keeps and refuses."""

from typing import TYPE_CHECKING, Any

import pytest

from ieds import CURRENT, FREQUENCY, OPERATIONS, POSITION, bay
from otgate_iec61850.mms.access import InformationReport
from otgate_iec61850.mms.errors import AccessError
from otgate_iec61850.mms.rcb import Trigger, triggers
from otgate_iec61850.mms.report import Option, Reason, Report, options, read
from otgate_iec61850.mms.values import Bits, Failure, Unsigned
from otgate_sim.iec61850.behaviour import Options
from otgate_sim.iec61850.blocks import Block
from otgate_sim.iec61850.server import Server
from simulated import Ticking

if TYPE_CHECKING:
    from otgate_iec61850.mms.naming import Variable

BUFFERED = "F3Q1CTRL/LLN0.BR.brcbPositions01"
UNBUFFERED = "F3Q1MEAS/LLN0.RP.urcbLoads01"
BUSY = Failure(AccessError.TEMPORARILY_UNAVAILABLE)
BAD_VALUE = Failure(AccessError.OBJECT_VALUE_INVALID)


class Heard:
    """A client that keeps its reports."""

    def __init__(self, address: bytes = b"\x0a\x00\x00\x01", largest_pdu: int = 65_000) -> None:
        self.address, self.largest_pdu, self.ready = address, largest_pdu, True
        self.lists: dict[str, tuple[Variable, ...]] = {}
        self.reports: list[Report] = []

    def report(self, report: InformationReport) -> None:
        self.reports.append(read(report))

    tell = report

    @property
    def serials(self) -> list[int]:
        return [int.from_bytes(each.entry_id or b"") for each in self.reports]


class Bench:
    """A server without a network, a clock that stands still, and one client."""

    def __init__(self, behaviour: Options | None = None) -> None:
        self.clock = Ticking()
        self.server: Server = bay(behaviour, self.clock)
        self.client = Heard()
        self.buffered, self.unbuffered = (self.server.blocks[n] for n in (BUFFERED, UNBUFFERED))

    def write(self, block: Block, client: Heard | None = None, **values: Any) -> Failure | None:
        """Write attributes in order; return the last answer."""
        said = None
        for attribute, value in values.items():
            said = block.write(attribute, value, client or self.client)
        return said

    def forward(self, seconds: float) -> None:
        self.clock.forward(seconds)
        for block in self.server.blocks.values():
            block.tick(self.clock.now_ns)

    def operate(self, count: int) -> None:
        """Count breaker operations, an event each."""
        for _ in range(count):
            self.server.set(OPERATIONS, int(self.server.leaf(OPERATIONS).value) + 1)  # type: ignore[call-overload]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(Server, "moved_on", lambda self: None)  # no loop here
    return Bench()


def test_a_new_value_is_reported_as_a_data_change_of_its_member_alone(bench: Bench) -> None:
    bench.write(bench.buffered, RptEna=True)
    bench.server.set(POSITION, 2)
    (report,) = bench.client.reports
    assert (list(report.members), list(report.reasons or ())) == ([0], [Reason.DATA_CHANGE])
    assert report.values[0][2] == Bits(2, 2)


def test_a_new_quality_is_a_quality_change_and_the_same_again_is_nothing(bench: Bench) -> None:
    bench.write(bench.buffered, RptEna=True)
    bench.server.invalid(POSITION)
    bench.server.invalid(POSITION)
    assert [list(each.reasons or ()) for each in bench.client.reports] == [[Reason.QUALITY_CHANGE]]


def test_a_new_time_alone_is_no_event(bench: Bench) -> None:
    bench.write(bench.buffered, RptEna=True)
    bench.clock.forward(5)
    bench.server.set(POSITION)
    assert not bench.client.reports


def test_a_trigger_that_is_not_asked_for_makes_no_report(bench: Bench) -> None:
    bench.write(bench.buffered, TrgOps=triggers(Trigger.QUALITY_CHANGE), RptEna=True)
    bench.server.set(POSITION, 2)
    assert not bench.client.reports


def test_changes_within_the_buffer_time_come_in_one_report(bench: Bench) -> None:
    bench.write(bench.unbuffered, RptEna=True)
    bench.server.set(CURRENT, 11.0)
    bench.server.set(FREQUENCY, 50.5)
    assert not bench.client.reports
    bench.forward(0.1)
    assert [list(each.members) for each in bench.client.reports] == [[0, 4]]


def test_a_second_change_within_the_buffer_time_does_not_hide_the_first(bench: Bench) -> None:
    bench.write(bench.unbuffered, RptEna=True)
    bench.server.set(FREQUENCY, 50.5)
    bench.server.set(FREQUENCY, 50.25)
    bench.forward(0.1)
    assert [each.values[0][1] for each in bench.client.reports] == [(50.5,), (50.25,)]


def test_every_member_is_reported_once_in_an_integrity_period(bench: Bench) -> None:
    bench.write(bench.unbuffered, RptEna=True)
    for _ in range(25):
        bench.forward(1)
    assert [list(each.reasons or ()) for each in bench.client.reports] == [
        [Reason.INTEGRITY] * 5
    ] * 2


def test_an_interrogation_reports_every_member_after_what_waited(bench: Bench) -> None:
    bench.write(bench.unbuffered, RptEna=True)
    bench.server.set(FREQUENCY, 50.5)
    bench.write(bench.unbuffered, GI=True)
    reasons = [list(each.reasons or ()) for each in bench.client.reports]
    assert reasons == [[Reason.DATA_CHANGE], [Reason.GENERAL_INTERROGATION] * 5]


def test_nobody_interrogates_a_block_that_is_not_enabled(bench: Bench) -> None:
    assert bench.write(bench.buffered, GI=True) == BUSY


def test_sequence_numbers_begin_at_0_when_enabled_and_wrap_at_256_unbuffered(bench: Bench) -> None:
    bench.write(bench.unbuffered, BufTm=Unsigned(0), RptEna=True)
    for at in range(257):
        bench.server.set(FREQUENCY, 40.0 + at)
    bench.write(bench.unbuffered, RptEna=False)
    bench.write(bench.unbuffered, RptEna=True)
    bench.server.set(FREQUENCY, 1.0)
    assert [each.sq_num for each in bench.client.reports] == [*range(256), 0, 0]


def test_events_while_nobody_listens_are_kept_and_sent_in_order(bench: Bench) -> None:
    bench.operate(5)
    bench.write(bench.buffered, RptEna=True)
    assert [each.values[0][0] for each in bench.client.reports] == [1, 2, 3, 4, 5]


def test_an_unbuffered_block_forgets_what_nobody_hears(bench: Bench) -> None:
    bench.server.set(FREQUENCY, 50.5)
    bench.write(bench.unbuffered, RptEna=True)
    bench.forward(0.2)
    assert not bench.client.reports


def test_an_entry_id_resumes_after_that_entry(bench: Bench) -> None:
    bench.write(bench.buffered, RptEna=True)
    bench.operate(5)
    bench.server.blocks[BUFFERED].lost(bench.client)
    bench.client.reports.clear()
    bench.write(bench.buffered, EntryID=(3).to_bytes(8), RptEna=True)
    assert bench.client.serials == [4, 5]
    assert list(bench.buffered.buffer.resumed) == [(3).to_bytes(8)]


def test_an_entry_id_of_zeros_sends_all_that_is_kept(bench: Bench) -> None:
    bench.write(bench.buffered, RptEna=True)
    bench.operate(3)
    bench.write(bench.buffered, RptEna=False, EntryID=bytes(8))
    bench.write(bench.buffered, RptEna=True)
    assert bench.client.serials == [1, 2, 3, 1, 2, 3]


def test_without_an_entry_id_only_what_was_never_sent_is_sent(bench: Bench) -> None:
    bench.write(bench.buffered, RptEna=True)
    bench.operate(2)
    bench.write(bench.buffered, RptEna=False)
    bench.operate(1)
    bench.write(bench.buffered, RptEna=True)
    assert bench.client.serials == [1, 2, 3]


def test_an_entry_that_is_not_there_is_refused(bench: Bench) -> None:
    bench.operate(2)
    assert bench.write(bench.buffered, EntryID=(9).to_bytes(8)) == BAD_VALUE


def test_purging_forgets_entries_without_calling_it_a_loss(bench: Bench) -> None:
    bench.operate(3)
    bench.write(bench.buffered, PurgeBuf=True, RptEna=True)
    bench.operate(1)
    assert bench.client.serials == [4]
    assert not bench.client.reports[0].overflow


def test_a_loss_is_told_once_in_the_first_report_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "moved_on", lambda self: None)
    bench = Bench(Options(entries=4))
    bench.operate(6)
    bench.write(bench.buffered, RptEna=True)
    assert bench.client.serials == [3, 4, 5, 6]
    assert [each.overflow for each in bench.client.reports] == [True, False, False, False]
    assert len(bench.buffered.buffer.lost) == 2


def test_sent_entries_make_room_without_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Server, "moved_on", lambda self: None)
    bench = Bench(Options(entries=4))
    bench.write(bench.buffered, RptEna=True)
    bench.operate(10)
    assert not any(each.overflow for each in bench.client.reports)
    assert bench.write(bench.buffered, RptEna=False, EntryID=(2).to_bytes(8)) == BAD_VALUE


def test_a_client_that_takes_nothing_leaves_entries_in_the_buffer(bench: Bench) -> None:
    bench.write(bench.buffered, RptEna=True)
    bench.client.ready = False
    bench.operate(3)
    assert not bench.client.reports
    bench.client.ready = True
    bench.buffered.pump()
    assert bench.client.serials == [1, 2, 3]


def test_an_unbuffered_block_masks_the_options_of_buffered_ones(bench: Bench) -> None:
    asked = options(Option.SEQUENCE_NUMBER, Option.BUFFER_OVERFLOW, Option.ENTRY_ID)
    assert bench.write(bench.unbuffered, OptFlds=asked) is None
    assert bench.unbuffered.value("OptFlds") == options(Option.SEQUENCE_NUMBER)


def test_nothing_is_configured_while_enabled(bench: Bench) -> None:
    bench.write(bench.buffered, RptEna=True)
    for attribute, value in (("BufTm", Unsigned(9)), ("EntryID", bytes(8)), ("PurgeBuf", True)):
        assert bench.write(bench.buffered, **{attribute: value}) == BUSY


def test_another_data_set_raises_the_revision_and_empties_the_buffer(bench: Bench) -> None:
    bench.operate(3)
    assert bench.write(bench.buffered, DatSet="F3Q1MEAS/LLN0$loads") is None
    assert bench.buffered.conf_rev == 2
    assert not bench.buffered.buffer.kept
    assert bench.write(bench.buffered, DatSet="F3Q1MEAS/LLN0$none") == BAD_VALUE


def test_the_same_setting_again_keeps_the_buffer(bench: Bench) -> None:
    bench.operate(3)
    bench.write(bench.buffered, DatSet="F3Q1CTRL/LLN0$positions", BufTm=Unsigned(0))
    assert len(bench.buffered.buffer.kept) == 3


def test_a_block_without_a_data_set_cannot_be_enabled(bench: Bench) -> None:
    bench.write(bench.unbuffered, DatSet="")
    assert bench.write(bench.unbuffered, RptEna=True) == BUSY


def test_a_block_that_a_client_has_is_no_other_ones(bench: Bench) -> None:
    other = Heard(b"\x0a\0\0\2")
    bench.write(bench.unbuffered, Resv=True)
    assert bench.write(bench.unbuffered, other, RptEna=True) == BUSY
    bench.unbuffered.lost(bench.client)
    assert bench.write(bench.unbuffered, other, RptEna=True) is None


def test_a_lost_client_has_its_block_for_as_long_as_it_asked(bench: Bench) -> None:
    other, back = Heard(b"\x0a\0\0\2"), Heard()
    bench.write(bench.buffered, ResvTms=30)
    bench.buffered.lost(bench.client)
    assert bench.write(bench.buffered, other, RptEna=True) == BUSY
    assert bench.write(bench.buffered, back, RptEna=True) is None
    bench.buffered.lost(back)
    bench.forward(30)
    assert bench.write(bench.buffered, other, RptEna=True) is None


def test_a_block_assigned_by_configuration_is_that_address_alone(bench: Bench) -> None:
    bench.buffered.reservation.assign(b"\x0a\0\0\2")
    assert bench.write(bench.buffered, RptEna=True) == BUSY
    assert bench.write(bench.buffered, Heard(b"\x0a\0\0\2"), RptEna=True) is None


def test_a_report_too_long_for_a_pdu_comes_in_segments(bench: Bench) -> None:
    bench.client.largest_pdu = 500
    bench.write(bench.buffered, RptEna=True, GI=True)
    reports = bench.client.reports
    assert len(reports) > 1
    assert [each.sub_sq_num for each in reports] == list(range(len(reports)))
    assert [each.more for each in reports] == [True] * (len(reports) - 1) + [False]
    assert [place for each in reports for place in each.members] == list(range(6))
    assert len({each.sq_num for each in reports}) == 1
