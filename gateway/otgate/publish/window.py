"""How much may be under way: messages sent and not yet acknowledged, and their bytes."""

from otgate.publish.message import Claim, Message, Urgency

LAST_ID = 65_535
"""Packet ids run from 1 to here (MQTT 5.0, §2.2.1)."""


class Window:
    """Counts what is in flight. One message always fits, however large."""

    def __init__(self, messages: int, size: int) -> None:
        self.limit = messages
        self.size_limit = size
        self.size = 0
        self._late = 0
        self._late_size = 0
        self.most = 0
        """The largest number of messages that were ever in flight."""
        self._sent: dict[int, Message] = {}
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._sent)

    def fits(self, message: Message) -> bool:
        """Tell whether ``message`` may be sent now."""
        if not self._sent:
            return True
        return len(self._sent) < self.limit and self.size + message.size <= self.size_limit

    @property
    def has_late_share(self) -> bool:
        """Whether another late message leaves half of the window to what is live."""
        few = self._late < self.limit // 2 and 2 * self._late_size < self.size_limit
        return few or not self._late

    @property
    def has_late_room(self) -> bool:
        """Whether there is a share left for a late message, and it need not wait."""
        return self.has_late_share and len(self._sent) < self.limit

    def in_flight(self) -> list[Message]:
        """Return what is in flight, the oldest first."""
        return list(self._sent.values())

    @property
    def oldest(self) -> Message | None:
        """The message that has been in flight for longest."""
        return next(iter(self._sent.values()), None)

    def claims(self) -> list[Claim]:
        """Return what the samples in flight claim."""
        return [message.claim for message in self._sent.values() if message.claim is not None]

    def free_id(self) -> int:
        """Return a packet id that nothing in flight has; the window is not full of them."""
        packet_id = self._last_id % LAST_ID + 1
        while packet_id in self._sent:
            packet_id = packet_id % LAST_ID + 1
        self._last_id = packet_id
        return packet_id

    def sent(self, packet_id: int, message: Message) -> None:
        """Take note of a message that left."""
        self._sent[packet_id] = message
        self.size += message.size
        if message.urgency is Urgency.LATE:
            self._late += 1
            self._late_size += message.size
        self.most = max(self.most, len(self._sent))

    def settled(self, packet_id: int) -> Message | None:
        """Return the message that ``packet_id`` was, now out of flight; None if unknown."""
        message = self._sent.pop(packet_id, None)
        if message is not None:
            self.size -= message.size
            if message.urgency is Urgency.LATE:
                self._late -= 1
                self._late_size -= message.size
        return message
