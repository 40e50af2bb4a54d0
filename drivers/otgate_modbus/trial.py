"""Tells a read that is too long from one that runs over something the device refuses.

A read was refused, and both its parts were answered: so every point in it can be read. Either
nothing may be read across the border between the parts, or the whole was too long. A short read
across the border tells which, and the longest length that is answered is found by halving.
"""

from bisect import bisect_right
from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

from otgate_modbus.learned import Cut, Measure, Parted, measure
from otgate_modbus.planner import Block, block_for
from otgate_modbus.reading import Extent


class Finding(Enum):
    """Why a read was refused whose parts were answered."""

    HOLE = auto()
    """No read may cross the border between its parts."""
    SIZE = auto()
    """It was too long."""
    UNKNOWN = auto()
    """It is answered now, or a trial was not."""


class Outcome(Enum):
    """What became of one request of a search."""

    ANSWERED = auto()
    REFUSED = auto()
    NOTHING = auto()


TRIES = 3
"""Requests of a trial that may go without an answer before it ends."""


class Recheck(NamedTuple):
    """A read that goes against a lesson, to see whether it still holds."""

    block: Block
    lesson: Cut | Measure


class Trial:
    """The requests that find out, one after another. ``block`` is the next, None at the end."""

    def __init__(self, cut: Cut, parted: Parted, members: Sequence[Extent], longest: int) -> None:
        """Take what the parted read covers, sorted by place, and the longest answered read."""
        at = next(at for at, member in enumerate(members) if member.start >= cut[1])
        self.cut = cut
        self.mute = parted.mute
        """Whether no answer counts as a refusal."""
        self.measure: Measure = measure(cut[0])
        self.finding: Finding | None = None
        self._tries = TRIES
        self._whole = block_for(members)
        left, right = block_for(members[:at]), block_for(members[at:])
        self.size = max(longest, left.length, right.length)
        """The longest read that was answered."""
        self._members = members
        self._lengths = lengths(members)
        """Of reads from the same address that end between points and may be too long."""
        border = block_for(across(members[:at], members[at:]))
        self.block: Block | None = border if border.length < self.length else self._whole
        self._wide = border.length > self.size
        """Whether the border is wider than any answered read. A refusal is then laid to the border:
        if that is wrong it costs a request more, where a wrong size would cost every read one."""

    @property
    def length(self) -> int:
        """Length of the read that was refused."""
        return self._whole.length

    def note(self, outcome: Outcome) -> None:
        """Take what became of ``block``; decide on the next."""
        block = self.block
        if block is None:
            return
        answered = outcome is Outcome.ANSWERED
        if outcome is Outcome.NOTHING:
            self._tries -= 1
            if not self._tries:
                self._end(Finding.UNKNOWN)
        elif block.length == self.length:
            self._conclude(answered=answered)
        elif not answered and (self._wide or block.length <= self.size):
            self._end(Finding.HOLE)
        else:
            self._narrow(block.length, answered=answered)

    def _narrow(self, length: int, *, answered: bool) -> None:
        """Take a length into account; ask for the middle of those that are left, then for all."""
        if answered:
            self.size = max(self.size, length)
            self._wide = False
        else:
            self._lengths = [each for each in self._lengths if each < length]
        left = self._lengths[bisect_right(self._lengths, self.size) :]
        self.block = self._prefix(left[len(left) // 2]) if left else self._whole

    def _conclude(self, *, answered: bool) -> None:
        """Judge by the whole read, asked once more at the end: it may be answered by now."""
        if answered:
            self._end(Finding.UNKNOWN)
        else:
            long = self.size < self.length and not self._wide
            self._end(Finding.SIZE if long else Finding.HOLE)

    def _end(self, finding: Finding) -> None:
        self.finding, self.block = finding, None

    def _prefix(self, length: int) -> Block:
        start = self._whole.start
        return block_for([each for each in self._members if each.stop <= start + length])


def across(left: Sequence[Extent], right: Sequence[Extent]) -> list[Extent]:
    """Return the readings of the shortest read that runs from one part into the next."""
    return [max(left, key=lambda member: (member.stop, member.start)), right[0]]


def lengths(members: Sequence[Extent]) -> list[int]:
    """Return the lengths of reads that begin like that of ``members`` and end between two."""
    start, stop = members[0].start, members[0].stop
    found = []
    for member in members:
        if member.start >= stop:
            found.append(stop - start)
        stop = max(stop, member.stop)
    return found
