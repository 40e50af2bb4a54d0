"""Reports: what they carry, what is missing, and segments."""

from dataclasses import replace

import pytest

from otgate_iec61850.mms.access import InformationReport
from otgate_iec61850.mms.errors import Malformed
from otgate_iec61850.mms.naming import Name
from otgate_iec61850.mms.report import (
    MOST_UNFINISHED,
    RPT,
    Option,
    Reason,
    Report,
    Segments,
    is_report,
    options,
    read,
    write,
)
from otgate_iec61850.mms.values import Bits, Failure


def carrying(*values: object) -> InformationReport:
    return InformationReport(RPT, values)


def segment(at: int, *, more: bool, rpt_id: str = "r", sq_num: int = 1) -> Report:
    asked = options(Option.SEGMENTATION, Option.SEQUENCE_NUMBER, Option.REASON)
    return Report(
        rpt_id, asked, 10, [at], [float(at)], sq_num=sq_num, sub_sq_num=at, more=more,
        reasons=[Reason.INTEGRITY],
    )  # fmt: skip


def test_only_members_that_are_included_count() -> None:
    found = read(carrying("r", Bits(10, 0), Bits.of(5, 1, 4), "one", "four"))
    assert (found.members, found.values) == ([1, 4], ["one", "four"])


def test_references_may_be_missing_though_they_were_announced() -> None:
    asked = options(Option.DATA_REFERENCE, Option.REASON)
    found = read(carrying("r", asked, Bits.of(5, 1, 4), 1, 4, Bits.of(6, 1), Bits.of(7, 2)))
    assert found.references is None
    assert found.values == [1, 4]
    assert found.reasons == [Reason.DATA_CHANGE, Reason.QUALITY_CHANGE]


def test_references_are_taken_where_they_are() -> None:
    asked = options(Option.DATA_REFERENCE)
    found = read(carrying("r", asked, Bits.of(5, 1, 4), "D/a", "D/b", 1, 4))
    assert (found.references, found.values) == (["D/a", "D/b"], [1, 4])


def test_options_may_be_fewer_bits_than_ten() -> None:
    found = read(carrying("r", Bits.of(8, Option.SEQUENCE_NUMBER), 7, Bits.of(1, 0), 1.5))
    assert (found.sq_num, found.values) == (7, [1.5])


def test_a_member_that_the_server_could_not_read_is_a_failure() -> None:
    assert read(carrying("r", Bits(10, 0), Bits.of(1, 0), Failure(2))).values == [Failure(2)]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ((), "RptID"),
        (("r", 5), "OptFlds"),
        (("r", options(Option.ENTRY_ID), 5), "EntryID"),
        (("r", options(Option.SEGMENTATION), 5), "MoreSegments"),
        (("r", Bits(10, 0)), "inclusion"),
        (("r", Bits(10, 0), Bits.of(3, 0, 1), 1), "1 values of 2 members"),
        (("r", options(Option.REASON), Bits.of(1, 0), 1, 2), "no bit string"),
        (("r", options(Option.DATA_REFERENCE), Bits.of(1, 0), 1, 2), "reference"),
        (("r", Bits(1000, 1)), "OptFlds of 1000"),
    ],
)
def test_what_is_no_report_says_so(values: tuple[object, ...], why: str) -> None:
    with pytest.raises(Malformed, match=why):
        read(carrying(*values))


def test_the_end_of_a_command_is_no_report() -> None:
    assert not is_report(InformationReport(Name("D", "RPT"), ()))
    assert is_report(carrying())


def test_segments_become_one_report() -> None:
    segments = Segments()
    assert segments.add(segment(0, more=True)) is None
    assert segments.add(segment(1, more=True)) is None
    found = segments.add(segment(2, more=False))
    assert found is not None
    assert (found.members, found.values, found.more) == ([0, 1, 2], [0.0, 1.0, 2.0], False)
    assert found.reasons == [Reason.INTEGRITY] * 3


def test_a_report_that_is_not_segmented_passes() -> None:
    whole = segment(0, more=False)
    assert Segments().add(whole) is whole


def test_a_report_that_misses_a_segment_is_dropped_and_counted_once() -> None:
    segments = Segments()
    segments.add(segment(0, more=True))
    assert segments.add(segment(2, more=False)) is None
    assert segments.add(segment(0, more=False, sq_num=2)) is not None
    assert segments.dropped == 2


def test_segments_of_two_reports_may_come_by_turns() -> None:
    segments = Segments()
    for rpt_id in ("a", "b"):
        segments.add(segment(0, more=True, rpt_id=rpt_id))
    found = [segments.add(segment(1, more=False, rpt_id=rpt_id)) for rpt_id in ("a", "b")]
    assert [each.rpt_id for each in found if each] == ["a", "b"]


def test_reports_that_are_never_finished_are_forgotten() -> None:
    segments = Segments()
    for at in range(MOST_UNFINISHED + 5):
        segments.add(segment(0, more=True, rpt_id=str(at)))
    assert segments.dropped == 5
    assert len(segments._unfinished) == MOST_UNFINISHED


def test_an_overflow_told_in_any_segment_is_told() -> None:
    segments, asked = Segments(), options(Option.SEGMENTATION, Option.BUFFER_OVERFLOW)
    first = replace(segment(0, more=True), options=asked, overflow=False)
    segments.add(first)
    last = replace(segment(1, more=False), options=asked, overflow=True)
    found = segments.add(last)
    assert found is not None
    assert found.overflow is True


def test_what_a_server_writes_a_client_reads() -> None:
    made = segment(0, more=True)
    assert read(write(made)) == made
