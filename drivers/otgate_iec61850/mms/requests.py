"""A client's requests under way, without input or output.

Responses are matched by invoke id alone. A request that was given up keeps its id until its late
reply comes, so that the reply is nobody else's; it keeps its place in the window for a while, as
the server may still be at work on it.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otgate_iec61850.mms import pdu
from otgate_iec61850.mms.access import InformationReport
from otgate_iec61850.mms.association import State
from otgate_iec61850.mms.errors import AssociationLost, Malformed, MmsError, TooLarge
from otgate_iec61850.mms.initiator import Initiator

LAST_INVOKE_ID = 0x7FFFFFFF
"""Unsigned32 in ISO 9506-2; above this it takes a fifth octet, which not every server expects."""

GIVEN_UP_S = 30.0
"""How long a request given up keeps its place in the window."""

MOST_REMEMBERED = 1024
"""Requests given up that a late reply is still recognised for."""

UNRECOGNISED_SERVICE = 1


@dataclass(slots=True)
class Counts:
    """What an association has seen."""

    requests: int = 0
    responses: int = 0
    errors: int = 0
    """Error responses and rejects."""
    reports: int = 0
    late: int = 0
    """Replies to requests that were given up."""
    strangers: int = 0
    """Replies under an invoke id that nobody used, or rejects of nothing in particular."""
    mismatched: int = 0
    """Replies of another service than was asked; each has ended its association."""


class Call:
    """One request. ``outcome`` is the response, or why there is none, once there is either."""

    __slots__ = ("invoke_id", "octets", "outcome", "service", "tag")

    def __init__(self, service: Any) -> None:
        self.service = service
        self.tag = pdu.RESPONSE_TAGS[type(service)]
        self.outcome: Any | MmsError = None
        self.invoke_id = 0
        self.octets = b""


Event = Call | InformationReport | pdu.Concluded


class Requester:
    """The requests of one association, at most as many at once as both ends agreed upon."""

    def __init__(self, association: Initiator, now: Callable[[], float]) -> None:
        self.association = association
        self.counts = Counts()
        self._now = now
        self._invoke_id = 0
        self._waiting: deque[Call] = deque()
        self._sent: dict[int, Call] = {}
        self._given_up: dict[int, float] = {}

    @property
    def window(self) -> int:
        """How many requests the server takes at once."""
        return self.association.terms.calling

    @property
    def under_way(self) -> int:
        """How many requests are sent and not answered, those given up of late included."""
        if not self._given_up:
            return len(self._sent)
        since = self._now() - GIVEN_UP_S
        return len(self._sent) + sum(at > since for at in self._given_up.values())

    def ask(self, service: Any) -> Call:
        """Send a request, or keep it until there is room in the window.

        Raises:
            TooLarge: it does not fit into a PDU.
            AssociationLost: the association is not open.
        """
        if self.association.state is not State.OPEN:
            raise AssociationLost("the association is not open")
        call = Call(service)
        call.invoke_id = self._next_id()
        call.octets = pdu.request(call.invoke_id, service)
        if len(call.octets) > self.association.terms.largest_pdu:
            raise TooLarge(f"a request of {len(call.octets)} octets")
        self._waiting.append(call)
        self._pump()
        return call

    def give_up(self, call: Call) -> None:
        """Wait for a request's response no more."""
        if self._sent.pop(call.invoke_id, None) is not None:
            self._given_up[call.invoke_id] = self._now()
            if len(self._given_up) > MOST_REMEMBERED:
                del self._given_up[next(iter(self._given_up))]
        elif call in self._waiting:
            self._waiting.remove(call)

    def receive(self, data: bytes) -> list[Event]:
        """Take octets and return, in order, what they bring.

        Raises:
            MmsError: the association has ended; as `Association.receive` does.
        """
        found: list[Event] = []
        said = self.association.receive(data)
        try:
            for each in said:
                self._take(each, found)
        except Malformed as failure:
            self.association.end(failure)
            if not found:
                raise
        self._pump()
        return found

    def lost(self, why: MmsError) -> list[Call]:
        """Return every request that will not be answered, with the reason as its outcome."""
        calls = [*self._sent.values(), *self._waiting]
        for call in calls:
            call.outcome = why
        self._sent.clear()
        self._waiting.clear()
        return calls

    def _next_id(self) -> int:
        while True:
            self._invoke_id = self._invoke_id % LAST_INVOKE_ID + 1
            if self._invoke_id not in self._sent and self._invoke_id not in self._given_up:
                return self._invoke_id

    def _pump(self) -> None:
        """Send what waits, as far as the window goes."""
        if not self._waiting or self.association.state is not State.OPEN:
            return
        room = self.window - self.under_way
        while self._waiting and room > 0:
            call = self._waiting.popleft()
            self._sent[call.invoke_id] = call
            self.association.send(call.octets)
            self.counts.requests += 1
            room -= 1

    def _take(self, said: pdu.Pdu, found: list[Event]) -> None:
        if isinstance(said, InformationReport):
            self.counts.reports += 1
            found.append(said)
        elif isinstance(said, pdu.Response):
            self._answered(said.invoke_id, said.service, said.tag, found)
        elif isinstance(said, pdu.Failed):
            self.counts.errors += 1
            self._answered(said.invoke_id, said.error, None, found)
        elif isinstance(said, pdu.Reject):
            self.counts.errors += 1
            self._answered(said.invoke_id, said.reason, None, found)
        elif isinstance(said, pdu.Concluded):
            found.append(said)
        else:
            self._asked(said)

    def _answered(
        self, invoke_id: int | None, outcome: Any, tag: int | None, found: list[Event]
    ) -> None:
        call = self._sent.pop(invoke_id, None) if invoke_id is not None else None
        if call is None:
            self._unexpected(invoke_id)
            return
        if tag is not None and tag != call.tag:
            self.counts.mismatched += 1
            self._sent[call.invoke_id] = call
            raise Malformed(f"a response {tag:#x} to a request of another service")
        self.counts.responses += 1
        call.outcome = outcome
        found.append(call)

    def _unexpected(self, invoke_id: int | None) -> None:
        if invoke_id is not None and self._given_up.pop(invoke_id, None) is not None:
            self.counts.late += 1
        else:
            self.counts.strangers += 1

    def _asked(self, said: pdu.Pdu) -> None:
        """Answer what a server may ask of a client: nothing but to conclude."""
        if self.association.state is not State.OPEN:
            return
        if isinstance(said, pdu.Request):
            self.association.send(pdu.reject(said.invoke_id, 1, UNRECOGNISED_SERVICE))
        elif isinstance(said, pdu.Conclude):
            self.association.send(pdu.CONCLUDE_RESPONSE)
