"""What becomes of messages that a broker does not take: held, offered again, or set aside.

A broker that refuses everything is in trouble, and so nothing is given up: the spool keeps it.
Once the broker has taken another message after one that it refused, that one is offered again, and
then set aside; its samples are announced as a gap.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from enum import Enum

from otgate.publish.errors import BrokerLost, BrokerRefused
from otgate.publish.message import Claim, Message, Outcome, Settles
from otgate.publish.owed import Owed
from otgate.publish.refusals import Refusals
from otgate.publish.suspects import Finding, Suspects
from otgate.spool.items import Gap

HELD_LIMIT, HELD_BYTES = 200, 2 << 20
"""Refused messages without one taken between them after which the broker is left alone."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
"""After which what is held is offered again where there is nothing else to send."""
COMPANY_S = 2.0
CLOSES = Outcome(0xFF, "the broker closes the connection upon it")
"""No reason code of MQTT's: there was no answer."""


class Way(Enum):
    """How a message goes out."""

    TOGETHER = "together"
    ALONE = "alone"
    """With nothing else in flight."""
    NOT = "not"


class Verdicts:
    """Decides about refused messages. ``done`` is told of claims that nobody will settle."""

    def __init__(
        self,
        record: Refusals,
        done: Callable[[Claim], None],
        clock: Callable[[], int],
        clock_s: Callable[[], float],
    ) -> None:
        self.samples = 0
        """Samples set aside."""
        self.unannounced = 0
        """Samples of which the broker did not even take the gap."""
        self._record = record
        self._done = done
        self._clock = clock
        self._owed = Owed(clock_s)
        self._suspects = Suspects(clock_s)
        self._held: list[tuple[Message, Outcome]] = []
        self._held_bytes = 0
        self._answered: Message | None = None
        """What the broker refused last, where it has taken nothing since."""
        self._again: deque[tuple[float, Message]] = deque()
        self._again_bytes = 0
        self._clock_s = clock_s
        self._pause_s = FIRST_PAUSE_S
        self._again_s = 0.0

    def status(self) -> dict[str, object]:
        """Return what an operator asks."""
        resting = self._suspects.resting
        return {
            "refused": self._record.count,
            "refused_samples": self.samples,
            "unannounced": self.unannounced,
            "held": self._words(),
            "not_offered": ", ".join(resting),
        }

    def _words(self) -> str:
        if not self._held:
            return ""
        reason = self._held[-1][1].reason
        return f"{len(self._held)} refused ({reason}): kept until the broker takes another message"

    def begin(self) -> None:
        """Start with a new connection, over which all that is unsettled is offered again."""
        self._owed.begin()
        self._drop_held()
        self._answered = None
        self._again.clear()
        self._again_bytes = 0

    @property
    def has_left(self) -> bool:
        """Whether refusals have left anything to be sent, now or later."""
        return bool(self._again) or self._owed.has_due

    @property
    def trusts_all(self) -> bool:
        """Whether nothing is held against any message."""
        return not self._owed.knows_any and self._suspects.none

    def way(self, message: Message) -> Way:
        """Return how ``message`` is to go out."""
        if self._suspects.withheld(message):
            return Way.NOT
        return Way.ALONE if self._suspects.go_alone(message) else Way.TOGETHER

    def aside(self, message: Message) -> bool:
        """Tell whether the samples of ``message`` were set aside; their gap is due again then."""
        claim = message.claim
        if claim is None or claim.settles is Settles.ANNOUNCED or not self._owed.knows(claim):
            return False
        self._owed.owe(claim)
        return True

    def due(self) -> Iterator[Gap]:
        """Take the gaps that are to be sent now."""
        return self._owed.due()

    def again(self) -> Iterator[Message]:
        """Take the messages that are to be offered again now."""
        while self._again and self._again[0][0] <= self._clock_s():
            message = self._again.popleft()[1]
            self._again_bytes -= message.size
            yield message

    def company_s(self, message: Message) -> float:
        """Return how long ``message``, which goes alone, waits for another to go first."""
        return COMPANY_S if self._suspects.was_first(message) else 0.0

    def taken(self, message: Message) -> BrokerLost | None:
        """Learn that the broker took ``message``; return why to end the connection, if so."""
        self._answered = None
        self._suspects.taken(message)
        self._record.taken(message)
        claim = message.claim
        if claim is None:
            return None
        if claim.settles is Settles.ANNOUNCED:
            self._owed.announced(claim)
            return None
        self._pause_s = FIRST_PAUSE_S
        return self._judge() if self._held else None

    def refused(self, message: Message, outcome: Outcome) -> BrokerLost | None:
        """Learn that it did not; return why to end the connection, if so."""
        if outcome is not CLOSES:
            self._answered = message
        if message.claim is None:
            self._record.set_aside(message, outcome, self._clock())
            self._suspects.blame(message)
            return None
        if self._record.is_final(message, outcome):
            self._set_aside(message, outcome)
            return None
        if not self._held:
            self._again_s = self._clock_s() + self._pause_s
        self._held.append((message, outcome))
        self._held_bytes += message.size
        if len(self._held) < HELD_LIMIT and self._held_bytes < HELD_BYTES:
            return None
        self._drop_held()
        return BrokerRefused(f"the broker takes none of the samples: {outcome.reason}")

    def offer_again(self) -> bool:
        """Tell, now and then while nothing else happens, to read again what is held."""
        if not self._held or self._clock_s() < self._again_s:
            return False
        self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s)
        self._drop_held()
        return True

    def ended(self, in_flight: Sequence[Message], lonely: Collection[Message]) -> Finding:
        """Learn that the broker closed a connection.

        ``lonely`` are messages that went alone, after others were taken.
        """
        upon = in_flight if self._answered is None else [self._answered]
        if len(upon) != 1 or not any(message is upon[0] for message in lonely):
            self._suspects.closed_upon(upon)
            if len(upon) == 1:
                self._suspects.closed_upon_first(upon[0])
            return Finding.NOTHING
        finding = self._suspects.closed_upon_one(upon[0], answered=self._answered is not None)
        if finding is Finding.BLAME and upon[0].claim is None:
            self._record.set_aside(upon[0], CLOSES, self._clock())
        return finding

    def _judge(self) -> BrokerLost | None:
        for message, outcome in self._drop_held():
            pause_s = self._record.pause_s(message, outcome)
            if pause_s is None:
                self._set_aside(message, outcome)
            else:
                self._again.append((self._clock_s() + pause_s, message))
                self._again_bytes += message.size
        if self._again_bytes < HELD_BYTES:
            return None
        return BrokerRefused("the broker refuses too many messages")

    def _set_aside(self, message: Message, outcome: Outcome) -> None:
        self._record.set_aside(message, outcome, self._clock())
        claim = message.claim
        if claim is None:
            return
        if claim.settles is Settles.DELIVERED:
            self.samples += claim.count
            self._owed.set_aside(claim)
        else:
            self.unannounced += claim.count
            self._done(claim)

    def _drop_held(self) -> list[tuple[Message, Outcome]]:
        held, self._held, self._held_bytes = self._held, [], 0
        return held
