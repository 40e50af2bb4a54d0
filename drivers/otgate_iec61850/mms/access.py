"""Reading and writing variables, and what a server reports: ISO 9506-2."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from otgate_iec61850.mms.ber import (
    boolean,
    element,
    elements,
    expect,
    fields,
    header,
    integer,
    read_boolean,
    read_unsigned,
    required,
)
from otgate_iec61850.mms.data import FAILURE, joined, values
from otgate_iec61850.mms.errors import Malformed
from otgate_iec61850.mms.naming import Access, access_octets, read_access
from otgate_iec61850.mms.service import Service
from otgate_iec61850.mms.values import Failure, Value

WITH_SPECIFICATION, SPECIFICATION = 0x80, 0xA1
RESULT_SPECIFICATION, RESULTS, DATA, SUCCESS = 0xA0, 0xA1, 0xA0, 0x81


@dataclass(frozen=True, slots=True)
class Read:
    """Read variables one by one, or a list."""

    access: Access
    with_specification: bool = False


@dataclass(frozen=True, slots=True)
class Results:
    """A value, or failure, for each variable read, in order."""

    values: Sequence[Any]
    access: Access | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """Write a value to each variable."""

    access: Access
    values: Sequence[Value]


@dataclass(frozen=True, slots=True)
class Written:
    """For each variable None where it was written, else why not."""

    failures: Sequence[Failure | None]


@dataclass(frozen=True, slots=True)
class InformationReport:
    """Values that a server sends unasked. IEC 61850-8-1 puts reports and more into it."""

    access: Access
    values: Sequence[Any]


def _read(request: Read) -> bytes:
    flag = boolean(WITH_SPECIFICATION, value=True) if request.with_specification else b""
    return flag + element(SPECIFICATION, access_octets(request.access))


def _decode_read(data: bytes, start: int, stop: int) -> Read:
    found = fields(data, start, stop)
    access, _ = read_access(data, *required(found, SPECIFICATION))
    asked = WITH_SPECIFICATION in found and read_boolean(data, *found[WITH_SPECIFICATION])
    return Read(access, asked)


def _results(response: Results) -> bytes:
    access = response.access
    head = b"" if access is None else element(RESULT_SPECIFICATION, access_octets(access))
    return head + element(RESULTS, joined(response.values))


def _decode_results(data: bytes, start: int, stop: int) -> Results:
    access = None
    tag, inner, last = header(data, start, stop)
    if tag == RESULT_SPECIFICATION:
        access, _ = read_access(data, inner, last)
        tag, inner, last = header(data, last, stop)
    if tag != RESULTS:
        raise Malformed("a read's response without results")
    return Results(values(data, inner, last), access)


def _write(request: Write) -> bytes:
    return access_octets(request.access) + element(DATA, joined(request.values))


def _decode_write(data: bytes, start: int, stop: int) -> Write:
    access, at = read_access(data, start, stop)
    return Write(access, values(data, *expect(data, at, stop, DATA)))


def _written(response: Written) -> bytes:
    return b"".join(
        element(SUCCESS) if failure is None else integer(FAILURE, failure.error)
        for failure in response.failures
    )


def _decode_written(data: bytes, start: int, stop: int) -> Written:
    return Written(
        [
            Failure(read_unsigned(data, *place)) if tag == FAILURE else None
            for tag, *place in elements(data, start, stop)
        ]
    )


def report_octets(report: InformationReport) -> bytes:
    """Return the contents of an information report."""
    return access_octets(report.access) + element(DATA, joined(report.values))


def read_report(data: bytes, start: int, stop: int) -> InformationReport:
    """Return an information report from its contents."""
    access, at = read_access(data, start, stop)
    return InformationReport(access, values(data, *expect(data, at, stop, DATA)))


SERVICES = (
    Service(Read, 0xA4, _read, _decode_read, Results, 0xA4, _results, _decode_results),
    Service(Write, 0xA5, _write, _decode_write, Written, 0xA5, _written, _decode_written),
)
