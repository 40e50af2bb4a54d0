"""Whose turn it is to ask on a line: one outstation is asked at a time, each in its turn."""

from collections import deque
from typing import Protocol


class Asker(Protocol):
    """Somebody who waits for a turn."""

    def granted(self) -> None:
        """Ask now; `Turns.done` ends the turn."""


class Turns:
    """First come, first served. A turn is one request with all of its response."""

    def __init__(self) -> None:
        self._holder: Asker | None = None
        self._waiting: deque[Asker] = deque()

    def ask(self, asker: Asker) -> None:
        """Grant a turn at once if nobody has it, else as soon as those before are done."""
        self._waiting.append(asker)
        if self._holder is None:
            self._next()

    def done(self, asker: Asker) -> None:
        """End a turn, or the waiting for one."""
        if asker in self._waiting:
            self._waiting.remove(asker)
        if self._holder is asker:
            self._holder = None
            self._next()

    def _next(self) -> None:
        if self._waiting:
            self._holder = self._waiting.popleft()
            self._holder.granted()
