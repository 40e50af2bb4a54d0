"""Entries as reports: the options that a block asks for, and segments where one is too long."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from otgate_iec61850.mms.data import encoded
from otgate_iec61850.mms.report import OPTION_BITS, Option, Report
from otgate_iec61850.mms.values import BinaryTime, Bits
from otgate_sim.iec61850.behaviour import IedFault, Options
from otgate_sim.iec61850.buffering import Entry

ENVELOPE = 400
"""Octets of a report besides its members: names, options, and the layers below."""
REASON_OCTETS = 4
SEQUENCE = {True: 1 << 16, False: 1 << 8}
"""After how many reports SqNum starts again, buffered and not: IEC 61850-8-1."""
NOWHERE = "NOWHERE0/LLN0$nothing"
"""A data set that nobody has."""


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What every report of a block says of itself."""

    rpt_id: str
    options: Bits
    data_set: str
    conf_rev: int
    references: Sequence[str]
    """Of all members."""


def without(options: Bits, *masked: Option) -> Bits:
    """Return OptFlds, ten bits long, with these cleared."""
    kept = (place for place in options.places if place < OPTION_BITS)
    return Bits.of(OPTION_BITS, *(place for place in kept if place not in masked))


def settable(options: Bits, *, buffered: bool) -> Bits:
    """Return OptFlds as a block takes them: segments tell themselves; URCBs mask BRCBs' own."""
    extra = () if buffered else (Option.BUFFER_OVERFLOW, Option.ENTRY_ID)
    return without(options, Option.SEGMENTATION, *extra)


def report_of(head: Letterhead, entry: Entry, sq_num: int, *, overflow: bool) -> Report:
    """Return the report that says what an entry holds."""
    return Report(
        rpt_id=head.rpt_id,
        options=without(head.options, Option.SEGMENTATION),
        size=len(head.references),
        members=entry.members,
        values=entry.values,
        sq_num=sq_num,
        entry_time=BinaryTime.of(entry.ns),
        data_set=head.data_set,
        overflow=overflow,
        entry_id=entry.id,
        conf_rev=head.conf_rev,
        references=[head.references[place] for place in entry.members],
        reasons=entry.reasons,
    )


def segmented(whole: Report, octets: int, members: int = 0) -> list[Report]:
    """Return a report as segments of at most that many octets, and members where told."""
    cuts = list(_cuts(whole, octets - ENVELOPE, members or len(whole.members)))
    if len(cuts) < 2:
        return [whole]
    options = Bits.of(OPTION_BITS, *whole.options.places, Option.SEGMENTATION)
    references, reasons = whole.references or (), whole.reasons or ()
    return [
        replace(
            whole,
            options=options,
            members=whole.members[cut],
            values=whole.values[cut],
            references=references[cut],
            reasons=reasons[cut],
            sub_sq_num=number,
            more=number < len(cuts) - 1,
        )
        for number, cut in enumerate(cuts)
    ]


def sent_parts(whole: Report, largest_pdu: int, options: Options, fault: str) -> list[Report]:
    """Return what is sent of a report: all of it, or what a fault leaves."""
    octets, members = min(largest_pdu, options.report_octets), options.segment_members
    if fault != IedFault.DROP_SEGMENT:
        return segmented(whole, octets, members)
    parts = segmented(whole, octets, max(1, len(whole.members) // 3))
    return parts[:1] + parts[2:]


def _cuts(whole: Report, room: int, members: int) -> Iterator[slice]:
    begun, used = 0, 0
    for at, value in enumerate(whole.values):
        size = len(encoded(value)) + REASON_OCTETS
        if Option.DATA_REFERENCE in whole.options.places and whole.references:
            size += len(whole.references[at]) + 2
        if at > begun and (used + size > room or at - begun >= members):
            yield slice(begun, at)
            begun, used = at, 0
        used += size
    yield slice(begun, len(whole.values))
