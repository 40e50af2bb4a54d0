"""The server's end of an association."""

from dataclasses import dataclass, field
from typing import Any

from otgate_iec61850.mms import acse, cotp, pdu, presentation, session
from otgate_iec61850.mms.access import InformationReport
from otgate_iec61850.mms.acse import Answered, Asked
from otgate_iec61850.mms.association import Association, Ends, State, presented
from otgate_iec61850.mms.cotp import Code, Connect
from otgate_iec61850.mms.errors import AssociationLost, Malformed, ServiceFailed
from otgate_iec61850.mms.initiate import SERVER_SERVICES, Terms
from otgate_iec61850.mms.presentation import ACSE_SYNTAX, MMS_SYNTAX, Proposed, context_of
from otgate_iec61850.mms.session import Kind, Spdu

REFERENCE = 1

ADDRESS_UNKNOWN = 3
"""Reason of a disconnect: ISO 8073."""

REFUSED_BY_USER, NO_USER_THERE = 2, 129
"""Reasons of a session refuse: by its user, no user at that selector. ISO 8327-1."""

ANY_ADDRESS_UNKNOWN = 7


def server_terms() -> Terms:
    """Return what a server offers where nobody says otherwise."""
    return Terms(services=SERVER_SERVICES)


@dataclass(frozen=True, slots=True)
class Doors:
    """Which selectors a server insists upon; b"" takes any. ``password`` None asks for none."""

    tsel: bytes = b""
    ssel: bytes = b""
    psel: bytes = b""
    password: bytes | None = field(default=None, repr=False)


class Responder(Association):
    """Waits for an association, then answers requests and sends reports.

    ``ends.local`` is the server's own address; the peer's is whatever calls.
    """

    def __init__(self, ends: Ends | None = None, doors: Doors | None = None) -> None:
        super().__init__(ends or Ends(terms=server_terms()))
        self.doors = doors or Doors()
        self.asked: Asked | None = None
        """What the client called itself, once it has."""
        self.state = State.CONNECTING

    def respond(self, asked: pdu.Request, said: Any) -> None:
        """Answer a request."""
        self.send(pdu.response(asked, said))

    def fail(self, asked: pdu.Request, error: ServiceFailed) -> None:
        """Answer a request with an error."""
        self.send(pdu.failed(asked.invoke_id, error))

    def report(self, report: InformationReport) -> None:
        """Send values unasked."""
        self.send(pdu.information_report(report))

    def conclude(self) -> None:
        """Agree to a client's conclude; its release follows."""
        self.send(pdu.CONCLUDE_RESPONSE)

    def _connected(self, connect: Connect) -> None:
        if self.state is not State.CONNECTING or connect.code is not Code.CONNECT:
            raise Malformed(f"TPDU {connect.code.name} does not belong here")
        if self.doors.tsel not in {b"", connect.called}:
            self._out.append(cotp.disconnect(ADDRESS_UNKNOWN, connect.source))
            raise AssociationLost("a client called another transport selector")
        self._size = min(self._size, connect.size)
        confirm = Connect(
            Code.CONFIRM, connect.source, REFERENCE, connect.calling, connect.called, self._size
        )
        self._out.append(cotp.packet(confirm.octets()))
        self.state = State.ASSOCIATING

    def _spdu(self, spdu: Spdu) -> None:
        if spdu.kind is Kind.CONNECT and self.state is State.ASSOCIATING:
            self._called(spdu)
        elif spdu.kind is Kind.FINISH and self.state is State.OPEN:
            said = presentation.user_data(self._acse, acse.release(acse.RLRE))
            self._send(session.ending(Kind.DISCONNECT, said))
            self.state = State.CLOSED
        else:
            super()._spdu(spdu)

    def _called(self, spdu: Spdu) -> None:
        if self.doors.ssel not in {b"", spdu.parameters.get(session.CALLED, b"")}:
            self._send(session.refuse(NO_USER_THERE))
            raise AssociationLost("a client called another session selector")
        proposal = presentation.proposed(presented(spdu.user_data))
        if self.doors.psel not in {b"", proposal.called}:
            refusal = presentation.refuse(self.ends.local.psel, ANY_ADDRESS_UNKNOWN)
            self._send(session.refuse(REFUSED_BY_USER, refusal))
            raise AssociationLost("a client called another presentation selector")
        self.contexts = proposal.contexts
        self._acse = context_of(proposal.contexts, ACSE_SYNTAX)
        self._mms = context_of(proposal.contexts, MMS_SYNTAX)
        self._accept(proposal, acse.read_ask(proposal.user_data))

    def _accept(self, proposal: Proposed, asked: Asked) -> None:
        self.asked = asked
        diagnostic = self._refusal(asked)
        if diagnostic:
            self._answer(proposal, Answered(acse.REJECTED, diagnostic, self.ends.local.title, b""))
            raise AssociationLost("a client without the right password")
        try:
            offer = pdu.read_initiate(asked.user_information)
        except ServiceFailed as failed:
            raise Malformed("an initiate error where a request belongs") from failed
        self.terms = self.ends.terms.agreed(offer)
        said = pdu.initiated(self.terms)
        self._answer(proposal, Answered(acse.ACCEPTED, 0, self.ends.local.title, said))
        self.state = State.OPEN

    def _refusal(self, asked: Asked) -> int:
        if self.doors.password is None or asked.password == self.doors.password:
            return 0
        missing = asked.password is None
        return acse.AUTHENTICATION_REQUIRED if missing else acse.AUTHENTICATION_FAILED

    def _answer(self, proposal: Proposed, answered: Answered) -> None:
        value, psel = acse.answer(answered, self._mms), self.ends.local.psel
        if answered.result != acse.ACCEPTED:
            cpr = presentation.refuse_user(psel, proposal, value, self._acse)
            self._send(session.refuse(REFUSED_BY_USER, cpr))
            return
        cpa = presentation.accept(psel, proposal, value, self._acse)
        self._send(session.connect(Kind.ACCEPT, b"", self.ends.local.ssel, cpa))
