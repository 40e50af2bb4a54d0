"""Finds the points that a device refuses by halving the reads that it refuses.

Bounded per poll and carried on in the next ones, because what was learned is kept: a cut is
where a read has to begin anew, a refused place is left out of every read.
"""

from collections.abc import Awaitable, Callable, Sequence

from otgate_modbus.codec import Ask
from otgate_modbus.planner import Cut, Learned, block_for, halves
from otgate_modbus.sheet import Group, Line, Sheet

REQUESTS_PER_POLL = 16
"""Extra requests in one poll, beside those planned."""

Exchange = Callable[[Sequence[Ask]], Awaitable[bool]]
"""Send and wait; False once the poll has no time left for more."""


class Bisection:
    """The search on one device, across polls."""

    def __init__(self, learned: Learned, unit: int) -> None:
        self.learned = learned
        self._unit = unit
        self._cuts: set[Cut] = set()
        """Cuts of the search under way."""
        self._found = False

    async def narrow(self, sheet: Sheet, group: Group, exchange: Exchange) -> Group:
        """Halve contested lines as far as this poll allows; return what it then consists of."""
        lines = list(group.lines)
        budget = REQUESTS_PER_POLL
        while (at := _contested(lines)) is not None:
            parts = self._parted(sheet, lines[at])
            if len(parts) == 1:
                lines[at] = parts[0]
                continue
            if budget < len(parts):
                break
            budget -= len(parts)
            going_on = await exchange([part.ask for part in parts])
            lines[at : at + 1] = parts
            if not going_on:
                break
        return sheet.regrouped(lines)

    def settle(self) -> bool:
        """End a search that left nothing contested; True if reads may join again.

        Once refused places are known, reads go around them and the cuts made on the way to
        them serve nothing. A search that found none ran into a hole between points: its cuts stay.
        """
        joined = self._found and bool(self._cuts)
        if joined:
            self.learned.cuts -= self._cuts
        self._cuts = set()
        self._found = False
        return joined

    def readmit(self, line: Line) -> None:
        """Forget that a line's points were refused."""
        block = line.block
        self.learned.refused.discard((block.table, block.start, block.length))

    def _parted(self, sheet: Sheet, line: Line) -> list[Line]:
        """Split a line in two; a line that cannot be split is refused."""
        members = sheet.members(line.block)
        parts = halves(members)
        if parts is None:
            self._found = True
            self.learned.refused |= {member[:3] for member in members}
            refused = Line(line.block._replace(refused=True), self._unit)
            refused.ask.answer = line.ask.answer
            return [refused]
        blocks = [block_for(part) for part in parts]
        cut = (blocks[1].table, blocks[1].start)
        if cut not in self.learned.cuts:
            self._cuts.add(cut)
        self.learned.cuts.add(cut)
        return [Line(block, self._unit) for block in blocks]


def _contested(lines: Sequence[Line]) -> int | None:
    return next((at for at, line in enumerate(lines) if line.contested), None)
