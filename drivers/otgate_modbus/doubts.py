"""Reads that a device leaves unanswered, poll after poll, while it answers others.

Some devices are silent upon a read that is too long, or that runs over an address they lack; some
report a failure (exception 4). Once that has gone on for some polls such a read is searched like a
refused one. Silence says so only of a device that is known to be there: by what else it answers
in the same poll, or by its answer to a knock.

Others close the connection upon such a read. What was under way when it ended is kept; where the
same read ends several connections in a row, and more than once after the device had answered
something else, shorter reads are tried. A device that closes upon everything, while it starts for
instance, says nothing of the read that happens to come first; once that may be by accident, where
it began to in the midst of a poll.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from otgate.driver import DeviceState
from otgate_modbus.address import SPELLED, TABLES
from otgate_modbus.bisection import Bisection
from otgate_modbus.codec import Missing
from otgate_modbus.learned import CLOSED_KEY, SILENCE_KEY, Place
from otgate_modbus.sheet import Group, Line, Sheet

SILENT_POLLS = 3
"""After this many without any answer a poll begins with a knock: one point alone."""

TROUBLED_POLLS = 3
"""After this many a read that is not answered is doubted."""


CLOSED = 3
"""Connections in a row that the same read ended before it is not sent again."""

TOLD_APART = 2
"""How many of them after the device had answered something else in the same poll."""


@dataclass(frozen=True, slots=True)
class Closing:
    """The read that ended the last connections."""

    place: Place
    count: int
    """How many in a row."""
    told_apart: int
    """How many of them after the device had answered something else in the same poll."""


class Doubts:
    """What is doubted of one device; whether it was silent is kept over connections."""

    def __init__(self, state: DeviceState, bisection: Bisection) -> None:
        self._state = state
        self._bisection = bisection
        self.silent = SILENT_POLLS if state.get(SILENCE_KEY) else 0
        """Polls in a row without any answer."""
        self.alive = False
        """Whether the device has answered anything in this poll."""
        self._closed = _closed(state.get(CLOSED_KEY))

    @property
    def knocking(self) -> bool:
        """Whether a poll begins with a knock."""
        if self._closed is None:
            return self.silent >= SILENT_POLLS
        return self.silent >= SILENT_POLLS or self._suspect is not None

    @property
    def _suspect(self) -> Place | None:
        """The read that has ended too many connections."""
        if self._closed is None or self._closed.count < CLOSED:
            return None
        return self._closed.place

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

    def lost(self, lines: Sequence[Line]) -> None:
        """Note which read was under way when the connection ended in a poll."""
        place = next((line.block[:3] for line in lines if line.ask.answer is Missing.SILENT), None)
        place = place or (None if self.alive else self._suspect)
        if place is not None:
            before = self._closed
            if before is None or before.place != place:
                before = Closing(place, 0, 0)
            now = Closing(place, before.count + 1, before.told_apart + self.alive)
            self._closed = now
            kept = [SPELLED[place[0]], *place[1:], now.count, now.told_apart]
            self._state.put(CLOSED_KEY, kept)

    @property
    def turn(self) -> int:
        """How many knocks in a row there were: each asks for something else."""
        closed = 0 if self._closed is None else self._closed.count - CLOSED
        return max(0, self.silent - SILENT_POLLS, closed)

    def sound(self) -> None:
        """Note that everything was answered."""
        self._bisection.may_doubt = True
        self._trust()

    def acquit(self, lines: Sequence[Line]) -> None:
        """Note what was answered: a read among it does not end connections."""
        closed = self._closed
        if closed is not None and any(
            line.block[:3] == closed.place and isinstance(line.ask.answer, bytes) for line in lines
        ):
            self._trust()

    def _trust(self) -> None:
        if self._closed is not None:
            self._closed = None
            self._state.put(CLOSED_KEY, None)

    def learn(self, sheet: Sheet) -> bool:
        """Learn from connections that one read of ``sheet`` ended; True if it is planned anew."""
        told_apart = self._closed is not None and self._closed.told_apart >= TOLD_APART
        place = self._suspect if told_apart else None
        if place is None or not self._bisection.closes(sheet, place):
            return False
        self.sound()
        return True

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


def _closed(kept: object) -> Closing | None:
    """Read what was kept of the last connections."""
    match kept:
        case [str(table), int(start), int(length), int(count), int(apart)] if table in TABLES:
            return Closing((TABLES[table], start, length), count, apart)
    return None
