"""MMS PDUs, both directions: ISO 9506-2, MMSpdu."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otgate_iec61850.mms import access, browse, files
from otgate_iec61850.mms.access import InformationReport, read_report, report_octets
from otgate_iec61850.mms.ber import (
    INTEGER,
    SEQUENCE,
    element,
    fields,
    header,
    integer,
    integer_octets,
    read_integer,
    read_text,
    read_unsigned,
    required,
    text,
)
from otgate_iec61850.mms.errors import Malformed, Rejected, ServiceFailed
from otgate_iec61850.mms.initiate import Terms, decoded, encoded

REQUEST, RESPONSE, ERROR, UNCONFIRMED, REJECT, CANCEL = 0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0x85
INITIATE, INITIATED, INITIATE_ERROR, CONCLUDE, CONCLUDED, CONCLUDE_ERROR = (
    0xA8, 0xA9, 0xAA, 0x8B, 0x8C, 0xAD,
)  # fmt: skip

INFORMATION_REPORT = 0xA0

SERVICES = (*access.SERVICES, *browse.SERVICES, *files.SERVICES)
BY_REQUEST = {each.request: each for each in SERVICES}
BY_REQUEST_TAG = {each.request_tag: each for each in SERVICES}
BY_RESPONSE_TAG = {each.response_tag: each for each in SERVICES}
RESPONSE_TAGS = {each.request: each.response_tag for each in SERVICES}


@dataclass(frozen=True, slots=True)
class Unknown:
    """A service that this package does not know, by its identifier."""

    tag: int


@dataclass(frozen=True, slots=True)
class Request:
    """A confirmed request."""

    invoke_id: int
    service: Any


@dataclass(frozen=True, slots=True)
class Response:
    """The response to a request; ``tag`` tells the service."""

    invoke_id: int
    tag: int
    service: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """The response to a request that failed."""

    invoke_id: int
    error: ServiceFailed


@dataclass(frozen=True, slots=True)
class Reject:
    """The peer could make nothing of a PDU; of a request it says which."""

    invoke_id: int | None
    reason: Rejected


@dataclass(frozen=True, slots=True)
class Cancel:
    """Ask to give a request up."""

    invoke_id: int


@dataclass(frozen=True, slots=True)
class Conclude:
    """Ask to end the association."""


@dataclass(frozen=True, slots=True)
class Concluded:
    """Agree to end the association, or not."""

    agreed: bool = True


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A service without an answer that is no information report."""

    tag: int


Pdu = (
    Request | Response | Failed | InformationReport | Reject | Cancel | Conclude | Concluded
    | Unconfirmed
)  # fmt: skip


def request(invoke_id: int, service: Any) -> bytes:
    """Return a confirmed request."""
    known = BY_REQUEST[type(service)]
    body = element(known.request_tag, known.encode_request(service))
    return element(REQUEST, integer(INTEGER, invoke_id), body)


def response(asked: Request, said: Any) -> bytes:
    """Return the response to a request.

    Raises:
        TypeError: ``said`` is not what such a request is answered with.
    """
    known = BY_REQUEST[type(asked.service)]
    if not isinstance(said, known.response):
        raise TypeError(f"{type(said).__name__} answers no {known.request.__name__}")
    body = element(known.response_tag, known.encode_response(said))
    return element(RESPONSE, integer(INTEGER, asked.invoke_id), body)


def failed(invoke_id: int, error: ServiceFailed) -> bytes:
    """Return the error response to a request."""
    identity = element(0x80, integer_octets(invoke_id))
    return element(ERROR, identity, element(0xA2, _error(error)))


def information_report(report: InformationReport) -> bytes:
    """Return an unconfirmed information report."""
    return element(UNCONFIRMED, element(INFORMATION_REPORT, report_octets(report)))


def reject(invoke_id: int | None, kind: int, code: int) -> bytes:
    """Return a reject; kind 1 is a confirmed request, 5 any PDU."""
    identity = b"" if invoke_id is None else integer(0x80, invoke_id)
    return element(REJECT, identity, integer(0x80 | kind, code))


def initiate(terms: Terms) -> bytes:
    """Return the request that opens an association."""
    return element(INITIATE, encoded(terms))


def initiated(terms: Terms) -> bytes:
    """Return the response that opens an association."""
    return element(INITIATED, encoded(terms))


CONCLUDE_REQUEST, CONCLUDE_RESPONSE = element(CONCLUDE), element(CONCLUDED)


def read_initiate(data: bytes) -> Terms:
    """Return the terms of an initiate request or response.

    Raises:
        ServiceFailed: it is an initiate error.
        Malformed: it is none of them.
    """
    tag, start, stop = header(data, 0, len(data))
    if tag == INITIATE_ERROR:
        raise _read_error(data, start, stop)
    if tag not in {INITIATE, INITIATED}:
        raise Malformed(f"PDU {tag:#x} where an initiate belongs")
    return decoded(data, start, stop)


def parsed(data: bytes, at: int, end: int) -> Pdu:
    """Return the PDU at ``at``.

    Raises:
        Malformed: it is none.
    """
    tag, start, stop = header(data, at, end)
    try:
        read = _PARSERS[tag]
    except KeyError:
        raise Malformed(f"PDU {tag:#x}") from None
    return read(data, start, stop)


def _request(data: bytes, at: int, end: int) -> Request:
    invoke_id, at = _invoke_id(data, at, end)
    tag, start, stop = header(data, at, end)
    if tag == SEQUENCE:
        tag, start, stop = header(data, stop, end)
    known = BY_REQUEST_TAG.get(tag)
    service = known.decode_request(data, start, stop) if known is not None else Unknown(tag)
    return Request(invoke_id, service)


def _response(data: bytes, at: int, end: int) -> Response:
    invoke_id, at = _invoke_id(data, at, end)
    tag, start, stop = header(data, at, end)
    known = BY_RESPONSE_TAG.get(tag)
    service = known.decode_response(data, start, stop) if known is not None else Unknown(tag)
    return Response(invoke_id, tag, service)


def _invoke_id(data: bytes, at: int, end: int) -> tuple[int, int]:
    tag, start, stop = header(data, at, end)
    if tag != INTEGER:
        raise Malformed("a confirmed PDU without an invoke id")
    return read_unsigned(data, start, stop), stop


def _failed(data: bytes, at: int, end: int) -> Failed:
    found = fields(data, at, end)
    invoke_id = read_unsigned(data, *required(found, 0x80))
    return Failed(invoke_id, _read_error(data, *required(found, 0xA2)))


def _unconfirmed(data: bytes, at: int, end: int) -> InformationReport | Unconfirmed:
    tag, start, stop = header(data, at, end)
    return read_report(data, start, stop) if tag == INFORMATION_REPORT else Unconfirmed(tag)


def _reject(data: bytes, at: int, end: int) -> Reject:
    found = fields(data, at, end)
    invoke_id = read_unsigned(data, *found[0x80]) if 0x80 in found else None
    for tag, place in found.items():
        if tag != 0x80:
            return Reject(invoke_id, Rejected(tag & 0x1F, read_integer(data, *place)))
    return Reject(invoke_id, Rejected(0, 0))


def _error(error: ServiceFailed) -> bytes:
    said = text(0x82, error.description) if error.description else b""
    return element(0xA0, integer(0x80 | error.error_class, error.code)) + said


def _read_error(data: bytes, start: int, stop: int) -> ServiceFailed:
    found = fields(data, start, stop)
    tag, first, last = header(data, *required(found, 0xA0))
    description = read_text(data, *found[0x82]) if 0x82 in found else ""
    return ServiceFailed(tag & 0x1F, read_integer(data, first, last), description)


_PARSERS: dict[int, Callable[[bytes, int, int], Pdu]] = {
    REQUEST: _request,
    RESPONSE: _response,
    ERROR: _failed,
    UNCONFIRMED: _unconfirmed,
    REJECT: _reject,
    CANCEL: lambda data, start, stop: Cancel(read_unsigned(data, start, stop)),
    CONCLUDE: lambda *_: Conclude(),
    CONCLUDED: lambda *_: Concluded(),
    CONCLUDE_ERROR: lambda *_: Concluded(agreed=False),
}
