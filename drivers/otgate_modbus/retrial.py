"""When lessons are tried again: an hour after they were learned or last tried, over restarts."""

import asyncio
from collections.abc import Callable

from otgate.driver import DeviceState
from otgate_modbus.learned import TRIED_KEY

AGAIN_S = 3600.0
"""How long a refusal is believed."""


class Retrial:
    """The hour of each scan. In between connections it is measured by the clock of the day."""

    def __init__(self, state: DeviceState, clock: Callable[[], int]) -> None:
        self._state = state
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._stamps = _stamps(state.get(TRIED_KEY))
        """When each scan's hour began, in seconds since the Unix epoch."""
        self.due_s = {name: self._left_s(stamp) for name, stamp in self._stamps.items()}
        """When each scan's hour is over, by the loop's clock."""

    def due(self, scan: str) -> bool:
        """Say whether a scan's hour is over; if so, or if it had none, the next one begins."""
        due_s = self.due_s.get(scan)
        over = due_s is not None and self._loop.time() >= due_s
        if over or due_s is None:
            self._begin(scan)
        return over

    def at_once(self, scan: str) -> None:
        """Let the next poll go on trying."""
        self.due_s[scan] = self._loop.time()

    def _begin(self, scan: str) -> None:
        self._stamps[scan] = self._clock() // 1_000_000_000
        self.due_s[scan] = self._loop.time() + AGAIN_S
        self._state.put(TRIED_KEY, self._stamps)

    def _left_s(self, stamp: int) -> float:
        """Return when an hour that began at ``stamp`` is over; a clock set back begins it anew."""
        elapsed_s = max(0, self._clock() // 1_000_000_000 - stamp)
        return self._loop.time() + max(0.0, AGAIN_S - elapsed_s)


def _stamps(kept: object) -> dict[str, int]:
    if not isinstance(kept, dict):
        return {}
    return {name: stamp for name, stamp in kept.items() if type(stamp) is int}
