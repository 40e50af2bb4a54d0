"""A message on its way out, and the part of the spool that it settles."""

from dataclasses import dataclass, field
from enum import Enum

from otgate.model import Lane

FAILURE = 0x80
"""Reason codes from here on are errors (MQTT 5.0, §2.4)."""


class Retain(Enum):
    """Whether the broker keeps a message for those who subscribe later."""

    NO = False
    YES = True


class Urgency(Enum):
    """Whether somebody waits for a message."""

    LIVE = "live"
    LATE = "late"
    """It comes out of a backlog, and never holds up what is live."""


class Settles(Enum):
    """What an acknowledged message has done with the samples of its claim."""

    DELIVERED = "delivered"
    ANNOUNCED = "announced"
    """As a gap."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Samples that are done with once the broker has acknowledged the message."""

    lane: Lane
    epoch: int
    first: int
    count: int
    received_ns: int = field(default=0, compare=False)
    settles: Settles = Settles.DELIVERED
    spooled_ns: int = field(default=0, compare=False)
    """0 where the time since tells nothing: of a gap, and of values that are repeated."""
    sent_ns: int = field(default=0, compare=False)
    """As the message says it."""
    reason: str = field(default="", compare=False)
    """Of a gap."""

    def holds(self, lane: Lane, epoch: int, seq: int) -> bool:
        """Tell whether a sample is among them."""
        of_ours = (self.lane, self.epoch) == (lane, epoch)
        return of_ours and self.first <= seq < self.first + self.count


@dataclass(frozen=True, slots=True)
class Message:
    """One publish."""

    topic: str
    payload: bytes
    retain: Retain = Retain.NO
    claim: Claim | None = None
    urgency: Urgency = Urgency.LIVE
    size: int = field(init=False, compare=False)
    """Bytes of topic and payload."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", len(self.topic) + len(self.payload))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message: the broker's reason code (MQTT 5.0, §3.4.2.1)."""

    code: int
    reason: str

    @property
    def refused(self) -> bool:
        """Tell whether the broker did not take the message."""
        return self.code >= FAILURE
