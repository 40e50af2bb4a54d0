"""What goes over one session: spool items in order, and the standing messages around them.

After an outage what is live goes first, and the backlog behind it, as fast as it is allowed to.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import NoReturn

from otgate.model import Lane
from otgate.publish.allowance import Allowance
from otgate.publish.catalogs import Catalogs
from otgate.publish.compression import compressor
from otgate.publish.drain import Drain
from otgate.publish.encode import Encoder
from otgate.publish.errors import BrokerLost
from otgate.publish.feed import Feed, Room, Taken
from otgate.publish.labels import Labels
from otgate.publish.last import NewestValues
from otgate.publish.liveness import FieldWatch
from otgate.publish.message import Message, Retain, Urgency
from otgate.publish.payload import LaneStatus
from otgate.publish.recall import parts
from otgate.publish.retained import RetainedTopics
from otgate.publish.session import Session
from otgate.publish.settings import BusSettings, LastValues
from otgate.publish.standing import Known, Standing, lane_status
from otgate.publish.verdicts import CLOSES, Verdicts, Way
from otgate.spool.items import Epoch, Frame, Gap
from otgate.spool.reader import Place, Span, SpoolReader
from otgate.together import in_step

LOOK_EVERY_S = 1.0
LOOK_AHEAD_S = 0.25
"""How often the newest catalog is looked for, which may recall what is still to be sent."""
STATUS_EVERY_S = 15.0
REWIND_EVERY_S = 1.0
"""At most so often live data that became old are made a backlog of: a segment is looked through."""
PACE_S = 0.005
"""A backlog goes out in bursts this far apart, each of which costs a look at what is live."""
LAST_S = 0.1
"""For so long newest values may go out before it is looked whether there is something new."""
KEPT_ENCODERS = 4
"""One a catalog: of what is live, of a backlog, and of two lanes."""


class Delivery:
    """One session's work. A new one begins after each reconnect."""

    def __init__(  # noqa: PLR0917  the parts that outlive a session
        self,
        session: Session,
        settings: BusSettings,
        reader: SpoolReader,
        catalogs: Catalogs,
        newest: NewestValues,
        retained: RetainedTopics,
        verdicts: Verdicts,
        clock: Callable[[], int],
    ) -> None:
        self._session = session
        self._settings = settings
        self._reader = reader
        self._catalogs = catalogs
        self._newest = newest
        self._retained = retained
        self._verdicts = verdicts
        self._clock = clock
        self._feed = Feed(reader, clock, settings.backlog)
        self._clock_s = asyncio.get_running_loop().time
        backlog = settings.backlog
        self._allowance = Allowance(backlog.messages_per_s, backlog.bytes_per_s, self._clock_s)
        self._live_from: Place | None = None
        """Where live data begin, until the backlog before is acknowledged."""
        self._entered_ahead: list[Epoch] = []
        """Epochs that what is live has entered, and a backlog not yet."""
        self._rewound_s = 0.0
        self.wants_ack = False
        """Whether something late, or a newest value, waits for an acknowledgement."""
        self._last_may_go = True
        """Whether it is a retained value's turn, in a window that leaves no room for all."""
        self.drain: Drain | None = None
        """How the backlog gets on, where there is one."""
        self._explained: set[str] = set()
        self._pack = compressor(settings.compress)
        self._encoders: dict[str, Encoder] = {}
        self._shown: dict[str, tuple[str, str]] = {}
        self._standing: Standing | None = None
        self._told_epochs: dict[Lane, int] = {}
        self._untidy = True
        self._look_ahead_s = 0.0
        """On the loop's clock: when the newest catalog is looked for next."""

    async def pump(self, field: FieldWatch) -> NoReturn:
        """Send what the spool holds, then what it gets, for as long as the session lasts."""
        await self._rewind(self._settings.replay_s, field)
        while True:
            if self._verdicts.has_left:
                await self._make_up()
            if self._clock_s() >= self._look_ahead_s:
                await self._look_ahead(field)
            taken = self._next()
            if taken is not None:
                await self._deliver(taken, field)
            elif self._is_through():
                await self._end_backlog(field)
            elif self._is_overdue:
                await self._rewind(0.0, field, self._under_way())
            else:
                await self._pause(field)

    def _next(self) -> Taken | None:
        """Take what goes next: of the backlog only where it holds up nothing.

        A late event waits for a full window like what is live: else it would never get in.
        """
        window = self._session.window
        taken = self._feed.take(Room.FREE if window.has_late_share else Room.TAKEN)
        if taken or not window.has_late_room or self._is_overdue or self._allowance.wait_s() > 0:
            return taken
        return self._feed.take_behind()

    async def _pause(self, field: FieldWatch) -> None:
        """Do what is left for when everything was sent, and wait until there is more."""
        await self._caught_up()
        if not len(self._session.window) and self._verdicts.offer_again():
            await self._rewind(0.0, field)
            return
        limit_s = LOOK_EVERY_S
        has_room = self._session.window.has_late_room
        ends = self._live_from is not None and not self._feed.live_from
        self.wants_ack = ends or not has_room or self._newest.has_due
        if self._feed.live_from and has_room:
            limit_s = min(limit_s, max(PACE_S, self._allowance.wait_s()))
        if self._feed.overdue:
            limit_s = min(limit_s, max(0.0, self._overdue_in_s()))
        await self._reader.changed(limit_s)
        self._feed.look_again()

    def _is_through(self) -> bool:
        """Tell whether a backlog was taken and acknowledged."""
        if self._live_from is None or self._feed.live_from:
            return False
        return self._reader.complete_through(Lane.DATA) >= self._live_from

    def _under_way(self) -> Iterator[Span]:
        """Yield what is not to be read again, since its acknowledgement may come."""
        for claim in self._session.window.claims():
            yield claim.lane, claim.epoch, claim.first, claim.first + claim.count

    @property
    def _is_overdue(self) -> bool:
        return self._feed.overdue and self._overdue_in_s() <= 0

    def _overdue_in_s(self) -> float:
        return self._rewound_s + REWIND_EVERY_S - self._clock_s()

    async def _rewind(
        self, seconds: float, field: FieldWatch, under_way: Iterable[Span] = ()
    ) -> None:
        """Read again what is not acknowledged, and say where what is live begins."""
        before = self._live_from
        await self._feed.rewind(seconds, under_way)
        self._rewound_s = self._clock_s()
        self._live_from = self._feed.live_from
        self._entered_ahead.clear()
        if self._live_from is None:
            self.drain = None
        else:
            self.drain = Drain(self._feed.behind, self._clock_s)
        if self._live_from != before:
            await self._tell(self.known(field))

    async def _end_backlog(self, field: FieldWatch) -> None:
        """Say that nothing is missing before what is live any more."""
        self._live_from = self.drain = None
        entered, self._entered_ahead = self._entered_ahead, []
        for epoch in entered:
            await self._begin(epoch, field)
        await self._tell(self.known(field))

    async def _look_ahead(self, field: FieldWatch) -> None:
        """Let the newest catalog govern, also where a backlog lies before it.

        What waits to be offered again is read anew, so that it meets the catalog too.
        """
        self._look_ahead_s = self._clock_s() + LOOK_AHEAD_S
        governing = self._reader.governing()
        if governing is None:
            return
        before = self._catalogs.newest
        self._catalogs.govern(*governing)
        if before is None or self._catalogs.newest is before:
            return
        await self._session.drained()
        self._verdicts.begin()
        await self._rewind(0.0, field)
        await self._change_standing()
        await self._tidy()

    async def _make_up(self) -> None:
        """Send what refusals have left behind: gaps, and messages to be offered again."""
        for gap in self._verdicts.due():
            await self._announce(gap, Urgency.LIVE)
        for message in self._verdicts.again():
            await self._send(message)

    async def report(self, field: FieldWatch) -> NoReturn:
        """Keep the statuses up to date."""
        loop = asyncio.get_running_loop()
        told: Known | None = None
        told_s = loop.time()
        while True:
            field.seen(self._reader.newest_live(), loop.time(), self._clock())
            known = self.known(field)
            if told is None or self._differs(told, known) or loop.time() - told_s > STATUS_EVERY_S:
                await self._tell(known)
                told, told_s = known, loop.time()
            await in_step(LOOK_EVERY_S)

    def known(self, field: FieldWatch) -> Known:
        """Return what is known now."""
        now_s = asyncio.get_running_loop().time()
        lanes = {lane.value: status for lane in Lane if (status := self._lane(lane))}
        return Known(field.state(now_s), field.devices(now_s), lanes, field.anchor)

    async def farewell(self, field: FieldWatch) -> None:
        """Stop in good order: wait for what is under way, say so, disconnect."""
        await self._session.drained()
        if standing := self._catalogs.newest:
            await self._session.send(standing.status("stopped", self.known(field), self._clock()))
            await self._session.drained()
        await self._session.goodbye()

    def _lane(self, lane: Lane) -> LaneStatus | None:
        place = self._reader.complete_through(lane)
        if not place.epoch:
            return None
        return self._lane_status(lane, place, self._catalogs.entered(lane, place.epoch))

    def _lane_status(self, lane: Lane, place: Place, entered: Epoch | None) -> LaneStatus:
        return lane_status(place, entered, self._live_from if lane is Lane.DATA else None)

    async def _deliver(self, taken: Taken, field: FieldWatch) -> None:
        item, urgency = taken
        if isinstance(item, Epoch):
            self._catalogs.learn(item)
            await self._change_standing()
            await self._enter(item, urgency, field)
        elif isinstance(item, Gap):
            await self._announce(item, urgency)
        elif isinstance(item, Frame):
            await self._send_frame(item, urgency)
        else:
            await self._follow(item.frame, urgency)

    async def _follow(self, frame: Frame, urgency: Urgency) -> None:
        """Take values of samples that were acknowledged before."""
        for part in parts(frame, self._catalogs.remaining(frame.catalog)):
            if isinstance(part, Frame):
                labels = self._catalogs.labels(part.catalog)
                await self._explain(part, labels)
                self._take_newest(part, labels, urgency)

    async def _enter(self, epoch: Epoch, urgency: Urgency, field: FieldWatch) -> None:
        """Say that an epoch begins, which a lane with a backlog does once that is at its end."""
        if self._live_from and epoch.lane is Lane.DATA and urgency is Urgency.LIVE:
            self._entered_ahead.append(epoch)
        else:
            await self._begin(epoch, field)

    async def _begin(self, epoch: Epoch, field: FieldWatch) -> None:
        """Say that a lane begins an epoch, and so where the one before ended."""
        told = self._told_epochs.get(epoch.lane, 0)
        if epoch.epoch <= told:
            return
        self._told_epochs[epoch.lane] = epoch.epoch
        if told:
            await self._session.drained()
        done = self._reader.complete_through(epoch.lane)
        place = done if done.epoch == epoch.epoch else Place(epoch.epoch, 0)
        known = self.known(field)
        lanes = {**known.lanes, epoch.lane.value: self._lane_status(epoch.lane, place, epoch)}
        await self._tell(replace(known, lanes=lanes))

    async def _change_standing(self) -> None:
        """Send the meta of the newest catalog where it is not the one of before."""
        standing = self._catalogs.newest
        if standing is None or standing is self._standing:
            return
        if self._standing and standing.topics.prefix != self._standing.topics.prefix:
            raise BrokerLost("the conduit changed its name")
        self._standing = standing
        if self._keeps_last:
            self._newest.keep(standing.points())
        for message in standing.metas():
            await self._retain(message)
        self._explained.update(standing.labels.hashes.values())
        self._untidy = True

    async def _announce(self, gap: Gap, urgency: Urgency) -> None:
        self._catalogs.losses.note(gap)
        if standing := self._catalogs.newest:
            await self._send(standing.gap(gap, self._clock(), urgency))

    async def _send_frame(self, frame: Frame, urgency: Urgency) -> None:
        """Send what the newest catalog leaves of a frame, and announce the rest."""
        remains = self._catalogs.remaining(frame.catalog)
        if remains.is_whole:
            await self._send_samples(frame, urgency)
            return
        for part in parts(frame, remains):
            if isinstance(part, Gap):
                self._catalogs.recalled += part.count
                await self._announce(part, urgency)
            else:
                await self._send_samples(part, urgency)

    async def _send_samples(self, frame: Frame, urgency: Urgency) -> None:
        labels = self._catalogs.labels(frame.catalog)
        if labels.hashes[frame.batch.device] not in self._explained:
            await self._explain(frame, labels)
        for message in self._encoder(frame).messages(frame, labels, self._clock(), urgency):
            await self._send(message)
        if self._keeps_last:
            self._take_newest(frame, labels, urgency)

    def _take_newest(self, frame: Frame, labels: Labels, urgency: Urgency) -> None:
        back = self._reader.has_come_back(frame.lane)
        self._newest.take(frame, labels, urgency if back else Urgency.LATE)

    async def _explain(self, frame: Frame, labels: Labels) -> None:
        """Send the meta of an older catalog before the first message that refers to it."""
        meta_hash = labels.hashes[frame.batch.device]
        if meta_hash in self._explained:
            return
        self._explained.add(meta_hash)
        older = Standing(self._catalogs.topics(frame.catalog), labels, LastValues.OFF)
        hashed, _ = older.meta(frame.batch.device)
        await self._retain(hashed)
        self._untidy = True

    async def _send(self, message: Message) -> None:
        """Offer samples or a gap, unless the broker is known not to take them."""
        if message.urgency is Urgency.LATE:
            self._allowance.spend(message.size)
            self._last_may_go = True
        if self._verdicts.trusts_all:
            await self._session.send(message)
            return
        if self._verdicts.aside(message):
            return
        match self._verdicts.way(message):
            case Way.TOGETHER:
                await self._session.send(message)
            case Way.ALONE:
                await self._session.send_alone(message, self._verdicts.company_s(message))
            case Way.NOT:
                if reason := self._verdicts.refused(message, CLOSES):
                    self._session.end(reason)
                    raise reason

    def _encoder(self, frame: Frame) -> Encoder:
        known = self._encoders.get(frame.catalog.hash)
        if known is None:
            topics = self._catalogs.topics(frame.catalog)
            known = Encoder(topics, self._settings.limits, self._pack)
            known.packet_limit = self._session.grants.maximum_packet_size
            while len(self._encoders) >= KEPT_ENCODERS:
                del self._encoders[next(iter(self._encoders))]
            self._encoders[frame.catalog.hash] = known
        return known

    @property
    def _keeps_last(self) -> bool:
        return self._settings.last is LastValues.ON

    async def _caught_up(self) -> None:
        """Do what must not overtake what is live: newest values; and clear what is gone."""
        standing = self._standing
        if standing is None:
            return
        if not self._live_from and not self._feed.overdue:
            for lane in Lane:
                if self._reader.has_come_back(lane):
                    self._newest.caught_up(lane)
        if self._keeps_last:
            await self._keep_last(standing)
        if not self._live_from:
            await self._tidy()

    async def _keep_last(self, standing: Standing) -> None:
        """Send newest values while they hold up nothing; the rest have their turn later."""
        until_s = self._clock_s() + LAST_S
        if self._has_room_for_last:
            for message in self._newest.due(standing.topics, self._clock()):
                self._last_may_go = False
                await self._retain(message)
                if self._clock_s() > until_s or not self._has_room_for_last:
                    break

    @property
    def _has_room_for_last(self) -> bool:
        """Whether a retained value may go; of a narrow window a backlog has every other place."""
        window = self._session.window
        return not self._feed.live_from or 2 * len(window) + 2 <= window.limit or self._last_may_go

    async def _tidy(self) -> None:
        """Clear every retained message that nothing stands behind."""
        if self._untidy and self._standing is not None:
            self._untidy = False
            for message in self._leftovers(self._standing):
                await self._send_standing(message)

    def _leftovers(self, standing: Standing) -> Iterator[Message]:
        """Yield what clears the retained messages that nothing stands behind."""
        for topic in self._retained.unwanted(standing.wants):
            self._explained.discard(topic.rpartition("/")[2])
            yield Message(topic, b"", Retain.YES)

    async def _retain(self, message: Message) -> None:
        self._retained.add(message.topic)
        await self._send_standing(message)

    async def _send_standing(self, message: Message) -> None:
        match self._verdicts.way(message):
            case Way.TOGETHER:
                await self._session.send(message)
            case Way.ALONE:
                await self._session.send_alone(message, self._verdicts.company_s(message))
            case Way.NOT:
                pass

    async def _tell(self, known: Known) -> None:
        standing = self._catalogs.newest
        if standing is None:
            return
        self._newest.field(known.field)
        await self._retain(standing.status("alive", known, self._clock()))
        for device in standing.devices:
            shown = known.devices.get(device, "unknown"), known.field
            if self._shown.get(device) != shown:
                self._shown[device] = shown
                await self._retain(standing.device_status(device, known, self._clock()))

    @staticmethod
    def _differs(told: Known, known: Known) -> bool:
        if (told.field, told.devices) != (known.field, known.devices):
            return True
        return _places(told) != _places(known)


def _places(known: Known) -> dict[str, tuple[str, str | None, int | None]]:
    """Return what has to be told at once when it changes."""
    return {
        name: (lane.epoch, lane.live_epoch, lane.live_from) for name, lane in known.lanes.items()
    }
