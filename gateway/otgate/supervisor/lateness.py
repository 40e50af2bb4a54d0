"""What a loop that is late owes to devices: answers may lie in sockets that it has not read yet."""

import asyncio
from types import TracebackType
from typing import Self

LATE_S = 0.05
"""A timer that fires this much later than it was set for says that the loop had too much to do."""

PROBE_S = 0.02
"""How often the loop is looked at while links wait to begin."""

PATIENCE_S = 2.0
"""The longest that one link waits for a loop that keeps late."""


class Lenient:
    """Moves a time limit once, by as much as the loop was late when it ended."""

    def __init__(self, limit: asyncio.Timeout, limit_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._limit_s = limit_s
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        before_s = self._limit_s - 0.001  # so that it comes before the limit's own timer
        self._timer = self._loop.call_at(before_s, self._look)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        now_s = self._loop.time()
        late_s = now_s - self._limit_s
        if late_s > LATE_S and not self._limit.expired():
            self._limit.reschedule(now_s + late_s)


class Turnstile:
    """Lets links begin one after another, and none while the loop is late, within patience.

    A fleet that begins at once costs more than it will later, when what devices can take at once is
    proved: it would be late for its own devices and take them for lost.
    """

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._lock = asyncio.Lock()
        self._due_s = asyncio.get_running_loop().time()

    async def enter(self) -> None:
        """Return when the caller's turn has come."""
        async with self._lock:
            wait_s = max(0.0, self._due_s - asyncio.get_running_loop().time())
            self._due_s += self._gap_s
            late_s = await _slept(wait_s)
            waited_s = 0.0
            while late_s > LATE_S and waited_s < PATIENCE_S:
                late_s = await _slept(PROBE_S)
                waited_s += PROBE_S + late_s


async def _slept(seconds: float) -> float:
    """Sleep and return how much longer that took."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + seconds
    await asyncio.sleep(seconds)
    return loop.time() - until_s
