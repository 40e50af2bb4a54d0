"""One device on an open association: its reports are emitted, and what they lack is polled."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from otgate.driver import DeviceState, Emit, Trouble
from otgate.errors import LinkLost
from otgate.model import Batch, Device, Origin, Scan
from otgate_iec61850.confirming import Confirming, Owed
from otgate_iec61850.flags import Stamp
from otgate_iec61850.link import Wire, lost_link
from otgate_iec61850.mms.errors import MmsError
from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.report import Reason, Report
from otgate_iec61850.places import Atlas, spot_of
from otgate_iec61850.reading import Reading, readings_of
from otgate_iec61850.settings import Settings
from otgate_iec61850.standing import Sheet, Standing
from otgate_iec61850.subscription import Changed, Subscription, Taken

log = structlog.get_logger()

OF_PERIOD = 0.9
"""Share of a scan's period that it may take."""

AGAIN_S = 10.0
"""How often a block that could not be had is asked for again."""

ATTENDED_S = 0.25
"""How long the first scan waits for somebody to listen: what waits in buffers is older."""

UNKNOWN_REPLY = 64
FLAG_REPLY = 3

NEVER: tuple[int, tuple[int, ...]] = (-1, ())

EVENTS = int(Reason.DATA_CHANGE | Reason.QUALITY_CHANGE | Reason.DATA_UPDATE)
WHOLE = int(Reason.GENERAL_INTERROGATION | Reason.INTEGRITY)
"""Reasons for which a report has every member. Plain numbers: an IntFlag is slow per member."""


class NoAnswer(TimeoutError):
    """The server did not answer in time."""


@dataclass(slots=True)
class Counts:
    """What became of what a server sent."""

    unheard: int = 0
    """Reports dropped, and their entries not kept, because nobody was listening."""
    changed: int = 0
    """Reports that were of another data set or configuration: each ended the association."""


class IedSession:
    """Speaks to one device; see `otgate.driver.Session`."""

    def __init__(
        self,
        device: Device,
        settings: Settings,
        wire: Wire,
        state: DeviceState,
        clock: Callable[[], int],
    ) -> None:
        self.counts = Counts()
        self.was_read = False
        """Whether anything came on this association."""
        self.subscriptions = [Subscription.of(each, state) for each in settings.reports]
        self._device = device
        self._settings = settings
        self._wire = wire
        self._client = wire.client
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._readings: list[Reading] = readings_of(device, [])
        self._broken: asyncio.Future[str] = self._loop.create_future()
        self._confirming = Confirming()
        self._listening: Emit | None = None
        self._attended = asyncio.Event()
        self._wake = asyncio.Event()
        self._atlas = Atlas(())
        self._standing: Standing
        self._sheets: dict[str, Sheet] = {}
        self._again: dict[str, tuple[tuple[int, tuple[int, ...]], list[Batch]]] = {}
        self._version = 0
        self._asked_again: set[str] = set()

    def trouble(self) -> Trouble:
        """Return what was met; see `otgate.driver.Counting`."""
        connection, wire = self._client.connection, self._wire.counts
        met = connection.requests.counts
        malformed = wire.malformed + connection.association.malformed + met.mismatched
        return Trouble(met.errors, malformed, wire.strangers + met.strangers + met.late)

    # Describing

    async def describe(self) -> None:
        """Learn the types of the points and the members of the data sets; write nothing."""
        objects = list(dict.fromkeys(_object(reading) for reading in self._readings))
        described = dict(zip(objects, await self._client.types(objects), strict=True))
        spots = [
            spot_of(reading.number, reading.reference, described[_object(reading)])
            for reading in self._readings
        ]
        self._atlas = Atlas(spots)
        count = len(self._device.points)
        self._standing = Standing(self._device.id, self._readings, count, self._atlas)
        for subscription in self.subscriptions:
            await self._describe_block(subscription)
        self._wire.takers.append(self._took)

    async def _describe_block(self, subscription: Subscription) -> None:
        try:
            await subscription.describe(self._client, self._atlas)
        except MmsError as refused:
            if self._wire.gone.done():
                raise
            log.warning(
                "report_unusable",
                device=self._device.id,
                rcb=subscription.name,
                why=str(refused),
            )
            subscription.block = None
        for what in subscription.unexpected():
            log.warning("report_differs", device=self._device.id, rcb=subscription.name, what=what)

    async def close(self) -> None:
        """Keep the entries that become durable soon."""
        if self._took in self._wire.takers:
            self._wire.takers.remove(self._took)
        await self._confirming.close()

    # Reports

    async def listen(self, emit: Emit) -> None:
        """Enable the reports and emit what they bring.

        Raises:
            LinkLost: the association is gone.
        """
        self._listening = emit
        try:
            with lost_link():
                while True:
                    await self._enable_all()
                    self._attended.set()
                    await self._until_woken()
        except TimeoutError as silence:
            raise LinkLost("the server did not answer while reports were enabled") from silence
        finally:
            self._listening = None

    async def _until_woken(self) -> None:
        """Return when a block has to be asked for, again."""
        self._wake.clear()
        woken = asyncio.ensure_future(self._wake.wait())
        ends: list[asyncio.Future[Any]] = [woken, self._wire.gone, self._broken]
        waiting = any(not each.enabled and each.block for each in self.subscriptions)
        try:
            await asyncio.wait(
                ends,
                timeout=AGAIN_S if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            woken.cancel()
        if self._broken.done():
            raise LinkLost(self._broken.result())
        if self._wire.gone.done():
            raise LinkLost(str(self._wire.gone.result()))

    async def _enable_all(self) -> None:
        for subscription in list(self.subscriptions):
            if subscription.block is not None and not subscription.enabled:
                await self._enable(subscription)
        while self._asked_again:
            name = self._asked_again.pop()
            for subscription in self.subscriptions:
                if subscription.name == name and subscription.enabled:
                    await subscription.interrogate(self._client)

    async def _enable(self, subscription: Subscription) -> None:
        why = subscription.why
        if await self._took_block(subscription):
            return
        if subscription.why != why:
            log.warning(
                "report_not_enabled",
                device=self._device.id,
                rcb=subscription.name,
                why=subscription.why,
            )
        if subscription.settings.instance == "free":
            await self._enable_another(subscription)

    async def _enable_another(self, taken: Subscription) -> None:
        """Take the first other instance that nobody has."""
        for other in await taken.siblings(self._client):
            if any(each.name == other.name for each in self.subscriptions):
                continue
            await self._describe_block(other)
            if other.block is None:
                continue
            self.subscriptions.append(other)  # first: a report may come before the response
            if await self._took_block(other):
                self.subscriptions.remove(taken)
                log.info("report_chosen", device=self._device.id, rcb=other.name)
                return
            self.subscriptions.remove(other)

    async def _took_block(self, subscription: Subscription) -> bool:
        integrity = self._settings.integrity_s
        taken = await subscription.enable(
            self._client,
            None if integrity is None else round(integrity * 1000),
            self._client.connection.local_address,
            lambda: self._forgotten(subscription),
        )
        return taken is Taken.ENABLED

    def _forgotten(self, subscription: Subscription) -> None:
        why = "the server no longer has the last entry"
        log.warning("report_gap", device=self._device.id, rcb=subscription.name, why=why)
        self._emit_missed(subscription, self._clock())

    def _took(self, report: Report, received_ns: int) -> bool:
        """Take a report if it is of one of our blocks."""
        subscription = next((each for each in self.subscriptions if each.is_of(report)), None)
        if subscription is None:
            return False
        emit = self._listening
        if emit is None:
            self.counts.unheard += 1
            return True
        try:
            whole = subscription.follows(report)
        except Changed as changed:
            self.counts.changed += 1
            subscription.enabled = False
            self._break(str(changed))
            return True
        if not whole:
            self._miss(subscription, report, received_ns)
            if self._broken.done():
                return True
        batches = self._absorbed(subscription, report, received_ns)
        receipts = [emit(batch) for batch in batches]
        if report.entry_id is not None and subscription.block and subscription.block.buffered:
            self._confirming.owe(Owed(subscription, report.entry_id, receipts))
        return True

    def _absorbed(
        self, subscription: Subscription, report: Report, received_ns: int
    ) -> list[Batch]:
        """Return the samples that a report brings, one for each point."""
        reasons = report.reasons or [0] * len(report.members)
        entered = report.entry_time.ns if report.entry_time is not None else None
        event = None if entered is None else Stamp(entered)
        origins: dict[int, Origin] = {}
        brought, absorb = subscription.members, self._standing.absorb
        seen = 0
        for member, value, reason in zip(report.members, report.values, reasons, strict=True):
            takes = brought[member]
            absorb(takes, value, event if reason & EVENTS else None)
            seen |= reason
            origin = ORIGINS[reason & 0xFF]
            for take in takes:
                if origins.get(take.number) is not Origin.EVENT:
                    origins[take.number] = origin
        if seen & WHOLE:
            subscription.settled.set()
        if seen & Reason.INTEGRITY:
            subscription.integral(self._loop.time())
        self._version += 1
        self.was_read = True
        return self._standing.batches(origins, received_ns)

    def _miss(self, subscription: Subscription, report: Report, received_ns: int) -> None:
        """Say that events are missing, and ask for every value."""
        if subscription.counts.gaps + subscription.counts.overflows == 1:
            why = "the server's buffer overflowed" if report.overflow else "reports are missing"
            log.warning("report_gap", device=self._device.id, rcb=subscription.name, why=why)
        self._emit_missed(subscription, received_ns)
        if subscription.may_come_again(report):
            subscription.enabled = False
            self._break(f"{subscription.name}: a report is missing, which the server still has")
            return
        self._ask_again(subscription)

    def _ask_again(self, subscription: Subscription) -> None:
        self._asked_again.add(subscription.name)
        self._wake.set()

    def _look_for_integrity(self) -> None:
        """Say that values are old, and ask for them, where integrity reports do not come."""
        now_s = self._loop.time()
        for each in self.subscriptions:
            if each.enabled and each.is_overdue(now_s):
                if each.counts.overdue == 1:
                    why = "integrity reports do not come"
                    log.warning("report_gap", device=self._device.id, rcb=each.name, why=why)
                self._emit_missed(each, self._clock())
                self._ask_again(each)

    def _emit_missed(self, subscription: Subscription, received_ns: int) -> None:
        if self._listening is not None:
            for batch in self._standing.missed(sorted(subscription.touched), received_ns):
                self._listening(batch)

    def _break(self, why: str) -> None:
        if not self._broken.done():
            self._broken.set_result(why)

    # Polls

    async def scan(self, scan: Scan, emit: Emit) -> None:
        """Read what no report brings, and say again what reports have brought.

        Raises:
            LinkLost: the association is gone.
            NoAnswer: the server said nothing in time.
        """
        limit_s = min(self._settings.timeout_s, OF_PERIOD * scan.period_s)
        until = self._loop.time() + limit_s
        try:
            with lost_link():
                await self._attend(scan, limit_s)
                async with asyncio.timeout_at(max(until, self._loop.time() + limit_s / 2)):
                    await self._read(scan, emit)
        except TimeoutError as silence:
            raise NoAnswer(f"no answer within {limit_s:g} s") from silence
        self.was_read = True

    async def _attend(self, scan: Scan, limit_s: float) -> None:
        """Wait for the reports that have been asked for to bring what they have."""
        if self._wire.gone.done():
            raise LinkLost(str(self._wire.gone.result()))
        if not self.subscriptions:
            return
        points = frozenset(scan.points)
        if not self._attended.is_set():
            wait_s = limit_s / 2 if self._listening else min(ATTENDED_S, limit_s / 4)
            await _set_within(self._attended, wait_s)
        for subscription in self._covering(points):
            before = subscription.counts.reports
            settled = await _set_within(subscription.settled, limit_s / 2)
            if not settled and subscription.counts.reports == before:
                subscription.settled.set()  # it answers no interrogation: read its points

    def _covering(self, points: frozenset[int]) -> list[Subscription]:
        return [each for each in self.subscriptions if each.enabled and each.covered & points]

    async def _read(self, scan: Scan, emit: Emit) -> None:
        subscriptions = self._covering(frozenset(scan.points))
        covered = frozenset(n for each in subscriptions for n in each.covered)
        coming = frozenset(
            n for each in subscriptions if not each.settled.is_set() for n in each.covered
        )
        polled = [n for n in scan.points if n not in covered or not self._known(n, coming)]
        reads = self._atlas.reads(polled)
        flags = [each.enable_flag for each in subscriptions]
        sizes = [UNKNOWN_REPLY if size is None else size for size in reads.values()]
        said = await self._client.read([*flags, *reads], [FLAG_REPLY] * len(flags) + sizes)
        received_ns = self._clock()
        self._check_flags(subscriptions, said[: len(flags)])
        self._look_for_integrity()
        for batch in self._polled(scan, polled, list(reads), said[len(flags) :], received_ns):
            emit(batch)
        still = frozenset(n for each in subscriptions if each.enabled for n in each.covered)
        reported = [n for n in scan.points if n in still and n not in polled]
        for batch in self._said_again(scan, reported, received_ns):
            emit(batch)

    def _known(self, number: int, coming: frozenset[int]) -> bool:
        """Tell whether a point need not be read: it is known, or a report will bring it."""
        return number in coming or self._standing.known(number)

    def _polled(
        self,
        scan: Scan,
        numbers: Sequence[int],
        variables: Sequence[Variable],
        said: Sequence[object],
        received_ns: int,
    ) -> list[Batch]:
        sheet = self._sheets.setdefault(scan.name, Sheet())
        answer = (numbers, said)
        batches = sheet.batches(answer, received_ns)
        if batches is None:
            wanted = frozenset(numbers)
            for variable, value in zip(variables, said, strict=True):
                takes = [each for each in self._atlas.takes(variable) if each.number in wanted]
                self._standing.absorb(takes, value)
            batches = self._standing.batches(dict.fromkeys(numbers, Origin.POLL), received_ns)
            sheet.keep(answer, batches)
        return batches

    def _said_again(self, scan: Scan, numbers: Sequence[int], received_ns: int) -> list[Batch]:
        """Return what the reports have brought: it holds while the server says they are enabled."""
        now = (self._version, tuple(numbers))
        before, batches = self._again.get(scan.name, (NEVER, []))
        if before != now:
            origins = dict.fromkeys(numbers, Origin.POLL)
            batches = self._standing.batches(origins, received_ns)
            self._again[scan.name] = (now, batches)
        return [_at(batch, received_ns) for batch in batches]

    def _check_flags(self, subscriptions: Sequence[Subscription], flags: Sequence[object]) -> None:
        """Enable again what the server says is not enabled."""
        for subscription, flag in zip(subscriptions, flags, strict=True):
            if flag is False:
                subscription.enabled = False
                log.warning("report_disabled", device=self._device.id, rcb=subscription.name)
                self._emit_missed(subscription, self._clock())
                self._wake.set()


def origin_of(reason: int) -> Origin:
    """Return why a sample was sent; a server that does not say sent it unasked."""
    if reason & EVENTS:
        return Origin.EVENT
    if reason & Reason.GENERAL_INTERROGATION:
        return Origin.GI
    return Origin.INTEGRITY if reason & Reason.INTEGRITY else Origin.UNSOLICITED


ORIGINS = tuple(map(origin_of, range(256)))
"""By the bits of the reason."""


def _object(reading: Reading) -> Name:
    at = reading.reference
    return Name(at.domain, f"{at.node}${at.fc}${at.names[0]}")


def _at(batch: Batch, received_ns: int) -> Batch:
    return Batch(
        batch.device,
        batch.value_type,
        batch.origin,
        batch.index,
        batch.values,
        batch.quality,
        received_ns,
        batch.source_ns,
    )


async def _set_within(event: asyncio.Event, limit_s: float) -> bool:
    """Wait for an event; tell whether it is set."""
    if not event.is_set():
        try:
            async with asyncio.timeout(limit_s):
                await event.wait()
        except TimeoutError:
            return False
    return True
