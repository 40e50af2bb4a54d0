"""One outstation on an open line: what it sends is emitted, and confirmed once that is durable."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from otgate.driver import Emit, Receipt, Trouble
from otgate.errors import LinkLost, NotDurable
from otgate.model import Device, Scan
from otgate.together import cancelled
from otgate_dnp3.batches import Fragments
from otgate_dnp3.channel.line import Line
from otgate_dnp3.conversation import Conversation
from otgate_dnp3.layout import Layout
from otgate_dnp3.planner import INTEGRITY_SCAN, tasks
from otgate_dnp3.reading import readings_of
from otgate_dnp3.settings import Settings
from otgate_dnp3.stack.outputs import (
    Asked,
    Delivery,
    Finished,
    Outcome,
    Output,
    Overflowed,
    Restarted,
    StepEnded,
)
from otgate_dnp3.stack.steps import MasterSettings, TimeSync
from otgate_dnp3.standing import Standing

log = structlog.get_logger()

TIME_SYNCS = {
    "off": TimeSync.OFF,
    "lan": TimeSync.LAN,
    "nonlan": TimeSync.NON_LAN,
    "plain": TimeSync.PLAIN,
}
OF_PERIOD = 0.9
"""Share of a scan's period that it may take."""

NAMED = 10
"""Points that a message names before it counts the rest."""

BROUGHT = frozenset({Outcome.DONE, Outcome.REFUSED})
"""Ends of a poll that say something of the points which it did not bring."""


class NoAnswer(TimeoutError):
    """The outstation did not answer, or not with what was asked."""


@dataclass(slots=True)
class Counts:
    """What became of what an outstation sent."""

    undurable: int = 0
    """Fragments not confirmed because they could not be kept in time: they come again."""
    unheard: int = 0
    """Fragments dropped, and not confirmed, because nobody was listening."""
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Owed:
    """A confirm that waits for what it confirms to be durable."""

    conversation: Conversation
    token: int
    receipts: Sequence[Receipt]


class Dnp3Session:
    """Speaks to one outstation; see `otgate.driver.Session`.

    With ``alone`` no other device is on the line: an outstation that is gone is a lost link.
    """

    def __init__(
        self,
        device: Device,
        settings: Settings,
        scans: Sequence[Scan],
        line: Line,
        clock: Callable[[], int],
        *,
        alone: bool,
    ) -> None:
        self.counts = Counts()
        self._device = device
        self._settings = settings
        self._line = line
        self._clock = clock
        self._alone = alone
        self._tasks = tasks(device, scans)
        readings = readings_of(device, [])
        integral = next(scan.points for scan in scans if scan.name == INTEGRITY_SCAN)
        within = frozenset(integral)
        layout = Layout(readings, device.time_zone)
        inner = Layout([each for each in readings if each.number in within], device.time_zone)
        self._integral = integral
        self._fragments = Fragments(device.id, layout, inner)
        self._standing = Standing(device.id, [reading.value_type for reading in readings])
        self._loop = asyncio.get_running_loop()
        self._gone: asyncio.Future[str] = self._loop.create_future()
        self._confirming = asyncio.ensure_future(self._confirm_for_ever())
        self._owed: asyncio.Queue[Owed] = asyncio.Queue()
        self._conversation: Conversation | None = None
        self._scanning: Emit | None = None
        self._listening: Emit | None = None
        self._settling: asyncio.Future[None] | None = None
        self._absent: list[int] = []
        self._started = False
        self._garbled = False
        self.was_integral = False
        """Whether everything was read on this connection, once at least."""

    def trouble(self) -> Trouble:
        """Return what was met; see `otgate.driver.Counting`."""
        frames = self._line.reader.counts
        spoilt = frames.bad_header + frames.bad_length + frames.bad_block + frames.incomplete
        malformed = spoilt + self.counts.unreadable
        return Trouble(malformed=malformed, unexpected=self._line.counts.strangers)

    async def scan(self, scan: Scan, emit: Emit) -> None:
        """Do one poll, after the start-up sequence where that is still to be done.

        Raises:
            LinkLost: the connection is gone.
            NoAnswer: the outstation said nothing.
        """
        self._scanning = emit
        try:
            conversation = self._begun()
            was_integral = await self._whole(conversation)
            await self._within_period(conversation, scan, was_integral=was_integral)
        except LinkLost as lost:
            if self._alone or self._line.gone.done():
                raise
            raise NoAnswer(str(lost)) from lost
        finally:
            self._scanning = None

    async def listen(self, emit: Emit) -> None:
        """Emit what comes unasked.

        Raises:
            LinkLost: the connection is gone.
        """
        self._listening = emit
        ends = [self._line.gone, self._gone, self._confirming]
        try:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._listening = None
        raise LinkLost(done.pop().result())

    def attend(self) -> None:
        """Be there for an outstation that speaks first; the first scan begins the start-up."""
        self._made().attend()

    async def _confirm_for_ever(self) -> str:
        """Confirm each fragment with events once all of it is durable, in order."""
        while True:
            owed = await self._owed.get()
            try:
                for receipt in owed.receipts:
                    await receipt.durable()
            except NotDurable:
                self.counts.undurable += 1
                owed.conversation.abandon(owed.token)
            else:
                owed.conversation.confirm(owed.token)

    async def close(self) -> None:
        """Leave the line."""
        await cancelled([self._confirming])
        if self._conversation is not None:
            self._conversation.stop()

    # The conversation

    def _begun(self) -> Conversation:
        """Return the conversation, under way; one that ended on a shared line begins anew."""
        if self._line.gone.done():
            raise LinkLost(self._line.gone.result())
        conversation = self._conversation
        if conversation is None or conversation.gone.done():
            conversation = self._made()
        if not self._started:
            self._started = True
            conversation.start()
        return conversation

    def _made(self) -> Conversation:
        if self._conversation is not None:
            self._conversation.stop()
        settings = self._settings
        conversation = self._conversation = Conversation(
            self._line, settings.master, settings.outstation, master_settings(settings), self._took
        )
        conversation.news = self._news
        conversation.gone.add_done_callback(self._ended)
        self._started = False
        return conversation

    def _ended(self, gone: asyncio.Future[str]) -> None:
        self._settle(LinkLost(gone.result()))
        if self._alone and not self._gone.done():
            self._gone.set_result(gone.result())

    async def _whole(self, conversation: Conversation) -> bool:
        """Return once everything has been read; True if it had been before."""
        was_integral = conversation.master.integral
        while not conversation.master.integral:
            settling = self._settling = self._loop.create_future()
            try:
                await settling
            finally:
                self._settling = None
        return was_integral

    def _settle(self, error: Exception | None = None) -> None:
        settling = self._settling
        if settling is None or settling.done():
            return
        if error is None:
            settling.set_result(None)
        else:
            settling.set_exception(error)

    # Polls

    async def _within_period(
        self, conversation: Conversation, scan: Scan, *, was_integral: bool
    ) -> None:
        """Do a poll; it is answered, too, where at its end only the disk is waited for.

        Giving that up would have the outstation send the same events again and again.
        """
        try:
            async with asyncio.timeout(OF_PERIOD * scan.period_s):
                await self._poll(conversation, scan, was_integral=was_integral)
        except TimeoutError:
            if not conversation.master.confirming:
                raise

    async def _poll(self, conversation: Conversation, scan: Scan, *, was_integral: bool) -> None:
        task = self._tasks[scan.name]
        if task.classes:
            await conversation.poll_classes(task.classes)
        elif task.requests:
            self._standing.begin()
            ends = [(await conversation.poll(objects)).outcome for objects in task.requests]
            if BROUGHT.issuperset(ends):
                self._say_again(scan.points)
        elif was_integral:
            self._standing.begin()
            await self._read_whole(conversation.poll_everything)

    async def _read_whole(self, poll: Callable[[], Awaitable[Finished]]) -> None:
        if (await poll()).outcome in BROUGHT:
            self._name_absent()
            self._say_again(self._integral)

    # What comes

    def _took(self, delivery: Delivery, received_ns: int) -> None:
        conversation = self._conversation
        assert conversation is not None  # noqa: S101  it is what calls
        self._note_rest(delivery)
        emit = self._listening or self._scanning
        if self._scanning is not None and delivery.asked is not Asked.UNSOLICITED:
            emit = self._scanning
        if emit is None:
            self.counts.unheard += 1
            if delivery.token is not None:
                conversation.abandon(delivery.token)
            return
        receipts = []
        for batch in self._fragments.batches(delivery, received_ns):
            self._standing.note(batch)
            receipts.append(emit(batch))
        if delivery.token is None:
            return
        if any(columns.event for columns in delivery.columns):
            self._owed.put_nowait(Owed(conversation, delivery.token, receipts))
        else:
            conversation.confirm(delivery.token)

    def _note_rest(self, delivery: Delivery) -> None:
        if not delivery.rest:
            return
        self.counts.unreadable += 1
        self._standing.partial = True
        if not self._garbled:
            self._garbled = True
            log.warning("fragment_unreadable", device=self._device.id, why=delivery.why)

    def _news(self, news: Output) -> None:
        if isinstance(news, Restarted):
            log.info("outstation_restarted", device=self._device.id)
            self._standing.begin()
        elif isinstance(news, Overflowed):
            log.warning("outstation_lost_events", device=self._device.id)
        elif isinstance(news, StepEnded):
            self._step_ended(news)

    def _step_ended(self, step: StepEnded) -> None:
        if step.name == "integrity":
            self._garbled = self._garbled and step.outcome is not Outcome.DONE
            if step.outcome is Outcome.DONE:
                self.was_integral = True
                self._name_absent()
                self._say_again(self._integral)
            self._standing.begin()
        if step.outcome is Outcome.TIMEOUT:
            self._settle(
                NoAnswer(f"no answer to {step.name} within {self._settings.timeout_s:g} s")
            )
        elif step.name == "integrity" and step.outcome is Outcome.REFUSED:
            self._settle(NoAnswer("the outstation refuses the integrity poll"))
        elif step.name == "integrity":
            self._settle()

    def _say_again(self, points: Sequence[int]) -> None:
        """Emit what a poll that has ended says of the points that it left out."""
        emit = self._scanning or self._listening
        if emit is not None:
            for batch in self._standing.said_again(points, self._clock()):
                emit(batch)

    def _name_absent(self) -> None:
        """Say, when that changes, which points the outstation does not report."""
        absent = self._standing.left_out(self._integral)
        if absent and absent != self._absent:
            names = [self._device.points[number].address for number in absent[:NAMED]]
            log.warning(
                "points_not_reported", device=self._device.id, count=len(absent), first=names
            )
        self._absent = absent


def master_settings(settings: Settings) -> MasterSettings:
    """Return how the stack's session behaves; the supervisor keeps the periods of polls."""
    return MasterSettings(
        response_timeout_s=settings.timeout_s,
        unsolicited=settings.classes_unasked,
        integrity_period_s=0.0,
        time_sync=TIME_SYNCS[settings.time_sync],
        keepalive_s=settings.keep_alive_s,
    )
