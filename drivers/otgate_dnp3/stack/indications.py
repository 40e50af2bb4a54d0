"""What a master does because an internal indication appeared.

Indications act at their edge: an outstation keeps DEVICE_RESTART up until it is cleared, and an
overflow up until its buffers have room, in every response. What an integrity poll is to mend
(events lost, a fragment that could not be read) causes one at a limited rate, and at a rate
that halves while the poll itself mends nothing.
"""

from otgate_dnp3.stack.application import Iin
from otgate_dnp3.stack.outputs import Output, Overflowed, Restarted
from otgate_dnp3.stack.steps import MasterSettings, Steps, TimeSync

RESTART, OVERFLOW = int(Iin.DEVICE_RESTART), int(Iin.EVENT_BUFFER_OVERFLOW)
NEED_TIME = int(Iin.NEED_TIME)
"""As plain numbers: a flag costs a microsecond a response."""

DOUBT_MOST_S = 3600.0
TIME_AGAIN_S = 60.0
"""How long an outstation may still ask for the time after it was given."""


class Indications:
    """Turns indications into steps that are due."""

    def __init__(self, steps: Steps, settings: MasterSettings) -> None:
        self._steps = steps
        self._settings = settings
        self._first_of_time = {
            TimeSync.LAN: steps.record_time,
            TimeSync.NON_LAN: steps.measure_delay,
            TimeSync.PLAIN: steps.write_time,
        }.get(settings.time_sync)
        self.forget()

    def forget(self) -> None:
        """Know nothing of the outstation; for a new connection."""
        self.integral = False
        """Whether an integrity poll was read since the start or the last restart."""
        self._restart = self._need_time = self._overflow = False
        self._time_again_s = 0.0
        self._doubt_s = self._settings.doubt_s
        self._doubt_again_s = 0.0
        self._doubtful = self._mending = self._restarted_since = False

    def take(self, iin: int, now: float) -> list[Output]:
        """Act on the indications of a response."""
        news: list[Output] = []
        restart, overflow = bool(iin & RESTART), bool(iin & OVERFLOW)
        if restart and not self._restart:
            self._restarted(now)
            news.append(Restarted())
        if overflow:
            self.doubt(now)
            news += [] if self._overflow else [Overflowed()]
        self._restart, self._overflow = restart, overflow
        self._clock(now, asked=bool(iin & NEED_TIME))
        return news

    def doubt(self, now: float) -> None:
        """Make an integrity poll due as soon as the rate allows."""
        self._doubtful = True
        integrity = self._steps.integrity
        integrity.due_s = min(integrity.due_s, max(now, self._doubt_again_s))

    def reading(self) -> None:
        """Note that an integrity poll begins: what was doubtful before is mended by it."""
        self._mending, self._doubtful = self._doubtful, False
        self._restarted_since = False

    def settled(self, now: float) -> None:
        """Note that an integrity poll was read.

        One that itself brought the news of a restart is made again once that is cleared: IEEE
        1815-2012, clause 5.
        """
        if self._restarted_since:
            self._restarted_since = False
            return
        self.integral = True
        if self._mending or self._doubtful:
            self._doubt_again_s = now + self._doubt_s
        longer = min(2 * self._doubt_s, DOUBT_MOST_S)
        self._doubt_s = longer if self._doubtful else self._settings.doubt_s
        self._steps.integrity.again(now)
        if self._doubtful:
            self.doubt(now)

    def time_written(self, now: float) -> None:
        """Note that the outstation was given the time."""
        self._time_again_s = now + TIME_AGAIN_S

    def _restarted(self, now: float) -> None:
        self.integral = False
        self._restarted_since = True
        self._steps.clear_restart.due_s = now
        self._steps.settle(now)

    def _clock(self, now: float, *, asked: bool) -> None:
        edge = asked and (not self._need_time or now >= self._time_again_s)
        self._need_time = asked
        first = self._first_of_time
        if edge and first is not None:
            self._time_again_s = now + TIME_AGAIN_S
            first.due_s = min(first.due_s, now)
