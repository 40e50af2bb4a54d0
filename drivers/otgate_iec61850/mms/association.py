"""One association, either end of it, without input or output.

Octets received go in, MMS PDUs come out; PDUs to send go in, octets to send come out (`take`).
Client: transport connect, then session, presentation, ACSE and MMS initiate in one TSDU; the
server answers alike. Whatever is malformed ends the association; nothing is ever skipped.
"""

from dataclasses import dataclass, field
from enum import Enum, auto

from otgate_iec61850.mms import acse, cotp, pdu, presentation, session
from otgate_iec61850.mms.acse import Title
from otgate_iec61850.mms.ber import definite
from otgate_iec61850.mms.cotp import Connect
from otgate_iec61850.mms.errors import AssociationLost, IndefiniteLength, Malformed, MmsError
from otgate_iec61850.mms.initiate import Terms
from otgate_iec61850.mms.presentation import CONTEXTS, Arcs
from otgate_iec61850.mms.session import Kind, Spdu

LAYERS = 4096
"""Octets of a TSDU besides its MMS PDU; most are needed while an association opens."""


@dataclass(frozen=True, slots=True)
class Address:
    """Selectors and title of one end."""

    tsel: bytes = b"\0\1"
    ssel: bytes = b"\0\1"
    psel: bytes = b"\0\0\0\1"
    title: Title = field(default_factory=Title)


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of an association, what is proposed, and the password that is shown."""

    local: Address = field(default_factory=Address)
    remote: Address = field(default_factory=Address)
    terms: Terms = field(default_factory=Terms)
    password: bytes | None = field(default=None, repr=False)
    tpdu_size: int = cotp.LARGEST_TPDU
    """The largest TPDU proposed, as its power of two."""


class State(Enum):
    """How far an association is."""

    IDLE = auto()
    CONNECTING = auto()
    """The transport connection is not there yet."""
    ASSOCIATING = auto()
    OPEN = auto()
    RELEASING = auto()
    """This end has asked for the release and waits for the answer."""
    CLOSED = auto()


class Association:
    """What both ends have in common: everything once the association is open."""

    def __init__(self, ends: Ends) -> None:
        self.ends = ends
        self.state = State.IDLE
        self.terms = ends.terms
        """What is agreed upon, once the association is open."""
        self.contexts: dict[int, Arcs] = dict(CONTEXTS)
        self.malformed = 0
        self.failure: MmsError | None = None
        """Why the association ended, where it did not end in good order."""
        self._reader = cotp.Reader(min(cotp.TSDU_CAP, ends.terms.largest_pdu + LAYERS))
        self._out: list[bytes] = []
        self._size = ends.tpdu_size
        self._mms = 3
        self._acse = 1

    def receive(self, data: bytes) -> list[pdu.Pdu]:
        """Take octets and return the PDUs that they complete; then `take` what is to be sent.

        What came before the end of an association is returned: look at `failure` after it. Only
        where nothing did, this raises.

        Raises:
            Malformed: the peer is not to be understood; the association is closed.
            AssociationRefused: the peer does not want the association.
            AssociationLost: the peer has ended it.
        """
        found: list[pdu.Pdu] = []
        try:
            self._receive(data, found)
        except (Malformed, AssociationLost) as failure:
            self.end(failure)
            if not found:
                raise
        return found

    def end(self, failure: MmsError) -> None:
        """Close the association; a peer that was not understood is told so by an abort."""
        if self.failure is not None:
            return
        if isinstance(failure, Malformed):
            self.malformed += 1
            self.abort()
        self.state = State.CLOSED
        self.failure = failure

    def send(self, mms: bytes) -> None:
        """Send an MMS PDU."""
        if self.state is not State.OPEN:
            raise AssociationLost("the association is not open")
        self._send(session.DATA_PREFIX + presentation.user_data(self._mms, mms))

    def take(self) -> bytes:
        """Return the octets to send since the last time."""
        out = b"".join(self._out)
        self._out.clear()
        return out

    def abort(self) -> None:
        """End the association at once."""
        if self.state in {State.ASSOCIATING, State.OPEN, State.RELEASING}:
            said = presentation.abort(self.contexts, self._acse, acse.abort())
            self._send(session.ending(Kind.ABORT, said))
        self.state = State.CLOSED

    def _receive(self, data: bytes, found: list[pdu.Pdu]) -> None:
        if self.failure is not None:
            raise AssociationLost(str(self.failure))
        for event in self._reader.feed(data):
            if isinstance(event, bytes):
                self._tsdu(event, found)
            elif isinstance(event, Connect):
                self._connected(event)
            else:
                self._ended(event)
        if self._reader.broken is not None:
            raise self._reader.broken

    def _send(self, spdu: bytes) -> None:
        self._out.append(cotp.segments(spdu, self._size))

    def _tsdu(self, tsdu: bytes, found: list[pdu.Pdu]) -> None:
        if self.state is State.OPEN and tsdu.startswith(session.DATA_PREFIX):
            found.append(self._data(tsdu, len(session.DATA_PREFIX)))
            return
        spdu = session.parsed(tsdu)
        if spdu.kind is Kind.DATA and self.state in {State.OPEN, State.RELEASING}:
            found.append(self._data(spdu.user_data, 0))
        elif spdu.kind is Kind.ABORT:
            raise AssociationLost(_abort_reason(spdu))
        else:
            self._spdu(spdu)

    def _data(self, data: bytes, at: int) -> pdu.Pdu:
        try:
            return self._presented(data, at)
        except IndefiniteLength:
            return self._presented(definite(data[at:]), 0)

    def _presented(self, data: bytes, at: int) -> pdu.Pdu:
        context, start, stop = presentation.opened(data, at, len(data))
        if context != self._mms:
            raise Malformed(f"data in presentation context {context}")
        return pdu.parsed(data, start, stop)

    def _spdu(self, spdu: Spdu) -> None:
        raise Malformed(f"session SPDU {spdu.kind.name} does not belong here")

    def _connected(self, connect: Connect) -> None:
        raise Malformed(f"TPDU {connect.code.name} does not belong here")

    def _ended(self, ended: cotp.Ended) -> None:
        self.state = State.CLOSED
        raise AssociationLost(f"the peer disconnected, reason {ended.reason}")


def presented(data: bytes) -> bytes:
    """Return a PPDU of the connection phase with every length definite."""
    return definite(data)


def _abort_reason(spdu: Spdu) -> str:
    """Return who aborted; an abort is one whatever it carries."""
    try:
        said = presentation.aborted(presented(spdu.user_data)) if spdu.user_data else b""
    except Malformed:
        said = b""
    by = "its application" if said[:1] == bytes((acse.ABRT,)) else "its provider"
    return f"the peer aborted ({by})"
