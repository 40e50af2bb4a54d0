"""Reports of IEC 61850-8-1, both directions: an information report whose list is named RPT.

What a report holds is told by the options that it carries itself, never by what was asked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag
from typing import Any, TypeVar

from otgate_iec61850.mms.access import InformationReport
from otgate_iec61850.mms.errors import Malformed
from otgate_iec61850.mms.naming import VMD, Name
from otgate_iec61850.mms.values import BinaryTime, Bits, Unsigned

RPT = Name(VMD, "RPT")

OPTION_BITS = 10


class Option(IntEnum):
    """Places of the bits of OptFlds: IEC 61850-8-1."""

    SEQUENCE_NUMBER = 1
    TIME_STAMP = 2
    REASON = 3
    DATA_SET = 4
    DATA_REFERENCE = 5
    BUFFER_OVERFLOW = 6
    ENTRY_ID = 7
    CONF_REVISION = 8
    SEGMENTATION = 9


class Reason(IntFlag):
    """Why a member is in a report; a reason's bits shifted so that bit 0 is 0x80."""

    DATA_CHANGE = 0x40
    QUALITY_CHANGE = 0x20
    DATA_UPDATE = 0x10
    INTEGRITY = 0x08
    GENERAL_INTERROGATION = 0x04
    APPLICATION_TRIGGER = 0x02


def options(*asked: Option) -> Bits:
    """Return OptFlds with these set."""
    return Bits.of(OPTION_BITS, *asked)


@dataclass(slots=True)
class Report:
    """One report, or one segment of one. What it does not carry is None."""

    rpt_id: str
    options: Bits
    size: int
    """Members of the data set, included or not."""
    members: Sequence[int]
    """Which of them are included, by place; the columns below are about those alone."""
    values: Sequence[Any]
    sq_num: int | None = None
    entry_time: BinaryTime | None = None
    data_set: str | None = None
    overflow: bool | None = None
    entry_id: bytes | None = None
    conf_rev: int | None = None
    sub_sq_num: int | None = None
    more: bool = False
    """Whether further segments follow."""
    references: Sequence[str] | None = None
    reasons: Sequence[int] | None = None
    """`Reason` of each member, as a plain number."""


_T = TypeVar("_T")


class _Fields:
    """The values of a report, taken one after another."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._values: Iterator[Any] = iter(values)

    def take(self, kind: type[_T], name: str) -> _T:
        found = next(self._values, None)
        if not isinstance(found, kind):
            raise Malformed(f"a report's {name} is {type(found).__name__}")
        return found

    def rest(self) -> list[Any]:
        return list(self._values)


def is_report(report: InformationReport) -> bool:
    """Tell whether it is a report (and not, say, the end of a command)."""
    return report.access == RPT


def read(report: InformationReport) -> Report:
    """Return a report, or a segment.

    Raises:
        Malformed: its values are not those of a report.
    """
    taken = _Fields(report.values)
    rpt_id, carried = taken.take(str, "RptID"), taken.take(Bits, "OptFlds")
    if carried.size > 64:
        raise Malformed(f"OptFlds of {carried.size} bits")
    found = Report(rpt_id, carried, 0, (), ())
    has = frozenset(carried.places)
    _read_head(found, taken, has)
    inclusion = taken.take(Bits, "inclusion")
    found.size, found.members = inclusion.size, inclusion.places
    _read_columns(found, taken.rest(), has)
    return found


def _read_head(found: Report, taken: _Fields, has: frozenset[int]) -> None:
    if Option.SEQUENCE_NUMBER in has:
        found.sq_num = taken.take(int, "SqNum")
    if Option.TIME_STAMP in has:
        found.entry_time = taken.take(BinaryTime, "TimeOfEntry")
    if Option.DATA_SET in has:
        found.data_set = taken.take(str, "DatSet")
    if Option.BUFFER_OVERFLOW in has:
        found.overflow = taken.take(bool, "BufOvfl")
    if Option.ENTRY_ID in has:
        found.entry_id = taken.take(bytes, "EntryID")
    if Option.CONF_REVISION in has:
        found.conf_rev = taken.take(int, "ConfRev")
    if Option.SEGMENTATION in has:
        found.sub_sq_num = taken.take(int, "SubSqNum")
        found.more = taken.take(bool, "MoreSegmentsFollow")


def _read_columns(found: Report, rest: list[Any], has: frozenset[int]) -> None:
    """Split what follows the inclusion; references may be missing though announced."""
    count = len(found.members)
    referred, reasoned = Option.DATA_REFERENCE in has, Option.REASON in has
    columns = 1 + reasoned
    if referred and len(rest) == count * (columns + 1):
        found.references = rest[:count]
        if not all(type(each) is str for each in found.references):
            raise Malformed("a report's reference is no text")
        rest = rest[count:]
    if len(rest) != count * columns:
        raise Malformed(f"{len(rest)} values of {count} members in a report")
    found.values = rest[:count]
    if reasoned:
        found.reasons = [_reason(each) for each in rest[count:]]


def _reason(bits: Any) -> int:
    if type(bits) is not Bits or bits.size > 8:
        raise Malformed("a report's reason is no bit string")
    return bits.value << 8 - bits.size


def write(report: Report) -> InformationReport:
    """Return the information report that carries a report, as its options say."""
    has = frozenset(report.options.places)
    values: list[Any] = [report.rpt_id, report.options]
    head = (
        (Option.SEQUENCE_NUMBER, Unsigned(report.sq_num or 0)),
        (Option.TIME_STAMP, report.entry_time or BinaryTime(bytes(6))),
        (Option.DATA_SET, report.data_set or ""),
        (Option.BUFFER_OVERFLOW, bool(report.overflow)),
        (Option.ENTRY_ID, report.entry_id or bytes(8)),
        (Option.CONF_REVISION, Unsigned(report.conf_rev or 0)),
        (Option.SEGMENTATION, Unsigned(report.sub_sq_num or 0)),
    )
    values += [value for option, value in head if option in has]
    if Option.SEGMENTATION in has:
        values.append(report.more)
    values.append(Bits.of(report.size, *report.members))
    if Option.DATA_REFERENCE in has and report.references is not None:
        values += report.references
    values += report.values
    if Option.REASON in has:
        values += [Bits(7, each >> 1) for each in report.reasons or ()]
    return InformationReport(RPT, values)


MOST_UNFINISHED = 64
MOST_SEGMENTS = 1000
MOST_MEMBERS = 100_000


class Segments:
    """Puts segmented reports together. A report that misses one is dropped and counted."""

    def __init__(self) -> None:
        self.dropped = 0
        """Reports that never became whole."""
        self._unfinished: dict[str, list[Report]] = {}

    def add(self, segment: Report) -> Report | None:
        """Take a report or segment; return the whole report that it is or completes."""
        begun = self._unfinished.pop(segment.rpt_id, None)
        if begun is not None and not self._continues(begun[-1], segment):
            self.dropped += 1
            begun = None
        if begun is None:
            if segment.sub_sq_num:
                self.dropped += 1
                return None
            if not segment.more:
                return segment
            begun = []
        return self._grown([*begun, segment])

    def _grown(self, parts: list[Report]) -> Report | None:
        if not parts[-1].more:
            return _joined(parts)
        members = sum(len(each.members) for each in parts)
        if len(parts) > MOST_SEGMENTS or members > MOST_MEMBERS:
            self.dropped += 1
            return None
        if len(self._unfinished) >= MOST_UNFINISHED:
            del self._unfinished[next(iter(self._unfinished))]
            self.dropped += 1
        self._unfinished[parts[-1].rpt_id] = parts
        return None

    def _continues(self, last: Report, segment: Report) -> bool:
        return (
            segment.sub_sq_num == (last.sub_sq_num or 0) + 1
            and segment.sq_num == last.sq_num
            and segment.entry_id == last.entry_id
            and segment.size == last.size
        )


def _joined(parts: list[Report]) -> Report:
    def column(name: str) -> list[Any] | None:
        columns = [getattr(each, name) for each in parts]
        return None if None in columns else [value for each in columns for value in each]

    return replace(
        parts[0],
        more=False,
        overflow=any(each.overflow for each in parts) if parts[0].overflow is not None else None,
        members=column("members") or [],
        values=column("values") or [],
        references=column("references"),
        reasons=column("reasons"),
    )
