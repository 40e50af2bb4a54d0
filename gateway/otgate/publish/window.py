"""How much may be under way: messages sent and not yet acknowledged, and their bytes.

A narrow link gets no more at a time than it carries in `AIM_S`: what is sent waits in buffers, and
an event that comes then waits behind it.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from otgate.publish.message import Claim, Message, Urgency

LAST_ID = 65_535
"""Packet ids run from 1 to here (MQTT 5.0, §2.2.1)."""


AIM_S = 2.0
"""How old what is in flight is to become, beyond what the way takes by itself."""
CALM = 0.5
"""Of that, below which more may be sent."""


class Sent(NamedTuple):
    """A message in flight."""

    message: Message
    at_s: float
    size: int
    """Of all that was in flight with it, itself among it."""


class Window:
    """Counts what is in flight. One message always fits, however large."""

    def __init__(self, messages: int, size: int, clock_s: Callable[[], float]) -> None:
        self.limit = messages
        self.size_limit = size
        self.pace = size
        """Below so many bytes in flight another message may follow."""
        self.size = 0
        self._clock_s = clock_s
        self._least_s = math.inf
        """The shortest time that an acknowledgement took: that of the way."""
        self._late = 0
        self._late_size = 0
        self.most = 0
        """The largest number of messages that were ever in flight."""
        self._sent: dict[int, Sent] = {}
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._sent)

    def fits(self, message: Message) -> bool:
        """Tell whether ``message`` may be sent now."""
        if not self._sent:
            return True
        return self._is_open and self.size + message.size <= self.size_limit

    @property
    def _is_open(self) -> bool:
        return len(self._sent) < self.limit and self.size < self.pace

    @property
    def has_late_share(self) -> bool:
        """Whether another late message leaves half of the window to what is live."""
        few = self._late < self.limit // 2 and 2 * self._late_size < self.pace
        return few or not self._late

    @property
    def has_late_room(self) -> bool:
        """Whether there is a share left for a late message, and it need not wait."""
        return self.has_late_share and self._is_open

    def in_flight(self) -> list[Message]:
        """Return what is in flight, the oldest first."""
        return [sent.message for sent in self._sent.values()]

    @property
    def oldest(self) -> Message | None:
        """The message that has been in flight for longest."""
        return next((sent.message for sent in self._sent.values()), None)

    def claims(self) -> list[Claim]:
        """Return what the samples in flight claim."""
        return [message.claim for message in self.in_flight() if message.claim is not None]

    def free_id(self) -> int:
        """Return a packet id that nothing in flight has; the window is not full of them."""
        packet_id = self._last_id % LAST_ID + 1
        while packet_id in self._sent:
            packet_id = packet_id % LAST_ID + 1
        self._last_id = packet_id
        return packet_id

    def sent(self, packet_id: int, message: Message) -> None:
        """Take note of a message that left."""
        self.size += message.size
        self._sent[packet_id] = Sent(message, self._clock_s(), self.size)
        if message.urgency is Urgency.LATE:
            self._late += 1
            self._late_size += message.size
        self.most = max(self.most, len(self._sent))

    def settled(self, packet_id: int) -> Message | None:
        """Return the message that ``packet_id`` was, now out of flight; None if unknown."""
        sent = self._sent.pop(packet_id, None)
        if sent is None:
            return None
        message = sent.message
        self._learn(sent)
        self.size -= message.size
        if message.urgency is Urgency.LATE:
            self._late -= 1
            self._late_size -= message.size
        return message

    def _learn(self, sent: Sent) -> None:
        """Set the pace by how long an acknowledgement took, of all that was under way with it."""
        age_s = self._clock_s() - sent.at_s
        self._least_s = min(self._least_s, age_s)
        aim_s = self._least_s + AIM_S
        if age_s > aim_s:
            self.pace = min(self.size_limit, int(sent.size * AIM_S / age_s) + 1)
        elif self.size >= self.pace and age_s < self._least_s + CALM * AIM_S:
            self.pace = min(self.size_limit, self.pace + sent.message.size)
