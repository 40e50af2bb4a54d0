"""One Modbus server behind a link: polls it and emits what it says, or that it does not."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import structlog

from otgate.driver import DeviceState, Emit, Trouble
from otgate.errors import LinkLost
from otgate.model import Device, Scan
from otgate_modbus.bisection import Bisection, Exchange
from otgate_modbus.codec import Ask, Missing
from otgate_modbus.doubts import Doubts
from otgate_modbus.learned import Learned, Measure, keep, measure, news, recall
from otgate_modbus.link import Poll
from otgate_modbus.pipelining import Pipelining
from otgate_modbus.reading import readings_of
from otgate_modbus.retrial import Retrial
from otgate_modbus.rollover import Rollovers
from otgate_modbus.settings import Settings
from otgate_modbus.sheet import Group, Line, Sheet, Tempo, spread
from otgate_modbus.timing import medium_of
from otgate_modbus.verdict import verdict
from otgate_modbus.wires import AnyWire

OF_PERIOD = 0.9
"""Share of a scan's period that a poll may take."""

log = structlog.get_logger()


class NoAnswer(TimeoutError):
    """The device said nothing that can be used: silent, busy, or away."""


class ModbusSession:
    """Polls one device; see `otgate.driver.Session`."""

    def __init__(
        self,
        device: Device,
        settings: Settings,
        wire: AnyWire,
        state: DeviceState,
        clock: Callable[[], int],
        pipelining: Pipelining,
    ) -> None:
        self._device = device
        self._settings = settings
        self._spacing_s = settings.spacing_s
        self._wire = wire
        self._state = state
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._bisection = Bisection(self._recalled(), settings.unit)
        self._rollovers = Rollovers(device, state)
        self._sheets: dict[str, Sheet] = {}
        self._tempos: dict[str, Tempo] = {}
        self._limits: dict[str, float] = {}
        self._pipelining = pipelining
        self._retrial = Retrial(state, clock)
        self._doubts = Doubts(state, self._bisection)
        self._told = self._bisection.learned.copy()
        """What was known when it was last said."""

    def prepare(self, scan: Scan) -> None:
        """Compile a scan, which takes milliseconds for a thousand points, before it is due."""
        self._sheet(scan)

    async def scan(self, scan: Scan, emit: Emit) -> None:
        """Read every block of the scan within one deadline and emit every point.

        Raises:
            LinkLost: the connection is gone.
            NoAnswer: not one block was answered.
        """
        async with self._wire.turn:
            began_s = self._loop.time()
            await self._wire.ready(self._settings.unit, self._spacing_s)
            sheet = self._sheet(scan)
            poll = self._begun(scan, sheet, began_s)
            self._bisection.begin()
            self._doubts.begin()
            try:
                if self._doubts.knocking:
                    await self._knock(sheet, poll)
                    sheet = self._shortened(sheet)
                probes = self._probing(sheet) if sheet.taught else ()
                groups = await self._poll(sheet, probes, poll, emit)
                self._rollovers.keep(self._loop.time())
                await self._learn(sheet, groups, probes, poll)
            except LinkLost:
                self._doubts.lost(sheet.lines)
                if self._bisection.abandon():
                    self._keep()
                raise

    def trouble(self) -> Trouble:
        """Return what was met; see `otgate.driver.Counting`."""
        met = self._wire.counts
        malformed = met.malformed + met.mismatched
        return Trouble(met.exceptions[self._settings.unit], malformed, met.late, met.retries)

    def close(self) -> None:
        """Write down what the next session goes on from."""
        self._rollovers.keep_now()

    async def listen(self, emit: Emit) -> None:  # noqa: ARG002  nothing comes unasked
        """Wait until the connection ends; a Modbus server never speaks first.

        Raises:
            LinkLost: it has ended.
        """
        raise LinkLost(await asyncio.shield(self._wire.gone))

    async def _poll(
        self, sheet: Sheet, probes: Sequence[Line], poll: Poll, emit: Emit
    ) -> list[Group]:
        """Read and emit group by group; those without any answer wait for the end."""
        groups, unheard = [], []
        for planned in sheet.in_order():
            try:
                group = await self._read(sheet, planned, probes, poll)
            finally:
                planned.note_silence()
            groups.append(group)
            if group.heard:
                self._emit(group, emit)
            else:
                unheard.append(group)
        if not self._doubts.alive:
            raise self._no_answer([line for group in groups for line in group.lines], poll)
        if len(unheard) < len(groups):
            self._doubts.answered()
        for group in unheard:
            self._emit(group, emit)
        return groups

    async def _read(self, sheet: Sheet, group: Group, probes: Sequence[Line], poll: Poll) -> Group:
        await self._wire.exchange(group.begin(probes), poll, poll.depth)
        if group.sound:
            self._doubts.alive = True
            return group
        self._doubts.mark(group)
        if not group.contested:
            return group
        return await self._bisection.narrow(sheet, group, self._more(poll))

    def _more(self, poll: Poll) -> Exchange:
        async def more(asks: Sequence[Ask]) -> bool:
            await self._wire.exchange(asks, poll)
            return not poll.over and self._loop.time() < poll.deadline - poll.patience_s

        return more

    async def _knock(self, sheet: Sheet, poll: Poll) -> None:
        """Ask a device that has been silent for one point before the rest."""
        line = sheet.knock(self._doubts.turn)
        line.ask.answer = Missing.NOT_ASKED
        await self._wire.exchange([line.ask], poll)
        if not line.heard:
            raise self._no_answer([line], poll)
        self._doubts.alive = True

    def _shortened(self, sheet: Sheet) -> Sheet:
        """Return the sheet without what has ended the last connections."""
        if not self._doubts.learn(sheet):
            return sheet
        self._keep()
        self._sheets.clear()
        return self._sheet(sheet.scan)

    def _emit(self, group: Group, emit: Emit) -> None:
        for batch in group.batches(self._clock()):
            emit(batch)

    async def _learn(
        self, sheet: Sheet, groups: Sequence[Group], probes: Sequence[Line], poll: Poll
    ) -> None:
        """Keep what this poll taught; the next one is planned anew if that was anything."""
        sound = not poll.retried and all([group.sound for group in groups])  # noqa: C419  a third
        self._pipelining.note(sound=sound, held=poll.held)
        if sound:
            self._doubts.sound()
        else:
            self._doubts.acquit(sheet.lines)
        narrowed = groups != sheet.groups
        readmitted = [line for line in probes if isinstance(line.ask.answer, bytes)]
        for line in readmitted:
            self._bisection.readmit(line)
        if readmitted and sheet.probes:
            self._retrial.at_once(sheet.scan.name)
        explained = self._bisection.studying and await self._study(sheet, groups, poll)
        if sheet.apart and self._bisection.answered_again(sheet.apart):
            narrowed = True
        if narrowed or readmitted or explained:
            self._keep()
            self._sheets.clear()
            return
        tempo = self._tempo(sheet.scan)
        if tempo.note(far=spread(groups)):
            sheet.follow(tempo)

    def _recalled(self) -> Learned:
        """Return what is known of the points that the map still has."""
        learned = recall(self._state, self._device.id)
        if learned:
            numbers = range(len(self._device.points))
            readings = readings_of(self._device, self._settings, numbers, [])
            places = {span[:3] for each in readings for span in each.spans}
            learned.keep_only(places, self._device.scans)
        return learned

    def _keep(self) -> None:
        """Write what is known, and say what of it is new."""
        learned = self._bisection.learned
        keep(self._state, learned)
        for event, said in news(self._told, learned):
            log.info(event, device=self._device.id, **said)
        self._told = learned.copy()

    async def _study(self, sheet: Sheet, groups: Sequence[Group], poll: Poll) -> bool:
        """Go on finding out what refusals are due to; True if reads are to be planned anew."""
        bisection = self._bisection
        lines = [line for group in groups for line in group.lines]
        return await bisection.study(sheet, lines, self._longest(lines), self._more(poll))

    def _longest(self, lines: Iterable[Line]) -> dict[Measure, int]:
        """Return the longest reads that were answered last."""
        planned = (line for sheet in self._sheets.values() for line in sheet.lines)
        longest: dict[Measure, int] = {}
        for line in chain(lines, planned):
            if isinstance(line.ask.answer, bytes):
                of = measure(line.block.table)
                longest[of] = max(longest.get(of, 0), line.block.length)
        return longest

    def _probing(self, sheet: Sheet) -> list[Line]:
        """Return refused lines to try again, and take up again what else was learned, if due."""
        due = self._retrial.due(sheet.scan.name)
        if due:
            self._bisection.doubt(sheet.rechecks())
        return sheet.probing(due=due) if sheet.refused else []

    def _sheet(self, scan: Scan) -> Sheet:
        sheet = self._sheets.get(scan.name)
        if sheet is None:
            sheet = Sheet(
                self._device, self._settings, scan, self._bisection.learned, self._rollovers
            )
            sheet.follow(self._tempo(scan))
            self._sheets[scan.name] = sheet
        return sheet

    def _tempo(self, scan: Scan) -> Tempo:
        found = self._tempos.get(scan.name)
        if found is None:
            found = self._tempos[scan.name] = Tempo()
        return found

    def _begun(self, scan: Scan, sheet: Sheet, began_s: float) -> Poll:
        """Start a poll that ends in time to say so before its next slot."""
        settings = self._settings
        now, slot_s = self._loop.time(), OF_PERIOD * scan.period_s
        reply_s = min(settings.timeout_s, slot_s)
        return Poll(
            now,
            left_s(self._limit_s(scan), slot_s - (now - began_s), reply_s),
            self._pipelining.begin(sheet.together),
            reply_s=reply_s,
            spacing_s=self._spacing_s,
        )

    def _limit_s(self, scan: Scan) -> float:
        found = self._limits.get(scan.name)
        if found is None:
            found = self._limits[scan.name] = limit_s(self._settings, scan)
        return found

    def _no_answer(self, lines: Sequence[Line], poll: Poll) -> NoAnswer:
        """Count a poll without answer and say why, from the first line that was asked."""
        self._doubts.unanswered()
        asked = (line for line in lines if line.ask.answer is not Missing.NOT_ASKED)
        answer = next((line.ask.answer for line in asked), Missing.NOT_ASKED)
        within = f" within {poll.timeout_s:g} s" if answer is Missing.SILENT else ""
        return NoAnswer(f"unit {self._settings.unit} {verdict(answer).text}{within}")


def left_s(limit_s: float, slot_s: float, reply_s: float) -> float:
    """Return how long a poll may take that has ``slot_s`` left of its slot after a quarantine.

    Where half of a reply's time is more than that it asks nothing: what it asked would be owed, and
    bar the next slot too.
    """
    return min(limit_s, slot_s) if slot_s >= reply_s / 2 else 0.0


def limit_s(settings: Settings, scan: Scan) -> float:
    """Return how long one poll may take: it ends in time to say so before its next slot.

    That is time for the device. What requests need on a line, and rests, come on top.
    """
    medium = medium_of(settings)
    added_s = sum(request.takes_s - medium.delay_s for request in scan.requests)
    return min(settings.timeout_s + max(0.0, added_s), OF_PERIOD * scan.period_s)
