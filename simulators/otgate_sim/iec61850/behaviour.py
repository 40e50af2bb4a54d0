"""How one simulated server behaves while nothing is wrong with it, and what can be wrong."""

from dataclasses import dataclass, field
from enum import StrEnum

from otgate.endpoint.tls import TlsFiles
from otgate_iec61850.mms.association import Ends
from otgate_iec61850.mms.responder import Doors, server_terms


class IedFault(StrEnum):
    """What a server does instead of serving well."""

    NONE = "none"
    SILENT = "silent"
    """It takes everything and says nothing; reports that fall due are lost on the way."""
    LATE = "late"
    """It says everything correctly, some seconds late."""
    WRONG_INVOKE_ID = "wrong-invoke-id"
    """Responses carry another request's number."""
    DROP_SEGMENT = "drop-segment"
    """Reports of several members come in segments, of which the second is missing."""
    OVERFLOW = "overflow"
    """Buffers hold one entry; reports of buffered blocks say that entries were lost."""
    ABORT = "abort"
    """It aborts the association instead of saying anything."""
    CLOSE = "close"
    """It closes the connection instead of saying anything."""
    GARBAGE = "garbage"
    """As many octets that are no frame."""
    CONF_REV = "conf-rev"
    """Reports and blocks show the next configuration revision."""
    UNKNOWN_DATA_SET = "unknown-data-set"
    """Reports name a data set that nobody has."""
    EARLY_REPORT = "early-report"
    """Reports that a write causes are sent before its response."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a conformance statement would say."""

    entries: int = 1000
    """Entries that each buffered block keeps, sent or not."""
    report_octets: int = 65_000
    """Octets of the largest report; a longer one is segmented."""
    segment_members: int = 0
    """Members in a segment at most; 0 leaves that to the size."""
    page: int = 100
    """Names in one answer."""
    chunk: int = 4000
    """Octets of a file in one answer."""
    edition: int = 2
    """1 leaves out ResvTms and Owner."""
    reserve_s: int = 0
    """ResvTms of a buffered block that a client enables without reserving it."""
    select_s: float = 30.0
    """How long an object stays selected where its model does not say."""
    time_quality: int = 0x0A
    """Quality octet of stamps: synchronised, 10 bits of accuracy."""
    ends: Ends = field(default_factory=lambda: Ends(terms=server_terms()))
    doors: Doors = field(default_factory=Doors)
    tls: TlsFiles | None = None
    """Serve under TLS, both ends showing a certificate."""
