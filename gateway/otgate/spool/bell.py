"""A bell by which one thread wakes another: an event without a condition variable and its locks."""

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
