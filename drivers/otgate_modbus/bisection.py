"""Finds what a device refuses by halving the reads that it refuses.

Bounded per poll and carried on in the next ones, over connections and restarts, because what was
learned is kept: a cut is where a read has to begin anew, a refused place is left out of every
read, a size is how long a read may be.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from otgate_modbus.codec import Ask
from otgate_modbus.learned import Cut, Learned, Measure, Parted, Place, measure
from otgate_modbus.planner import Block, block_for, halves
from otgate_modbus.sheet import Group, Line, Sheet
from otgate_modbus.trial import Finding, Outcome, Recheck, Trial
from otgate_modbus.verdict import Course, verdict

REQUESTS_PER_POLL = 16
"""Extra requests in one poll, beside those planned."""

MOST_APART = 8
"""Places that are read by themselves because they are not answered. More is a failing device."""

Exchange = Callable[[Sequence[Ask]], Awaitable[bool]]
"""Send and wait; False once the poll has no time left for more."""


class Bisection:
    """The search on one device, across polls."""

    def __init__(self, learned: Learned, unit: int) -> None:
        self.learned = learned
        self._unit = unit
        self._left = REQUESTS_PER_POLL
        self._trials: deque[Trial] = deque()
        self._rechecks: deque[Recheck] = deque()
        self.may_doubt = True
        """Whether what is not answered may be searched; False once that led nowhere."""
        self._taught = False
        """Whether a trial ended while reads were being narrowed."""
        self._tried: dict[Cut, Parted] = {}
        """The cuts that the trials under way are about, and those that they will explain."""

    def begin(self) -> None:
        """Begin a poll."""
        self._left = REQUESTS_PER_POLL

    async def narrow(self, sheet: Sheet, group: Group, exchange: Exchange) -> Group:
        """Halve contested lines as far as this poll allows; return what it then consists of.

        A trial that is under way goes first: a size may explain all of them.
        """
        if self._trials:
            sizes = dict(self.learned.sizes)
            self._taught |= await self._explain(exchange)
            if self._trials or sizes != self.learned.sizes:
                return group
        lines = list(group.lines)
        while (at := _contested(lines)) is not None:
            parts = self._parted(sheet, lines[at])
            if len(parts) == 1:
                lines[at] = parts[0]
                continue
            if self._left < len(parts):
                break
            self._left -= len(parts)
            going_on = await exchange([part.ask for part in parts])
            lines[at : at + 1] = parts
            if not going_on:
                break
        self._give_up_many()
        return sheet.regrouped(lines)

    def _give_up_many(self) -> None:
        """End a search that finds no answer to so much: the device fails, not some address."""
        if len(self.learned.apart) > MOST_APART:
            self.may_doubt = False
            self.learned.apart.clear()
            for cut in [cut for cut, parted in self.learned.search.items() if parted.mute]:
                del self.learned.search[cut]
                self.learned.cuts.discard(cut)

    @property
    def studying(self) -> bool:
        """Whether there is anything to find out or to try again."""
        return bool(self.learned.search or self._rechecks or self._taught)

    async def study(
        self,
        sheet: Sheet,
        lines: Sequence[Line],
        longest: Mapping[Measure, int],
        exchange: Exchange,
    ) -> bool:
        """Find out what refusals were due to; True if reads are to be planned anew.

        ``lines`` are what this poll read, ``longest`` the longest reads that were answered.
        """
        taught, self._taught = self._taught, False
        joined = self._settle(sheet, lines, longest)
        explained = await self._explain(exchange)
        return await self._recheck(exchange) or explained or joined or taught

    def _settle(self, sheet: Sheet, lines: Sequence[Line], longest: Mapping[Measure, int]) -> bool:
        """End searches whose every part is now answered or refused; True if reads may join again.

        Where a read holds a refused place, that explains its refusal. Reads then go around the
        place, and the cuts made on the way to it serve nothing. What nothing explains is tried.
        """
        mine = {
            cut: parted
            for cut, parted in self.learned.search.items()
            if parted.scan == sheet.scan.name and cut not in self._tried
        }
        mine = _decided(mine, lines)
        if not mine:
            return False
        unexplained = [cut for cut, parted in mine.items() if not self._explained(parted)]
        self._tried |= mine
        for cut in _innermost(unexplained, mine):
            known = longest.get(measure(cut[0]), 0)
            self._trials.append(Trial(cut, mine[cut], sheet.between(mine[cut]), known))
        return self._ended()

    async def _explain(self, exchange: Exchange) -> bool:
        """Carry trials on as far as this poll allows; True if that taught anything."""
        concluded, going_on = False, True
        while self._trials:
            trial = self._trials[0]
            if trial.block is None:
                self._conclude(self._trials.popleft())
                concluded = True
                continue
            if not going_on or not self._left:
                break
            self._left -= 1
            line = Line(trial.block, self._unit)
            going_on = await exchange([line.ask])
            trial.note(outcome(line, mute=trial.mute))
        return concluded and self._ended()

    def abandon(self) -> bool:
        """End every search where it stands, as a connection was lost over it; True if one was.

        Its cuts stay until they are tried again: reads that end there were answered.
        """
        was = bool(self.learned.search)
        self.learned.search.clear()
        self._trials.clear()
        self._tried = {}
        return was

    def searching(self, block: Block) -> bool:
        """Say whether a read is part of one that was not answered and is being searched."""
        return any(
            parted.mute and parted.holds(block.table, block.start, block.stop)
            for parted in self.learned.search.values()
        )

    def answered_again(self, lines: Iterable[Line]) -> bool:
        """Take back what was read apart and has data now; True if there was any."""
        found = {
            line.block[:3]
            for line in lines
            if line.block.apart and isinstance(line.ask.answer, bytes)
        }
        self.learned.apart -= found
        return bool(found)

    def closes(self, sheet: Sheet, place: Place) -> bool:
        """Take notice that the device closes the connection upon a read; True if it was planned.

        Half its length is tried next; a single place is left out, and was no matter of length.
        """
        line = next((line for line in sheet.lines if line.block[:3] == place), None)
        if line is None:
            return False
        learned, of = self.learned, measure(place[0])
        if line.block.refused:
            learned.closing.add(place)
        elif halves(sheet.members(line.block)) is not None:
            learned.sizes[of] = max(1, place[2] // 2)
            learned.closing.add(of)
        else:
            learned.refused.add(place)
            learned.closing.add(place)
            if of in learned.closing:
                learned.closing.discard(of)
                learned.sizes.pop(of, None)
        return True

    def doubt(self, rechecks: Iterable[Recheck]) -> None:
        """Take lessons that are to be tried again, in the polls to come."""
        self._rechecks.extend(each for each in rechecks if each not in self._rechecks)

    async def _recheck(self, exchange: Exchange) -> bool:
        """Try lessons again as far as this poll allows; True if one no longer holds."""
        withdrawn, going_on = False, True
        while self._rechecks and going_on and self._left:
            block, lesson = self._rechecks.popleft()
            self._left -= 1
            line = Line(block, self._unit)
            going_on = await exchange([line.ask])
            if outcome(line) is Outcome.ANSWERED:
                self._withdraw(lesson)
                withdrawn = True
        return withdrawn

    def readmit(self, line: Line) -> None:
        """Forget that a line's points were refused."""
        block = line.block
        self.learned.refused.discard((block.table, block.start, block.length))

    def _withdraw(self, lesson: Cut | Measure) -> None:
        if isinstance(lesson, Measure):
            self.learned.sizes.pop(lesson, None)
        else:
            self.learned.cuts.discard(lesson)

    def _parted(self, sheet: Sheet, line: Line) -> list[Line]:
        """Split a line in two; a line that cannot be split is refused, or read apart."""
        members = sheet.members(line.block)
        parts = halves(members)
        if parts is None:
            places = {member[:3] for member in members}
            (self.learned.apart if line.mute else self.learned.refused).update(places)
            block = line.block._replace(refused=not line.mute, apart=line.mute)
            alone = Line(block, self._unit)
            alone.ask.answer = line.ask.answer
            return [alone]
        blocks = [block_for(part) for part in parts]
        cut = (blocks[1].table, blocks[1].start)
        self.learned.cuts.add(cut)
        whole = line.block
        self.learned.search[cut] = Parted(
            sheet.scan.name, whole.table, whole.start, whole.stop, line.mute
        )
        lines = [Line(block, self._unit) for block in blocks]
        for each in lines:
            each.doubted = line.mute
        return lines

    def _explained(self, parted: Parted) -> bool:
        size = self.learned.sizes.get(measure(parted.table))
        if size is not None and parted.stop - parted.start > size:
            return True
        return any(
            parted.holds(table, start, start + length)
            for table, start, length in self.learned.refused | self.learned.apart
        ) or any(
            table is parted.table and parted.start < start < parted.stop
            for table, start in self.learned.cuts - self.learned.search.keys()
        )

    def _conclude(self, trial: Trial) -> None:
        """Take what a trial found: a cut that stays, or a size."""
        if trial.finding is not Finding.SIZE:
            self.learned.search.pop(trial.cut, None)
            self._tried.pop(trial.cut, None)
        else:
            self.learned.sizes[trial.measure] = trial.size
            self._trials = deque(
                each
                for each in self._trials
                if each.measure is not trial.measure or each.length <= trial.size
            )

    def _ended(self) -> bool:
        """Drop the cuts that served the search alone, once no trial is left."""
        if self._trials:
            return False
        for cut in self._tried:
            self.learned.search.pop(cut, None)
            self.learned.cuts.discard(cut)
        self._tried = {}
        return True


def _contested(lines: Sequence[Line]) -> int | None:
    return next((at for at, line in enumerate(lines) if line.contested), None)


def outcome(line: Line, *, mute: bool = False) -> Outcome:
    """Say whether a line was answered with data, was refused, or neither.

    Where a search is about a ``mute`` read no answer is taken for a refusal.
    """
    if isinstance(line.ask.answer, bytes):
        return Outcome.ANSWERED
    refused = verdict(line.ask.answer).course is Course.SPLIT or (mute and line.mute)
    return Outcome.REFUSED if refused else Outcome.NOTHING


def _decided(searches: Mapping[Cut, Parted], lines: Iterable[Line]) -> dict[Cut, Parted]:
    """Return those in which every read was answered or is known to be refused."""
    open_ = [
        line.block
        for line in lines
        if not line.block.alone and outcome(line) is not Outcome.ANSWERED
    ]
    return {
        cut: parted
        for cut, parted in searches.items()
        if not any(parted.holds(block.table, block.start, block.stop) for block in open_)
    }


def _innermost(cuts: Iterable[Cut], parted: Mapping[Cut, Parted]) -> list[Cut]:
    """Return the cuts whose parted reads hold no other: their refusals explain the outer ones."""
    kept: list[Cut] = []
    for cut in sorted(cuts, key=lambda cut: parted[cut].stop - parted[cut].start):
        inside = (parted[cut].holds(table, start, start) for table, start in kept)
        if not any(inside):
            kept.append(cut)
    return kept
