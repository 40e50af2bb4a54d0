"""What a loop that is late owes to devices: answers may lie in sockets that it has not read yet."""

import asyncio
from types import TracebackType

LATE_S = 0.05
"""A timer that fires this much later than it was set for says that the loop had too much to do."""

PROBE_S = 0.02
"""How often the loop is looked at while links wait to begin."""

PATIENCE_S = 2.0
"""The longest that one link waits for a loop that keeps late."""


class Limit:
    """Ends its block at ``limit_s`` of the loop's clock, once later by as much as that was late.

    As `asyncio.timeout_at`, at a third of its cost: there is one for every poll.

    Raises:
        TimeoutError: the time is over.
    """

    __slots__ = ("_before", "_expired", "_limit_s", "_loop", "_moved", "_task", "_timer")

    def __init__(self, limit_s: float) -> None:
        self._loop = loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None  # noqa: S101  a poll runs in a task
        self._task = task
        self._limit_s = limit_s
        self._moved = self._expired = False

    def __enter__(self) -> None:
        self._before = self._task.cancelling()
        self._timer = self._loop.call_at(self._limit_s, self._look)

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if not self._expired:
            return
        ours = self._task.uncancel() <= self._before
        if ours and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error

    def _look(self) -> None:
        late_s = self._loop.time() - self._limit_s
        if late_s > LATE_S and not self._moved:
            self._moved = True
            self._timer = self._loop.call_later(late_s, self._look)
            return
        self._expired = True
        self._task.cancel()


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
