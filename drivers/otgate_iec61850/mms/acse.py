"""Association control: AARQ, AARE, release and abort, with password authentication.

ISO 8650-1. Names of application processes are object identifiers (form 2).
"""

from dataclasses import dataclass, field

from otgate_iec61850.mms.ber import (
    EXTERNAL,
    INTEGER,
    OBJECT_ID,
    element,
    expect,
    fields,
    header,
    integer,
    object_id,
    read_integer,
    read_object_id,
    required,
)
from otgate_iec61850.mms.errors import Malformed
from otgate_iec61850.mms.presentation import BER_SYNTAX, Arcs

MMS_CONTEXT: Arcs = (1, 0, 9506, 2, 3)
"""The application context name: IEC 61850-8-1."""

PASSWORD: Arcs = (2, 2, 3, 1)
"""Mechanism name of a password."""

AARQ, AARE, RLRQ, RLRE, ABRT = 0x60, 0x61, 0x62, 0x63, 0x64

CONTEXT_NAME, USER_INFORMATION = 0xA1, 0xBE
REQUIREMENTS, MECHANISM, AUTHENTICATION = 0x8A, 0x8B, 0xAC
RESULT, DIAGNOSTIC = 0xA2, 0xA3
CALLED_TITLE, CALLED_QUALIFIER, CALLING_TITLE, CALLING_QUALIFIER = 0xA2, 0xA3, 0xA6, 0xA7
RESPONDING_TITLE, RESPONDING_QUALIFIER = 0xA4, 0xA5

USES_AUTHENTICATION = b"\x07\x80"
CHARACTERS = 0x80

ACCEPTED, REJECTED = 0, 1
AUTHENTICATION_FAILED, AUTHENTICATION_REQUIRED = 13, 14
"""Diagnostics of the service user: ISO 8650-1."""

DIAGNOSTICS = {
    2: "the application context is not supported",
    3: "the calling AP-title is not recognised",
    5: "the calling AE-qualifier is not recognised",
    7: "the called AP-title is not recognised",
    9: "the called AE-qualifier is not recognised",
    AUTHENTICATION_FAILED: "the password is wrong",
    AUTHENTICATION_REQUIRED: "a password is required",
}


@dataclass(frozen=True, slots=True)
class Title:
    """An AP-title and AE-qualifier; either may be absent."""

    ap_title: Arcs = ()
    ae_qualifier: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """An AARQ."""

    calling: Title
    called: Title
    password: bytes | None = field(repr=False)
    user_information: bytes
    context_name: Arcs = MMS_CONTEXT


@dataclass(frozen=True, slots=True)
class Answered:
    """An AARE."""

    result: int
    diagnostic: int
    responding: Title
    user_information: bytes


def ask(asked: Asked, context: int) -> bytes:
    """Return the AARQ; what it carries is in presentation context ``context``."""
    parts = [element(CONTEXT_NAME, object_id(OBJECT_ID, asked.context_name))]
    parts += _title(asked.called, CALLED_TITLE, CALLED_QUALIFIER)
    parts += _title(asked.calling, CALLING_TITLE, CALLING_QUALIFIER)
    if asked.password is not None:
        parts.append(element(REQUIREMENTS, USES_AUTHENTICATION))
        parts.append(object_id(MECHANISM, PASSWORD))
        parts.append(element(AUTHENTICATION, element(CHARACTERS, asked.password)))
    return element(AARQ, *parts, _information(asked.user_information, context))


def read_ask(data: bytes) -> Asked:
    """Return the AARQ in ``data``."""
    found = _fields(data, AARQ)
    name = _inner(data, required(found, CONTEXT_NAME), OBJECT_ID)
    return Asked(
        _read_title(data, found, CALLING_TITLE, CALLING_QUALIFIER),
        _read_title(data, found, CALLED_TITLE, CALLED_QUALIFIER),
        _read_password(data, found),
        _read_information(data, required(found, USER_INFORMATION)),
        read_object_id(data, *name),
    )


def answer(answered: Answered, context: int) -> bytes:
    """Return the AARE."""
    parts = [element(CONTEXT_NAME, object_id(OBJECT_ID, MMS_CONTEXT))]
    parts.append(element(RESULT, integer(INTEGER, answered.result)))
    parts.append(element(DIAGNOSTIC, element(0xA1, integer(INTEGER, answered.diagnostic))))
    parts += _title(answered.responding, RESPONDING_TITLE, RESPONDING_QUALIFIER)
    if answered.user_information:
        parts.append(_information(answered.user_information, context))
    return element(AARE, *parts)


def read_answer(data: bytes) -> Answered:
    """Return the AARE in ``data``."""
    found = _fields(data, AARE)
    result = read_integer(data, *_inner(data, required(found, RESULT), INTEGER))
    diagnostic = 0
    if DIAGNOSTIC in found:
        _, start, stop = header(data, *found[DIAGNOSTIC])
        diagnostic = read_integer(data, *expect(data, start, stop, INTEGER))
    said = found.get(USER_INFORMATION)
    return Answered(
        result,
        diagnostic,
        _read_title(data, found, RESPONDING_TITLE, RESPONDING_QUALIFIER),
        _read_information(data, said) if said else b"",
    )


def said(diagnostic: int) -> str:
    """Return a diagnostic in words."""
    return DIAGNOSTICS.get(diagnostic, f"diagnostic {diagnostic}")


def release(tag: int) -> bytes:
    """Return an RLRQ or RLRE that says: normal."""
    return element(tag, integer(0x80, 0))


def abort() -> bytes:
    """Return the ABRT of a service user."""
    return element(ABRT, integer(0x80, 0))


def _fields(data: bytes, tag: int) -> dict[int, tuple[int, int]]:
    return fields(data, *expect(data, 0, len(data), tag))


def _inner(data: bytes, place: tuple[int, int], tag: int) -> tuple[int, int]:
    return expect(data, *place, tag)


def _title(title: Title, ap: int, ae: int) -> list[bytes]:
    parts = [element(ap, object_id(OBJECT_ID, title.ap_title))] if title.ap_title else []
    if title.ae_qualifier is not None:
        parts.append(element(ae, integer(INTEGER, title.ae_qualifier)))
    return parts


def _read_title(data: bytes, found: dict[int, tuple[int, int]], ap: int, ae: int) -> Title:
    """Return a name; one in another form (a directory name) is as good as none."""
    title: Arcs = ()
    qualifier: int | None = None
    if ap in found:
        tag, start, stop = header(data, *found[ap])
        title = read_object_id(data, start, stop) if tag == OBJECT_ID else ()
    if ae in found:
        tag, start, stop = header(data, *found[ae])
        qualifier = read_integer(data, start, stop) if tag == INTEGER else None
    return Title(title, qualifier)


def _read_password(data: bytes, found: dict[int, tuple[int, int]]) -> bytes | None:
    if AUTHENTICATION not in found:
        return None
    tag, start, stop = header(data, *found[AUTHENTICATION])
    return data[start:stop] if tag == CHARACTERS else None


def _information(value: bytes, context: int) -> bytes:
    direct = object_id(OBJECT_ID, BER_SYNTAX)
    return element(
        USER_INFORMATION,
        element(EXTERNAL, direct, integer(INTEGER, context), element(0xA0, value)),
    )


def _read_information(data: bytes, place: tuple[int, int]) -> bytes:
    start, stop = expect(data, *place, EXTERNAL)
    found = fields(data, start, stop)
    encoding = found.get(0xA0) or found.get(0x81)
    if encoding is None:
        raise Malformed("user information without a value")
    return data[encoding[0] : encoding[1]]
