"""Every link of a site, side by side, from the start until the caller cancels."""

import asyncio
import random
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

import structlog

from otgate.driver import Driver, Link
from otgate.model import Device, Scan
from otgate.supervisor.line import Line
from otgate.supervisor.pace import Pace
from otgate.supervisor.states import States
from otgate.supervisor.status import DeviceStatus
from otgate.supervisor.watch import Clock, Outlet, Watch

__all__ = ["Outlet", "Supervisor"]

log = structlog.get_logger()

MOMENTS = 20
"""Of its period, at which a device may begin."""

COMPANY = 10
"""Links that begin at one moment where there are many: they share wake-ups, and find the
processor's caches warm. With 50 devices of 1000 points that halves the cost of a sample."""

APART = 4
"""Moments that a few links are spread over, since there is little to save with them."""

STRIDE = 13
"""Moments between neighbours: far apart, and as many at each as at any other."""

TICKED_AT_ONCE = 100
"""Devices looked at before others get their turn on the loop."""


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
        self._pace = pace or Pace()
        self._states = States(states, [device.id for device in devices])
        plans = plans or {device.id: drivers[device.driver].plan(device) for device in devices}
        self._watches = {
            device.id: Watch(device, plans[device.id], outlet, clock) for device in devices
        }
        links = by_link(devices, drivers)
        self._phases = phases([[device.id for device in shared] for shared in links.values()])
        rng = rng or random.Random()  # noqa: S311 - jitter is no secret
        self._lines = [
            self._line(drivers[name], shared, plans, rng) for (name, _), shared in links.items()
        ]

    def status(self) -> dict[str, DeviceStatus]:
        """Return the status of each device, by id."""
        return {device: watch.status() for device, watch in self._watches.items()}

    async def run(self) -> None:
        """Keep every link going until cancelled; then close them all and return promptly."""
        await self._states.load()
        tasks = [*self._started(), asyncio.ensure_future(self._tick())]
        keeping = asyncio.ensure_future(self._states.keep())
        tasks.append(keeping)
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            await self._stopped(tasks)

    def _started(self) -> list["asyncio.Task[None]"]:
        start_s = asyncio.get_running_loop().time()
        gap_s = min(self._pace.link_gap_s, 1.0 / max(1, len(self._lines)))
        return [
            asyncio.create_task(line.run(self._phases, start_s, at * gap_s), name=line.name)
            for at, line in enumerate(self._lines)
        ]

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
        intervals = (watch.device.reporting.min_interval_s for watch in self._watches.values())
        shortest_s = min((interval for interval in intervals if interval > 0), default=4.0)
        period_s = min(self._pace.tick_s, max(0.1, shortest_s / 4))
        while True:
            await asyncio.sleep(period_s)
            for at, watch in enumerate(self._watches.values(), 1):
                watch.tick()
                if at % TICKED_AT_ONCE == 0:
                    await asyncio.sleep(0)

    def _line(
        self,
        driver: Driver,
        shared: Sequence[Device],
        plans: Mapping[str, Sequence[Scan]],
        rng: random.Random,
    ) -> Line:
        ids = [device.id for device in shared]
        states = {device: self._states.of[device] for device in ids}
        link = Link(shared, {device: plans[device] for device in ids}, states)
        return Line(driver, link, [self._watches[device] for device in ids], self._pace, rng)


def by_link(
    devices: Sequence[Device], drivers: Mapping[str, Driver]
) -> dict[tuple[str, Hashable], list[Device]]:
    """Group devices by what they share."""
    shared: dict[tuple[str, Hashable], list[Device]] = {}
    for device in devices:
        key = (device.driver, drivers[device.driver].link_key(device))
        shared.setdefault(key, []).append(device)
    return shared


def phases(links: Sequence[Sequence[str]]) -> dict[str, float]:
    """Say where in its periods each device's slots lie, from 0 to 1.

    The devices of one link, which are served one at a time, lie apart; links keep each other
    company.
    """
    wanted = max(min(len(links), APART), len(links) // COMPANY)
    used = max(count for count in (1, 2, 4, 5, 10, MOMENTS) if count <= wanted)
    return {
        device: (at * STRIDE % used / used + number * MOMENTS // len(shared) / MOMENTS) % 1.0
        for at, shared in enumerate(links)
        for number, device in enumerate(shared)
    }
