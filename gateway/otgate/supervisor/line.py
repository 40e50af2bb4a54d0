"""One link with its devices: opened, scanned, listened to, lost, and opened again.

All of it happens in one task, so that nothing needs a lock. A listening session has a task beside
it for as long as the link is open.
"""

import asyncio
import math
import random
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress

import structlog

from otgate.driver import Driver, Link, Session
from otgate.errors import LinkLost, Unusable
from otgate.model import Scan
from otgate.supervisor.headway import Headway
from otgate.supervisor.lateness import Limit, Turnstile
from otgate.supervisor.pace import Pace
from otgate.supervisor.reserve import keep_reserve
from otgate.supervisor.schedule import Grid, Schedule, Slot
from otgate.supervisor.status import State
from otgate.supervisor.watch import Intake, Reading, Watch
from otgate.together import together, within

log = structlog.get_logger()

UNSTABLE_ATTEMPTS = 3
"""A link that answers but does not last never waits longer than after this many attempts."""


class Line:
    """Keeps one link going."""

    def __init__(
        self,
        driver: Driver,
        link: Link,
        watches: Sequence[Watch],
        pace: Pace,
        rng: random.Random,
        headway: Headway,
    ) -> None:
        self.name = " ".join(watch.device.id for watch in watches)
        self._driver = driver
        self._link = link
        self._watches = {watch.device.id: watch for watch in watches}
        self._pace = pace
        self._rng = rng
        self._headway = headway
        self._now_s = asyncio.get_running_loop().time
        self._grids: Mapping[str, Sequence[Grid]] = {}
        self._schedule = Schedule()
        self._attempt = 0
        self._answered = False
        self._silent: set[str] = set()
        """Devices that have not answered their last scan on this connection."""
        self._defect = ""

    async def run(self, phases: Mapping[str, float], start_s: float, turnstile: Turnstile) -> None:
        """Keep the link going until it is unusable or the caller cancels.

        ``phases`` says per device where in its periods its slots lie, from 0 to 1. It begins when
        its turn at ``turnstile`` has come.
        """
        self._grids = {
            device: [
                Grid(start_s + phases[device] * scan.period_s, scan.period_s) for scan in watch.plan
            ]
            for device, watch in self._watches.items()
        }
        await turnstile.enter()
        while (error := await self._until_lost()) is not None:
            wait_s = self._pace.wait_s(self._attempt, self._rng)
            self._attempt += 1
            for watch in self._watches.values():
                watch.lost(error, wait_s, self._now_s())
            await asyncio.sleep(wait_s)
            for watch in self._watches.values():
                watch.tried()

    async def _until_lost(self) -> str | None:
        """Open the link and serve it; return why it was lost, or None where it is unusable."""
        opened_s, self._answered = self._now_s(), False
        try:
            await self._serve()
        except LinkLost as lost:
            error = str(lost)
        except Unusable as unusable:
            for watch in self._watches.values():
                watch.unusable(str(unusable), self._now_s())
            return None
        except Exception as defect:  # noqa: BLE001 - a driver is a guest: its defect costs its link
            error = self._contained(defect)
        else:
            error = "the driver stopped serving the link"
        _stop_if_asked()
        self._count(self._now_s() - opened_s)
        return error

    def _contained(self, defect: Exception) -> str:
        """Say what a driver did that it must not do, once with its traceback."""
        error = f"{type(defect).__name__}: {defect}"
        if error != self._defect:
            self._defect = error
            log.error("driver_defect", devices=self.name, error=error, exc_info=defect)
        return error

    def _count(self, lasted_s: float) -> None:
        """Decide how long the next wait may be, by what this connection was worth."""
        if self._answered and lasted_s >= self._pace.stable_s:
            self._attempt = 0
        elif self._answered:
            self._attempt = min(self._attempt, UNSTABLE_ATTEMPTS)

    async def _serve(self) -> None:
        stack = AsyncExitStack()
        try:
            sessions = await self._opened(stack)
            for device, watch in self._watches.items():
                watch.counting(sessions[device])
            listening = (
                self._listen(self._watches[device], session) for device, session in sessions.items()
            )
            await together(self._scan_for_ever(sessions), *listening)
        finally:
            with suppress(TimeoutError):
                async with within(self._pace.close_s):
                    await stack.aclose()
            for watch in self._watches.values():
                watch.counting(None)

    async def _opened(self, stack: AsyncExitStack) -> Mapping[str, Session]:
        keep_reserve()
        try:
            async with asyncio.timeout(self._pace.connect_s):
                sessions = await stack.enter_async_context(self._driver.connect(self._link))
        except TimeoutError as error:
            raise LinkLost(f"no connection within {self._pace.connect_s:g} s") from error
        keep_reserve()  # again: others connected meanwhile
        if missing := self._watches.keys() - sessions.keys():
            raise KeyError(f"connect yielded no session for {', '.join(sorted(missing))}")
        return sessions

    async def _listen(self, watch: Watch, session: Session) -> None:
        intake = Intake(watch)
        try:
            await session.listen(intake)
        finally:
            intake.end()

    # Scanning

    async def _scan_for_ever(self, sessions: Mapping[str, Session]) -> None:
        self._schedule = Schedule()
        self._silent.clear()
        for watch in self._watches.values():
            if watch.state is not State.UNUSABLE:
                self._resume(watch)
        while True:
            now_s = self._now_s()
            slot = self._schedule.pick(now_s)
            if slot is None:
                await _sleep_until(self._schedule.next_due_s(), now_s)
            elif not slot.probe_s and slot.deadline_s <= now_s:
                self._watches[slot.device].skipped(slot.skipped(now_s))
                self._schedule.add(slot)
            else:
                await self._headway.enter()
                now_s = self._now_s()
                await self._scan(self._current(slot, now_s), sessions[slot.device], now_s)

    def _resume(self, watch: Watch, served: Scan | None = None) -> None:
        """Put every scan of ``watch`` on its grid; ``served`` is not due again before its next."""
        self._schedule.remove(watch.device.id)
        now_s = self._now_s()
        for scan, grid in zip(watch.plan, self._grids[watch.device.id], strict=True):
            slot = Slot(watch.device.id, scan, grid)
            if scan is served:
                slot.number = grid.current(now_s)
                slot.served(now_s)
            else:
                slot.begin(now_s, self._pace.catch_up_s)
            self._schedule.add(slot)

    def _current(self, slot: Slot, now_s: float) -> Slot:
        """Return ``slot``, moved to the one in which we are where its own ended meanwhile."""
        if not slot.probe_s and slot.deadline_s <= now_s:
            self._watches[slot.device].skipped(slot.skipped(now_s))
        return slot

    async def _scan(self, slot: Slot, session: Session, began_s: float) -> None:
        watch = self._watches[slot.device]
        reading = Reading(watch)
        try:
            limit_s = self._limit_s(slot, watch, began_s)
            with Limit(limit_s):
                await session.scan(slot.scan, reading)
        except TimeoutError as silence:
            error = str(silence) or f"no answer to {slot.scan.name} in time"
            watch.missed(reading, slot.scan, error, self._now_s())
            self._after_silence(slot, watch, error)
        except Unusable as unusable:
            self._schedule.remove(slot.device)
            watch.unusable(str(unusable), self._now_s())
            if all(other.state is State.UNUSABLE for other in self._watches.values()):
                raise
        else:
            now_s = self._now_s()
            watch.took(now_s - began_s)
            self._after_answer(slot, watch, reading, now_s)
        finally:
            reading.end()

    def _limit_s(self, slot: Slot, watch: Watch, now_s: float) -> float:
        """Return until when a scan that begins now may take.

        That is the next slot. One that begins late is given as long as it usually needs, and a
        period while that is not known; a device that failed is cut short where it would cost
        others on the link a slot.
        """
        period_s = slot.scan.period_s
        needed_s = max(2.0 * watch.took_s, period_s / 4.0) if watch.took_s else period_s
        usual_s = now_s + min(period_s, needed_s)
        if len(self._watches) > 1 and watch.row:
            return max(usual_s, min(slot.deadline_s, self._schedule.spare_s(slot.device)))
        return max(usual_s, slot.deadline_s)

    def _after_answer(self, slot: Slot, watch: Watch, reading: Reading, now_s: float) -> None:
        was_lost = watch.state is State.LOST
        self._answered = True
        self._silent.discard(slot.device)
        watch.answered(reading, slot.scan, now_s)
        if slot.probe_s or was_lost:
            self._resume(watch, slot.scan)
        else:
            self._next(slot, now_s)

    def _after_silence(self, slot: Slot, watch: Watch, error: str) -> None:
        now_s = self._now_s()
        self._silent.add(slot.device)
        if watch.row < self._pace.breaker and watch.state is not State.LOST:
            self._again(slot, watch.row, now_s)
            return
        if self._all_silent(slot.device):
            raise LinkLost(error)
        wait_s = self._pace.wait_s(max(0, watch.row - self._pace.breaker), self._rng)
        watch.lost(error, wait_s, now_s)
        self._probe(watch, now_s, wait_s)

    def _all_silent(self, last: str) -> bool:
        """Say whether ``last`` was the last device of the link that was not lost and silent."""
        return all(
            watch.state is State.UNUSABLE
            or device == last
            or (watch.state is State.LOST and device in self._silent)
            for device, watch in self._watches.items()
        )

    def _probe(self, watch: Watch, now_s: float, wait_s: float) -> None:
        """Ask a lost device for its smallest scan, when the others leave room."""
        self._schedule.remove(watch.device.id)
        scan = watch.smallest
        due_s = now_s + wait_s
        slot = Slot(watch.device.id, scan, Grid(due_s, scan.period_s), probe_s=due_s)
        slot.due_s, slot.deadline_s = due_s, due_s + scan.period_s
        self._schedule.add(slot)
        watch.tried()

    def _again(self, slot: Slot, row: int, now_s: float) -> None:
        """Try a scan that failed in its next slot, or in this one where that is far off."""
        if slot.deadline_s - now_s < self._pace.far_s:
            self._next(slot, now_s)
        else:
            slot.due_s = now_s + self._pace.wait_s(row, self._rng)
            self._schedule.add(slot)

    def _next(self, slot: Slot, now_s: float) -> None:
        self._watches[slot.device].skipped(slot.served(now_s))
        self._schedule.add(slot)


async def _sleep_until(due_s: float, now_s: float) -> None:
    """Sleep until ``due_s``; for ever where nothing is due."""
    if due_s == math.inf:
        await asyncio.get_running_loop().create_future()
    await asyncio.sleep(due_s - now_s)


def _stop_if_asked() -> None:
    """Raise the cancellation that a driver swallowed."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
