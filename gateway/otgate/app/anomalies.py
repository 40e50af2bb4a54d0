"""Devices that refuse, garble or send unasked more than they use to: told as it begins and ends."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

import structlog

from otgate.supervisor.status import DeviceStatus

EVERY_S = 60.0
LEAST = {"exceptions": 10, "malformed": 1, "unexpected": 1}
"""How many of a kind there are in a minute, at least, for it to be told."""
TIMES_USUAL = 5.0
MEMORY = 10
"""Minutes that what is usual is about the mean of."""

Statuses = Callable[[], Mapping[str, DeviceStatus]]

log = structlog.get_logger()


@dataclass(slots=True)
class Habit:
    """What one device does of one kind."""

    count: int
    usual: float = 0.0
    """In a minute."""
    told: bool = False

    def more(self, count: int) -> int:
        """Return how many have come since the last time; none where counts began anew."""
        new, self.count = max(0, count - self.count), count
        return new

    def is_odd(self, new: int, least: int) -> bool:
        """Say whether so many in a minute are out of the ordinary, and get used to them."""
        odd = new >= least and new > TIMES_USUAL * self.usual
        self.usual += (new - self.usual) / MEMORY
        return odd


@dataclass(slots=True)
class Anomalies:
    """Compares each minute's counts of every device with those before."""

    statuses: Statuses
    habits: dict[tuple[str, str], Habit] = field(default_factory=dict)

    async def watch(self) -> NoReturn:
        """Look for ever."""
        while True:
            self.look()
            await asyncio.sleep(EVERY_S)

    def look(self) -> None:
        """Look at a minute; the first one tells nothing."""
        statuses = self.statuses()
        self.habits = {key: habit for key, habit in self.habits.items() if key[0] in statuses}
        for device, status in statuses.items():
            for kind, least in LEAST.items():
                self._look(device, kind, getattr(status, kind), least)

    def _look(self, device: str, kind: str, count: int, least: int) -> None:
        habit = self.habits.get((device, kind))
        if habit is None:
            self.habits[device, kind] = Habit(count)
            return
        new = habit.more(count)
        usual = habit.usual
        odd = habit.is_odd(new, least)
        if odd and not habit.told:
            what = {"device": device, "kind": kind, "in_a_minute": new, "usual": round(usual, 1)}
            log.warning("device_odd", **what)
        elif habit.told and not odd:
            log.info("device_usual", device=device, kind=kind, in_a_minute=new)
        habit.told = odd
