"""Reads that a device leaves unanswered, poll after poll, while it answers others.

Some devices are silent upon a read that is too long, or that runs over an address they lack; some
report a failure (exception 4). Once that has gone on for some polls such a read is searched like a
refused one. Silence says so only of a device that is known to be there: by what else it answers
in the same poll, or by its answer to a knock.
"""

from otgate.driver import DeviceState
from otgate_modbus.bisection import Bisection
from otgate_modbus.learned import SILENCE_KEY
from otgate_modbus.sheet import Group

SILENT_POLLS = 3
"""After this many without any answer a poll begins with a knock: one point alone."""

TROUBLED_POLLS = 3
"""After this many a read that is not answered is doubted."""


class Doubts:
    """What is doubted of one device; whether it was silent is kept over connections."""

    def __init__(self, state: DeviceState, bisection: Bisection) -> None:
        self._state = state
        self._bisection = bisection
        self.silent = SILENT_POLLS if state.get(SILENCE_KEY) else 0
        """Polls in a row without any answer."""
        self.alive = False
        """Whether the device has answered anything in this poll."""

    @property
    def knocking(self) -> bool:
        """Whether a poll begins with a knock."""
        return self.silent >= SILENT_POLLS

    def begin(self) -> None:
        """Begin a poll."""
        self.alive = False

    def unanswered(self) -> None:
        """Count a poll without any answer."""
        self.silent += 1
        if self.silent == SILENT_POLLS:
            self._state.put(SILENCE_KEY, "knock")

    def answered(self) -> None:
        """Note that a poll was answered, not only a knock."""
        if self.silent >= SILENT_POLLS:
            self._state.put(SILENCE_KEY, None)
        self.silent = 0

    def mark(self, group: Group) -> None:
        """Doubt the lines that were not answered again, if the device is there."""
        self.alive = self.alive or group.heard
        if not self.alive:
            return
        for line in group.lines:
            if line.mute and not line.block.alone:
                again = self.knocking or line.troubles + 1 >= TROUBLED_POLLS
                doubted = again and self._bisection.may_doubt
                line.doubted = doubted or self._bisection.searching(line.block)
