"""One client's connection to a simulated server, and what a fault does to what it is told."""

import asyncio
import random
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, cast

from otgate_iec61850.mms import pdu
from otgate_iec61850.mms.access import InformationReport
from otgate_iec61850.mms.association import State
from otgate_iec61850.mms.errors import ErrorClass, MmsError, ServiceFailed
from otgate_iec61850.mms.responder import Responder
from otgate_sim.faults import Trouble
from otgate_sim.iec61850.answering import Answers
from otgate_sim.iec61850.behaviour import IedFault, Options

if TYPE_CHECKING:
    from otgate_iec61850.mms.naming import Variable

CONFIRMED_REQUEST, UNRECOGNISED_SERVICE = 1, 1
"""Reject: ISO 9506-2, RejectPDU."""
RESPONSE_TOO_LONG = (ErrorClass.RESOURCE, 0)
OTHERS_NUMBER = 0x1111


Tap = Callable[[bool, bytes], None]
"""Takes octets as they pass, and whether the client sent them."""


class Serving(Protocol):
    """What a connection needs of its server."""

    options: Options
    trouble: Trouble
    peers: "list[Peer]"
    tap: "Tap"

    def answers(self, peer: "Peer") -> Answers:
        """Return the services for a new association."""

    def lost(self, peer: "Peer") -> None:
        """Forget an association."""

    def moved_on(self) -> None:
        """Send what can be sent, and wait for what comes next."""


class Peer(asyncio.Protocol):
    """A client: answers go out in order, reports a write causes behind its response."""

    def __init__(self, server: Serving) -> None:
        self.server = server
        self.responder = Responder(server.options.ends, server.options.doors)
        self.lists: dict[str, tuple[Variable, ...]] = {}
        self.address = b""
        self.reports = 0
        """How many it was sent."""
        self.broken: list[str] = []
        """Why the server ended the association by itself."""
        self._answers = server.answers(self)
        self._held: list[InformationReport] | None = None
        self._full = False
        self._rng = random.Random(7)
        self._transport: asyncio.Transport | None = None

    @property
    def largest_pdu(self) -> int:
        """Octets of the largest PDU agreed upon."""
        return self.responder.terms.largest_pdu

    @property
    def ready(self) -> bool:
        """Whether reports may be sent."""
        return not self._full and self.responder.state is State.OPEN

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection."""
        self._transport = cast("asyncio.Transport", transport)
        made: socket.socket | None = transport.get_extra_info("socket")
        if made is not None and made.family is socket.AF_INET:
            self.address = socket.inet_aton(made.getpeername()[0])
        self.server.peers.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the client."""
        del exc
        self.responder.state = State.CLOSED
        if self in self.server.peers:
            self.server.peers.remove(self)
        self.server.lost(self)

    def pause_writing(self) -> None:
        """Let buffered blocks keep what the client does not take."""
        self._full = True

    def resume_writing(self) -> None:
        """Go on."""
        self._full = False
        self.server.moved_on()

    def data_received(self, data: bytes) -> None:
        """Take octets."""
        self.server.tap(True, data)  # noqa: FBT003  the client's
        try:
            found = self.responder.receive(data)
        except MmsError as error:
            self.broken.append(str(error))
            self._write(self.responder.take())
            self.hang_up()
            return
        self._write(self.responder.take())
        for each in found:
            self._taken(each)
        if self.responder.state is State.CLOSED:
            self.hang_up()
        self.server.moved_on()

    def report(self, report: InformationReport) -> None:
        """Send values unasked, after the response that is being made."""
        early = self.server.trouble.in_force() == IedFault.EARLY_REPORT
        if self._held is None or early:
            self.tell(report)
        else:
            self._held.append(report)

    def tell(self, report: InformationReport) -> None:
        """Send values unasked, at once."""
        if self.responder.state is State.OPEN:
            self.reports += 1
            self.responder.report(report)
            self._say(self.server.trouble.in_force())

    def abort(self) -> None:
        """Abort the association."""
        self.responder.abort()
        self._write(self.responder.take())
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connection once what was written has gone."""
        if self._transport is not None:
            self._transport.close()

    def cut(self) -> None:
        """Close the connection at once, whatever was written."""
        if self._transport is not None:
            self._transport.abort()

    def _taken(self, each: pdu.Pdu) -> None:
        if isinstance(each, pdu.Conclude):
            self.responder.conclude()
            self._say(self.server.trouble.in_force())
        elif isinstance(each, pdu.Request) and self.responder.state is State.OPEN:
            self._held = []
            self._answer(each)
            held, self._held = self._held, None
            for report in held:
                self.tell(report)

    def _answer(self, asked: pdu.Request) -> None:
        said = self._said(asked)
        fault = self.server.trouble.now()
        if fault == IedFault.WRONG_INVOKE_ID:
            asked = replace(asked, invoke_id=asked.invoke_id + OTHERS_NUMBER)
        if isinstance(said, ServiceFailed):
            self.responder.fail(asked, said)
        elif said is None:
            rejected = pdu.reject(asked.invoke_id, CONFIRMED_REQUEST, UNRECOGNISED_SERVICE)
            self.responder.send(rejected)
        else:
            self._respond(asked, said)
        self._say(fault)

    def _said(self, asked: pdu.Request) -> Any:
        """Return the answer, a refusal, or None where the service is unknown."""
        if not self._answers.knows(asked.service):
            return None
        try:
            return self._answers.answer(asked.service)
        except ServiceFailed as failed:
            return failed

    def _respond(self, asked: pdu.Request, said: Any) -> None:
        octets = pdu.response(asked, said)
        if len(octets) > self.largest_pdu:
            self.responder.fail(asked, ServiceFailed(*RESPONSE_TOO_LONG))
        else:
            self.responder.send(octets)

    def _say(self, fault: str) -> None:
        """Send what the responder has ready, as the fault in force has it."""
        octets = self.responder.take()
        if fault == IedFault.ABORT:
            self.abort()
        elif fault == IedFault.CLOSE:
            self.hang_up()
            self.responder.state = State.CLOSED
        elif fault == IedFault.LATE:
            loop = asyncio.get_running_loop()
            loop.call_later(self.server.trouble.late_s, self._write, octets)
        elif fault == IedFault.GARBAGE:
            self._write(self._rng.randbytes(len(octets)))
        elif fault != IedFault.SILENT:
            self._write(octets)

    def _write(self, octets: bytes) -> None:
        if octets and self._transport is not None and not self._transport.is_closing():
            self.server.tap(False, octets)  # noqa: FBT003  the server's
            self._transport.write(octets)
