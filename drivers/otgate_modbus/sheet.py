"""One scan of one device, compiled: what to ask, in which order, and what the answers mean."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from otgate.model import Batch, Device, Scan
from otgate_modbus.codec import Ask, Missing
from otgate_modbus.decode import Layout
from otgate_modbus.learned import Learned, Parted, measure
from otgate_modbus.planner import Block, Ground, block_for
from otgate_modbus.reading import Extent, Reading, readings_of, spans_of
from otgate_modbus.rollover import Rollovers
from otgate_modbus.settings import Settings
from otgate_modbus.trial import Recheck, across
from otgate_modbus.verdict import FAILED, REFUSED, Course, verdict

SPREAD_NS = 50_000_000
"""Replies further apart than this do not share one received time."""

APART_AFTER, TOGETHER_AFTER = 10, 5
"""Polls in a row whose replies came far apart, or close together, before a scan follows suit."""

PROBES_PER_POLL = 4

MUTE = frozenset({Missing.SILENT, 0x04})
"""Answers that a device may give to a read that it would rather refuse: AP V1.1b3 §7."""

MOST_WAITED = 64
"""Polls for which what is never answered, and is asked by itself, is left alone."""


class Line:
    """A block with its request and how often in a row it met silence, or had no data."""

    __slots__ = ("ask", "block", "doubted", "may_rest", "silent", "troubles", "wait")

    def __init__(self, block: Block, unit: int) -> None:
        self.block = block
        self.ask = Ask(unit, int(block.table), block.start, block.length)
        self.silent = 0
        self.troubles = 0
        """Polls in a row in which it was silent or failed."""
        self.wait = 0
        """Polls for which it is not asked."""
        self.may_rest = False
        """Whether it is left alone for some polls where it is never answered."""
        self.doubted = False
        """Whether it is to be parted although the device has not refused it."""

    @property
    def mute(self) -> bool:
        """Whether the device said nothing to it, or that it failed."""
        return self.ask.answer in MUTE

    @property
    def heard(self) -> bool:
        """Whether the device itself answered, with data or a refusal of this one request."""
        answer = self.ask.answer
        if isinstance(answer, Missing):
            return False
        return verdict(answer).course is not Course.GIVE_UP

    @property
    def contested(self) -> bool:
        """Whether some of its points are refused and it is not yet known which."""
        if self.block.refused:
            return False
        refused = verdict(self.ask.answer).course is Course.SPLIT
        return refused or (self.doubted and self.mute)

    @property
    def quality(self) -> int:
        """Quality of its points after this poll."""
        if self.block.refused and not isinstance(self.ask.answer, bytes):
            return int(REFUSED)
        if self.contested:
            return int(FAILED)
        return int(verdict(self.ask.answer).quality)

    def note_silence(self) -> None:
        """Count a poll's silence, so that a block that never answers is asked last."""
        if self.ask.answer is not Missing.NOT_ASKED:
            self.troubles = self.troubles + 1 if self.mute else 0
        if self.ask.answer is Missing.SILENT:
            self.silent += 1
            if self.may_rest:
                self.wait = min(MOST_WAITED, 1 << min(self.silent, 16)) - 1
        elif self.ask.answer is not Missing.NOT_ASKED:
            self.silent = 0

    def rests(self) -> bool:
        """Count down the polls for which it is not asked: this is one."""
        self.wait -= 1
        return True


class Group:
    """Lines that are decoded together, and emitted with the time of the earliest reply.

    Where the replies of a poll come too far apart for that, each goes with its own time.
    """

    def __init__(
        self,
        device: str,
        readings: Sequence[Reading],
        lines: Sequence[Line],
        rollovers: Rollovers | None = None,
    ) -> None:
        self.lines = tuple(lines)
        self._layout = Layout(device, readings, [line.block for line in lines], rollovers)
        self._good = (0,) * len(self.lines)
        self._asks = [line.ask for line in self.lines]
        self._is_whole = False
        """Whether every line was found to be answered with data in this poll."""
        self.calm = False
        """Whether all were answered in the last poll, so that all are asked in the next."""
        self.far = False
        """Whether the replies that were decoded last came too far apart to share a time."""

    @property
    def sound(self) -> bool:
        """Whether every line was answered with data."""
        if not self._is_whole:
            self._is_whole = all([type(ask.answer) is bytes for ask in self._asks])  # noqa: C419  a third
        return self._is_whole

    @property
    def heard(self) -> bool:
        """Whether the device said anything about this group in this poll."""
        return self.sound or any(line.heard for line in self.lines)

    @property
    def contested(self) -> bool:
        """Whether a refusal has yet to be traced to its points."""
        return any(line.contested for line in self.lines)

    def note_silence(self) -> None:
        """Remember which lines met silence, for the order of the next poll."""
        if self.calm and self.sound:
            return
        self.calm = self.sound and not any(line.block.refused for line in self.lines)
        for line in self.lines:
            if type(line.ask.answer) is bytes:
                line.silent = line.troubles = 0
            else:
                line.note_silence()

    def begin(self, probes: Sequence[Line]) -> list[Ask]:
        """Start a poll: return what to send, refused lines only where they are probed."""
        self._is_whole = False
        for ask in self._asks:
            ask.answer = Missing.NOT_ASKED
        if self.calm and not probes:
            return self._asks
        asked = [
            line for line in self.lines if not (line.block.refused or (line.wait and line.rests()))
        ]
        if any([line.silent for line in asked]):  # noqa: C419  a third of a generator's cost
            asked.sort(key=lambda line: line.silent)
        probed = [line for line in self.lines if line in probes] if probes else []
        return [line.ask for line in (*asked, *probed)]

    def batches(self, now_ns: int) -> list[Batch]:
        """Decode this poll; ``now_ns`` stands in where nothing was received."""
        asks = self._asks
        replies = [ask.answer if type(ask.answer) is bytes else None for ask in asks]
        states = self._good if self.sound else tuple(line.quality for line in self.lines)
        times = [ask.received_ns for ask in asks if type(ask.answer) is bytes]
        first_ns = min(times, default=now_ns)
        together = self._layout.decode(replies, states, first_ns)
        self.far = max(times, default=now_ns) - first_ns > SPREAD_NS
        if not self.far:
            return together
        return self._layout.apart(
            [
                now_ns if reply is None else ask.received_ns
                for ask, reply in zip(asks, replies, strict=True)
            ]
        )


def times_of(lines: Iterable[Line]) -> list[int]:
    """Return when the data of this poll was received."""
    return [line.ask.received_ns for line in lines if type(line.ask.answer) is bytes]


def far_apart(times: Sequence[int]) -> bool:
    """Say whether replies came too far apart to share a received time."""
    return len(times) > 1 and max(times) - min(times) > SPREAD_NS


def spread(groups: Sequence[Group]) -> bool:
    """Say whether the replies of a whole poll came far apart."""
    if len(groups) == 1:
        return groups[0].far
    return far_apart(times_of(line for group in groups for line in group.lines))


def bound(lines: Sequence[Line]) -> list[list[Line]]:
    """Part lines into the smallest groups that have all lines of each of their points."""
    groups: list[list[Line]] = []
    home: dict[int, list[Line]] = {}
    for line in lines:
        group = [line]
        for other in {id(home[at]): home[at] for at in line.block.numbers if at in home}.values():
            group = other + group
            groups.remove(other)
        groups.append(group)
        home.update((number, group) for member in group for number in member.block.numbers)
    return groups


class Tempo:
    """Whether a scan's replies come far apart, as its last polls showed."""

    __slots__ = ("_row", "apart")

    def __init__(self) -> None:
        self.apart = False
        self._row = 0
        """Polls in a row that showed the contrary."""

    def note(self, *, far: bool) -> bool:
        """Count a poll; return whether ``apart`` changed."""
        self._row = 0 if far is self.apart else self._row + 1
        if self._row < (TOGETHER_AFTER if self.apart else APART_AFTER):
            return False
        self.apart = far
        self._row = 0
        return True


class Sheet:
    """The groups of one scan: one in all, or one per reply where replies come slowly."""

    def __init__(
        self,
        device: Device,
        settings: Settings,
        scan: Scan,
        learned: Learned,
        rollovers: Rollovers | None = None,
    ) -> None:
        self.scan = scan
        self._rollovers = rollovers
        self._device = device
        self._settings = settings
        self._learned = learned
        readings = self._readings(scan.points)
        blocks = Ground(settings, learned).pack(readings)
        self._lines = [Line(block, settings.unit) for block in blocks]
        self._ask_last()
        self._whole = Group(device.id, readings, self._lines, rollovers)
        self.groups = [self._whole]
        self.together = len(self._lines)
        """Requests of its largest group."""
        self.refused = [line for line in self._lines if line.block.refused]
        self.apart = [line for line in self._lines if line.block.apart]
        self.probes: deque[Line] = deque()
        """Refused lines to be tried again in the coming polls."""

    def _ask_last(self) -> None:
        """Leave what may not be answered to the end of a poll."""
        mute = [parted for parted in self._learned.search.values() if parted.mute]
        others = any(not line.block.alone for line in self._lines)
        for line in self._lines:
            block = line.block
            line.may_rest = block.apart and others
            if block.apart or any(
                parted.holds(block.table, block.start, block.stop) for parted in mute
            ):
                line.silent = 1

    def follow(self, tempo: Tempo) -> None:
        """Emit each reply when it is there where they come far apart, else all together."""
        parts = [self.regrouped(lines) for lines in bound(self._lines)] if tempo.apart else []
        self.groups = parts or [self._whole]
        self._whole.calm = False  # its lines were read in other groups meanwhile
        self.together = max(len(group.lines) for group in self.groups)

    def in_order(self) -> list[Group]:
        """Return the groups, those that met silence last."""
        if len(self.groups) > 1 and any(line.silent for line in self._lines):
            self.groups.sort(key=lambda group: group.lines[0].silent)
        return self.groups

    def regrouped(self, lines: Sequence[Line]) -> Group:
        """Return a group of these lines."""
        numbers = dict.fromkeys(number for line in lines for number in line.block.numbers)
        return Group(self._device.id, self._readings(numbers), lines, self._rollovers)

    def probing(self, *, due: bool) -> list[Line]:
        """Return the refused lines to try again in this poll.

        Where the device refuses everything, one of them shows whether it is there.
        """
        alone = len(self.refused) == len(self._lines)
        if (due or alone) and not self.probes:
            closing = self._learned.closing
            self.probes.extend(line for line in self.refused if line.block[:3] not in closing)
        count = 1 if alone else PROBES_PER_POLL
        return [self.probes.popleft() for _ in range(min(count, len(self.probes)))]

    def knock(self, turn: int) -> Line:
        """Return a cheap question that shows whether the device is there: a single point.

        Of the smallest read at first, later of others in turn: one that never answers must not
        decide.
        """
        asked = [line for line in self._lines if not line.block.refused] or self._lines
        line = sorted(asked, key=lambda line: line.ask.size)[turn % len(asked)]
        spans = sorted(self.members(line.block), key=lambda span: span.length)
        return Line(block_for([spans[turn % len(spans)]]), self._settings.unit)

    def members(self, block: Block) -> list[Extent]:
        """Return what a block was packed from, sorted by place."""
        return [span for span in spans_of(self._readings(block.numbers)) if block.holds(span)]

    def between(self, parted: Parted) -> list[Extent]:
        """Return what lies in a stretch that a search has parted, sorted by place."""
        spans = spans_of(self._readings(self.scan.points))
        return [span for span in spans if parted.holds(span.table, span.start, span.stop)]

    def rechecks(self) -> list[Recheck]:
        """Return the reads that show whether cuts and sizes still hold, as far as they matter."""
        return [*self._crossings(), *self._lengths()]

    def _crossings(self) -> Iterator[Recheck]:
        """Yield the reads across cuts that nothing else forbids."""
        learned = self._learned
        free = Ground(self._settings, replace(learned, cuts=set()))
        for one, other in pairwise(line.block for line in self._lines if not line.block.alone):
            near, far = across(self.members(one), self.members(other))
            if far[:2] in learned.cuts and free.joins(near, near.stop, far):
                yield Recheck(block_for([near, far]), far[:2])

    def _lengths(self) -> Iterator[Recheck]:
        """Yield one read that is longer than a learned size."""
        sizes = self._learned.sizes
        free = Ground(self._settings, replace(self._learned, sizes={})) if sizes else None
        longer = free.pack(self._readings(self.scan.points)) if free is not None else ()
        for of in sizes.keys() - self._learned.closing:
            size = sizes[of]
            mine = (block for block in longer if measure(block.table) is of)
            block = next((block for block in mine if block.length > size), None)
            if block is not None:
                yield Recheck(block, of)

    @property
    def lines(self) -> Sequence[Line]:
        """Its lines as they were planned."""
        return self._lines

    @property
    def taught(self) -> bool:
        """Whether lessons shaped it that are to be tried again."""
        learned = self._learned
        return bool(self.refused or learned.cuts or learned.sizes)

    def _readings(self, numbers: Iterable[int]) -> list[Reading]:
        """Read rows of the point map again: they are many and seldom wanted."""
        readings = readings_of(self._device, self._settings, numbers, [])
        return sorted(readings, key=lambda reading: reading[:4])
