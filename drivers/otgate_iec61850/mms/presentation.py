"""Presentation protocol data units in normal mode: ISO 8823-1."""

from collections.abc import Mapping
from dataclasses import dataclass

from otgate_iec61850.mms.ber import (
    INTEGER,
    OBJECT_ID,
    SEQUENCE,
    SET,
    element,
    elements,
    expect,
    fields,
    header,
    integer,
    object_id,
    read_object_id,
    read_unsigned,
    required,
)
from otgate_iec61850.mms.errors import AssociationRefused, Layer, Malformed

Arcs = tuple[int, ...]

ACSE_SYNTAX: Arcs = (2, 2, 1, 0, 1)
MMS_SYNTAX: Arcs = (1, 0, 9506, 2, 1)
BER_SYNTAX: Arcs = (2, 1, 1)

MODE, NORMAL_MODE, USER_DATA = 0xA0, 0xA2, 0x61
CALLING, CALLED, RESPONDING = 0x81, 0x82, 0x83
DEFINITIONS, RESULTS, PROVIDER_REASON = 0xA4, 0xA5, 0x8A
ONE_VALUE, OCTET_ALIGNED = 0xA0, 0x81

NORMAL = element(MODE, b"\x80\x01\x01")

CONTEXTS: Mapping[int, Arcs] = {1: ACSE_SYNTAX, 3: MMS_SYNTAX}
"""Presentation contexts that a client proposes: odd numbers, ISO 8823-1."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A CP PPDU: contexts by number, selectors, and what it carries."""

    contexts: dict[int, Arcs]
    calling: bytes
    called: bytes
    user_data: bytes


def user_data(context: int, value: bytes) -> bytes:
    """Return fully encoded data of one value in ``context``."""
    return element(USER_DATA, element(SEQUENCE, integer(INTEGER, context), element(0xA0, value)))


def opened(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Return the context, start and stop of the value in fully encoded data at ``at``."""
    at, end = expect(data, at, end, USER_DATA)
    return _listed_value(data, at, end)


def _listed_value(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    at, end = expect(data, at, end, SEQUENCE)
    tag, start, stop = header(data, at, end)
    if tag == OBJECT_ID:
        tag, start, stop = header(data, stop, end)
    if tag != INTEGER:
        raise Malformed("a PDV list without its context")
    context = read_unsigned(data, start, stop)
    tag, start, stop = header(data, stop, end)
    if tag not in {ONE_VALUE, OCTET_ALIGNED}:
        raise Malformed(f"presentation data values {tag:#x}")
    return context, start, stop


def connect(calling: bytes, called: bytes, value: bytes) -> bytes:
    """Return the CP PPDU that proposes `CONTEXTS`; ``value`` is in the first."""
    definitions = (
        element(
            SEQUENCE,
            integer(INTEGER, number),
            object_id(OBJECT_ID, syntax),
            element(SEQUENCE, object_id(OBJECT_ID, BER_SYNTAX)),
        )
        for number, syntax in CONTEXTS.items()
    )
    parts = [element(CALLING, calling)] if calling else []
    parts += [element(CALLED, called)] if called else []
    parts += [element(DEFINITIONS, *definitions), user_data(1, value)]
    return element(SET, NORMAL, element(NORMAL_MODE, *parts))


def proposed(data: bytes) -> Proposed:
    """Return what a CP PPDU proposes."""
    found = _normal_mode(data)
    contexts = dict(_definition(data, *each) for each in _listed(data, found, DEFINITIONS))
    calling, called = (_octets(data, found, each) for each in (CALLING, CALLED))
    return Proposed(contexts, calling, called, _value(data, found))


def accept(responding: bytes, proposal: Proposed, value: bytes, context: int) -> bytes:
    """Return the CPA PPDU that accepts the contexts that are known, the others not."""
    parts = [element(RESPONDING, responding)] if responding else []
    parts += [_results(proposal), user_data(context, value)]
    return element(SET, NORMAL, element(NORMAL_MODE, *parts))


def _results(proposal: Proposed) -> bytes:
    results = (
        element(SEQUENCE, integer(0x80, 0), object_id(0x81, BER_SYNTAX))
        if syntax in CONTEXTS.values()
        else element(SEQUENCE, integer(0x80, 2), integer(0x82, 1))
        for syntax in proposal.contexts.values()
    )
    return element(RESULTS, *results)


def accepted(data: bytes) -> tuple[list[bool], bytes]:
    """Return which contexts a CPA PPDU accepts, in the order proposed, and what it carries."""
    found = _normal_mode(data)
    results = [_accepts(data, *each) for each in _listed(data, found, RESULTS)]
    return results, _value(data, found)


def refuse(responding: bytes, reason: int) -> bytes:
    """Return the CPR PPDU of a provider; reason 7 is: the called address is unknown."""
    return element(SEQUENCE, element(RESPONDING, responding), integer(PROVIDER_REASON, reason))


def refuse_user(responding: bytes, proposal: Proposed, value: bytes, context: int) -> bytes:
    """Return the CPR PPDU of a user, which carries ``value``."""
    return element(
        SEQUENCE,
        element(RESPONDING, responding),
        _results(proposal),
        user_data(context, value),
    )


def refused(data: bytes) -> AssociationRefused | bytes:
    """Return what a CPR PPDU says: the value it carries, or that the provider refused."""
    at, end = expect(data, 0, len(data), SEQUENCE)
    found = fields(data, at, end)
    if USER_DATA in found:
        return _value(data, found)
    reason = read_unsigned(data, *found[PROVIDER_REASON]) if PROVIDER_REASON in found else 0
    return AssociationRefused(Layer.PRESENTATION, f"provider reason {reason}")


def abort(contexts: Mapping[int, Arcs], context: int, value: bytes) -> bytes:
    """Return the ARU PPDU that carries ``value``."""
    listed = (
        element(SEQUENCE, integer(INTEGER, number), object_id(OBJECT_ID, BER_SYNTAX))
        for number in contexts
    )
    return element(0xA0, element(0xA0, *listed), user_data(context, value))


def aborted(data: bytes) -> bytes:
    """Return the value that an ARU PPDU carries, b"" where there is none (ARP)."""
    tag, at, end = header(data, 0, len(data))
    found = fields(data, at, end)
    return _value(data, found) if tag == 0xA0 and USER_DATA in found else b""


def context_of(contexts: Mapping[int, Arcs], syntax: Arcs) -> int:
    """Return the number of the context of an abstract syntax."""
    for number, found in contexts.items():
        if found == syntax:
            return number
    raise AssociationRefused(Layer.PRESENTATION, "no context for " + ".".join(map(str, syntax)))


def _normal_mode(data: bytes) -> dict[int, tuple[int, int]]:
    at, end = expect(data, 0, len(data), SET)
    return fields(data, *required(fields(data, at, end), NORMAL_MODE))


def _value(data: bytes, found: dict[int, tuple[int, int]]) -> bytes:
    """Return the value of the user data among the fields of a PPDU."""
    _, start, stop = _listed_value(data, *required(found, USER_DATA))
    return data[start:stop]


def _listed(data: bytes, found: dict[int, tuple[int, int]], tag: int) -> list[tuple[int, int]]:
    if tag not in found:
        return []
    return [(start, stop) for _, start, stop in elements(data, *found[tag])]


def _definition(data: bytes, at: int, end: int) -> tuple[int, Arcs]:
    found = fields(data, at, end)
    number = read_unsigned(data, *required(found, INTEGER))
    return number, read_object_id(data, *required(found, OBJECT_ID))


def _accepts(data: bytes, at: int, end: int) -> bool:
    return read_unsigned(data, *required(fields(data, at, end), 0x80)) == 0


def _octets(data: bytes, found: dict[int, tuple[int, int]], tag: int) -> bytes:
    start, stop = found.get(tag, (0, 0))
    return data[start:stop]
