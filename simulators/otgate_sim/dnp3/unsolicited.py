"""When an outstation speaks unasked: first to say that it is there, then with events.

IEEE 1815-2012, clause 4: the first unsolicited response is empty and repeated until it is
confirmed; events follow in the classes that the master has enabled.
"""

import math
from dataclasses import dataclass, field

from otgate_dnp3.stack.application import CON, FIN, FIR, UNS, response
from otgate_sim.dnp3.events import Event, Selection
from otgate_sim.dnp3.packing import Packing
from otgate_sim.dnp3.rtu import Rtu


@dataclass(slots=True)
class Sent:
    """A fragment whose confirm is awaited."""

    sequence: int
    fragment: bytes
    events: list[Event]
    until_s: float
    tries_left: int = 0


@dataclass(slots=True)
class Unsolicited:
    """Unsolicited reporting of one outstation."""

    rtu: Rtu
    enabled: set[int] = field(default_factory=set)
    greeted: bool = False
    """Whether the empty response has been confirmed."""
    awaited: Sent | None = None
    sequence: int = 0
    _since_s: float | None = None
    """Since when an event has waited."""
    _rest_until_s: float = -math.inf

    def due_s(self) -> float:
        """Return when there is something to send; infinity where nothing is in sight."""
        if self.awaited is not None:
            return self.awaited.until_s
        if not self.rtu.options.unsolicited:
            return math.inf
        wanted_s = self._wanted_s() if self.greeted else -math.inf
        return max(wanted_s, self._rest_until_s)

    def next(self) -> bytes:
        """Return the fragment that is due, or b""."""
        now_s = self.rtu.seconds()
        if now_s < self.due_s():
            return b""
        if self.awaited is not None:
            return self._again(self.awaited, now_s)
        packing = Packing(self.rtu.options.fragment - 4, self.rtu.database.index_width)
        events: list[Event] = []
        if self.greeted:
            events, whole = self.rtu.buffer.write([Selection(tuple(self.enabled))], packing)
            self._since_s = None if whole else -math.inf
        control = FIR | FIN | CON | UNS | self.sequence
        fragment = response(control, self.rtu.indications(), packing.objects)
        options = self.rtu.options
        until_s = now_s + options.confirm_s
        self.awaited = Sent(self.sequence, fragment, events, until_s, options.retries)
        return fragment

    def confirm(self, sequence: int) -> bool:
        """Take a confirm; tell whether it was the awaited one."""
        sent = self.awaited
        if sent is None or sent.sequence != sequence:
            return False
        self.awaited = None
        self.greeted = True
        self.sequence = (self.sequence + 1) % 16
        self.rtu.buffer.confirm(sent.events)
        return True

    def give_up(self) -> None:
        """Stop waiting for a confirm; what was sent waits again."""
        if self.awaited is not None:
            self.rtu.buffer.give_back(self.awaited.events)
            self.sequence = (self.sequence + 1) % 16
            self.awaited = None

    def heard(self) -> None:
        """Take it that the master is there."""
        self._rest_until_s = -math.inf

    def _wanted_s(self) -> float:
        waiting = self.rtu.buffer.count(self.enabled)
        if not waiting:
            self._since_s = None
            return math.inf
        if waiting >= self.rtu.options.hold_count:
            return -math.inf
        if self._since_s is None:
            self._since_s = self.rtu.seconds()
        return self._since_s + self.rtu.options.hold_s

    def _again(self, sent: Sent, now_s: float) -> bytes:
        if sent.tries_left:
            sent.tries_left -= 1
            sent.until_s = now_s + self.rtu.options.confirm_s
            return sent.fragment
        self.give_up()
        self._rest_until_s = now_s + self.rtu.options.offline_s
        return b""
