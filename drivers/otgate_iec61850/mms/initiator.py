"""The client's end of an association."""

from otgate_iec61850.mms import acse, cotp, pdu, presentation, session
from otgate_iec61850.mms.acse import Asked
from otgate_iec61850.mms.association import Association, State, presented
from otgate_iec61850.mms.cotp import Code, Connect
from otgate_iec61850.mms.errors import (
    AssociationLost,
    AssociationRefused,
    Layer,
    Malformed,
    ServiceFailed,
)
from otgate_iec61850.mms.initiate import Terms
from otgate_iec61850.mms.presentation import ACSE_SYNTAX, MMS_SYNTAX, context_of
from otgate_iec61850.mms.session import Kind, Spdu

REFERENCE = 1
"""Ours for the transport connection; there is one on a TCP connection."""

REFUSALS = {1: "no SS-user there", 2: "the SS-user refused", 4: "unsupported protocol"}


class Initiator(Association):
    """Opens an association. Begin with `start`; `take` what is to be sent."""

    def start(self) -> None:
        """Ask for the transport connection."""
        local, remote = self.ends.local, self.ends.remote
        size = self.ends.tpdu_size
        request = Connect(Code.CONNECT, 0, REFERENCE, local.tsel, remote.tsel, size)
        self._out.append(cotp.packet(request.octets()))
        self.state = State.CONNECTING

    def release(self) -> None:
        """Ask for the release, once the MMS conclude is answered."""
        said = presentation.user_data(self._acse, acse.release(acse.RLRQ))
        self._send(session.ending(Kind.FINISH, said))
        self.state = State.RELEASING

    def _connected(self, connect: Connect) -> None:
        if self.state is not State.CONNECTING or connect.code is not Code.CONFIRM:
            raise Malformed(f"TPDU {connect.code.name} does not belong here")
        self._size = min(self._size, connect.size)
        self.state = State.ASSOCIATING
        self._associate()

    def _associate(self) -> None:
        local, remote = self.ends.local, self.ends.remote
        proposal = pdu.initiate(self.ends.terms)
        asked = Asked(local.title, remote.title, self.ends.password, proposal)
        cp = presentation.connect(local.psel, remote.psel, acse.ask(asked, self._mms))
        self._send(session.connect(Kind.CONNECT, local.ssel, remote.ssel, cp))

    def _spdu(self, spdu: Spdu) -> None:
        if spdu.kind is Kind.ACCEPT and self.state is State.ASSOCIATING:
            self._accepted(spdu)
        elif spdu.kind is Kind.REFUSE and self.state is State.ASSOCIATING:
            raise _refused(spdu)
        elif spdu.kind is Kind.DISCONNECT and self.state is State.RELEASING:
            self.state = State.CLOSED
        elif spdu.kind is Kind.FINISH and self.state is State.OPEN:
            self._finished()
        else:
            super()._spdu(spdu)

    def _accepted(self, spdu: Spdu) -> None:
        results, value = presentation.accepted(presented(spdu.user_data))
        offered = zip(self.contexts.items(), results or [True, True], strict=False)
        self.contexts = {number: syntax for (number, syntax), agreed in offered if agreed}
        self._acse = context_of(self.contexts, ACSE_SYNTAX)
        self._mms = context_of(self.contexts, MMS_SYNTAX)
        self.terms = _terms(value).agreed(self.ends.terms)
        self.state = State.OPEN

    def _finished(self) -> None:
        said = presentation.user_data(self._acse, acse.release(acse.RLRE))
        self._send(session.ending(Kind.DISCONNECT, said))
        self.state = State.CLOSED
        raise AssociationLost("the server released the association")

    def _ended(self, ended: cotp.Ended) -> None:
        if self.state is State.CONNECTING:
            self.state = State.CLOSED
            raise AssociationRefused(Layer.TRANSPORT, f"reason {ended.reason}")
        super()._ended(ended)


def _terms(value: bytes) -> Terms:
    answered = acse.read_answer(value)
    if answered.result != acse.ACCEPTED:
        raise AssociationRefused(Layer.ACSE, acse.said(answered.diagnostic))
    try:
        return pdu.read_initiate(answered.user_information)
    except ServiceFailed as failed:
        raise AssociationRefused(Layer.MMS, str(failed)) from failed


def _refused(spdu: Spdu) -> AssociationRefused:
    """Return who refused, from the innermost layer that says so."""
    reason = spdu.parameters.get(session.REASON, b"\0")[:1]
    data = session.refusal_data(spdu)
    if data:
        found = presentation.refused(presented(data))
        if isinstance(found, AssociationRefused):
            return found
        return AssociationRefused(Layer.ACSE, acse.said(acse.read_answer(found).diagnostic))
    code = reason[0] if reason else 0
    return AssociationRefused(Layer.SESSION, REFUSALS.get(code, f"reason {code}"))
