"""Every link of a site, side by side, from the start until the caller cancels."""

import asyncio
import random
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from otgate.calc.calculation import CALC
from otgate.calc.engine import Result
from otgate.driver import Driver, Link, Receipt
from otgate.histogram import Histogram
from otgate.model import Device, Index, Scan
from otgate.supervisor.calculating import Calculating
from otgate.supervisor.headway import Headway
from otgate.supervisor.lateness import Turnstile
from otgate.supervisor.line import Line
from otgate.supervisor.pace import Pace
from otgate.supervisor.states import States
from otgate.supervisor.status import DeviceStatus, State
from otgate.supervisor.trace import Trace
from otgate.supervisor.watch import NOTHING, Clock, Outlet, Watch
from otgate.together import cancelled, in_step

__all__ = ["Outlet", "Supervisor"]

log = structlog.get_logger()

MOMENTS = 100
"""Of its period, at which a device may begin: as many as 1000 devices need to keep no more company
than `COMPANY`. With 20 the last of 50 neighbours began 15 ms late."""

COMPANY = 10
"""Links that begin at one moment where there are many: they share wake-ups, and find the
processor's caches warm. With 50 devices of 1000 points that halves the cost of a sample."""

APART = 4
"""Moments that a few links are spread over, since there is little to save with them."""

STRIDE = 13
"""Moments between neighbours: far apart, and as many at each as at any other."""

TICKED_AT_ONCE = 100
"""Devices looked at before others get their turn on the loop."""


Plans = Mapping[str, Sequence[Scan]]
Key = tuple[str, Hashable]
"""A driver, and what devices of one link have in common."""


@dataclass(slots=True)
class Served:
    """A link and the task that keeps it going."""

    devices: Sequence[Device]
    line: Line
    task: "asyncio.Task[None] | None" = None


class Supervisor:
    """Keeps every device read, and publishes when it is not.

    Raises:
        Mistakes: a driver cannot plan a device. `otgate check` finds that earlier.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        drivers: Mapping[str, Driver],
        outlet: Outlet,
        *,
        clock: Clock,
        states: Path | None,
        pace: Pace | None = None,
        rng: random.Random | None = None,
        plans: Mapping[str, Sequence[Scan]] | None = None,
    ) -> None:
        self.scan_times: dict[str, Histogram] = {}
        """How long answered scans took, by driver."""
        self._pace = pace or Pace()
        self._drivers = drivers
        self._outlet = outlet
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - jitter is no secret
        self._headway = Headway()
        self._states = States(states, [device.id for device in devices])
        self._plans: dict[str, Sequence[Scan]] = {}
        self._watches: dict[str, Watch] = {}
        self._served: dict[Key, Served] = {}
        self._changed = asyncio.Event()
        self._calculating = Calculating(clock, self._calculated)
        self._place(devices, plans or self._planned(devices))
        self._calculating.run_by(devices, ())

    def status(self) -> dict[str, DeviceStatus]:
        """Return the status of each device, by id."""
        return dict(self.statuses())

    def statuses(self) -> Iterator[tuple[str, DeviceStatus]]:
        """Yield the same, each when it is asked for."""
        for device, watch in list(self._watches.items()):
            yield device, watch.status()

    def states(self) -> dict[str, State]:
        """Return where each device stands, by id."""
        return {device: watch.state for device, watch in self._watches.items()}

    def newest(self, device: str, numbers: Index) -> str | None:
        """Return the newest values of some points of ``device``; None where there are none now."""
        watch = self._watches.get(device)
        return None if watch is None else watch.newest(numbers)

    def trace(self, device: str, number: int) -> Trace | None:
        """Return what is known of a point of ``device``, or None where that is not read."""
        watch = self._watches.get(device)
        return None if watch is None else watch.trace(number)

    async def run(self) -> None:
        """Keep every link going until cancelled; then close them all and return promptly."""
        await self._states.load()
        self._start()
        others = [asyncio.ensure_future(self._tick()), asyncio.ensure_future(self._states.keep())]
        try:
            await self._attended(others)
        finally:
            lines = [served.task for served in self._served.values() if served.task is not None]
            await self._stopped([*lines, *others])

    async def _attended(self, others: Sequence["asyncio.Future[None]"]) -> None:
        """Wait for ever, or for what ends with an error; a line that is unusable just ends."""
        ended: set[asyncio.Future[None]] = set()
        while True:
            self._changed.clear()
            change = asyncio.create_task(self._change())
            lines = {served.task for served in self._served.values() if served.task is not None}
            watched = ({*others, *lines} - ended) | {change}
            try:
                done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            finally:
                await cancelled([change])
            for task in done - {change}:
                if not task.cancelled():  # as those are that a change retires
                    task.result()
            ended |= done

    async def _change(self) -> None:
        await self._changed.wait()

    # Changes while it runs

    async def retire(self, devices: Sequence[Device], plans: Plans) -> None:
        """Stop every link whose devices are not to be read on exactly as they are.

        Nothing of a device that stops is passed on after this returns.
        """
        wanted = by_link(devices, self._drivers)
        leaving = [
            key
            for key, served in self._served.items()
            if list(served.devices) != wanted.get(key)
            or any(self._plans[one.id] != plans[one.id] for one in served.devices)
        ]
        stopping = [self._served.pop(key) for key in leaving]
        for served in stopping:
            for device in served.devices:
                self._watches.pop(device.id).retire()
                del self._plans[device.id]
        for name in self._uncalculated(devices):
            self._watches.pop(name).retire()
            del self._plans[name]
        tasks = [served.task for served in stopping if served.task is not None]
        if tasks:
            await self._stopped(tasks)

    async def adopt(self, devices: Sequence[Device], plans: Plans) -> list[str]:
        """Read ``devices``, those that are read already go on; return the ids of those begun."""
        begun = [device.id for device in devices if device.id not in self._watches]
        await self._states.add(begun)
        self._place(devices, plans)
        self._calculate(devices, begun)
        self._start()
        return begun

    def refresh(self, devices: Iterable[str]) -> None:
        """Pass on every value of ``devices`` that is known, as a refresh."""
        for device in devices:
            if device in self._watches:
                self._watches[device].refresh()

    # What is calculated

    def _uncalculated(self, devices: Sequence[Device]) -> list[str]:
        """Return the calculated devices that do not go on exactly as they are."""
        wanted = {device.id: device for device in devices}
        return [
            name
            for name, watch in self._watches.items()
            if watch.device.driver == CALC and wanted.get(name) != watch.device
        ]

    def _calculate(self, devices: Sequence[Device], begun: Collection[str]) -> None:
        """Calculate for ``devices`` from now on; those not ``begun`` have gone on."""
        kept = [device.id for device in devices if device.id not in begun]
        self._calculating.run_by(devices, kept)
        if self._calculating.active:
            watches = (self._watches[name] for name in kept)
            self._calculating.begin(batch for watch in watches for batch in watch.known())

    def _calculated(self, result: Result) -> Receipt:
        watch = self._watches.get(result.batch.device)
        return NOTHING if watch is None else watch.calculated(result)

    def _planned(self, devices: Sequence[Device]) -> Plans:
        return {device.id: self._drivers[device.driver].plan(device) for device in devices}

    def _place(self, devices: Sequence[Device], plans: Plans) -> None:
        """Make what is needed for devices and links that are new."""
        for device in devices:
            if device.id not in self._watches:
                self._plans[device.id] = plans[device.id]
                calculating = None if device.driver == CALC else self._calculating
                plan = plans[device.id]
                times = self.scan_times.setdefault(device.driver, Histogram())
                watch = Watch(device, plan, self._outlet, self._clock, calculating, times)
                self._watches[device.id] = watch
        links = by_link(devices, self._drivers)
        self._phases = phases([[device.id for device in shared] for shared in links.values()])
        for key, shared in links.items():
            if key not in self._served:
                self._served[key] = Served(shared, self._line(self._drivers[key[0]], shared))

    def _start(self) -> None:
        """Begin every link that is not begun."""
        start_s = asyncio.get_running_loop().time()
        waiting = [served for served in self._served.values() if served.task is None]
        turnstile = Turnstile(min(self._pace.link_gap_s, 1.0 / max(1, len(waiting))))
        for served in waiting:
            running = served.line.run(self._phases, start_s, turnstile)
            served.task = asyncio.create_task(running, name=served.line.name)
        self._changed.set()

    async def _stopped(self, tasks: Sequence["asyncio.Task[None]"]) -> None:
        """Cancel ``tasks``; a link that does not close in time is left to itself."""
        for task in tasks:
            task.cancel()
        _, left = await asyncio.wait(tasks, timeout=self._pace.close_s + 0.1)
        if left:
            log.error("link_not_closed", devices=sorted(task.get_name() for task in left))
        try:
            await self._states.save()
        except OSError as error:
            log.error("device_state_unwritten", error=str(error))  # noqa: TRY400 - no traceback

    async def _tick(self) -> None:
        """Look at every report about once a second, more often where an interval is short."""
        while True:
            await in_step(self._tick_s())
            for at, watch in enumerate(list(self._watches.values()), 1):
                watch.tick()
                if at % TICKED_AT_ONCE == 0:
                    await asyncio.sleep(0)
            self._calculating.tick()

    def _tick_s(self) -> float:
        intervals = (watch.device.reporting.min_interval_s for watch in self._watches.values())
        shortest_s = min((interval for interval in intervals if interval > 0), default=4.0)
        return min(self._pace.tick_s, max(0.1, shortest_s / 4))

    def _line(self, driver: Driver, shared: Sequence[Device]) -> Line:
        ids = [device.id for device in shared]
        states = {device: self._states.of[device] for device in ids}
        link = Link(shared, {device: self._plans[device] for device in ids}, states)
        watches = [self._watches[device] for device in ids]
        return Line(driver, link, watches, self._pace, self._rng, self._headway)


def by_link(
    devices: Sequence[Device], drivers: Mapping[str, Driver]
) -> dict[tuple[str, Hashable], list[Device]]:
    """Group devices by what they share; what is calculated shares nothing."""
    shared: dict[tuple[str, Hashable], list[Device]] = {}
    for device in devices:
        if device.driver == CALC:
            continue
        key = (device.driver, drivers[device.driver].link_key(device))
        shared.setdefault(key, []).append(device)
    return shared


def phases(links: Sequence[Sequence[str]]) -> dict[str, float]:
    """Say where in its periods each device's slots lie, from 0 to 1.

    The devices of one link, which are served one at a time, lie apart; links keep each other
    company.
    """
    wanted = max(min(len(links), APART), len(links) // COMPANY)
    used = max(count for count in (1, 2, 4, 5, 10, 20, 25, 50, MOMENTS) if count <= wanted)
    return {
        device: (at * STRIDE % used / used + number * MOMENTS // len(shared) / MOMENTS) % 1.0
        for at, shared in enumerate(links)
        for number, device in enumerate(shared)
    }
