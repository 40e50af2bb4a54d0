"""The bus side of one conduit: reads its spool and publishes it, for as long as it runs."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import structlog

from otgate.errors import Refused
from otgate.model import Lane
from otgate.publish.catalogs import Catalogs
from otgate.publish.compression import compressor
from otgate.publish.delivery import Delivery
from otgate.publish.dialect import Dialect, first_dialect
from otgate.publish.errors import (
    BrokerClosed,
    BrokerDismissed,
    BrokerLost,
    BrokerRefused,
    DialectRefused,
    SessionTakenOver,
)
from otgate.publish.last import NewestValues
from otgate.publish.liveness import FieldWatch
from otgate.publish.message import Claim, Message, Outcome, Settles
from otgate.publish.refusals import Refusals
from otgate.publish.retained import RetainedTopics
from otgate.publish.retry import Ending, Next, Retry
from otgate.publish.rivals import Rivals
from otgate.publish.session import Session, opened
from otgate.publish.settings import (
    Broker,
    BusSettings,
    LastValues,
    Login,
    Tls,
    client_id,
)
from otgate.publish.standing import Known
from otgate.publish.suspects import Finding
from otgate.publish.throughput import Throughput
from otgate.publish.topics import Topics
from otgate.publish.verdicts import Verdicts
from otgate.spool.epoch import epoch_text
from otgate.spool.items import Epoch
from otgate.spool.reader import SpoolReader
from otgate.together import in_step, together, within

UPKEEP_EVERY_S = 1.0
LASTING_LOOKS = 4
"""How often in a row something is in the way of reading before it is worth a warning."""
FAREWELL_S = 1.0
LOOK_AT_KEYS_S = 1.0
"""How often, while there is no connection, files with keys are looked at."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Counts:
    """What was published since the start."""

    messages: int = 0
    samples: int = 0
    connections: int = 0
    unasked: int = 0
    """Messages that brokers sent us, in sessions that are over."""
    attempts: int = 0
    """Since the broker was lost."""


class Publisher:
    """Publishes one spool. ``state`` is the directory of the cursor."""

    def __init__(
        self,
        reader: SpoolReader,
        settings: BusSettings,
        *,
        clock: Callable[[], int],
        state: Path,
        login: Login | None = None,
        rng: random.Random | None = None,
    ) -> None:
        compressor(settings.compress)  # refuse now what cannot work later
        self._reader = reader
        self._settings = settings
        self._login = login
        self._mark: object = None
        """The login's, as it was before the last attempt."""
        self._clock = clock
        self._state = state
        self._retry = Retry(len(settings.brokers), rng or random.Random())  # noqa: S311  jitter
        self._dialects: dict[Broker, Dialect] = {}
        """What a broker asked for, once it worked."""
        self._protocol = settings.protocol
        """The one of the session."""
        self._catalogs = Catalogs(settings.root, settings.last)
        self._newest = NewestValues()
        if settings.last is LastValues.ON:
            reader.show_acknowledged()
        self._verdicts = Verdicts(Refusals(state), self._done, clock, time.monotonic)
        self._counts = Counts()
        self._rivals = Rivals(time.monotonic)
        self.throughput = Throughput()
        self._kept_s = time.monotonic()
        """When the upkeep came round last."""
        self._field: FieldWatch | None = None
        self._session: Session | None = None
        self._last: Session | None = None
        """The session that ended, until it is known what that means."""
        self._recall_said = False
        self._unasked_in: Session | None = None
        """The session for which it has been logged that messages came unasked."""
        self._delivery: Delivery | None = None
        self._broker = settings.brokers[0]
        self._lost: BrokerLost | None = None
        self._said: set[type[BrokerLost]] = set()
        """What has been logged since the broker was lost."""
        self._obstacle = ""
        self._obstructed = 0
        """How often in a row there was one."""
        self._waited_for = ""
        """The one that has been logged."""
        self._lost_s: float | None = None
        self._connected_s: float | None = None

    async def run(self) -> NoReturn:
        """Publish until cancelled; then say so to the broker and keep the cursor.

        Raises:
            Refused: the spool's identity cannot be part of a topic, or there can be no
                directory for the cursor.
            SpoolUnusable: the spool is of a newer format.
        """
        _make(self._state)
        self._retained = RetainedTopics(self._state)
        self._field = field = FieldWatch(asyncio.get_running_loop().time())
        try:
            await together(self._published(field), self._upkeep())
        finally:
            self._reader.flush()
            self._retained.save()
        raise AssertionError("publishing ends by cancellation or an error")

    def status(self) -> dict[str, Any]:
        """Return what an operator asks: connection, counts, how far each lane is."""
        session = self._session
        return {
            "broker": str(self._broker),
            "connected": session is not None,
            "protocol": self._protocol.value if session else None,
            "error": str(self._lost) if self._lost else None,
            "spool": self._obstacle or "readable",
            "cursor": self._reader.unsaved or "saved",
            "identity": self._rivals.sentence(self._settings.client_id),
            "attempts": self._counts.attempts,
            "connections": self._counts.connections,
            "messages": self._counts.messages,
            "samples": self._counts.samples,
            "recalled": self._catalogs.recalled,
            "unasked": self._counts.unasked + (session.unasked_count if session else 0),
            **self._verdicts.status(),
            "in_flight": len(session.window) if session else 0,
            "window": session.window.limit if session else self._settings.window,
            "lanes": {lane.value: self._place(lane) for lane in Lane},
        }

    @property
    def tls(self) -> Tls | None:
        """What TLS to the brokers was set up with last."""
        return self._settings.tls

    @property
    def broker_certificate(self) -> bytes:
        """The connected broker's, DER; nothing where there is none."""
        return self._session.certificate if self._session else b""

    def field(self) -> Known:
        """Return what is known of the field side now."""
        if self._field is None:
            return Known()
        now_s = asyncio.get_running_loop().time()
        self._field.seen(self._reader.newest_live(), now_s, self._clock())
        return Known(self._field.state(now_s), self._field.devices(now_s))

    def stuck(self, limit_s: float) -> str:
        """Say what has taken longer than ``limit_s``, beside having no broker."""
        late_s = time.monotonic() - self._kept_s
        return f"the cursor has not been kept for {late_s:.0f} s" if late_s > limit_s else ""

    def trace(self, lane: Lane, epoch: int, seq: int) -> dict[str, bool]:
        """Say how far one sample is on its way."""
        claims = [each.claim for each in self._session.window.in_flight()] if self._session else []
        return {
            "acknowledged": self._reader.is_acknowledged(lane, epoch, seq),
            "in_flight": any(claim.holds(lane, epoch, seq) for claim in claims if claim),
        }

    def _place(self, lane: Lane) -> dict[str, Any]:
        place, unread = self._reader.complete_through(lane), self._reader.unread(lane)
        known: dict[str, Any] = {
            "epoch": epoch_text(place.epoch),
            "complete_through": place.seq,
            "unread_bytes": unread.size_bytes,
            "behind_s": round(unread.behind_s(self._clock()), 1),
        }
        if lane is Lane.DATA and self._delivery and (drain := self._delivery.drain):
            left = self._reader.backlog(lane)
            known |= {"backlog": left, "ends_in_s": drain.ends_in_s(left)}
        return known

    async def _published(self, field: FieldWatch) -> NoReturn:
        await self._catalog()
        await self._always_connected(field)

    async def _catalog(self) -> None:
        """Wait for a spool that says who it speaks for: topics and the will need it."""
        while self._catalogs.newest is None:
            for lane in Lane:
                for item in self._reader.read(lane, max_frames=1):
                    if isinstance(item, Epoch):
                        self._catalogs.learn(item)
            if self._catalogs.newest is None:
                await self._reader.changed(1.0)
        spoken_for = self._catalogs.newest.labels.catalog
        self._settings = self._settings.identified(spoken_for.gateway, spoken_for.conduit)

    async def _always_connected(self, field: FieldWatch) -> NoReturn:
        attempt = self._retry.first()
        while True:
            await self._pause(attempt.delay_s)
            self._broker = self._settings.brokers[attempt.broker]
            try:
                self._look_up_keys()
                await self._once(field)
            except BrokerLost as lost:
                attempt = self._after(lost)

    async def _pause(self, delay_s: float) -> None:
        """Wait, but not on while the keys have changed."""
        left_s = delay_s
        while left_s > 0:
            await asyncio.sleep(min(LOOK_AT_KEYS_S, left_s))
            left_s -= LOOK_AT_KEYS_S
            if self._login and self._lost and self._login.mark() != self._mark:
                log.info("keys_changed", broker=str(self._broker))
                return

    def _look_up_keys(self) -> None:
        if self._login is None:
            return
        self._mark = self._login.mark()
        try:
            self._settings = self._settings.with_keys(self._login.keys())
        except Refused as refused:
            raise BrokerRefused(str(refused)) from None

    def _after(self, lost: BrokerLost) -> Next:
        now_s = asyncio.get_running_loop().time()
        lasted_s = None if self._connected_s is None else now_s - self._connected_s
        self._connected_s = None
        attempt = self._retry.after(self._ending(lost), lasted_s)
        self._counts.attempts += 1
        kind = BrokerLost if isinstance(lost, BrokerClosed) else type(lost)
        if kind not in self._said:
            self._said.add(kind)
            log.warning(
                "broker_lost",
                broker=str(self._broker),
                error=str(lost),
                retry_in_s=round(attempt.delay_s, 1),
            )
        if self._lost is None:
            self._lost_s = now_s
        self._lost = lost
        return attempt

    def _ending(self, lost: BrokerLost) -> Ending:
        last, self._last = self._last, None
        if isinstance(lost, SessionTakenOver):
            self._tell_of_rivals(often=self._rivals.taken_over())
            return Ending.TAKEN_OVER
        if last is None or not isinstance(lost, BrokerClosed):
            return Ending.LOST
        finding = self._verdicts.ended(last.window.in_flight(), last.lonely)
        if finding is not Finding.NOTHING:
            return Ending.PROBED
        if last.took and not isinstance(lost, BrokerDismissed):
            self._rivals.closed()
        return Ending.LOST

    def _tell_of_rivals(self, *, often: bool) -> None:
        if often:
            log.error("client_id_shared", why=self._rivals.sentence(self._settings.client_id))

    async def _once(self, field: FieldWatch) -> NoReturn:
        """Connect in the best dialect that the broker speaks and stay until the end.

        What a code asked for is remembered. A close or a silence may have had another reason, so
        that the next connection begins anew.
        """
        wanted = self._settings.protocol
        dialect = self._dialects.get(self._broker, first_dialect(wanted))
        told = True
        while True:
            try:
                await self._speak(dialect, field, told=told)
            except DialectRefused as refused:
                simpler = dialect.after(refused.code, wanted)
                if simpler is None:
                    raise
                dialect, told = simpler, told and refused.code is not None

    async def _speak(self, dialect: Dialect, field: FieldWatch, *, told: bool) -> NoReturn:
        standing = self._catalogs.newest
        if standing is None:
            raise BrokerLost("the spool has no catalog")
        will = standing.status("lost", Known(), self._clock())
        settings = self._named(standing.topics)
        async with opened(settings, self._broker, dialect, will, self._settled) as session:
            if told:
                self._dialects[self._broker] = dialect
            self._protocol = dialect.protocol
            self._begin(session)
            try:
                await self._serve(session, field)
            finally:
                self._session, self._last = None, session
                self._counts.unasked += session.unasked_count
        raise BrokerLost("the connection ended")

    def _named(self, topics: Topics) -> BusSettings:
        if self._settings.client_id:
            return self._settings
        name = client_id("otgate", topics.gateway, topics.conduit)
        return replace(self._settings, client_id=name)

    def _begin(self, session: Session) -> None:
        now_s = asyncio.get_running_loop().time()
        self._session = session
        self._connected_s = now_s
        self._counts.connections += 1
        if self._lost is not None:
            lost_for_s = round(now_s - (self._lost_s or now_s))
            attempts = self._counts.attempts
            log.info(
                "broker_back", broker=str(self._broker), lost_for_s=lost_for_s, attempts=attempts
            )
        else:
            log.info("broker_connected", broker=str(self._broker))
        self._tell_of_rivals(often=self._rivals.connected(at_once=self._counts.attempts == 1))
        self._lost = None
        self._said.clear()
        self._counts.attempts = 0
        self._newest.reconnected()
        self._verdicts.begin()

    async def _serve(self, session: Session, field: FieldWatch) -> None:
        delivery = Delivery(
            session,
            self._settings,
            self._reader,
            self._catalogs,
            self._newest,
            self._retained,
            self._verdicts,
            self._clock,
        )
        self._delivery = delivery
        try:
            await together(session.watch(), delivery.pump(field), delivery.report(field))
        except asyncio.CancelledError:
            await self._farewell(delivery, field)
            raise
        finally:
            self._delivery = None

    async def _farewell(self, delivery: Delivery, field: FieldWatch) -> None:
        try:
            async with within(FAREWELL_S):
                await delivery.farewell(field)
        except (BrokerLost, TimeoutError):
            log.info("stopped_without_farewell", broker=str(self._broker))

    async def _upkeep(self) -> NoReturn:
        """Keep the cursor on disk and tell what a person should know of the spool."""
        while True:
            await self._reader.keep()
            await self._retained.keep()
            self._kept_s = time.monotonic()
            for remark in self._reader.remarks():
                log.warning("spool_remark", remark=remark)
            self._look_for_obstacles()
            self._look_for_unasked()
            self._look_for_recalled()
            await in_step(UPKEEP_EVERY_S)

    def _look_for_obstacles(self) -> None:
        """Log what stays in the way: a field side that has just started makes its spool soon."""
        self._obstacle = self._reader.obstacle()
        self._obstructed = self._obstructed + 1 if self._obstacle else 0
        lasting = self._obstacle if self._obstructed >= LASTING_LOOKS else ""
        if lasting == self._waited_for:
            return
        self._waited_for = lasting
        if lasting:
            log.warning("spool_waited_for", why=lasting)
        else:
            log.info("spool_readable")

    def _look_for_unasked(self) -> None:
        session = self._session
        if session and session.unasked_count and session is not self._unasked_in:
            self._unasked_in = session
            log.warning("messages_unasked", broker=str(self._broker))

    def _look_for_recalled(self) -> None:
        if self._catalogs.recalled and not self._recall_said:
            self._recall_said = True
            log.warning("samples_recalled", why="the newest catalog no longer has their points")

    def _settled(self, message: Message, outcome: Outcome) -> None:
        if self._delivery and self._delivery.wants_ack:
            self._reader.nudge()
        if outcome.refused:
            reason = self._verdicts.refused(message, outcome)
        else:
            self._counts.messages += 1
            self.throughput.taken(message, self._clock())
            self._retained.settled(message)
            reason = self._verdicts.taken(message)
            if claim := message.claim:
                self._counts.samples += claim.count if claim.settles is Settles.DELIVERED else 0
                self._done(claim)
        if reason and self._session:
            self._session.end(reason)

    def _done(self, claim: Claim) -> None:
        self._reader.acknowledge(claim.lane, claim.epoch, claim.first, claim.count)


def _make(state: Path) -> None:
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"the cursor cannot be kept in {state}: {error.strerror}") from None
