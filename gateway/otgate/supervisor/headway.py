"""Begins polls no faster than the loop gets round to them, where more are due than it can serve."""

import asyncio
from collections import deque

AT_ONCE = 10
"""Polls that may begin on one round of the loop while it keeps up."""

IN_TURN = 2
"""Polls that may begin on one round while others wait. A poll of ``n`` requests takes ``n`` rounds,
so that ``2 * n`` of them are under way then: few enough for polls of 40 requests to end in time."""

LONG_S = 0.01
"""A round that takes longer than this has much to do."""


class Headway:
    """Lets a few polls begin on each round of the loop; the others wait in turn.

    A round serves whatever has arrived for the polls that are under way. A loop that has too much
    to do thus finishes what it has begun before it begins more: polls are late or skipped, and
    those that begin are answered in time. A loop with nothing to do goes round at once.
    """

    def __init__(self) -> None:
        self._room = AT_ONCE
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turning = False
        self._since_s = 0.0
        """When this round was begun."""

    async def enter(self) -> None:
        """Return when the caller may begin: at once where the loop keeps up."""
        loop = asyncio.get_running_loop()
        if self._room and not self._waiting:
            self._room -= 1
            self._turn_soon(loop)
            return
        place = loop.create_future()
        self._waiting.append(place)
        self._turn_soon(loop)
        await place

    def _turn_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._turning:
            self._turning = True
            self._since_s = loop.time()
            loop.call_soon(self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._turning = False
        busy = self._waiting or loop.time() - self._since_s > LONG_S
        self._room = room = IN_TURN if busy else AT_ONCE
        while self._room and self._waiting:
            place = self._waiting.popleft()
            if not place.done():  # as one is whose link ended meanwhile
                place.set_result(None)
                self._room -= 1
        if self._room < room:
            self._turn_soon(loop)
