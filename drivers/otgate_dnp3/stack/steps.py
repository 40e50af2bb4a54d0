"""What a master does on its own, as data: when each step is due, and in which order.

A session takes the first step of the list that is due. Start-up, restart and the way back from a
lost link are nothing but steps that became due together.
"""

import math
from dataclasses import dataclass
from enum import Enum

from otgate_dnp3.stack.application import Function
from otgate_dnp3.stack.outputs import Asked
from otgate_dnp3.stack.requests import CLEAR_RESTART, INTEGRITY, classes

NEVER = math.inf


class TimeSync(Enum):
    """Which procedure sets the outstation's clock when it asks for that."""

    OFF = "off"
    LAN = "lan"
    """Record the current time, then say what it was: group 50, variation 3."""
    NON_LAN = "non-lan"
    """Measure the delay first: group 52, then group 50, variation 1."""
    PLAIN = "plain"
    """Group 50, variation 1, without a measurement."""


@dataclass(frozen=True, slots=True)
class EventPoll:
    """Event classes that are read together at one period."""

    classes: frozenset[int]
    period_s: float


@dataclass(frozen=True, slots=True)
class MasterSettings:
    """How a master session behaves."""

    response_timeout_s: float = 5.0
    unsolicited: frozenset[int] = frozenset()
    """Event classes that the outstation may send unasked."""
    disables_unsolicited: bool = True
    """Whether the start-up first tells the outstation to send nothing unasked: TB2015-002a."""
    integrity_period_s: float = 3600.0
    """0 is only at start-up, and when the outstation gives a reason."""
    event_polls: tuple[EventPoll, ...] = ()
    time_sync: TimeSync = TimeSync.OFF
    keepalive_s: float = 60.0
    """Silence after which the link layer is asked for its status; 0 is never."""
    retry_s: float = 2.0
    retry_most_s: float = 60.0
    doubt_s: float = 60.0
    """Least time between integrity polls that an overflow or an unreadable fragment causes."""


@dataclass(slots=True)
class Step:
    """One request that the session makes on its own."""

    name: str
    function: Function
    objects: bytes = b""
    asked: Asked = Asked.OTHER
    period_s: float = 0.0
    due_s: float = NEVER
    failures: int = 0
    """In a row."""

    def again(self, now: float) -> None:
        """Be due a period from now, or never."""
        self.due_s = now + self.period_s if self.period_s else NEVER


class Steps:
    """The steps of one session in the order in which they go before each other."""

    def __init__(self, settings: MasterSettings) -> None:
        wanted = classes(settings.unsolicited)
        self.disable = Step("disable_unsolicited", Function.DISABLE_UNSOLICITED, classes((1, 2, 3)))
        self.clear_restart = Step("clear_restart", Function.WRITE, CLEAR_RESTART)
        self.integrity = Step(
            "integrity", Function.READ, INTEGRITY, Asked.INTEGRITY, settings.integrity_period_s
        )
        self.enable = Step("enable_unsolicited", Function.ENABLE_UNSOLICITED, wanted)
        self.record_time = Step("record_time", Function.RECORD_CURRENT_TIME)
        self.measure_delay = Step("measure_delay", Function.DELAY_MEASURE)
        self.write_time = Step("write_time", Function.WRITE)
        self.event_polls = [
            Step("event_poll", Function.READ, classes(each.classes), Asked.POLL, each.period_s)
            for each in settings.event_polls
        ]
        self._all = (
            self.disable,
            self.clear_restart,
            self.integrity,
            self.enable,
            self.record_time,
            self.measure_delay,
            self.write_time,
            *self.event_polls,
        )

    def start(self, now: float, settings: MasterSettings) -> None:
        """Make the start-up sequence due."""
        self.stop()
        if settings.disables_unsolicited:
            self.disable.due_s = now
        self.settle(now)
        for poll in self.event_polls:
            poll.again(now)

    def settle(self, now: float) -> None:
        """Make what has to follow a start or a restart due."""
        self.integrity.due_s = now
        if self.enable.objects:
            self.enable.due_s = now

    def stop(self) -> None:
        """Make nothing due."""
        for step in self._all:
            step.due_s, step.failures = NEVER, 0

    def due(self, now: float) -> Step | None:
        """Return the first step that is due."""
        return next((step for step in self._all if step.due_s <= now), None)

    def next_s(self) -> float:
        """Return when the next step is due."""
        return min(step.due_s for step in self._all)
