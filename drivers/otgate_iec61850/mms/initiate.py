"""What both ends agree upon first: ISO 9506-2, Initiate-RequestPDU and Initiate-ResponsePDU."""

from dataclasses import dataclass, replace

from otgate_iec61850.mms.ber import element, fields, integer, read_unsigned
from otgate_iec61850.mms.data import bits_octets, read_bits
from otgate_iec61850.mms.values import Bits

LARGEST_PDU, CALLING, CALLED, NESTING, DETAIL = 0x80, 0x81, 0x82, 0x83, 0xA4
VERSION, PARAMETERS, SERVICES = 0x80, 0x81, 0x82

MMS_VERSION = 1

CONFORMANCE = Bits.of(11, 0, 1, 2, 3, 7)
"""Parameter CBB: arrays (str1), structures (str2), names, alternate access, variable lists."""

CLIENT_SERVICES = Bits.of(85, 79, 83)
"""What a client itself answers: information reports, conclude."""

SERVER_SERVICES = Bits.of(
    85, 0, 1, 2, 4, 5, 6, 11, 12, 13, 72, 73, 74, 77, 79, 83
)  # fmt: skip
"""Bits are the numbers of the services in their choice; 79 is the report, 83 conclude."""

SMALLEST_PDU = 512
"""What a peer that claims less is held to: nothing useful fits into less."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What one end proposes or both have agreed upon."""

    largest_pdu: int = 65_000
    calling: int = 10
    """Requests outstanding at the called end, the server."""
    called: int = 10
    """Requests outstanding at the calling end."""
    nesting: int = 10
    parameters: Bits = CONFORMANCE
    services: Bits = CLIENT_SERVICES

    def agreed(self, offer: "Terms") -> "Terms":
        """Return the lesser of these and the other end's offer; options and services stay."""
        return replace(
            self,
            largest_pdu=min(self.largest_pdu, offer.largest_pdu),
            calling=max(1, min(self.calling, offer.calling)),
            called=max(1, min(self.called, offer.called)),
            nesting=min(self.nesting, offer.nesting),
        )


def encoded(terms: Terms) -> bytes:
    """Return the contents of either PDU."""
    return b"".join(
        (
            integer(LARGEST_PDU, terms.largest_pdu),
            integer(CALLING, terms.calling),
            integer(CALLED, terms.called),
            integer(NESTING, terms.nesting),
            element(
                DETAIL,
                integer(VERSION, MMS_VERSION),
                element(PARAMETERS, bits_octets(terms.parameters)),
                element(SERVICES, bits_octets(terms.services)),
            ),
        )
    )


def decoded(data: bytes, at: int, end: int) -> Terms:
    """Return the terms; what is absent is taken as no limit of the peer's."""
    found = fields(data, at, end)
    inner = fields(data, *found.get(DETAIL, (0, 0)))

    def number(tag: int, absent: int) -> int:
        return read_unsigned(data, *found[tag]) if tag in found else absent

    def bits(tag: int) -> Bits:
        return read_bits(data, *inner[tag]) if tag in inner else Bits(0, 0)

    return Terms(
        max(SMALLEST_PDU, number(LARGEST_PDU, 65_000)),
        max(1, number(CALLING, 1)),
        max(1, number(CALLED, 1)),
        number(NESTING, 10),
        bits(PARAMETERS),
        bits(SERVICES),
    )
