"""Reads cut so that request and reply fit into a PDU, and small enough not to be refused."""

from collections.abc import Iterator, Sequence

from otgate_iec61850.mms.naming import Variable, variable_octets

OVERHEAD = 40
"""Octets of a request or reply besides its members."""

UNKNOWN_REPLY = 64
"""Octets taken for a value whose type is not known: a measurement with quality and time has 25."""


def batches(
    variables: Sequence[Variable], largest_pdu: int, replies: Sequence[int] | None = None
) -> Iterator[slice]:
    """Yield the slices of ``variables`` that are read together.

    ``replies`` are the octets of each value, e.g. from `typespec.largest`. One that is larger
    than a PDU is read alone, for the server to say so.
    """
    room = largest_pdu - OVERHEAD
    first = asked = answered = 0
    for at, variable in enumerate(variables):
        request = len(variable_octets(variable))
        reply = UNKNOWN_REPLY if replies is None else replies[at]
        if at > first and (asked + request > room or answered + reply > room):
            yield slice(first, at)
            first, asked, answered = at, 0, 0
        asked += request
        answered += reply
    if first < len(variables):
        yield slice(first, len(variables))
