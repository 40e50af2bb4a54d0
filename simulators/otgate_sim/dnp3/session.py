"""The outstation's side of a conversation, without I/O: fragments in, fragments out.

IEEE 1815-2012, clause 4. A request that comes twice gets the same answer twice and is carried out
once. A READ that comes while an unsolicited response is unconfirmed waits for that.
"""

import math
from collections import Counter
from dataclasses import dataclass, field

from otgate_dnp3.stack.application import (
    CON,
    FIN,
    FIR,
    SEQUENCE_MASK,
    UNS,
    Function,
    Iin,
    Request,
    parsed_request,
    response,
)
from otgate_sim.dnp3.events import Event
from otgate_sim.dnp3.packing import Packing
from otgate_sim.dnp3.reading import Reading, read
from otgate_sim.dnp3.requests import BROADCAST, SILENT, Requests
from otgate_sim.dnp3.rtu import CONFIRMED_BROADCAST, Rtu
from otgate_sim.dnp3.unsolicited import Unsolicited


@dataclass(slots=True)
class Awaited:
    """A response whose confirm is awaited, and what follows it."""

    sequence: int
    events: list[Event]
    until_s: float
    rest: Reading | None
    tells_broadcast: bool = False


@dataclass(slots=True)
class Session:
    """One outstation's conversation with its master."""

    rtu: Rtu
    outbox: list[bytes] = field(default_factory=list)
    """Fragments to send, oldest first; whoever sends them takes them out."""
    counts: Counter[str] = field(default_factory=Counter)
    """Requests by function name, and what was ignored."""
    unsolicited: Unsolicited = field(init=False)
    requests: Requests = field(init=False)
    awaited: Awaited | None = None
    is_up: bool = False
    _deferred: Request | None = None
    _last: tuple[Request, bytes] | None = None
    """The last request, and the last fragment that answered it."""

    def __post_init__(self) -> None:
        self.unsolicited = Unsolicited(self.rtu)
        self.requests = Requests(self.rtu, self.unsolicited.enabled)

    def link_up(self) -> None:
        """Begin on a new connection."""
        self.link_lost()
        self.is_up = True
        self.unsolicited.heard()
        self.tick()

    def link_lost(self) -> None:
        """Forget the conversation; what was written and not confirmed waits again."""
        self._abandon()
        self.unsolicited.give_up()
        self._deferred = self._last = self.requests.outputs.selected = None
        self.outbox.clear()
        self.is_up = False

    def restart(self, *, keeps_events: bool) -> None:
        """Start again: nothing is enabled, nothing has been said."""
        self.link_lost()
        self.rtu.restart(keeps_events=keeps_events)
        self.unsolicited.enabled.clear()
        self.unsolicited.greeted, self.unsolicited.sequence = False, 0

    def receive(self, fragment: bytes, broadcast: int | None = None) -> None:
        """Take a fragment from the master; ``broadcast`` is the address if it was for all."""
        request = parsed_request(fragment)
        if request is None or request.control & (FIR | FIN) != FIR | FIN:
            self.counts["ignored"] += 1
            return
        self.unsolicited.heard()
        if request.function == Function.CONFIRM:
            self._confirmed(request)
        elif request.control & (CON | UNS):
            self.counts["ignored"] += 1
        elif broadcast is not None:
            self._broadcast(request, broadcast)
        elif self._last is not None and self._last[0] == request:
            self._repeat(self._last[1])
        else:
            self._begin(request)
        self.tick()

    def tick(self) -> None:
        """Do what the time has come for."""
        if not self.is_up:
            return
        if self.awaited is not None and self.rtu.seconds() >= self.awaited.until_s:
            self.counts["unconfirmed"] += 1
            self._abandon()
        pending = self.unsolicited.awaited
        if self._deferred is not None and pending is not None:
            if self.rtu.seconds() >= pending.until_s:
                self.unsolicited.give_up()
                self._read_deferred()
        elif (self.awaited is None or pending is not None) and (sent := self.unsolicited.next()):
            self.counts["unsolicited"] += 1
            self.outbox.append(sent)

    def due_s(self) -> float:
        """Return when `tick` has something to do; infinity where nothing is in sight."""
        if not self.is_up:
            return math.inf
        if self.awaited is None:
            return self.unsolicited.due_s()
        pending = self.unsolicited.awaited
        return min(self.awaited.until_s, pending.until_s if pending else math.inf)

    def _confirmed(self, request: Request) -> None:
        if request.control & UNS:
            if not self.unsolicited.confirm(request.sequence):
                self.counts["stray confirms"] += 1
            elif self._deferred is not None:
                self._read_deferred()
            return
        awaited = self.awaited
        if awaited is None or awaited.sequence != request.sequence:
            self.counts["stray confirms"] += 1
            return
        self.awaited = None
        self.rtu.buffer.confirm(awaited.events)
        if awaited.tells_broadcast:
            self.rtu.broadcast = None
        if awaited.rest is not None:
            self._answer(awaited.rest, (awaited.sequence + 1) & SEQUENCE_MASK, first=0)

    def _broadcast(self, request: Request, address: int) -> None:
        self.counts["broadcast"] += 1
        self._abandon()
        self._last = self._deferred = None
        self.rtu.broadcast = address
        if request.function in BROADCAST:
            self.requests.carry_out(request)

    def _repeat(self, answer: bytes) -> None:
        self.counts["repeated"] += 1
        if answer:
            self.outbox.append(answer)
        if self.awaited is not None:
            self.awaited.until_s = self.rtu.seconds() + self.rtu.options.confirm_s

    def _begin(self, request: Request) -> None:
        self._count(request)
        self._abandon()
        self._last, self._deferred = (request, b""), None
        if request.function == Function.READ:
            if self.unsolicited.awaited is not None:
                self._deferred = request
            else:
                self._answer(read(self.rtu, request.objects), request.sequence, first=FIR)
            return
        objects, refusals = self.requests.carry_out(request)
        if request.function not in SILENT:
            self._send(FIR | FIN | request.sequence, refusals, objects, [], None)

    def _count(self, request: Request) -> None:
        known = request.function in list(Function)
        self.counts[Function(request.function).name if known else "unknown"] += 1

    def _read_deferred(self) -> None:
        request, self._deferred = self._deferred, None
        if request is not None:
            self._answer(read(self.rtu, request.objects), request.sequence, first=FIR)

    def _answer(self, reading: Reading, sequence: int, *, first: int) -> None:
        """Send the next fragment of a reading."""
        packing = Packing(self.rtu.options.fragment - 4, self.rtu.database.index_width)
        events, done = reading.fill(packing)
        control = first | (FIN if done else 0) | (CON if events or not done else 0) | sequence
        rest = None if done else reading
        self._send(control, reading.refusals, packing.objects, events, rest)

    def _send(
        self, control: int, refusals: Iin, objects: bytes, events: list[Event], rest: Reading | None
    ) -> None:
        tells = self.rtu.broadcast == CONFIRMED_BROADCAST
        control |= CON if tells else 0
        fragment = response(control, self.rtu.indications() | refusals, objects)
        if not tells:
            self.rtu.broadcast = None
        if control & CON:
            until_s = self.rtu.seconds() + self.rtu.options.confirm_s
            sequence = control & SEQUENCE_MASK
            self.awaited = Awaited(sequence, events, until_s, rest, tells)
        if self._last is not None:
            self._last = self._last[0], fragment
        self.outbox.append(fragment)

    def _abandon(self) -> None:
        """Stop waiting for a confirm; what was written waits again."""
        if self.awaited is not None:
            self.rtu.buffer.give_back(self.awaited.events)
            self.awaited = None
