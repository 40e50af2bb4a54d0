"""A bell by which one thread wakes another: an event without a condition variable and its locks."""

from asyncio import AbstractEventLoop
from contextlib import suppress
from threading import Lock


class Bell:
    """Rung by one thread, waited for by one other. However often it rings, that wakes once."""

    def __init__(self) -> None:
        self._rung = False
        self._shut = Lock()
        self._shut.acquire()

    def ring(self) -> None:
        """Wake the thread that waits, or let its next wait return at once."""
        if not self._rung:
            self._rung = True
            with suppress(RuntimeError):  # open already: an earlier ring is still to be heard
                self._shut.release()

    def wait(self, limit_s: float) -> None:
        """Return once the bell rang since `quiet`, or after ``limit_s`` seconds, or early."""
        self._shut.acquire(timeout=limit_s)

    def quiet(self) -> None:
        """Hear what rings from now on: for whoever is about to look at what it rang for."""
        self._rung = False


class Lull:
    """Rings a bell when a burst on the event loop is over: a turn has brought nothing more.

    A thread that is woken in a burst wrestles with the loop for the interpreter, for every piece
    of it. Woken once, while the loop rests, it takes a third of that.
    """

    def __init__(self, bell: Bell, loop: AbstractEventLoop, burst_s: float) -> None:
        self._bell = bell
        self._burst_s = burst_s
        """How long a burst that goes on is waited for."""
        self._loop = loop
        self._waits = self._came = False
        self._until_s = 0.0

    def ring(self) -> None:
        """Ring soon; to be called on the loop."""
        self._came = True
        if not self._waits:
            self._waits = True
            self._until_s = self._loop.time() + self._burst_s
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        if self._came and self._loop.time() < self._until_s:
            self._came = False
            self._loop.call_soon(self._turn)
            return
        self._waits = False
        self._bell.ring()
