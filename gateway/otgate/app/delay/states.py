"""States of devices as a conduit with a delay tells them: as old as its samples."""

from collections import deque
from collections.abc import Mapping

MOST = 100
"""Changes within one delay that are told apart, or up to twice as many; what comes faster is told
as one, later."""

States = Mapping[str, str]


class LateStates:
    """Holds states of devices back. Nothing is told before the first of them are old enough."""

    def __init__(self) -> None:
        self._changes: deque[tuple[int, States]] = deque()
        self._told: States = {}

    def seen(self, states: States, now_ns: int, delay_ns: int) -> States:
        """Take the states of now, and return those of ``delay_ns`` ago."""
        if states != (self._changes[-1][1] if self._changes else self._told):
            if len(self._changes) > 1 and now_ns - self._changes[-2][0] < delay_ns // MOST:
                self._changes.pop()
            self._changes.append((now_ns, dict(states)))
        while self._changes and self._changes[0][0] + delay_ns <= now_ns:
            self._told = self._changes.popleft()[1]
        return self._told
