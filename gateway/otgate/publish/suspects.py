"""Messages upon which a broker closes the connection, found by offering one of them alone.

Some brokers close instead of answering, also such as speak MQTT 5, and MQTT 3.1.1 knows no other
answer. What was in flight is then suspected and goes alone over the next connections, once the
broker has taken something else there. Where those end upon the same message, it was that.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from otgate.publish.message import Claim, Message

ENDS_NEEDED = 2
"""Connections that must end upon a message that went alone, before it is blamed."""
BLAMED_NEEDED = 2
"""Messages in a row that must be blamed before their topic is."""
FIRST_REST_S, LONGEST_REST_S = 300.0, 3600.0
"""How long a blamed topic is not offered; doubled each time it is found unchanged."""
TOGETHER = 200
"""How many of the messages in flight are suspected when a connection ends."""
REMEMBERED = 1000


class Finding(Enum):
    """What the end of a connection told about a message."""

    NOTHING = "nothing"
    DOUBT = "doubt"
    """It goes alone once more."""
    BLAME = "blame"
    """It is not offered for a while."""


@dataclass(slots=True)
class Blamed:
    """A topic of which messages were blamed."""

    messages: int = 0
    rests_until_s: float = 0.0


class Suspects:
    """What is held against messages and topics. ``clock_s`` counts seconds and never goes back."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._suspected: dict[Claim | str, int] = {}
        """How many connections ended upon each while it was alone."""
        self._blamed: OrderedDict[Claim, float] = OrderedDict()
        self._first: set[Claim | str] = set()
        self._topics: dict[str, Blamed] = {}

    @property
    def resting(self) -> list[str]:
        """The topics that are not offered now."""
        return sorted(topic for topic in self._topics if self._rests(topic))

    @property
    def none(self) -> bool:
        """Whether no message and no topic is suspected or blamed."""
        return not (self._suspected or self._topics or self._blamed)

    def go_alone(self, message: Message) -> bool:
        """Tell whether ``message`` is to be in flight alone."""
        if not self._suspected and not self._topics:
            return False
        return message.topic in self._topics or _key(message) in self._suspected

    def withheld(self, message: Message) -> bool:
        """Tell whether ``message`` is not to be offered."""
        if self._blamed and message.claim is not None:
            until_s = self._blamed.get(message.claim)
            if until_s is not None and self._clock_s() < until_s:
                return True
        return bool(self._topics) and self._rests(message.topic)

    def taken(self, message: Message) -> None:
        """Clear a message that the broker took, and its topic."""
        if self._suspected:
            self._suspected.pop(_key(message), None)
            self._first.discard(_key(message))
        if self._topics:
            self._topics.pop(message.topic, None)

    def closed_upon(self, messages: Sequence[Message]) -> None:
        """Learn that a connection was closed while ``messages`` were in flight, the oldest first.

        What a broker acknowledged just before may not have reached us: any of them can be it.
        """
        if len(self._suspected) > REMEMBERED:
            self._suspected.clear()
            self._first.clear()
        for message in messages[:TOGETHER]:
            self._suspected.setdefault(_key(message), 0)

    def closed_upon_first(self, message: Message) -> None:
        """Learn that one was closed upon ``message`` before anything was taken."""
        self._first.add(_key(message))

    def was_first(self, message: Message) -> bool:
        """Tell whether ``message`` should not go first again."""
        return _key(message) in self._first

    def closed_upon_one(self, message: Message, *, answered: bool) -> Finding:
        """Learn that one was closed upon ``message`` alone, after others had been taken.

        ``answered`` says that the broker refused it before it closed.
        """
        ends = self._suspected.get(_key(message), 0) + 1
        self._suspected[_key(message)] = ends
        if not answered and ends < ENDS_NEEDED and message.topic not in self._topics:
            return Finding.DOUBT
        self.blame(message)
        return Finding.BLAME

    def blame(self, message: Message) -> None:
        """Do not offer ``message`` for a while, and after a few of them not their topic."""
        self._suspected.pop(_key(message), None)
        if message.claim is not None:
            self._blamed[message.claim] = self._clock_s() + FIRST_REST_S
        if len(self._blamed) > REMEMBERED:
            self._blamed.popitem(last=False)
        topic = self._topics.setdefault(message.topic, Blamed())
        topic.messages += 1
        if message.claim is None or topic.messages >= BLAMED_NEEDED:
            times = max(0, topic.messages - BLAMED_NEEDED)
            rest_s = min(LONGEST_REST_S, FIRST_REST_S * 2.0**times)
            topic.rests_until_s = self._clock_s() + rest_s

    def _rests(self, topic: str) -> bool:
        blamed = self._topics.get(topic)
        return blamed is not None and self._clock_s() < blamed.rests_until_s


def _key(message: Message) -> Claim | str:
    """Name a message so that it is known again when it is offered again."""
    return message.topic if message.claim is None else message.claim
